"""Certified float64 errors: never below what is observed, not far above, honest at singular points."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from certified_targets import COS, EXP2, EXP2_ABSOLUTE, LOG, SIN, interpolant, lines, observed, odd
from hypothesis import given, settings
from hypothesis import strategies as st

from evosearch.evaluation.certify import certify, ieee_check
from evosearch.evaluation.formats import FLOAT32
from evosearch.evaluation.ieee import evaluate


def _sin_near_zero():
    with mpmath.workdps(40):
        found = mpmath.chebyfit(lambda u: mpmath.sin(mpmath.sqrt(u)) / mpmath.sqrt(u), [1e-12, mpmath.pi**2 / 16], 8)
        return odd([mpmath.nstr(c, 17) for c in reversed(found)])


UNIT = np.random.default_rng(1).uniform(0, 1, 2500)
CASES = {
    "degree 5": (interpolant(lambda x: mpmath.mpf(2) ** x, 0, 1, 5), EXP2, UNIT, 1.01),
    "degree 14, rounding alone": (interpolant(lambda x: mpmath.mpf(2) ** x, 0, 1, 14), EXP2, UNIT, 3.0),
    "odd form near zero": (_sin_near_zero(), SIN, np.concatenate([UNIT * 0.78, -np.logspace(-300, -1, 1500)]), 5.0),
    "division by x": (lines("div(1.5, x)", "add(t0, 0.3)", "div(0.7, t1)", "add(t2, 1.0)"), EXP2, UNIT, 1.01),
    "division by x^2": (
        lines("mul(x, x)", "div(2.0, t0)", "add(t1, 0.1)", "div(1.0, t2)", "sub(1.0, t3)"),
        COS,
        np.concatenate([UNIT * 0.78, np.logspace(-320, -1, 1000), [0.0, 5e-324, 0.7853981633974483]]),
        1.01,
    ),
    "singular at 1/2": (
        lines("sub(x, 0.5)", "div(2.0, t0)", "add(t1, 0.1)", "div(1.0, t2)", "sub(1.0, t3)"),
        COS,
        np.concatenate([UNIT * 0.78, 0.5 + np.arange(-20, 20) * 2.0**-54]),
        1.01,
    ),
    "zero at 1": (
        lines("sub(x, 1.0)", "mul(t0, 0.3)", "sub(1.0, t1)", "mul(t0, t2)"),
        LOG,
        np.concatenate([1 + UNIT, 1 + np.arange(1, 30) * 2.0**-52]),
        1.01,
    ),
    "cancellation": (lines("add(x, 1e6)", "sub(t0, 999999.0)"), EXP2_ABSOLUTE, UNIT, 1.01),
}


@pytest.mark.parametrize("name", CASES)
def test_bound_holds_for_thousands_of_floats_and_is_near(name):
    candidate, target, points, factor = CASES[name]
    certificate = certify(candidate, target)
    largest = observed(candidate, target, points)
    assert largest <= certificate.error_float64 <= factor * largest


@settings(max_examples=40)
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=5), st.sampled_from(["div", "mul", "sub"]), st.integers(0, 2))
def test_bound_holds_for_random_programs(constants, op, which):
    a, b, c, *_ = constants
    second = ["x", "t0", "t1"][which]
    candidate = lines(f"add(x, {a!r})", f"mul(t0, {b!r})", f"{op}(t1, {second})", f"add(t2, {c!r})", "mul(t3, t3)")
    bound = certify(candidate, EXP2_ABSOLUTE).error_float64
    if bound is not None and bound < math.inf:
        assert observed(candidate, EXP2_ABSOLUTE, UNIT[:100]) <= bound


def test_nan_at_a_removable_singularity_is_no_finite_float64_error():
    certificate = certify(lines("div(x, x)", "add(x, t0)"), EXP2)
    assert certificate.error_real < 0.1
    assert certificate.error_float64 == math.inf
    assert "0" in certificate.float_reason


def test_ieee_check_looks_at_both_zeros_and_at_singular_floats():
    good = lines("div(1.5, x)", "add(t0, 0.3)", "div(0.7, t1)", "add(t2, 1.0)")
    assert ieee_check(good, EXP2).finite
    bad = ieee_check(lines("sub(x, 0.5)", "div(t0, t0)", "add(x, t1)"), EXP2)
    assert (bad.finite, bad.error, bad.at) == (False, math.inf, 0.5)


def test_overflow_is_found():
    certificate = certify(lines("mul(x, 1e300)", "mul(t0, 1e300)", "div(t1, 1e300)", "div(t2, 1e300)"), EXP2_ABSOLUTE)
    assert certificate.error_real <= 1.005
    assert certificate.error_float64 is None or certificate.error_float64 == math.inf


def test_float32_is_a_parameter():
    candidate = interpolant(lambda x: mpmath.mpf(2) ** x, 0, 1, 7)
    bound = certify(candidate, EXP2, float_format=FLOAT32).error_float64
    x = UNIT.astype(np.float32).astype(np.float64)
    largest = float(np.max(np.abs(evaluate(candidate, x, FLOAT32) / np.exp2(x) - 1)))
    assert largest <= bound <= 3 * largest
    assert bound > 2.0**-24
