"""What the core ops mean over exact numbers: rationals, rational functions, balls and series of balls.

One row an op, as a function of values with Python's arithmetic; an op without a row has no rigorous meaning here.
Programs run through `Steps`, so that the same few lines serve every kind of number.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flint import arb, arb_series, fmpq

from evosearch.evaluation.balls import UnsupportedError, absolute, divide, known, lead, undefined, without_derivatives
from evosearch.language.infer import expand, without_dead_code
from evosearch.language.op import Op
from evosearch.language.program import Const, Operand, Program


def _sqrt(a: Any) -> Any:
    return known(a.sqrt())


def _min(a: Any, b: Any) -> Any:
    first, second = lead(a), lead(b)
    if first <= second:
        return a
    return b if second <= first else without_derivatives(_series_of(a, b), first.min(second))


def _max(a: Any, b: Any) -> Any:
    return -_min(-a, -b)


def _series_of(*values: Any) -> Any:
    return next((value for value in values if isinstance(value, arb_series)), values[0])


def _integer(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A step function: constant where all of the ball rounds alike."""

    def meaning(a: Any) -> Any:
        first = lead(a)
        low, high = method(first.lower()), method(first.upper())
        if low.overlaps(high) and low.is_exact() and high.is_exact():
            return low
        return without_derivatives(a, low.union(high))

    return meaning


def _nearest_even(a: Any) -> Any:
    below = (a + arb(0.5)).floor()
    tie = (a + arb(0.5) - below).is_zero()
    return below - 1 if tie and not (below / 2).is_integer() else below


def _truth(certain: bool, impossible: bool) -> Any:
    if certain:
        return arb(1)
    return arb(0) if impossible else arb(0.5, 0.5)


def _lt(a: Any, b: Any) -> Any:
    return _truth(lead(a) < lead(b), lead(a) >= lead(b))


def _le(a: Any, b: Any) -> Any:
    return _truth(lead(a) <= lead(b), lead(a) > lead(b))


def _select(a: Any, b: Any, c: Any) -> Any:
    condition = lead(a)
    if condition.is_zero():
        return c
    if not condition.contains(0):
        return b
    return without_derivatives(_series_of(b, c), lead(b).union(lead(c)))


FIELD: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": divide,
    "neg": operator.neg,
    "square": lambda a: a * a,
    "reciprocal": lambda a: divide(_one_like(a), a),
    "fma": lambda a, b, c: a * b + c,
}
"""Ops that make rational functions."""

MEANING: Mapping[str, Callable[..., Any]] = {
    **FIELD,
    "sqrt": _sqrt,
    "abs": absolute,
    "min": _min,
    "max": _max,
    "floor": _integer(lambda a: a.floor()),
    "ceil": _integer(lambda a: a.ceil()),
    "round": _integer(_nearest_even),
    "lt": _lt,
    "le": _le,
    "select": _select,
}
"""Ops that have a meaning over balls; away from their kinks the last ones have derivatives."""


def _one_like(value: Any) -> Any:
    return arb(1) if isinstance(value, (arb, arb_series)) else 1


@dataclass(frozen=True)
class Steps:
    """A program over core ops, ready to run over any kind of number.

    Attributes:
        ops: op by step.
        args: numbers of values by step; value 0 is the input, then come the constants, then one value a step.
        constants: their exact values.
        output: number of the result's value.
    """

    ops: tuple[Op, ...]
    args: tuple[tuple[int, ...], ...]
    constants: tuple[Any, ...]
    output: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the ops by step."""
        return tuple(op.name for op in self.ops)

    @property
    def rational(self) -> bool:
        """Whether the program is a rational function of its input."""
        return all(name in FIELD for name in self.names)

    def run(self, x: Any, number: Callable[[Any], Any]) -> Any:
        """The result at x; `number` turns an exact rational into a constant of x's kind."""
        values = [x, *map(number, self.constants)]
        for op, args in zip(self.ops, self.args, strict=True):
            values.append(MEANING[op.name](*[values[arg] for arg in args]))
        return values[self.output]

    def series(self, x: Any) -> Any:
        """The result for a series of balls, in its length; nan coefficients where it is not defined."""
        try:
            result = self.run(x, arb)
        except (ValueError, ZeroDivisionError):  # FLINT's own errors among them
            return undefined(x.prec)
        return result if isinstance(result, arb_series) else arb_series([result], prec=x.prec)


@lru_cache(maxsize=64)
def steps(program: Program) -> Steps:
    """The live core ops of a program; UnsupportedError where one has no rigorous meaning."""
    core = without_dead_code(expand(program))
    if core.n_inputs != 1 or len(core.outputs) != 1:
        raise UnsupportedError("certificates are for functions of one variable")
    unknown = [instruction.op.name for instruction in core.instructions if instruction.op.name not in MEANING]
    if unknown:
        raise UnsupportedError(f"'{unknown[0]}' has no rigorous meaning")
    constants = tuple(dict.fromkeys(core.constants))
    places = {constant: 1 + position for position, constant in enumerate(constants)}
    first = 1 + len(constants)

    def place(operand: Operand) -> int:
        if isinstance(operand, Const):
            return places[operand]
        return operand if operand == 0 else first + operand - 1

    args = tuple(tuple(place(arg) for arg in instruction.args) for instruction in core.instructions)
    exact = tuple(_exact(constant) for constant in constants)
    return Steps(tuple(instruction.op for instruction in core.instructions), args, exact, place(core.outputs[0]))


def _exact(constant: Const) -> Any:
    value = constant.exact
    return fmpq(value.numerator, value.denominator)
