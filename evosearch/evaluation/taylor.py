"""Taylor models with a ball remainder on a piece of the interval, and the range of their polynomials.

A model of f on a piece around c is a polynomial in h = x - c with balls as coefficients: those below `terms` are
f's Taylor coefficients at c, and coefficient `terms` encloses Lagrange's remainder, the coefficient at every point
of the piece. So f(c + h) is in model(h), and differences cancel where they should.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_poly, arb_series, fmpq
from numpy.typing import NDArray

from evosearch.evaluation.balls import variable

Array = NDArray[np.float64]
Series = Callable[[Any], Any]
"""A function from series to series of the same length."""

_NODES = 512
_COSINES: Array = np.cos((2.0 * np.arange(_NODES) + 1.0) * (np.pi / (2 * _NODES)))
_SLACK = 1e-13  # covers the rounding of the few dozen float64 operations on magnitudes below


@dataclass(frozen=True)
class Piece:
    """The interval [lower, upper] and the point that series are taken about; exact rationals."""

    lower: Any
    upper: Any
    centre: Any

    @classmethod
    def between(cls, lower: Any, upper: Any) -> Piece:
        """The interval about its midpoint."""
        return cls(lower, upper, (lower + upper) / 2)

    @property
    def hull(self) -> Any:
        """The piece as one ball; a radius is rounded up, yet a piece that ends at zero does not reach across."""
        ball = arb(arb((self.lower + self.upper) / 2), arb((self.upper - self.lower) / 2))
        return ball.nonnegative_part() if self.lower == 0 else ball

    @property
    def radius(self) -> float:
        """The largest |h|, rounded up."""
        return math.nextafter(float(arb(max(self.upper - self.centre, self.centre - self.lower))), math.inf)

    def split(self) -> tuple[Piece, ...]:
        """Two halves; where the centre is a chosen point, a smaller piece around it and what is left."""
        middle = (self.lower + self.upper) / 2
        if self.centre == middle:
            return Piece.between(self.lower, middle), Piece.between(middle, self.upper)
        return self.around()

    def around(self) -> tuple[Piece, ...]:
        """A piece of half the size about the same centre, and the one or two beside it."""
        lower, upper = (self.lower + self.centre) / 2, (self.upper + self.centre) / 2
        parts = [Piece(lower, upper, self.centre)]
        if lower < self.centre:
            parts.append(Piece.between(self.lower, lower))
        if upper > self.centre:
            parts.append(Piece.between(upper, self.upper))
        return tuple(parts)


def model(function: Series, piece: Piece, terms: int) -> Any | None:
    """The Taylor model of a function on a piece; None where its enclosure is not finite."""
    near, wide = function(variable(piece.centre, terms)), function(variable(piece.hull, terms + 1))
    if near.prec < terms or wide.prec < terms + 1:
        return None
    coefficients = [near[k] for k in range(terms)]
    coefficients.append(wide[terms])
    return arb_poly(coefficients) if all(value.is_finite() for value in coefficients) else None


@dataclass(frozen=True)
class Scaled:
    """A polynomial in u = h / radius in float64, and how far the function may be from it on the piece.

    Attributes:
        coefficients: of powers of u.
        remainder: bound on the distance, on the piece, but for the rounding of coefficients.
        radius: of the piece.
        start, end: the piece in u.
    """

    coefficients: Array
    remainder: float
    radius: float
    start: float
    end: float

    def peak(self) -> tuple[float, float]:
        """An upper bound of the maximum of |function| over the piece, and a good lower estimate of it.

        A polynomial of degree N is at most 1/cos(N pi / 2M) times its maximum on M Chebyshev nodes (Ehlich and
        Zeller 1964).
        """
        sizes = np.abs(self.coefficients)
        tails = np.cumsum(sizes[::-1])[::-1]
        degree = int(np.count_nonzero(tails > 1e-3 * sizes.max(initial=0.0)))
        degree = max(degree, 1)
        dropped = float(tails[degree]) if degree < len(tails) else 0.0
        middle, half = (self.end + self.start) / 2, (self.end - self.start) / 2
        nodes = _COSINES if half == 1.0 and middle == 0.0 else middle + half * _COSINES
        values = np.full(_NODES, self.coefficients[degree - 1])
        for coefficient in self.coefficients[degree - 2 :: -1] if degree > 1 else ():
            values = values * nodes + coefficient
        highest = float(np.abs(values).max())
        growth = 1.0 / math.cos((degree - 1) * math.pi / (2 * _NODES))
        lost = dropped + self.remainder + _SLACK * float(tails[0]) * degree
        return (highest * growth + lost) * (1 + _SLACK), max(highest - lost, 0.0)

    def ranges(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        """Enclosures (lo, hi) of the function over sub-intervals of u, each of shape (n,)."""
        middle, half = (lower + upper) / 2, (upper - lower) / 2
        reach = np.maximum(np.abs(lower), np.abs(upper))
        values, slope, size = np.zeros_like(middle), np.zeros_like(middle), np.zeros_like(middle)
        for power in range(len(self.coefficients) - 1, 0, -1):
            coefficient = self.coefficients[power]
            values = values * middle + coefficient
            slope = slope * reach + power * abs(coefficient)
            size = size * reach + abs(coefficient)
        constant = self.coefficients[0]
        values = values * middle + constant
        rounding = 2**-52 * (abs(constant) + 4 * len(self.coefficients) * size * reach)
        spread = slope * half * (1 + _SLACK) + self.remainder + rounding
        return values - spread, values + spread


def scaled(poly: Any, terms: int, piece: Piece, extra: float = 0.0) -> Scaled:
    """A model in float64; coefficients from `terms` on go to the remainder, with `extra`."""
    radius = piece.radius
    coefficients = np.zeros(terms)
    remainder, power = extra, 1.0
    for k in range(max(poly.degree() + 1, terms)):
        value = poly[k]
        if k < terms:
            coefficients[k] = float(value) * power
            remainder += float(value.rad()) * power
        else:
            remainder += float(value.abs_upper()) * power
        power *= radius
    remainder *= 1 + _SLACK
    start, end = _relative(piece.lower - piece.centre, radius), _relative(piece.upper - piece.centre, radius)
    return Scaled(coefficients, remainder, radius, start, end)


def _relative(offset: Any, radius: float) -> float:
    ratio = float(arb(offset)) / radius
    return round(ratio) * 1.0 if abs(ratio - round(ratio)) < 1e-14 else ratio * (1 + 1e-15)


def times(first: Any, second: Any, terms: int, piece: Piece) -> Scaled:
    """The product of two models."""
    return scaled(first * second, terms, piece)


def quotient(numerator: Any, divisor: Any, terms: int, piece: Piece) -> Scaled | None:
    """The quotient of two models; None where the divisor's enclosure contains zero.

    With q the truncated quotient of the series, n/d - q = (n - q d)/d, where n - q d starts at h^terms.
    """
    least = divisor(arb(piece.hull - arb(piece.centre))).abs_lower()
    if not least > 0 or divisor[0].contains(0):
        return None
    parts = [arb_series([poly[k] for k in range(terms)], prec=terms) for poly in (numerator, divisor)]
    series = parts[0] / parts[1]
    ratio = arb_poly([series[k] for k in range(terms)])
    rest = numerator - ratio * divisor
    radius = piece.radius
    tail = sum(float(rest[k].abs_upper()) * radius**k for k in range(terms, rest.degree() + 1))
    return scaled(ratio, terms, piece, tail / float(least) * (1 + _SLACK))


def lowered(poly: Any, order: int) -> Any:
    """The model divided by h^order; its lowest coefficients must be known to be zero."""
    return arb_poly([poly[k] for k in range(order, poly.degree() + 1)])


def sample(function: Series, at: Any) -> Any:
    """The function at an exact point, as a ball."""
    return function(variable(fmpq(at) if isinstance(at, int) else at, 1))[0]
