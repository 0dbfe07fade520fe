"""Meanings that NumPy does not give by itself: fma against exact arithmetic, scale2 and exponent at their edges."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies import same_bits

from evosearch.backends.exact_fma import fma
from primitives.arithmetic import CORE

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NEAR = st.floats(-1e3, 1e3)


def nearest(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


@given(st.one_of(FINITE, NEAR), st.one_of(FINITE, NEAR), st.one_of(FINITE, NEAR))
def test_fma_rounds_once(a: float, b: float, c: float) -> None:
    want = nearest(Fraction(a) * Fraction(b) + Fraction(c))
    assert float(fma(a, b, c)) == want


@given(st.floats(1, 2), st.floats(1, 2), st.integers(-120, 2), st.booleans())
def test_fma_where_the_product_nearly_cancels_or_ties(a: float, b: float, shift: int, exactly: bool) -> None:
    c = -(a * b) if exactly else 2.0**shift
    assert float(fma(a, b, c)) == nearest(Fraction(a) * Fraction(b) + Fraction(c))


def test_fma_at_infinities_zeros_and_nan() -> None:
    a, b, c = np.array([1e300, 1e300, np.inf, 0.0, -0.0, 0.0, 2.0]), np.array([1e300, 1e300, 0, 1, 1, np.inf, 3]), 7 * [0.0]
    c[0], c[1], c[4], c[6] = -np.inf, np.inf, -0.0, -6.0
    assert same_bits(fma(a, b, c), [-np.inf, np.inf, np.nan, 0.0, -0.0, np.nan, 0.0])
    assert fma(np.ones((2, 3)), 2.0, 1.0).tolist() == [[3.0] * 3] * 2


@given(FINITE, st.integers(-2150, 2150))
def test_scale2_rounds_once(x: float, n: int) -> None:
    with np.errstate(all="ignore"):
        got = float(CORE["scale2"].reference(np.float64(x), np.float64(n)))
    assert same_bits(got, nearest(Fraction(x) * Fraction(2) ** n) if x else x)


def test_scale2_at_its_edges() -> None:
    x = np.array([1.0, 1.0, 3.0, 3.0, 0.0, -1.0, 1.0, np.inf])
    n = np.array([0.5, 1.5, np.nan, 1e300, np.inf, -np.inf, -1074.0, -1e300])
    with np.errstate(all="ignore"):
        assert same_bits(CORE["scale2"].reference(x, n), [1.0, 4.0, np.nan, np.inf, 0.0, -0.0, 5e-324, np.inf])


@given(FINITE.filter(bool))
def test_exponent_brackets_its_argument(x: float) -> None:
    n = int(CORE["exponent"].reference(np.float64(x)))
    assert Fraction(2) ** n <= abs(Fraction(x)) < Fraction(2) ** (n + 1)
