"""Functions that exported Python modules carry along, taken from here as source text.

They are private there, so that a module defines one public function. Those for floats are plain Python with the meaning
that IEEE 754 gives, which Python's operators and `math` replace by exceptions; those for arrays are called `_array_...`.
"""

from __future__ import annotations

import inspect
import math
from fractions import Fraction

import numpy as np


def source(name: str) -> str:
    """The source of a function of this file."""
    return inspect.getsource(globals()[name])


def verification_points(lower: float, upper: float, count: int) -> list[float]:
    """The points at which an exported module checks itself; see `_points`."""
    return _points(lower, upper, count)


def _points(lower: float, upper: float, count: int) -> list[float]:
    """Chebyshev points of the interval, its ends, both zeros where it has them, and the floats next to those."""
    middle, radius = (lower + upper) / 2, (upper - lower) / 2
    cosines = (math.cos(math.pi * k / (count - 1)) for k in range(count))
    points = [middle - radius * round(cosine, 7) for cosine in cosines]  # rounded: the same points on every machine
    for x in (lower, upper, 0.0, -0.0):
        points += [math.nextafter(x, -math.inf), x, math.nextafter(x, math.inf)]
    inside = {x.hex(): x for x in points if lower <= x <= upper}  # hex tells -0.0 from 0.0
    return sorted(inside.values())


def _constant(_: float, value: float) -> float:
    """`value`, whatever the input is."""
    return value


def _div(a: float, b: float) -> float:
    """a / b, where Python raises ZeroDivisionError."""
    if b != 0.0:
        return a / b
    if a == 0.0 or a != a:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def _sqrt(a: float) -> float:
    """The square root; nan below zero."""
    return math.nan if a < 0.0 else math.sqrt(a)


def _fma(a: float, b: float, c: float) -> float:
    """a * b + c with one rounding."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return a * b + c
    if not math.isfinite(c):
        return c
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        return a * b + c if a == 0.0 or b == 0.0 else 0.0  # the signs of zero
    try:
        return float(exact) or math.copysign(0.0, exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _array_fma(a, b, c):  # type: ignore[no-untyped-def]
    """a * b + c with one rounding; element by element, since NumPy has none."""
    return np.vectorize(_fma, otypes=[np.float64])(a, b, c)


def _sign(a: float) -> float:
    """1, 0 or -1; nan at nan."""
    return 1.0 if a > 0.0 else (-1.0 if a < 0.0 else a + 0.0)


def _minimum(a: float, b: float) -> float:
    """The smaller; nan where either is, and -0.0 below 0.0."""
    if a != a or b != b:
        return math.nan
    return a if a < b or (a == b and math.copysign(1.0, a) < 0.0) else b


def _array_minimum(a, b):  # type: ignore[no-untyped-def]
    """The smaller; nan where either is, and -0.0 below 0.0."""
    return np.where(a == b, np.where(np.signbit(a), a, b), np.minimum(a, b))


def _maximum(a: float, b: float) -> float:
    """The larger; nan where either is, and 0.0 above -0.0."""
    if a != a or b != b:
        return math.nan
    return a if a > b or (a == b and math.copysign(1.0, b) < 0.0) else b


def _array_maximum(a, b):  # type: ignore[no-untyped-def]
    """The larger; nan where either is, and 0.0 above -0.0."""
    return np.where(a == b, np.where(np.signbit(a), b, a), np.maximum(a, b))


def _floor(a: float) -> float:
    """The largest integer not above a."""
    return math.copysign(math.floor(a), a) if math.isfinite(a) else a


def _ceil(a: float) -> float:
    """The smallest integer not below a."""
    return math.copysign(math.ceil(a), a) if math.isfinite(a) else a


def _trunc(a: float) -> float:
    """The integer next to a towards zero."""
    return math.copysign(math.trunc(a), a) if math.isfinite(a) else a


def _rint(a: float) -> float:
    """The nearest integer, half to even."""
    return math.copysign(round(a), a) if math.isfinite(a) else a


def _scale2(a: float, n: float) -> float:
    """a * 2^n with one rounding; n is rounded to an integer and clamped."""
    if n != n:
        return n
    try:
        return math.ldexp(a, round(min(max(n, -2200.0), 2200.0)))
    except OverflowError:
        return math.copysign(math.inf, a)


def _array_scale2(a, n):  # type: ignore[no-untyped-def]
    """a * 2^n with one rounding; n is rounded to an integer and clamped."""
    whole = np.rint(np.clip(np.nan_to_num(n), -2200.0, 2200.0)).astype(np.int64)
    return np.where(np.isnan(n), n, np.ldexp(a, whole))


def _exponent(a: float) -> float:
    """floor(log2 |a|); -inf at zero."""
    if a == 0.0:
        return -math.inf
    return math.frexp(a)[1] - 1.0 if math.isfinite(a) else abs(a)


def _array_exponent(a):  # type: ignore[no-untyped-def]
    """floor(log2 |a|); -inf at zero."""
    finite = np.frexp(a)[1] - 1.0
    return np.where(a == 0.0, -np.inf, np.where(np.isfinite(a), finite, np.abs(a)))


def _select(a: float, b: float, c: float) -> float:
    """b where a is true, else c."""
    return b if a != 0.0 else c


def _array_select(a, b, c):  # type: ignore[no-untyped-def]
    """b where a is true, else c."""
    return np.where(a != 0.0, b, c)
