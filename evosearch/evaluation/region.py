"""`Region`: a target as balls see it, with what certificates of many programs share: bounds, zeros, samples, models."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from flint import arb, arb_series, fmpq

from evosearch.evaluation.balls import Ball, BallContext, UnsupportedError, precision, undefined
from evosearch.evaluation.exact import exact
from evosearch.evaluation.target import ErrorMeasure, Function, Target
from evosearch.evaluation.taylor import Piece, model, sample

POINTS = 96
_BITS = 320  # precision of samples and bounds
_OUTWARD = 64  # bits of an end point that is not dyadic
_CANDIDATES = (0, 1, -1, 2, -2, fmpq(1, 2), fmpq(-1, 2))
_MAX_ORDER = 4


@dataclass(frozen=True)
class Sample:
    """f and the error's weight at an exact point."""

    x: Any
    value: Any
    weight: Any


@dataclass(frozen=True)
class Region:
    """The target on its interval.

    Attributes:
        target: the target.
        lower, upper: dyadic rationals; the exact end points or just outside them.
        zeros: exactly known zeros of f with their order, where the error is relative.
        samples: at Chebyshev points and the ends.
        scale: the largest |f| at a sample.
        models: Taylor models of f and of the weight that were made so far.
    """

    target: Target
    lower: Any
    upper: Any
    zeros: dict[Any, int]
    samples: tuple[Sample, ...]
    scale: float
    models: dict[tuple[Piece, int, int], tuple[Any, Any]] = field(default_factory=dict)

    @property
    def relative(self) -> bool:
        """Whether the error is relative."""
        return self.target.error is ErrorMeasure.RELATIVE

    def function(self, x: Any) -> Any:
        """f at a series."""
        return on_balls(self.target.function, x)

    def weight(self, x: Any) -> Any:
        """w at a series, of a weighted error."""
        assert self.target.weight is not None
        return on_balls(self.target.weight, x)

    def model(self, piece: Piece, terms: int, bits: int) -> tuple[Any, Any]:
        """Models of f and, for a weighted error, of w (else None), kept for the next program."""
        key = piece, terms, bits
        if key not in self.models:
            if len(self.models) > 4000:
                self.models.clear()
            weighted = self.target.weight is not None and self.target.error is ErrorMeasure.WEIGHTED
            weight = model(self.weight, piece, terms) if weighted else None
            self.models[key] = model(self.function, piece, terms), weight
        return self.models[key]


def on_balls(function: Function, x: Any) -> Any:
    """A user's function at a series; UnsupportedError where it takes no balls."""
    try:
        result = function(Ball(x), BallContext())
    except UnsupportedError:
        raise
    except (ValueError, ZeroDivisionError):
        return undefined(x.prec)
    except Exception as error:
        raise UnsupportedError(f"the function raised {type(error).__name__} on balls: {error}") from None
    if isinstance(result, Ball):
        result = result.value
    if isinstance(result, (int, float)):
        result = arb(result)
    if isinstance(result, arb):
        return arb_series([result], prec=x.prec)
    if not isinstance(result, arb_series):
        raise UnsupportedError(f"the function returned {type(result).__name__} on balls")
    return result


@lru_cache(maxsize=16)
def region(target: Target) -> Region:
    """The target's region; UnsupportedError where its function takes no balls."""
    with precision(_BITS):
        lower, upper = (_outward(exact(text, BallContext()), up) for text, up in ((target.lower, False), (target.upper, True)))
        bare = Region(target, lower, upper, {}, (), 0.0)
        zeros = _zeros(bare) if bare.relative else {}
        samples = tuple(_sample(bare, x) for x in points(lower, upper, POINTS) if x not in zeros)
        sizes = [float(abs(s.value)) for s in samples if s.value.is_finite()]
        return Region(target, lower, upper, zeros, samples, max(sizes, default=1.0))


def _outward(ball: Any, up: bool) -> Any:
    value = ball.value if isinstance(ball, Ball) else arb(ball)
    if value.is_exact():
        return value.fmpq()
    scaled = value * arb(2) ** _OUTWARD
    whole = scaled.upper().ceil() if up else scaled.lower().floor()
    return whole.fmpq() / fmpq(2**_OUTWARD)


def points(lower: Any, upper: Any, count: int) -> list[Any]:
    """Chebyshev points of [lower, upper] and its ends, as exact rationals."""
    half, middle = (upper - lower) / 2, (upper + lower) / 2
    inner = [math.cos((2 * k + 1) * math.pi / (2 * count)) for k in range(count)]
    return [lower, *(middle + half * fmpq(*c.as_integer_ratio()) for c in reversed(inner)), upper]


def _sample(bare: Region, x: Any) -> Sample:
    value = sample(bare.function, x)
    match bare.target.error:
        case ErrorMeasure.ABSOLUTE:
            return Sample(x, value, arb(1))
        case ErrorMeasure.RELATIVE:
            return Sample(x, value, 1 / abs(value))
    return Sample(x, value, abs(sample(bare.weight, x)))


def _zeros(bare: Region) -> dict[Any, int]:
    """Points where f is zero exactly, with its order there."""
    found = {}
    for x in {fmpq(c) for c in _CANDIDATES} | {bare.lower, bare.upper}:
        if bare.lower <= x <= bare.upper and sample(bare.function, x).is_zero():
            taylor = bare.function(arb_series([arb(x), arb(1)], prec=_MAX_ORDER + 1))
            order = next((k for k in range(_MAX_ORDER + 1) if not taylor[k].is_zero()), None)
            if order is not None and not taylor[order].contains(0):
                found[x] = order
    return found
