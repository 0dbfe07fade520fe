"""Proven constraints: monotone, exact at the ends."""

from __future__ import annotations

import pytest
from certified_targets import COS, EXP2, lines, polynomial

from evosearch.evaluation.constraints import exact_at_ends, is_monotone


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (polynomial([1.0, 0.7, 0.2]), True),
        (polynomial([1.0, -0.7, -0.2]), True),
        (polynomial([1.0, -1.0, 1.0]), False),
        (polynomial([1.0, -0.0001, 1.0]), False),
        (lines("div(1.5, x)", "add(t0, 0.3)", "div(0.7, t1)"), True),
        (lines("sub(x, 0.5)", "mul(t0, t0)", "mul(t1, t0)", "add(t2, 1.0)"), None),
        (lines("floor(x)"), None),
    ],
)
def test_monotone(candidate, expected):
    assert is_monotone(candidate, EXP2) is expected


def test_an_even_form_is_monotone_from_zero_on():
    assert is_monotone(lines("mul(x, x)", "mul(t0, -0.5)", "add(t1, 1.0)"), COS) is True


def test_exact_ends():
    assert exact_at_ends(polynomial([1.0, 0.75, 0.25]), EXP2)
    assert not exact_at_ends(polynomial([1.0, 0.75, 0.2500000000000005]), EXP2)
    assert not exact_at_ends(lines("div(x, x)", "add(x, t0)"), EXP2)
