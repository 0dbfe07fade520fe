"""The further composites: within 4 ULP of mpmath on their stated domain, and their values at its ends and beyond."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from accuracy import Array, scales, signed, ulps, uniform

from primitives.transcendental import POWER, TRANSCENDENTAL

INSIDE = [uniform(-1, 1), signed(scales(-300, 0)), signed(1 - scales(-15, -1)), np.array([0.5, -0.5, 1.0, -1.0])]
BELOW_ONE = [uniform(-1, 1), signed(scales(-300, -1)), signed(1 - scales(-15, -1))]
WIDE = [uniform(-3, 3), signed(scales(-300, 300)), np.array([0.41421356237309503, 1.0, 5e-324, -1e-310])]
ROOTS = [*WIDE, np.arange(1.0, 200.0) ** 3]
ANGLES = [uniform(-1e5, 1e5), uniform(-4, 4), signed(scales(-300, 5)), np.arange(1, 63000, 97) * (np.pi / 2)]

DOMAINS: dict[str, tuple[Callable[[Any], Any], list[Array]]] = {
    "tan": (mpmath.tan, ANGLES),
    "arcsin": (mpmath.asin, INSIDE),
    "arccos": (mpmath.acos, INSIDE[:3]),
    "arctan": (mpmath.atan, WIDE),
    "sinh": (mpmath.sinh, [uniform(-709, 709), uniform(-2, 2), signed(scales(-300, 2)), uniform(35, 45)]),
    "cosh": (mpmath.cosh, [uniform(-709, 709), uniform(-2, 2), signed(scales(-300, 2))]),
    "arcsinh": (mpmath.asinh, [*WIDE, scales(8, 9)]),
    "arccosh": (mpmath.acosh, [1 + scales(-15, 2), scales(0, 308), scales(8, 9)]),
    "arctanh": (mpmath.atanh, BELOW_ONE),
    "exp10": (lambda x: mpmath.mpf(10) ** x, [uniform(-307, 308), uniform(-1, 1), np.arange(-300.0, 300.0)]),
    "log10": (lambda x: mpmath.log(x, 10), [scales(-307, 308), uniform(0.5, 2), 1 + signed(scales(-15, -1))]),
    "cbrt": (lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), ROOTS),
}

INF, NAN = np.inf, np.nan
BEYOND = {  # at -inf, inf, NaN, -0, and a point of its own
    "tan": ([NAN, NAN, NAN, -0.0], (0.0, 0.0)),
    "arcsin": ([NAN, NAN, NAN, -0.0], (1.0 + 2.0**-52, NAN)),
    "arccos": ([NAN, NAN, NAN, np.pi / 2], (1.0, 0.0)),
    "arctan": ([-np.pi / 2, np.pi / 2, NAN, -0.0], (1.0, np.pi / 4)),
    "sinh": ([-INF, INF, NAN, -0.0], (711.0, INF)),
    "cosh": ([INF, INF, NAN, 1.0], (-711.0, INF)),
    "arcsinh": ([-INF, INF, NAN, -0.0], (0.0, 0.0)),
    "arccosh": ([NAN, INF, NAN, NAN], (1.0, 0.0)),
    "arctanh": ([NAN, NAN, NAN, -0.0], (-1.0, -INF)),
    "exp10": ([0.0, INF, NAN, 1.0], (400.0, INF)),
    "log10": ([NAN, INF, NAN, -INF], (1.0, 0.0)),
    "cbrt": ([-INF, INF, NAN, -0.0], (-27.0, -3.0)),
}


@pytest.mark.parametrize("name", list(DOMAINS))
def test_within_4_ulp_of_the_true_value(name: str) -> None:
    truth, points = DOMAINS[name]
    assert ulps(TRANSCENDENTAL[name], truth, np.concatenate(points)).max() <= 4.0


@pytest.mark.parametrize("name", list(BEYOND))
def test_at_infinities_nan_and_beyond_the_domain(name: str) -> None:
    values, (point, value) = BEYOND[name]
    got = TRANSCENDENTAL[name].reference(np.array([-INF, INF, NAN, -0.0, point]))
    want = np.array([*values, value])
    assert np.array_equal(got, want, equal_nan=True)
    assert np.array_equal(np.signbit(got[want == 0.0]), np.signbit(want[want == 0.0]))


def test_power_keeps_its_stated_bound() -> None:
    a, b = scales(-100, 100), uniform(-3, 3)
    decay, steps = np.concatenate([np.full(400, 0.9), np.full(400, 0.999)]), np.arange(1.0, 801.0)
    for base, exponent in ((a, b), (decay, steps), (1 + uniform(-0.1, 0.1), uniform(-1000, 1000))):
        error = ulps(POWER, lambda x, y: x**y, base, exponent)
        assert np.all(error <= 2 * (4 + np.abs(exponent * np.log2(base))))  # an ULP is at least 2^-53 of the value


def test_power_of_negative_numbers_and_zeros() -> None:
    a = np.array([-2.0, -2.0, -2.0, 0.0, 0.0, 0.0, -3.0, 5.0, NAN, INF, -0.0])
    b = np.array([3.0, 2.0, 0.5, 2.0, 0.0, -1.0, 0.0, 0.0, 1.0, -1.0, 3.0])
    want = [-8.0, 4.0, NAN, 0.0, 1.0, INF, 1.0, 1.0, NAN, 0.0, 0.0]
    assert np.array_equal(POWER.reference(a, b), want, equal_nan=True)
