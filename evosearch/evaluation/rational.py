"""A program of + - * / as the rational function P/Q in lowest terms: its removable singularities vanish, its poles remain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flint import acb, arb, arb_poly, arb_series, fmpq, fmpq_poly

from evosearch.evaluation.balls import UndefinedError, UnsupportedError, divide, undefined
from evosearch.evaluation.meaning import Steps

DEGREE_LIMIT = 48
"""Beyond this degree of P or Q, gcd and root isolation take too long (squaring ladders explode as polynomials)."""


@dataclass(frozen=True)
class Quotient:
    """P/Q over the rationals, not reduced; grows up to a degree limit."""

    p: Any
    q: Any

    def __add__(self, other: Quotient) -> Quotient:
        if self.q == other.q:
            return Quotient(self.p + other.p, self.q)
        return _within(self.p * other.q + other.p * self.q, self.q * other.q)

    def __sub__(self, other: Quotient) -> Quotient:
        return self + (-other)

    def __neg__(self) -> Quotient:
        return Quotient(-self.p, self.q)

    def __mul__(self, other: Quotient) -> Quotient:
        return _within(self.p * other.p, self.q * other.q)

    def __truediv__(self, other: Quotient) -> Quotient:
        if other.p == 0:
            raise ZeroDivisionError("the program divides by an expression that is zero everywhere")
        return _within(self.p * other.q, self.q * other.p)

    def __rtruediv__(self, other: int) -> Quotient:
        return Quotient(fmpq_poly([other]), fmpq_poly([1])) / self


def _within(p: Any, q: Any) -> Quotient:
    if max(p.degree(), q.degree()) <= DEGREE_LIMIT:
        return Quotient(p, q)
    common = p.gcd(q)
    if max(p.degree(), q.degree()) - common.degree() > DEGREE_LIMIT:
        raise UnsupportedError(f"the program is a rational function of degree above {DEGREE_LIMIT}")
    return Quotient(p // common, q // common)


def reduced(steps: Steps) -> Quotient:
    """P/Q in lowest terms.

    Raises:
        UnsupportedError: not a rational function, or of too high a degree.
        ZeroDivisionError: a divisor is zero everywhere.
    """
    result = fraction(steps)
    common = result.p.gcd(result.q)
    return Quotient(result.p // common, result.q // common)


def fraction(steps: Steps) -> Quotient:
    """P/Q as the program has it, common factors kept (unless the degree limit forces them out); raises as `reduced`."""
    if not steps.rational:
        raise UnsupportedError("the program is not a rational function")
    one = fmpq_poly([1])
    result = steps.run(Quotient(fmpq_poly([0, 1]), one), lambda value: Quotient(fmpq_poly([value]), one))
    assert isinstance(result, Quotient)
    return result


def removable(steps: Steps) -> list[Any]:
    """Rational points where a factor of Q cancels; raises as `reduced`."""
    whole = fraction(steps)
    _, factors = whole.p.gcd(whole.q).numer().factor()
    return [fmpq(-factor[0], factor[1]) for factor, _ in factors if factor.degree() == 1]


def series(whole: Quotient, x: Any) -> Any:
    """P/Q at the series x = centre + h."""
    line = arb_poly([x[0], arb(1)])
    parts = []
    for poly in (whole.p, whole.q):
        shifted = arb_poly(poly)(line)
        parts.append(arb_series([shifted[k] for k in range(x.prec)], prec=x.prec))
    try:
        return divide(*parts)
    except UndefinedError:
        return undefined(x.prec)


def pole(whole: Quotient, lower: Any, upper: Any) -> bool:
    """Whether Q, in lowest terms, has a root in [lower, upper] (outward by less than the isolation's radius)."""
    if whole.q.degree() < 1:
        return False
    interval = arb(lower).union(arb(upper))
    roots = whole.q.numer().complex_roots()
    return any(acb(root).imag.is_zero() and acb(root).real.overlaps(interval) for root, _ in roots)


def root(at: Any) -> Any:
    """The polynomial x - at."""
    return fmpq_poly([-fmpq(at), fmpq(1)])


def dyadic(x: float) -> Any:
    """The exact value of a float."""
    return fmpq(*x.as_integer_ratio())
