"""Taylor models with a valuation: h^order times a polynomial in h = x - c with balls as coefficients.

A value stands for functions h^order (a0(h) + a1(h) h + ... + an(h) h^n) with a_k(h) in ball k for every h of the piece. So
one division by zero at the piece's centre is followed by its inverse, whatever the degree of the program as a rational
function: a removable singularity ends with an order of 0 or more, a pole with a negative one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flint import arb, arb_poly, arb_series

from evosearch.evaluation.balls import UndefinedError
from evosearch.evaluation.meaning import Steps
from evosearch.evaluation.taylor import Piece


class PoleError(ArithmeticError):
    """The function has a pole at the centre."""


@dataclass(frozen=True)
class Laurent:
    """One value on one piece.

    Attributes:
        order: of the lowest power.
        poly: coefficients from that power on, `terms` + 1 at most; the last one holds the remainder.
        terms: number of coefficients without a remainder.
        span: the ball of all h.
    """

    order: int
    poly: Any
    terms: int
    span: Any

    def __neg__(self) -> Laurent:
        return self._with(self.order, -self.poly)

    def __add__(self, other: Laurent) -> Laurent:
        order = min(self.order, other.order)
        return self._with(order, self._from(order) + other._from(order))

    def __sub__(self, other: Laurent) -> Laurent:
        return self + (-other)

    def __mul__(self, other: Laurent) -> Laurent:
        return self._with(self.order + other.order, self.poly * other.poly)

    def __truediv__(self, other: Laurent) -> Laurent:
        """With q the truncated quotient of the series, a/b - q = (a - q b)/b, where a - q b starts at h^terms."""
        whole = other.poly(self.span)
        if whole.contains(0) or other.poly[0].contains(0):
            raise UndefinedError
        first, second = (arb_series(value.poly.coeffs()[: self.terms], prec=self.terms) for value in (self, other))
        ratio = first / second
        quotient = [ratio[k] for k in range(self.terms)]
        rest = self.poly - arb_poly(quotient) * other.poly
        return self._with(self.order - other.order, arb_poly([*quotient, _tail(rest, self.terms, self.span) / whole]))

    def __rtruediv__(self, other: int) -> Laurent:
        return self._with(0, arb_poly([other])) / self

    def _with(self, order: int, poly: Any) -> Laurent:
        """The value with zeros below taken out and powers above `terms` in the remainder."""
        coefficients = poly.coeffs()
        zeros = next((k for k, value in enumerate(coefficients) if not value.is_zero()), 0)
        if zeros:
            order, poly = order + zeros, poly.right_shift(zeros)
        if len(coefficients) - zeros > self.terms + 1:
            poly = _folded(poly, self.terms, self.span)
        return Laurent(order, poly, self.terms, self.span)

    def _from(self, order: int) -> Any:
        """The polynomial that h^order is to be multiplied by."""
        shift = self.order - order
        if shift <= self.terms:
            return self.poly.left_shift(shift)
        return arb_poly([0] * self.terms + [self.poly(self.span) * _power(self.span, shift - self.terms)])

    def model(self) -> Any:
        """As a polynomial in h.

        Raises:
            PoleError: the function has a pole at h = 0.
            UndefinedError: nothing finite is known.
        """
        if self.order < 0:
            raise UndefinedError if self.poly[0].contains(0) else PoleError
        poly = _folded(self._from(0), self.terms, self.span)
        if not all(value.is_finite() for value in poly.coeffs()):
            raise UndefinedError
        return poly


def _tail(poly: Any, start: int, span: Any) -> Any:
    """The enclosure of poly / h^start, of the powers from `start` on."""
    return arb_poly(poly.coeffs()[start:])(span)


def _folded(poly: Any, terms: int, span: Any) -> Any:
    if poly.degree() <= terms:
        return poly
    return arb_poly([*poly.coeffs()[:terms], _tail(poly, terms, span)])


def _power(ball: Any, exponent: int) -> Any:
    """By squaring: FLINT's power knows nothing of a ball around zero."""
    result = arb(1)
    for bit in f"{exponent:b}":
        result = result * result * (ball if bit == "1" else 1)
    return result


def expansion(line: Steps, piece: Piece, terms: int) -> Laurent:
    """A rational function on a piece.

    Raises:
        UndefinedError: a divisor may be zero elsewhere than at the centre.
    """
    span = piece.hull - arb(piece.centre) if piece.centre else piece.hull
    start = Laurent(0, arb_poly([]), terms, span)
    result = line.run(start._with(0, arb_poly([arb(piece.centre), 1])), lambda value: start._with(0, arb_poly([arb(value)])))
    assert isinstance(result, Laurent)
    return result
