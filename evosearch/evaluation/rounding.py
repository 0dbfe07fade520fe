"""How far rounding takes a program from its exact value, for every float in a cell: arrays of cells at once.

With every operation perturbed by its rounding error d, |d| <= u |value| (half the smallest float below the normal
numbers), a computed value is an exact function of the d, so by the mean value theorem its error is at most the sum over
operations of |d| |derivative by that value|, each taken over an enclosure of all perturbed values. Both passes are
interval arithmetic in float64, widened after each step.

Where a cell allows no such bound (an intermediate overflows, as next to a division by zero), the enclosure of what is
computed from it still holds: rounding is monotone.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosearch.evaluation.balls import UnsupportedError
from evosearch.evaluation.formats import FloatFormat
from evosearch.evaluation.meaning import Steps

Array = NDArray[np.float64]
_NOISE = 4 * 2.0**-53  # rounding of the interval arithmetic itself, a step


@dataclass(frozen=True)
class Interval:
    """Enclosures [lo, hi], one a cell; nan where a computed value may be a NaN. A bound lo = +0.0 says that zeros are +0."""

    lo: Array
    hi: Array

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo)

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.lo + other.lo, self.hi + other.hi)

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.lo - other.hi, self.hi - other.lo)

    def __mul__(self, other: Interval) -> Interval:
        if self is other:
            return self.squared()
        return _hull(self.lo * other.lo, self.lo * other.hi, self.hi * other.lo, self.hi * other.hi)

    def __truediv__(self, other: Interval) -> Interval:
        free = (other.lo > 0) | (other.hi < 0) | ((other.lo == 0) & ~np.signbit(other.lo) & (other.hi > 0))
        result = _hull(self.lo / other.lo, self.lo / other.hi, self.hi / other.lo, self.hi / other.hi)
        return Interval(np.where(free, result.lo, np.nan), np.where(free, result.hi, np.nan))

    def squared(self) -> Interval:
        small, large = _hull_bounds(np.abs(self.lo), np.abs(self.hi))
        across = (self.lo <= 0) & (self.hi >= 0)
        return Interval(np.where(across, 0.0 * large, small * small), large * large)

    @property
    def size(self) -> Array:
        """The largest absolute value."""
        return np.maximum(np.abs(self.lo), np.abs(self.hi))


def _hull_bounds(*values: Array) -> tuple[Array, Array]:
    return np.minimum.reduce(values), np.maximum.reduce(values)


def _hull(*values: Array) -> Interval:
    return Interval(*_hull_bounds(*values))


def _constant(value: float, like: Interval) -> Interval:
    return Interval(np.full_like(like.lo, value), np.full_like(like.lo, value))


def _choose(condition: NDArray[np.bool_], one: Interval, other: Interval) -> Interval:
    return Interval(np.where(condition, one.lo, other.lo), np.where(condition, one.hi, other.hi))


def _abs(a: Interval) -> Interval:
    flipped = _choose(a.lo >= 0, a, -a)
    across = (a.lo < 0) & (a.hi > 0)
    return _choose(across, Interval(0.0 * a.lo, a.size), Interval(_either_zero(flipped.lo), flipped.hi))


def _either_zero(lo: Array) -> Array:
    """Forget that zeros are +0."""
    return np.where(lo == 0, -0.0, lo)


def _abs_slope(a: Interval) -> Interval:
    return Interval(np.where(a.lo >= 0, 1.0, -1.0), np.where(a.hi <= 0, -1.0, 1.0))


def _first_is_less(a: Interval, b: Interval) -> Interval:
    """1 where a <= b for sure, 0 where a > b, else [0, 1]: the derivative of min(a, b) by a."""
    return Interval(np.where(a.hi <= b.lo, 1.0, 0.0), np.where(a.lo > b.hi, 0.0, 1.0))


def _minimum(a: Interval, b: Interval) -> Interval:
    return Interval(_either_zero(np.minimum(a.lo, b.lo)), np.minimum(a.hi, b.hi))


def _maximum(a: Interval, b: Interval) -> Interval:
    return Interval(_either_zero(np.maximum(a.lo, b.lo)), np.maximum(a.hi, b.hi))


def _sqrt(a: Interval) -> Interval:
    return Interval(np.sqrt(a.lo), np.sqrt(np.where(np.isnan(np.sqrt(a.lo)), np.nan, a.hi)))


@dataclass(frozen=True)
class Rule:
    """How one op acts on intervals.

    Attributes:
        value: of the arguments.
        slopes: given the tuple of arguments and the result, the derivatives by each argument.
        rounds: whether its result is rounded.
    """

    value: Callable[..., Interval]
    slopes: Callable[[Sequence[Interval], Interval], Sequence[Interval]]
    rounds: bool = True


RULES: Mapping[str, Rule] = {
    "add": Rule(operator.add, lambda _, r: (_constant(1, r), _constant(1, r))),
    "sub": Rule(operator.sub, lambda _, r: (_constant(1, r), _constant(-1, r))),
    "mul": Rule(operator.mul, lambda x, _: (x[1], x[0])),
    "div": Rule(operator.truediv, lambda x, r: (_constant(1, r) / x[1], -(r / x[1]))),
    "neg": Rule(operator.neg, lambda _, r: (_constant(-1, r),), rounds=False),
    "square": Rule(Interval.squared, lambda x, _: (x[0] + x[0],)),
    "reciprocal": Rule(lambda a: _constant(1, a) / a, lambda _, r: (-r.squared(),)),
    "fma": Rule(lambda a, b, c: a * b + c, lambda x, r: (x[1], x[0], _constant(1, r))),
    "sqrt": Rule(_sqrt, lambda _, r: (_constant(1, r) / (r + r),)),
    "abs": Rule(_abs, lambda x, _: (_abs_slope(x[0]),), rounds=False),
    "min": Rule(_minimum, lambda x, _: (_first_is_less(x[0], x[1]), _first_is_less(x[1], x[0])), rounds=False),
    "max": Rule(_maximum, lambda x, _: (_first_is_less(x[1], x[0]), _first_is_less(x[0], x[1])), rounds=False),
}
"""Ops with a rounding analysis; min, max and abs have generalized gradients, for which the mean value theorem holds."""


@dataclass(frozen=True)
class Rounded:
    """What is known of the computed result, by cell.

    Attributes:
        result: encloses the exact and every computed result; not finite where nothing is known.
        error: bound on the distance of the computed from the exact result; nan or inf where there is none.
    """

    result: Interval
    error: Array


def propagate(line: Steps, lower: Array, upper: Array, form: FloatFormat) -> Rounded:
    """Bound the rounding of a program, whose constants are in the format, for all floats in [lower, upper], shape (n,).

    Raises:
        UnsupportedError: an op has no rounding analysis.
    """
    unknown = [name for name in line.names if name not in RULES]
    if unknown:
        raise UnsupportedError(f"'{unknown[0]}' has no rounding analysis")
    with np.errstate(all="ignore"):
        values = [Interval(lower, upper)]
        values += [_constant(int(value.p) / int(value.q), values[0]) for value in line.constants]
        first = len(values)
        for op, args in zip(line.ops, line.args, strict=True):
            rule = RULES[op.name]
            result = rule.value(*[values[arg] for arg in args])
            values.append(_widened(result, form, _underflow(op.name, args, values)) if rule.rounds else result)
        return Rounded(values[line.output], _accumulated(line, values, first, form))


def _underflow(name: str, args: tuple[int, ...], values: list[Interval]) -> tuple[Array, bool]:
    """The least sign of values that underflow, by cell (0: either zero), and whether they do: sums are exact there."""
    sums = name in ("add", "sub")
    if name == "square" or (name == "mul" and args[0] == args[1]):
        return np.ones_like(values[0].lo), True
    negative = np.logical_or.reduce([values[arg].lo < 0 for arg in args])
    # A difference is -0 for -0 - 0 alone.
    signed = [np.signbit(values[arg].lo) for arg in (args[:1] if name == "sub" else args)]
    return np.where(np.logical_or.reduce(signed), np.where(negative, -1.0, 0.0), 1.0), not sums


def _widened(value: Interval, form: FloatFormat, underflow: tuple[Array, bool]) -> Interval:
    """The enclosure after one rounding: relative, below the normal numbers absolute, above the largest infinite."""
    factor = form.unit + _NOISE
    lo = value.lo - np.abs(value.lo) * factor - form.tiny
    hi = value.hi + np.abs(value.hi) * factor + form.tiny
    sign, lost = underflow
    # Values do not change sign. What became zero here may be the exact value of no zero.
    least = np.where(sign > 0, 0.0, np.where((sign < 0) & (value.lo == 0) & lost, -form.tiny, -0.0))
    most = np.where((value.hi == 0) & ~np.signbit(value.hi) & lost, form.tiny, 0.0)
    lo = np.where((value.lo >= 0) & (lo <= 0), least, lo)
    hi = np.where((value.hi <= 0) & (hi >= 0), most, hi)
    # Of an infinite bound only the infinity is kept: inf - inf would be a NaN that the computation does not have.
    lo, hi = np.where(np.isinf(value.lo), value.lo, lo), np.where(np.isinf(value.hi), value.hi, hi)
    if form.dtype is not np.float64:
        lo, hi = np.where(lo < -form.largest, -np.inf, lo), np.where(hi > form.largest, np.inf, hi)
    either = np.isnan(lo) | np.isnan(hi)
    return Interval(np.where(either, np.nan, lo), np.where(either, np.nan, hi))


def _accumulated(line: Steps, values: list[Interval], first: int, form: FloatFormat) -> Array:
    """The sum over operations of (rounding error) x |derivative of the result by that operation's value|.

    In cells where an argument may be infinite and the value is not, the value counts as an input that is wrong by the width
    of its enclosure, and what comes before it does not matter.
    """
    adjoints: list[Interval | None] = [None] * len(values)
    adjoints[line.output] = _constant(1.0, values[0])
    matters = [np.zeros(values[0].lo.shape, dtype=bool) for _ in values]
    matters[line.output][:] = True
    total = np.zeros_like(values[0].lo)
    for step in range(len(line.ops) - 1, -1, -1):
        own, op, args, result = adjoints[first + step], line.ops[step], line.args[step], values[first + step]
        if own is None:
            continue
        rule = RULES[op.name]
        lost = np.isfinite(result.size) & np.logical_or.reduce([np.isinf(values[arg].size) for arg in args])
        wrong = np.where(lost, (result.hi - result.lo) * (1 + _NOISE), 0.0)
        if rule.rounds:
            small = (result.lo < form.normal) & (result.hi > -form.normal) & (op.name not in ("add", "sub"))
            rounding = np.maximum(result.size * (form.unit * (1 + _NOISE)), np.where(small, form.tiny / 2, 0.0))
            wrong = np.where(lost, wrong, rounding)
        total = total + np.where(matters[first + step], own.size * wrong, 0.0)
        for arg, slope in zip(args, rule.slopes([values[arg] for arg in args], result), strict=True):
            if arg < first:  # the input and the constants are exact
                continue
            share = _choose(lost | ~matters[first + step], _constant(0.0, result), _noisy(slope * own))
            before = adjoints[arg]
            adjoints[arg] = share if before is None else _noisy(before + share)
            matters[arg] |= matters[first + step] & ~lost
    return np.asarray(total * (1 + len(line.ops) * _NOISE))


def _noisy(value: Interval) -> Interval:
    return Interval(value.lo - np.abs(value.lo) * _NOISE, value.hi + np.abs(value.hi) * _NOISE)
