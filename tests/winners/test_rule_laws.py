"""Each approximate law holds in its domain, for numbers at random and along trajectories, and proposes only shorter rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from evosearch.backends.reference import step
from evosearch.language.infer import cost
from evosearch.language.laws import Call, Pattern
from evosearch.language.optimizer import read_rule
from evosearch.language.program import Const
from evosearch.winners.rules.approximate import APPROXIMATE, Approximate, approximations
from primitives.optimizer import OPTIMIZER

Array = np.ndarray

SMALL = {"arcsin", "arctan", "arctanh", "arcsinh", "tanh", "sinh", "sin", "tan"}
TINY = {"expm1", "log1p", "cos", "cosh"}


def inside(law: Approximate, rng: np.random.Generator) -> dict[str, Array]:
    """Numbers in the law's domain."""
    size = 10.0 ** rng.uniform(-5.0, 2.0, 500)
    x = size * rng.choice([-1.0, 1.0], 500)
    y = 10.0 ** rng.uniform(-5.0, 2.0, 500)
    match law.law.left.op:
        case op if op in SMALL:
            x = rng.uniform(-0.3, 0.3, 500)
        case op if op in TINY:
            x = rng.uniform(-0.03, 0.03, 500)
        case "clip":
            y = size * (1.0 + y)
        case "clip_by_global_norm":
            y = np.full(500, 1.01 * np.sqrt(x @ x))
        case "div" if str(law.law) == "div(x, x) = 1":
            x = size
        case "sub":
            x, y = rng.integers(10_000, 100_000, 500).astype(float), y
    return {"x": x, "y": y, "c": np.full(500, 0.999)}


def value(pattern: Pattern, given: Mapping[str, Array]) -> Array:
    match pattern:
        case Call():
            with np.errstate(all="ignore"):
                return np.asarray(OPTIMIZER[pattern.op].reference(*(value(arg, given) for arg in pattern.args)), dtype=float)
        case Const():
            return np.full(500, pattern.hi)
    return given[pattern]


@pytest.mark.parametrize("law", APPROXIMATE, ids=str)
def test_a_law_holds_in_its_domain_to_four_percent(law: Approximate) -> None:
    given = inside(law, np.random.default_rng(2))
    left, right = value(law.law.left, given), value(law.law.right, given)
    assert np.all(np.isfinite(left))
    np.testing.assert_allclose(left, right, rtol=0.04)


def lines(pattern: Pattern, names: Iterator[str], into: list[str]) -> str:
    """Statements that compute a pattern over x = the average of gradients and y = lr-free 2.0; the name of the result."""
    match pattern:
        case Call():
            args = [lines(arg, names, into) for arg in pattern.args]
            name = next(names)
            into.append(f"{name} = {pattern.op}({', '.join(args)})")
            return name
        case Const():
            return repr(pattern.hi)
    return {"x": "x", "y": "y", "c": "0.5"}[pattern]


def rule_with(pattern: Pattern) -> str:
    """A rule whose update is the gradient's average times a pattern of it; in bias corrections x is the step."""
    body: list[str] = ["v1 = interp(g, v1, 0.9)", "y = norm(w)", "y = add(y, 10.0)"]
    bias = isinstance(pattern, Call) and pattern.op == "sub"
    body.append("x = add(step, 30.0)" if bias else "x = mul(v1, 1.0)")
    result = lines(pattern, (f"t{k}" for k in range(99)), body)
    body += [f"u = mul({result}, v1)" if not isinstance(pattern, Const) else "u = mul(v1, 1.0)", "update = mul(u, lr)"]
    return "def train(w, g, v1, lr, step):\n" + "".join(f"    {line}\n" for line in body) + "    return update, v1\n"


@pytest.mark.parametrize("law", APPROXIMATE, ids=str)
def test_a_law_is_found_in_a_rule_and_keeps_its_trajectory(law: Approximate) -> None:
    rule = read_rule(rule_with(law.law.left), OPTIMIZER)
    found = {str(used): other for used, other in approximations(rule, OPTIMIZER)}
    assert str(law) in found
    assert cost(found[str(law)], OPTIMIZER) < cost(rule, OPTIMIZER)
    rng = np.random.default_rng(4)
    start = rng.normal(size=40)
    w, other = start.copy(), start.copy()
    state, its = [[np.zeros(40)]], [[np.zeros(40)]]
    for t in range(1, 41):
        noise = 0.02 * rng.normal(size=40)
        (update,), state = step(rule, [w], [0.05 * w + noise], state, 0.02, t)
        w = w - update
        (update,), its = step(found[str(law)], [other], [0.05 * other + noise], its, 0.02, t)
        other = other - update
    assert np.linalg.norm(w - start) > 1e-4
    assert np.linalg.norm(w - other) < 0.05 * np.linalg.norm(w - start)


def test_a_law_is_not_proposed_where_it_does_not_apply() -> None:
    text = "def train(w, g, v1, lr):\n    v1 = interp(g, v1, 0.9)\n    a = abs(g)\n    u = div(v1, a)\n"
    rule = read_rule(text + "    update = mul(u, lr)\n    return update, v1\n", OPTIMIZER)
    assert list(approximations(rule, OPTIMIZER)) == []
