"""Constraints of the approximation task: told apart, and met after a small change of the constants."""

from __future__ import annotations

import numpy as np
import pytest

from evosearch.errors import TaskError
from evosearch.evaluation.ieee import evaluate
from evosearch.language.program import Program
from evosearch.language.text import parse
from primitives.arithmetic import FIELD
from tasks.approximation import Approximation, Constraint


def polynomial(*coefficients: float) -> Program:
    """Horner, the highest coefficient first."""
    top, *rest = coefficients
    lines, value = [], repr(top)
    for k, c in enumerate(rest):
        lines += [f"    m{k} = mul({value}, x)", f"    s{k} = add(m{k}, {c!r})"]
        value = f"s{k}"
    return parse("\n".join(["def f(x):", *lines, f"    return {value}"]), FIELD)


CUBIC = polynomial(0.0792, 0.2243, 0.6962, 0.9999)
"""About 2^x on [0, 1]."""


def constrained(*constraints: Constraint, **keys: object) -> Approximation:
    return Approximation("exp2", ("0", "1"), constraints=constraints, **keys)


def test_exact_ends():
    approximation = constrained(Constraint.EXACT_ENDS)
    assert approximation.unmet(CUBIC) == (Constraint.EXACT_ENDS,)
    amended = approximation.amend(CUBIC)
    assert approximation.unmet(amended) == ()
    assert evaluate(amended, np.array([0.0, 1.0])).tolist() == [1.0, 2.0]
    shifts = [abs(a.hi - b.hi) for a, b in zip(CUBIC.constants, amended.constants, strict=True)]
    assert 0 < max(shifts) < 1e-3


def test_exact_ends_weigh_more_in_the_fit():
    weight = constrained(Constraint.EXACT_ENDS).points(5).weight / constrained().points(5).weight
    assert weight.tolist() == [1024.0, 1.0, 1.0, 1.0, 1024.0]


def test_short_coefficients():
    approximation = constrained(Constraint.SHORT_COEFFICIENTS, digits=3)
    assert approximation.unmet(CUBIC) == (Constraint.SHORT_COEFFICIENTS,)
    amended = approximation.amend(CUBIC)
    assert [constant.hi for constant in amended.constants] == [0.0792, 0.224, 0.696, 1.0]
    assert approximation.unmet(amended) == ()


def test_monotone_and_no_division():
    approximation = constrained(Constraint.MONOTONE, Constraint.NO_DIVISION)
    falls = parse("def f(x):\n    t0 = add(x, 1.0)\n    return div(t0, t0)\n", FIELD)
    assert approximation.unmet(CUBIC) == ()
    assert approximation.unmet(polynomial(1.0, -1.0, 1.0)) == (Constraint.MONOTONE,)
    assert approximation.unmet(falls) == (Constraint.MONOTONE, Constraint.NO_DIVISION)


def test_a_target_that_turns_cannot_be_monotone():
    with pytest.raises(TaskError, match="rises and falls"):
        Approximation("sin", ("0", "3"), constraints=(Constraint.MONOTONE,)).check(FIELD)
