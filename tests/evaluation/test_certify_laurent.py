"""Laurent models: removable singularities and poles without algebra, remainders that hold on the whole piece."""

from __future__ import annotations

import math

import numpy as np
import pytest
from certified_targets import EXP2, EXP2_ABSOLUTE, lines, observed
from flint import arb, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from evosearch.evaluation.balls import UndefinedError, precision
from evosearch.evaluation.certify import certify
from evosearch.evaluation.laurent import PoleError, expansion
from evosearch.evaluation.meaning import steps
from evosearch.evaluation.sampled import error_sampled
from evosearch.evaluation.taylor import Piece

AROUND_ZERO = Piece(fmpq(-1, 8), fmpq(1, 8), fmpq(0))
STEP_UP = [
    "div(23.1, x)",
    "add(t0, x)",
    "div(3.3, t1)",
    "add(t1, t2)",
    "div(1.7, t3)",
    "add(t3, t4)",
    "div(0.9, t5)",
    "add(t5, t6)",
]


def test_orders_of_zeros_and_poles():
    orders = {"mul(x, x)": 2, "div(3.0, x)": -1, "div(x, x)": 0, "sub(x, x)": None, "add(x, 1.0)": 0}
    with precision(128):
        for call, order in orders.items():
            value = expansion(steps(lines(call)), AROUND_ZERO, 6)
            assert value.poly.degree() == -1 if order is None else value.order == order


def test_a_pole_is_told_from_a_removable_singularity():
    with precision(128):
        with pytest.raises(PoleError):
            expansion(steps(lines("div(1.0, x)", "add(t0, x)")), AROUND_ZERO, 6).model()
        removed = expansion(steps(lines("div(1.0, x)", "div(2.0, t0)")), AROUND_ZERO, 6).model()
        assert [float(c) for c in removed.coeffs()] == [0.0, 2.0]
        with pytest.raises(UndefinedError):
            expansion(steps(lines("sub(x, 0.1)", "div(1.0, t0)")), AROUND_ZERO, 6)


@settings(max_examples=60)
@given(st.floats(-0.125, 0.125).filter(bool), st.floats(0.5, 3), st.floats(0.5, 3), st.integers(3, 10))
def test_models_enclose_the_program(at, a, b, terms):
    candidate = lines(f"div({a!r}, x)", "add(t0, x)", f"div({b!r}, t1)", "sub(t2, t1)", "div(t2, t3)", "mul(t4, t4)")
    with precision(256):
        x = arb(at)
        assert expansion(steps(candidate), AROUND_ZERO, terms).model()(x).overlaps(steps(candidate).run(x, arb))


def test_programs_of_high_degree_have_certificates():
    ladder = lines(*STEP_UP, "div(4.0, t7)", "add(t8, 1.0)", "mul(t9, t9)", "mul(t10, t10)")  # degree 64
    certificate = certify(ladder, EXP2)
    sampled = error_sampled(ladder, EXP2)
    assert sampled <= certificate.error_real <= 1.005 * sampled
    points = np.concatenate([np.logspace(-323, 0, 400), np.linspace(0, 1, 400)])
    assert observed(ladder, EXP2, points) <= certificate.error_float64 <= 1.005 * sampled


def test_poles_of_high_degree_are_found():
    ladder = lines(*STEP_UP, "mul(t7, t7)", "mul(t8, t8)", "mul(t9, t9)")
    certificate = certify(ladder, EXP2)
    assert certificate.has_pole
    assert certificate.error_real == math.inf


def test_powers_without_end_take_no_memory():
    tower = lines("mul(x, x)", *(f"mul(t{k}, t{k})" for k in range(40)), "add(t40, 1.0)")
    assert certify(tower, EXP2_ABSOLUTE).error_float64 is not None
