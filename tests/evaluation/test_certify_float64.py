"""Certified float64 errors: never below what is observed, not far above, honest at singular points."""

from __future__ import annotations

import math
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from certified_targets import COS, EXP2, EXP2_ABSOLUTE, LOG, SIN, interpolant, lines, observed, odd
from hypothesis import given, settings
from hypothesis import strategies as st

from evosearch.evaluation.certify import certify, ieee_check
from evosearch.evaluation.formats import FLOAT32
from evosearch.evaluation.ieee import evaluate
from evosearch.evaluation.target import ErrorMeasure


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


SIN_ABSOLUTE = replace(SIN, lower="0", error=ErrorMeasure.ABSOLUTE)
LADDER = lines(
    "div(31.46592423835, x)",
    "add(t0, x)",
    "div(174.19872672, t1)",
    "sub(t1, t2)",
    "div(-133.551357492, t3)",
    "sub(t1, t4)",
    "div(31.46592406635, t5)",
)


SHORT = lines("div(-5.46773, x)", "sub(t0, x)", "div(-5.48089, t1)")


@pytest.mark.parametrize("candidate", [SHORT, LADDER], ids=["3 operations", "7 operations"])
def test_the_bound_next_to_a_removable_singularity_is_as_good_as_elsewhere(candidate):
    certificate = certify(candidate, SIN_ABSOLUTE)
    points = np.append(UNIT * 0.78, np.logspace(-323, -1, 500))
    assert observed(candidate, SIN_ABSOLUTE, points) <= certificate.error_float64 <= 1.01 * certificate.error_real


def test_a_relative_error_next_to_a_zero_counts_overflow():
    candidate = lines("div(8.0, x)", "div(x, 6.0)", "add(t0, t1)", "div(8.0, t2)")
    certificate = certify(candidate, SIN)
    assert certificate.error_real < 0.2
    assert observed(candidate, SIN, np.array([2.3e-308])) == 1.0
    assert 1.0 <= certificate.error_float64 <= 1.4


@st.composite
def singular_programs(draw):
    """Continued fractions in 1/x, 1/x^2, 1/(x - c) and 1/(x^2 - c)."""
    number = st.floats(0.1, 4).map(lambda value: repr(round(value, 3)))
    centre = draw(st.sampled_from(["0.25", "0.3", "0.5"]))
    calls = draw(st.sampled_from([[], ["mul(x, x)"], [f"sub(x, {centre})"], ["mul(x, x)", f"sub(t0, {centre})"]]))
    inner = f"t{len(calls) - 1}" if calls else "x"
    calls = [*calls, f"div({draw(number)}, {inner})"]
    for _ in range(draw(st.integers(1, 3))):
        last, other = f"t{len(calls) - 1}", draw(st.one_of(st.just(inner), number))
        calls += [f"{draw(st.sampled_from(['add', 'sub']))}({last}, {other})", f"div({draw(number)}, t{len(calls)})"]
    return lines(*calls, f"{draw(st.sampled_from(['add', 'mul', 'sub']))}(t{len(calls) - 1}, {draw(number)})")


NEAR_SINGULAR = np.concatenate(
    [c + sign * 2.0 ** -np.arange(1, 60, 3) for c in (0.25, 0.3, 0.5, math.sqrt(0.3), math.sqrt(0.5)) for sign in (1, -1)]
    + [UNIT[:100], np.logspace(-322, -1, 60), [0.0, -0.0, 0.25, 0.3, 0.5]]
)


def inside(points, lower, upper):
    return points[(points >= lower) & (points <= upper)]


@settings(max_examples=60, deadline=None)
@given(singular_programs(), st.sampled_from([EXP2, EXP2_ABSOLUTE, COS, SIN_ABSOLUTE, SIN]))
def test_bound_holds_and_is_near_for_programs_that_divide_by_what_vanishes(candidate, target):
    certificate = certify(candidate, target)
    if certificate.error_float64 is None or certificate.error_real == math.inf:
        return
    points = inside(NEAR_SINGULAR, 0.0, 1.0 if target.name == "exp2" else 0.78)
    largest = observed(candidate, target, points) if np.isfinite(evaluate(candidate, points)).all() else math.inf
    assert largest <= certificate.error_float64
    assert certificate.error_float64 == math.inf or certificate.error_float64 <= 2 * max(largest, certificate.error_real)


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
