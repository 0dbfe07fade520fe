"""`Approximation`: the [task] table of a run that approximates a real function of one variable."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass
from typing import Any, Literal

from evosearch.errors import ConfigError, ProgramError, TaskError, nearest
from evosearch.evaluation.factored import Core, core_bounds
from evosearch.evaluation.target import ErrorMeasure, Form, Function, Target
from evosearch.language.op import OpSet
from evosearch.language.program import Program
from evosearch.search.loader import load_reference
from tasks.approximation.domain import find_zero, real_value, show
from tasks.approximation.functions import FUNCTIONS, Known
from tasks.approximation.points import Points, context, sample
from tasks.approximation.wrapper import wrap, wrapper_cost

_SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_DIVIDES = ("div", "reciprocal")


class Constraint(enum.StrEnum):
    """What a program must have beside a small error."""

    EXACT_ENDS = "exact-ends"  # at the ends of the interval the float64 program returns the float64 nearest to f
    MONOTONE = "monotone"  # rises or falls over the whole interval, as f does
    NO_DIVISION = "no-division"  # no op that divides
    SHORT_COEFFICIENTS = "short-coefficients"  # each constant a decimal of at most `digits` digits


@dataclass(frozen=True)
class Approximation:
    """A real function of one variable, on an interval.

    Attributes:
        function: a name of `FUNCTIONS`, or "module:function" for the user's own f(x, m).
        interval: two exact bounds, numbers or text such as "pi/4"; () for the function's usual interval.
        error: the measure; without it, the function's usual one, or absolute.
        weight: "module:function", w(x, m), for weighted error.
        form: factored targets: "odd" for f(x) = x g(x^2), "even" for f(x) = g(x^2).
        constraints: see `Constraint`.
        digits: of the constants, for "short-coefficients".
    """

    function: str
    interval: tuple[str | int | float, ...] = ()
    error: ErrorMeasure | None = None
    weight: str | None = None
    form: Form = Form.PLAIN
    constraints: tuple[Constraint, ...] = ()
    digits: int | None = None

    def __post_init__(self) -> None:
        if len(self.interval) not in (0, 2):
            raise ConfigError(f'task.interval must be two bounds, as in ["0", "pi/4"], got {list(self.interval)}')
        if (self.weight is None) == (self.error is ErrorMeasure.WEIGHTED):
            raise ConfigError("task.weight = 'module:function' goes with task.error = 'weighted', and only with it")
        if (self.digits is None) == (Constraint.SHORT_COEFFICIENTS in self.constraints):
            raise ConfigError("task.digits goes with task.constraints = ['short-coefficients'], and only with it")
        if self.digits is not None and not 1 <= self.digits <= 17:
            raise ConfigError(f"task.digits must be from 1 to 17, got {self.digits}")

    def target(self) -> Target:
        """The function, the interval and the measure; TaskError or ConfigError where one of them does not exist."""
        known = self._known()
        interval = self.interval or known.interval
        if not interval:
            raise ConfigError(f"task.interval is missing; '{self.function}' has no usual one")
        lower, upper = (bound if isinstance(bound, str) else repr(bound) for bound in interval)
        return Target(
            name=known.name,
            formula=known.formula,
            function=known.function,
            lower=lower,
            upper=upper,
            error=self.error or known.error,
            weight=_load(self.weight, "task.weight") if self.weight else None,
            form=self.form,
            sollya=known.sollya,
            squaring=known.squaring,
        )

    def _known(self) -> Known:
        for row in FUNCTIONS:
            if row.name == self.function:
                return row
        if ":" not in self.function:
            hint = nearest(self.function, (row.name for row in FUNCTIONS))
            raise TaskError(f"unknown function '{self.function}'.{hint} Your own function: task.function = 'module:function'.")
        function = _load(self.function, "task.function")
        name = self.function.partition(":")[2]
        return Known(name, f"{name}(x)", function, (), ErrorMeasure.ABSOLUTE, None)  # type: ignore[arg-type]

    def check(self, ops: OpSet) -> None:
        """Raise where the task cannot be searched with these ops; the message names the point and the way out."""
        self.operations(ops)
        target, m = self.target(), context()
        lower, upper = target.bounds(m)
        for text, bound in ((target.lower, lower), (target.upper, upper)):
            if not isinstance(bound, m.mpf) or not m.isfinite(bound):
                raise TaskError(f"the bound '{text}' is no real number; use finite bounds")
        if lower >= upper:
            raise TaskError(f"the interval [{target.lower}, {target.upper}] is empty; the lower bound comes first")
        self._check_function(target, lower, upper, m)
        self._check_form(target, lower, upper, m)
        self._check_weight(target, lower, upper, m)
        zero = find_zero(target.function, lower, upper, m, target.name)
        if target.form is not Form.PLAIN:
            zero = find_zero(Core(target.function, target.form), *core_bounds(target, m), m, f"{target.name}'s core")
        if zero is not None and target.error is ErrorMeasure.RELATIVE:
            raise self._zero(target, m.sqrt(zero) if target.form is not Form.PLAIN else zero, m)

    def _check_function(self, target: Target, lower: Any, upper: Any, m: Any) -> None:
        """Real and finite, and the same when asked again, in another order."""
        points = [lower + (upper - lower) * k / 8 for k in range(9)]
        first = [real_value(target.function, x, m, target.name) for x in points]
        again = [real_value(target.function, x, m, target.name) for x in reversed(points)]
        for x, a, b in zip(points, first, reversed(again), strict=True):
            if a != b:
                raise TaskError(
                    f"'{target.name}' is not deterministic: at x = {show(x, m)} it gave {show(a, m)}, then {show(b, m)}; "
                    "it must depend on x and m only"
                )

    def _check_form(self, target: Target, lower: Any, upper: Any, m: Any) -> None:
        if target.form is Form.PLAIN:
            return
        sign = -1 if target.form is Form.ODD else 1
        for k in range(9):
            x = lower + (upper - lower) * k / 8
            value, mirror = (real_value(target.function, t, m, target.name) for t in (x, -x))
            if abs(value - sign * mirror) > m.mpf(10) ** -40 * (abs(value) + abs(mirror)):
                raise TaskError(
                    f"form = '{target.form}' does not fit '{target.name}': at x = {show(x, m)} it is {show(value, m)}, "
                    f"at -x it is {show(mirror, m)}; use form = 'plain'"
                )

    def _check_weight(self, target: Target, lower: Any, upper: Any, m: Any) -> None:
        """Real, finite and not zero at sampled points inside the interval."""
        if target.weight is None:
            return
        for k in range(1, 32):
            x = lower + (upper - lower) * k / 32
            if real_value(target.weight, x, m, f"{target.name}'s weight") <= 0:
                raise TaskError(f"the weight '{self.weight}' is not positive at x = {show(x, m)}; a weight is > 0")

    def _zero(self, target: Target, zero: Any, m: Any) -> TaskError:
        mirrored = target.form is Form.PLAIN and zero == 0 and self._is_odd(target, m)
        return TaskError(
            f"'{target.name}' is zero at x = {show(zero, m)}, where relative error has no meaning; "
            "use task.error = 'absolute', "
            + ("task.form = 'odd' (x g(x^2)), " if mirrored else "")
            + "task.error = 'weighted' with a weight of your own, or another interval"
        )

    def _is_odd(self, target: Target, m: Any) -> bool:
        try:
            self._check_form(dataclasses.replace(target, form=Form.ODD), *target.bounds(m), m)
        except TaskError:
            return False
        return True

    def describe(self, ops: OpSet | None = None) -> str:
        """One line for people: "2^x on [0, 1], relative error, + - * /"."""
        target = self.target()
        form = {Form.PLAIN: "", Form.ODD: " as x g(x^2)", Form.EVEN: " as g(x^2)"}[target.form]
        parts = [f"{target.formula}{form} on [{target.lower}, {target.upper}]", f"{target.error} error"]
        if ops is not None:
            parts.append(" ".join(_SYMBOLS.get(op.name, op.name) for op in self.operations(ops)))
        return ", ".join([*parts, *(constraint.value for constraint in self.constraints)])

    def operations(self, ops: OpSet) -> OpSet:
        """The ops that a core program may use: those of the run, without division where it is not wanted."""
        if self.form is not Form.PLAIN and "mul" not in ops:
            raise ConfigError(f"form = '{self.form}' multiplies x by itself; let the run use the op 'mul'")
        if Constraint.NO_DIVISION not in self.constraints:
            return ops
        names = [op.name for op in ops if op.name not in _DIVIDES]
        if not names:
            raise ConfigError("constraint 'no-division' leaves no op; let the run use more ops")
        return ops.subset(names)

    def points(self, n: int, nodes: Literal["extrema", "roots"] = "extrema") -> Points:
        """The target (the core g(u) of a factored one) at n Chebyshev nodes, with weights."""
        return sample(self.target(), n, nodes)

    def wrapper_cost(self, ops: OpSet) -> float:
        """What the wrapper of a factored target adds to the cost of the core."""
        return wrapper_cost(self.form, ops)

    def wrap(self, core: Program, ops: OpSet) -> Program:
        """The whole program in x, from the core program in u."""
        try:
            return wrap(core, self.form, ops)
        except ProgramError as error:
            raise ConfigError(f"form = '{self.form}': {error}") from None


def _load(reference: str, where: str) -> Function:
    function = load_reference(reference, where)
    if not callable(function):
        raise TaskError(f"{where}: '{reference}' is no function f(x, m) but {type(function).__name__}")
    return function  # type: ignore[no-any-return]
