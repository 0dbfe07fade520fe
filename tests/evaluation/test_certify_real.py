"""Certified real errors: known values, sharpness, removable singularities, poles, zeros, kinks."""

from __future__ import annotations

import math
from dataclasses import replace

import mpmath
import pytest
from certified_targets import COS, EXP2, EXP2_ABSOLUTE, LOG, SIN, SQRT, interpolant, lines, odd, polynomial
from hypothesis import given, settings
from hypothesis import strategies as st

from evosearch.evaluation.certify import certify, certify_real
from evosearch.evaluation.sampled import error_sampled
from evosearch.evaluation.target import ErrorMeasure, Target

SHARP = 1.005


def test_best_fraction_of_one_division_has_its_known_error():
    best = lines("sub(3.407083236107348, x)", "div(8.222469986818198, t0)", "sub(t1, 1.4142130305546162)")
    assert certify(best, EXP2).error_real == pytest.approx(8.6724e-4, rel=SHARP - 1)
    sampled = error_sampled(best, EXP2)
    assert sampled <= certify(best, EXP2).error_real <= sampled * SHARP


@pytest.mark.parametrize("order", [3, 5, 9])
def test_taylor_polynomials_of_sin(order):
    coefficients = [f"{mpmath.mpf((-1) ** k) / mpmath.factorial(2 * k + 1)}" for k in range(order // 2 + 1)]
    candidate = odd(coefficients)
    with mpmath.workdps(40):
        x = mpmath.pi / 4
        value = sum(mpmath.mpf(c) * x ** (2 * k + 1) for k, c in enumerate(float(c) for c in coefficients))
        truth = float(abs(value / mpmath.sin(x) - 1))
    assert truth <= certify(candidate, SIN).error_real <= truth * SHARP


@pytest.mark.parametrize("degree", [1, 5, 11, 18])
def test_bounds_stay_sharp_far_below_float64(degree):
    candidate = interpolant(lambda x: mpmath.mpf(2) ** x, 0, 1, degree)
    sampled = error_sampled(candidate, EXP2)
    assert sampled <= certify_real(candidate, EXP2).error_real <= sampled * SHARP
    assert degree < 18 or sampled < 1e-28


FUNCTIONS = {
    "exp": ("0", "1"), "expm1": ("0", "1"), "log": ("1", "2"), "log1p": ("0", "1"), "tan": ("0", "pi/4"), "atan": ("0", "1"),
    "tanh": ("0", "1"), "erf": ("0", "1"), "ncdf": ("-4", "4"), "cbrt": ("1", "8"), "gamma": ("1", "2"), "airyai": ("-4", "0"),
}  # fmt: skip


@pytest.mark.parametrize("name", [*FUNCTIONS, "besselj"])
def test_every_kind_of_function_is_bounded_sharply(name):
    lower, upper = FUNCTIONS.get(name, ("0", "4"))
    function = (lambda x, m: m.besselj(0, x)) if name == "besselj" else (lambda x, m: getattr(m, name)(x))
    target = Target(name, name, function, lower, upper, ErrorMeasure.ABSOLUTE)
    candidate = interpolant(lambda x: function(x, mpmath.mp), *target.bounds(mpmath.mp), 7)
    sampled = error_sampled(candidate, target)
    assert sampled <= certify_real(candidate, target).error_real <= sampled * SHARP


def test_weighted_error():
    target = replace(EXP2, error=ErrorMeasure.WEIGHTED, weight=lambda x, m: 1 / (1 + m.power(x, 2)))
    candidate = interpolant(lambda x: mpmath.mpf(2) ** x, 0, 1, 4)
    sampled = error_sampled(candidate, target)
    assert sampled <= certify(candidate, target).error_real <= sampled * SHARP


def test_division_by_x_at_zero_is_removable():
    candidate = lines("div(1.5, x)", "add(t0, 0.3)", "div(0.7, t1)", "add(t2, 1.0)")
    certificate = certify(candidate, EXP2)
    sampled = error_sampled(candidate, EXP2)
    assert sampled <= certificate.error_real <= sampled * SHARP
    assert not certificate.has_pole


@pytest.mark.parametrize(
    "candidate",
    [
        lines("sub(x, 0.3)", "div(1.0, t0)"),
        lines("sub(x, 0.3)", "mul(t0, t0)", "div(1.0, t1)"),
        lines("mul(x, x)", "sub(t0, 0.5)", "div(1.0, t1)"),
        lines("div(1.0, x)"),
        lines("sub(x, x)", "div(1.0, t0)"),
    ],
)
def test_poles(candidate):
    certificate = certify(candidate, EXP2)
    assert certificate.has_pole
    assert certificate.error_real == certificate.error_float64 == math.inf
    assert certificate.reason


def test_a_pole_outside_of_the_interval_is_none():
    assert not certify(lines("sub(x, 1.0000001)", "div(1.0, t0)"), EXP2).has_pole


def test_relative_error_where_the_function_is_zero():
    factored = lines("sub(x, 1.0)", "mul(t0, 0.3)", "sub(1.0, t1)", "mul(t0, t2)")
    sampled = error_sampled(factored, LOG)
    assert sampled <= certify(factored, LOG).error_real <= sampled * SHARP
    missing = certify(polynomial([-0.99, 1.0]), LOG)
    assert missing.error_real == math.inf
    assert "x = 1" in str(missing.reason)


def test_a_zero_that_is_not_exactly_known_gives_no_certificate():
    target = Target("cos", "", lambda x, m: m.cos(x), "1", "2", ErrorMeasure.RELATIVE)
    certificate = certify(polynomial([1.57, -1.0]), target)
    assert certificate.error_real is None
    assert "1.57" in str(certificate.reason)


def test_kinks_and_branch_points():
    line = polynomial([0.2, 0.8])
    assert 0.2 <= certify(line, SQRT).error_real <= 0.2 * 1.01
    kinked = lines("sub(x, 0.25)", "abs(t0)", "min(x, t1)", "sqrt(x)", "add(t2, t3)")
    sampled = error_sampled(kinked, EXP2_ABSOLUTE)
    assert sampled <= certify(kinked, EXP2_ABSOLUTE).error_real <= sampled * 1.01


def test_squaring_ladders_need_no_algebra():
    ladder = lines("mul(x, 0.0108)", "add(t0, 1.0)", *(f"mul(t{k}, t{k})" for k in range(1, 7)))
    sampled = error_sampled(ladder, EXP2)
    assert sampled <= certify_real(ladder, EXP2).error_real <= sampled * SHARP


def test_beyond_the_work_limit_there_is_no_certificate():
    assert certify(interpolant(lambda x: mpmath.mpf(2) ** x, 0, 1, 9), EXP2, work_limit=1).error_real is None


def test_functions_that_take_no_balls_say_why():
    target = replace(EXP2, function=lambda x, m: m.power(2, x) if x > -1 else m.zeta(x))
    certificate = certify(polynomial([1.0, 1.0]), target)
    assert certificate.error_real is None
    assert "compares" in str(certificate.reason)
    missing = certify(polynomial([1.0, 1.0]), replace(EXP2, function=lambda x, m: m.zeta(x + 2)))
    assert "zeta" in str(missing.reason)
    assert error_sampled(polynomial([1.0, 1.0]), target) > 0


@st.composite
def programs(draw):
    calls = []
    for k in range(draw(st.integers(1, 7))):
        values = ["x", *(f"t{j}" for j in range(k))]
        constants = st.floats(0.1, 4, allow_nan=False).map(repr)
        second = draw(st.one_of(st.sampled_from(values), constants))
        pair = [draw(st.sampled_from(values)), second]
        if draw(st.booleans()):
            pair.reverse()
        calls.append(f"{draw(st.sampled_from(['add', 'sub', 'mul', 'div', 'add', 'mul']))}({', '.join(pair)})")
    return lines(*calls)


@settings(max_examples=120)
@given(programs(), st.sampled_from([EXP2, EXP2_ABSOLUTE, COS]))
def test_certified_is_never_below_sampled(candidate, target):
    certificate = certify_real(candidate, target)
    sampled = error_sampled(candidate, target, 40)
    if certificate.error_real is not None and not math.isnan(sampled):
        assert sampled <= certificate.error_real
        assert certificate.has_pole or certificate.error_real <= max(1.3 * sampled, 1e-12)


def test_zero_times_an_undefined_value_is_undefined():
    certificate = certify(lines("div(1.0, x)", "mul(x, t0)"), EXP2)
    assert 0.5 <= certificate.error_real <= 0.51
    assert certificate.error_float64 == math.inf
    assert error_sampled(lines("div(1.0, x)", "mul(x, t0)"), EXP2) == 0.5
