"""`BallContext`: mpmath's names over rigorous balls, for `Target.function(x, m)`.

A value is a real ball, or a Taylor series in h whose coefficients are balls: with x = c + h it encloses the Taylor
coefficients of f at c; with a ball in place of c it encloses them at every point of the ball, and its coefficient n
then bounds Lagrange's remainder. FLINT's precision is a global setting; `precision` sets and restores it.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from flint import arb, arb_series, ctx, fmpq

from evosearch.errors import TaskError


class UnsupportedError(TaskError):
    """A function that cannot be enclosed rigorously, with the reason; certificates turn it into null."""


class UndefinedError(ZeroDivisionError):
    """Nothing finite is known of a value. Raised at once: FLINT's nan does not survive a product with the zero series."""


@contextmanager
def precision(bits: int, terms: int = 64) -> Iterator[None]:
    """Set FLINT's precision (bits) and the default length of series, and restore them after."""
    before = ctx.prec, ctx.cap
    ctx.prec, ctx.cap = bits, terms
    try:
        yield
    finally:
        ctx.prec, ctx.cap = before


def variable(centre: Any, terms: int) -> Any:
    """The series centre + h with `terms` terms; `centre` is a ball or an exact rational."""
    return arb_series([arb(centre), arb(1)][:terms], prec=terms)


def undefined(terms: int) -> Any:
    """The series about which nothing is known."""
    return arb_series([arb.nan()] * terms, prec=terms)


class Ball:
    """A real ball or a series of balls with Python's arithmetic; comparing or branching on it is refused."""

    __slots__ = ("value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Any) -> None:
        self.value = value

    def __add__(self, other: Any) -> Ball:
        return Ball(self.value + _raw(other))

    def __sub__(self, other: Any) -> Ball:
        return Ball(self.value - _raw(other))

    def __rsub__(self, other: Any) -> Ball:
        return Ball(_raw(other) - self.value)

    def __mul__(self, other: Any) -> Ball:
        return Ball(self.value * _raw(other))

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Ball:
        return Ball(divide(self.value, _raw(other)))

    def __rtruediv__(self, other: Any) -> Ball:
        return Ball(divide(_raw(other), self.value))

    def __pow__(self, other: Any) -> Ball:
        whole = _whole(other)
        if whole is None:
            return Ball((self.log() * other).value.exp())
        if whole < 0:
            return 1 / self**-whole
        result, square = Ball(arb(1)), Ball(self.value)
        while whole:
            if whole & 1:
                result = result * square
            whole >>= 1
            if whole:
                square = square * square
        return result

    def __rpow__(self, other: Any) -> Ball:
        return (self * Ball(_raw(other)).log()).exp()

    def __neg__(self) -> Ball:
        return Ball(-self.value)

    def __pos__(self) -> Ball:
        return self

    def __abs__(self) -> Ball:
        return Ball(absolute(self.value))

    def log(self) -> Ball:
        return Ball(known(self.value.log()))

    def exp(self) -> Ball:
        return Ball(known(self.value.exp()))

    def _refuse(self, *_: Any) -> Any:
        raise UnsupportedError("the function compares its argument or converts it to a number")

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = __index__ = _refuse


def _raw(value: Any) -> Any:
    """A number or a Ball as FLINT holds it; floats are the dyadic numbers that they are."""
    if isinstance(value, Ball):
        return value.value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return arb(value)
    if isinstance(value, str):
        return arb(value)
    if isinstance(value, numbers.Rational):
        return arb(fmpq(int(value.numerator), int(value.denominator)))
    raise UnsupportedError(f"the function mixes balls with {type(value).__name__}")


def _whole(value: Any) -> int | None:
    """The value as an integer where it is one, exactly."""
    if isinstance(value, Ball) and isinstance(value.value, arb) and value.value.is_exact() and value.value.is_integer():
        return int(float(value.value))
    if isinstance(value, (int, float)) and value == int(value):
        return int(value)
    return None


def divide(a: Any, b: Any) -> Any:
    """a / b; UndefinedError where b may be zero."""
    if isinstance(b, (arb, arb_series)) and lead(b).contains(0):
        raise UndefinedError
    return a / b


def known(value: Any) -> Any:
    """The value, or UndefinedError where it is not finite."""
    if not lead(value).is_finite() or (isinstance(value, arb_series) and not value[value.prec - 1].is_finite()):
        raise UndefinedError
    return value


def lead(value: Any) -> Any:
    """The value at h = 0, as a ball."""
    return value[0] if isinstance(value, arb_series) else value


def absolute(value: Any) -> Any:
    """|value|: where the sign is open, only the enclosure without derivatives is defined."""
    first = lead(value)
    if first >= 0:
        return value
    if first <= 0:
        return -value
    return without_derivatives(value, abs(first))


def without_derivatives(value: Any, first: Any) -> Any:
    """`first` in the shape of `value`: for results that are continuous and not smooth."""
    if not isinstance(value, arb_series):
        return known(first)
    if value.prec > 1:
        raise UndefinedError
    return known(arb_series([first], prec=1))


def compose(outer: Callable[[Any, int], Sequence[Any]], inner: Any) -> Any:
    """f(inner) from `outer(ball, terms)`, the Taylor coefficients of f at every point of a ball."""
    if not isinstance(inner, arb_series):
        return outer(inner, 1)[0]
    terms = inner.prec
    if terms == 1:
        return arb_series(list(outer(lead(inner), 1)), prec=1)
    taylor = arb_series(list(outer(lead(inner), terms)), prec=terms)
    shift = arb_series([arb(0), *(inner[k] for k in range(1, terms))], prec=terms)
    return taylor(shift)


def bessel_j_taylor(order: int) -> Callable[[Any, int], list[Any]]:
    """Taylor coefficients of J_order at a ball.

    J' = (J_{v-1} - J_{v+1}) / 2 gives the n-th derivative as 2^-n sum_k (-1)^k C(n, k) J_{v-n+2k}, and |J| <= 1.
    """

    def taylor(ball: Any, terms: int) -> list[Any]:
        unit = arb(0, 1)
        values = {}
        for number in range(order + terms):
            value = ball.bessel_j(number)
            values[number] = value.intersection(unit) if value.is_finite() else unit
        derivative = {number: values[abs(number)] * (-1 if number < 0 and number % 2 else 1) for number in _span(order, terms)}
        coefficients, factorial = [], arb(1)
        for n in range(terms):
            coefficients.append(derivative[order] / factorial)
            factorial = factorial * (n + 1)
            derivative = {
                number: (derivative[number - 1] - derivative[number + 1]) / 2
                for number in derivative
                if number - 1 in derivative and number + 1 in derivative
            }
        return coefficients

    return taylor


def _span(order: int, terms: int) -> range:
    return range(order - terms + 1, order + terms)


def _named(method: str) -> Callable[[BallContext, Any], Ball]:
    def function(_: BallContext, x: Any) -> Ball:
        return Ball(known(getattr(_raw(x), method)()))

    function.__name__ = method
    return function


class BallContext:
    """The context `m` of a target function, served by rigorous balls.

    Functions are assumed to be defined on the whole interval (tasks check it), so that a square root's argument
    is not negative where its ball reaches below zero.
    """

    exp, log1, sin, cos, tan = (_named(name) for name in ("exp", "log", "sin", "cos", "tan"))
    asin, acos, atan = (_named(name) for name in ("asin", "acos", "atan"))
    erf, erfc, erfi, gamma, rgamma = (_named(name) for name in ("erf", "erfc", "erfi", "gamma", "rgamma"))
    airyai, airybi, loggamma = (_named(name) for name in ("airy_ai", "airy_bi", "lgamma"))
    si, ci, ei, li, lambertw = (_named(name) for name in ("si", "ci", "ei", "li", "lambertw"))
    ln = log1

    @property
    def pi(self) -> Ball:
        return Ball(arb.pi())

    @property
    def e(self) -> Ball:
        return Ball(arb.const_e())

    @property
    def ln2(self) -> Ball:
        return Ball(arb.const_log2())

    @property
    def ln10(self) -> Ball:
        return Ball(arb.const_log10())

    @property
    def euler(self) -> Ball:
        return Ball(arb.const_euler())

    def mpf(self, value: Any) -> Ball:
        """A number; decimal text is enclosed, floats are taken as they are."""
        if isinstance(value, str) and "/" in value:
            value = Fraction(value)
        return Ball(_raw(value))

    mpmathify = convert = mpf

    def log(self, x: Any, base: Any = None) -> Ball:
        return self.log1(x) if base is None else self.log1(x) / self.log1(base)

    def log2(self, x: Any) -> Ball:
        return self.log1(x) / self.ln2

    def log10(self, x: Any) -> Ball:
        return self.log1(x) / self.ln10

    def log1p(self, x: Any) -> Ball:
        return self.log1(self.mpf(x) + 1)

    def expm1(self, x: Any) -> Ball:
        return self.exp(x) - 1

    def exp2(self, x: Any) -> Ball:
        return self.exp(self.mpf(x) * self.ln2)

    def sinh(self, x: Any) -> Ball:
        return (self.exp(x) - self.exp(-self.mpf(x))) / 2

    def cosh(self, x: Any) -> Ball:
        return (self.exp(x) + self.exp(-self.mpf(x))) / 2

    def tanh(self, x: Any) -> Ball:
        return 1 - 2 / (self.exp(2 * self.mpf(x)) + 1)

    def asinh(self, x: Any) -> Ball:
        return self.log1(self.mpf(x) + self.sqrt(self.mpf(x) ** 2 + 1))

    def acosh(self, x: Any) -> Ball:
        return self.log1(self.mpf(x) + self.sqrt(self.mpf(x) ** 2 - 1))

    def atanh(self, x: Any) -> Ball:
        return self.log1((1 + self.mpf(x)) / (1 - self.mpf(x))) / 2

    def sec(self, x: Any) -> Ball:
        return 1 / self.cos(x)

    def csc(self, x: Any) -> Ball:
        return 1 / self.sin(x)

    def cot(self, x: Any) -> Ball:
        return self.cos(x) / self.sin(x)

    def sqrt(self, x: Any) -> Ball:
        value = _raw(x)
        first = lead(value)
        if first.is_finite() and not first > 0:
            return Ball(without_derivatives(value, first.nonnegative_part().sqrt()))
        return Ball(known(value.sqrt()))

    def rsqrt(self, x: Any) -> Ball:
        return 1 / self.sqrt(x)

    def cbrt(self, x: Any) -> Ball:
        """The real cube root of x >= 0 (mpmath's is complex below 0)."""
        return self.root(x, 3)

    def root(self, x: Any, n: int) -> Ball:
        value = _raw(x)
        first = lead(value)
        if first.is_finite() and not first > 0:
            return Ball(without_derivatives(value, arb(0).union(first.upper().nonnegative_part().root(n))))
        return Ball(known(value.root(n) if isinstance(value, arb) else (value.log() / n).exp()))

    def power(self, x: Any, y: Any) -> Ball:
        return self.mpf(x).__pow__(y)

    def ldexp(self, x: Any, n: int) -> Ball:
        return self.mpf(x) * Ball(arb(2) ** n)

    def ncdf(self, x: Any) -> Ball:
        return self.erfc(-self.mpf(x) / self.sqrt(2)) / 2

    def npdf(self, x: Any) -> Ball:
        return self.exp(-(self.mpf(x) ** 2) / 2) / self.sqrt(2 * self.pi)

    def besselj(self, n: int, x: Any) -> Ball:
        if not isinstance(n, int) or n < 0:
            raise UnsupportedError(f"no rigorous Bessel function of order {n}; whole orders from 0 on")
        return Ball(compose(bessel_j_taylor(n), _raw(x)))

    def j0(self, x: Any) -> Ball:
        return self.besselj(0, x)

    def j1(self, x: Any) -> Ball:
        return self.besselj(1, x)

    def fabs(self, x: Any) -> Ball:
        return abs(self.mpf(x))

    def __getattr__(self, name: str) -> Any:
        raise UnsupportedError(f"there is no rigorous '{name}'")
