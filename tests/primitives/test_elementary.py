"""Composites: within 4 ULP of mpmath on their stated domain, graceful beyond it, and defined by core ops alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from accuracy import Array, scales, signed, ulps, uniform

from evosearch.language.infer import expand
from evosearch.language.op import Op
from primitives.arithmetic import CORE
from primitives.elementary import ELEMENTARY, FUNCTIONS, INTERP

NEAR_MULTIPLES = np.arange(1, 63000, 97) * (np.pi / 2)
NEAR_ONE = 1 + signed(scales(-16, -1))
ANGLES = [uniform(-1e5, 1e5), uniform(-4, 4), signed(scales(-300, 5)), NEAR_MULTIPLES]

DOMAINS: dict[str, tuple[Callable[[Any], Any], list[Array]]] = {
    "exp": (mpmath.exp, [uniform(-708, 709.7), uniform(-1, 1), signed(scales(-20, 0))]),
    "exp2": (lambda x: mpmath.mpf(2) ** x, [uniform(-1022, 1023.9), uniform(-1, 1)]),
    "expm1": (mpmath.expm1, [uniform(-80, 709.7), uniform(-1, 1), signed(scales(-300, 0))]),
    "log": (mpmath.log, [scales(-307, 308), uniform(0.5, 2), NEAR_ONE, np.array([5e-324, 1e-310])]),
    "log2": (lambda x: mpmath.log(x, 2), [scales(-307, 308), uniform(0.5, 2), NEAR_ONE, np.array([5e-324, 1e-310])]),
    "log1p": (mpmath.log1p, [scales(-300, 308), -scales(-300, -0.001), uniform(-0.9, 3)]),
    "sin": (mpmath.sin, ANGLES),
    "cos": (mpmath.cos, ANGLES),
    "tanh": (mpmath.tanh, [uniform(-25, 25), uniform(-1, 1), signed(scales(-300, 2))]),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), [uniform(-708, 700), uniform(-5, 5)]),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), [uniform(-700, 700), uniform(-5, 5)]),
}

INF = np.inf
BEYOND = {  # at -inf, inf, NaN, -0, and a point of its own
    "exp": ([0.0, INF, np.nan, 1.0], (-800.0, 0.0)),
    "exp2": ([0.0, INF, np.nan, 1.0], (-1074.0, 5e-324)),
    "expm1": ([-1.0, INF, np.nan, -0.0], (800.0, INF)),
    "log": ([np.nan, INF, np.nan, -INF], (-1.0, np.nan)),
    "log2": ([np.nan, INF, np.nan, -INF], (2.0**-1074, -1074.0)),
    "log1p": ([np.nan, INF, np.nan, -0.0], (-1.0, -INF)),
    "sin": ([np.nan, np.nan, np.nan, -0.0], (0.0, 0.0)),
    "cos": ([np.nan, np.nan, np.nan, 1.0], (0.0, 1.0)),
    "tanh": ([-1.0, 1.0, np.nan, -0.0], (400.0, 1.0)),
    "sigmoid": ([0.0, 1.0, np.nan, 0.5], (800.0, 1.0)),
    "softplus": ([0.0, INF, np.nan, np.log(2)], (1e300, 1e300)),
}


@pytest.mark.parametrize("name", list(DOMAINS))
def test_within_4_ulp_of_the_true_value(name: str) -> None:
    truth, points = DOMAINS[name]
    error = ulps(ELEMENTARY[name], truth, np.concatenate(points))
    assert error.max() <= 4.0


@pytest.mark.parametrize("name", list(BEYOND))
def test_at_infinities_nan_and_beyond_the_domain(name: str) -> None:
    values, (point, value) = BEYOND[name]
    got = ELEMENTARY[name].reference(np.array([-INF, INF, np.nan, -0.0, point]))
    want = np.array([*values, value])
    assert np.array_equal(got, want, equal_nan=True)
    assert np.array_equal(np.signbit(got[want == 0.0]), np.signbit(want[want == 0.0]))


@pytest.mark.parametrize("op", FUNCTIONS, ids=lambda op: op.name)
def test_a_composite_is_made_of_core_ops_and_costs_their_number(op: Op) -> None:
    assert op.composite is not None
    body = expand(op.composite)
    assert all(instruction.op in CORE.ops for instruction in body.instructions)
    assert op.cost == len(body.instructions)


def test_interp_is_exact_at_its_ends() -> None:
    assert INTERP.reference(np.array([3.0, 3.0]), np.array([7.0, 7.0]), np.array([0.0, 1.0])).tolist() == [3.0, 7.0]
