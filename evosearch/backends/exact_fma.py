"""The meaning of fma: a * b + c with one rounding, in NumPy, by exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_SPLITTER = 134217729.0  # 2^27 + 1


def fma(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> Array:
    """a * b + c, rounded once, for all float64 values; shapes broadcast."""
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in (a, b, c)))
    x, y, z = (np.array(array, dtype=np.float64, ndmin=1) for array in arrays)
    with np.errstate(all="ignore"):
        result = x * y + z  # right where an argument is not finite or a factor is zero
        finite = np.isfinite(x) & np.isfinite(y)
        result = np.where(finite & ~np.isfinite(z), z, result)
        exact = finite & np.isfinite(z) & (x != 0.0) & (y != 0.0)
        moderate = exact & _within(x, 400) & _within(y, 400) & (_within(z, 800) | (z == 0.0))
        result[moderate] = _by_expansion(x[moderate], y[moderate], z[moderate])
        for index in zip(*np.nonzero(exact & ~moderate), strict=True):
            result[index] = _by_fractions(float(x[index]), float(y[index]), float(z[index]))
    return result.reshape(arrays[0].shape)


def _within(x: Array, bits: int) -> NDArray[np.bool_]:
    size = np.abs(x)
    return (size > 2.0**-bits) & (size < 2.0**bits)


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    s = a + b
    v = s - a
    return s, (a - (s - v)) + (b - v)


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    p = a * b
    ta, tb = _SPLITTER * a, _SPLITTER * b
    ah, bh = ta - (ta - a), tb - (tb - b)
    al, bl = a - ah, b - bh
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def _by_expansion(a: Array, b: Array, c: Array) -> Array:
    """Boldo and Melquiond, "Emulation of FMA and correctly rounded sums" (2008): the tail is summed with rounding to odd."""
    uh, ul = _two_product(a, b)
    th, tl = _two_sum(c, ul)
    vh, vl = _two_sum(uh, th)
    z, error = _two_sum(tl, vl)
    even = (z.view(np.int64) & 1) == 0
    towards = np.where(error > 0.0, np.inf, -np.inf)
    z = np.where((error != 0.0) & even, np.nextafter(z, towards), z)
    return vh + z


def _by_fractions(a: float, b: float, c: float) -> float:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    try:
        return float(exact)
    except OverflowError:
        return float("inf") if exact > 0 else float("-inf")
