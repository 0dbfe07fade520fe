"""`error_sampled`: the largest error found at points; no bound, but there for every function and op."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from flint import fmpq

from evosearch.evaluation.balls import UnsupportedError, precision
from evosearch.evaluation.ieee import evaluate
from evosearch.evaluation.meaning import steps
from evosearch.evaluation.region import points, region
from evosearch.evaluation.target import Target
from evosearch.evaluation.taylor import sample
from evosearch.language.program import Program

_BITS = 320
_PEAKS = 4
_GOLDEN = 0.3819660112501051


def error_sampled(program: Program, target: Target, count: int = 96) -> float:
    """The largest error at Chebyshev points, the ends, and next to the largest of them; nan where no point has a value.

    Coefficients are exact as held. The function is evaluated by balls or, where it takes none, by mpmath; ops without
    an exact meaning by their reference in float64.
    """
    with precision(_BITS), mpmath.workprec(_BITS):
        grid, error = _grid(target, count), _measured(program, target)
        found = [error(x) for x in grid]
        order = sorted((k for k, value in enumerate(found) if not math.isnan(value)), key=lambda k: -found[k])
        refined = [_climb(error, grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)]) for k in order[:_PEAKS]]
        return max((value for value in found + refined if not math.isnan(value)), default=math.nan)


def _grid(target: Target, count: int) -> list[Any]:
    lower, upper = (_rational(bound) for bound in target.bounds(mpmath.mp))
    return points(lower, upper, count)


def _measured(program: Program, target: Target) -> Callable[[Any], float]:
    """The error at an exact rational; nan where the program or the weight has no value."""
    value = _value(program)
    truth = _truth(target)

    def error(x: Any) -> float:
        own = value(x)
        if own is None:
            return math.nan
        try:
            exact, weight = truth(x)
            return float(abs(own - exact) * weight)
        except (ZeroDivisionError, ValueError):
            return math.nan

    return error


def _value(program: Program) -> Callable[[Any], Any]:
    """The program's value at an exact rational, as an mpf; None where it has none."""
    try:
        line = steps(program)
    except UnsupportedError:
        return lambda x: _finite(mpmath.mpf(float(evaluate(program, np.array([int(x.p) / int(x.q)]))[0])))

    def value(x: Any) -> Any:
        ball = sample(line.series, x)
        return _mpf(ball) if ball.is_finite() else None

    return value


def _truth(target: Target) -> Callable[[Any], tuple[Any, Any]]:
    """(f, weight) at an exact rational, as mpf."""
    try:
        space = region(target)
    except UnsupportedError:
        return lambda x: _by_mpmath(target, x)

    def by_balls(x: Any) -> tuple[Any, Any]:
        ball = sample(space.function, x)
        if not ball.is_finite():
            return _by_mpmath(target, x)
        value = _mpf(ball)
        if target.weight is None:
            return value, target.weigh(None, value, mpmath.mp)
        return value, abs(_mpf(sample(space.weight, x)))

    return by_balls


def _by_mpmath(target: Target, x: Any) -> tuple[Any, Any]:
    at = mpmath.mpf(int(x.p)) / int(x.q)
    value = target.function(at, mpmath.mp)
    return value, target.weigh(at, value, mpmath.mp)


def _climb(error: Callable[[Any], float], lower: Any, upper: Any) -> float:
    """The largest error met by a golden-section search."""
    best, share = math.nan, fmpq(*_GOLDEN.as_integer_ratio())
    for _ in range(10):
        left, right = lower + (upper - lower) * share, upper - (upper - lower) * share
        a, b = error(left), error(right)
        best = float(np.fmax(best, np.fmax(a, b)))
        if a > b:
            upper = right
        else:
            lower = left
    return best


def _rational(value: Any) -> Any:
    number = mpmath.mpf(value)
    man, exp = number.man_exp  # without the sign
    return fmpq(int(man) * int(mpmath.sign(number))) * fmpq(2) ** int(exp)


def _mpf(ball: Any) -> Any:
    man, exp = ball.mid().man_exp()
    return mpmath.ldexp(mpmath.mpf(int(man)), int(exp))


def _finite(value: Any) -> Any:
    return value if mpmath.isfinite(value) else None
