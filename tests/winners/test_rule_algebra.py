"""The canonical form of rules: same updates, fewer statements, and one form for all spellings of a formula."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from evosearch.backends.reference import step
from evosearch.language.infer import check_types
from evosearch.language.optimizer import optimizer_signature, read_rule, state_names
from evosearch.language.program import Const, Instruction, Program
from evosearch.language.types import Type
from evosearch.winners.rules.canonical import canonical, in_units, rate_scale
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES

SHAPES = ((), (3,), (2, 5))


def rule(*lines: str, inputs: str = "w, g, v1, v2, lr, step") -> Program:
    """A rule of statements; it returns update and its states."""
    states = "".join(f", {name}" for name in inputs.split(", ") if name not in ("w", "g", "lr", "step"))
    body = "".join(f"    {line}\n" for line in lines)
    return read_rule(f"def train({inputs}):\n{body}    return update{states}\n", OPTIMIZER)


def trajectory(program: Program, rate: float = 0.01) -> Iterator[np.ndarray]:
    """The weights of all tensors after each of 30 steps; gradients have a mean that depends on the weights."""
    rng = np.random.default_rng(3)
    w = [np.asarray(rng.normal(size=shape)) for shape in SHAPES]
    state = [[np.zeros(shape) for shape in SHAPES] for _ in state_names(program)]
    for t in range(1, 31):
        g = [0.1 * tensor + 0.3 * rng.normal(size=tensor.shape) for tensor in w]
        updates, state = step(program, w, g, state, rate, t)
        w = [tensor - update for tensor, update in zip(w, updates, strict=True)]
        yield np.concatenate([tensor.ravel() for tensor in w])


def same_updates(a: Program, b: Program, rate: float = 0.01) -> None:
    for ours, theirs in zip(trajectory(a, rate), trajectory(b, rate), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def canonical_text(*lines: str, **options: str) -> str:
    return str(canonical(rule(*lines, **options), OPTIMIZER, rate_gauge=True))


@pytest.mark.parametrize("name", RULES)
def test_known_rules_keep_their_updates_and_are_canonical_once(name: str) -> None:
    before = read_rule(RULES[name], OPTIMIZER)
    after = canonical(before, OPTIMIZER)
    same_updates(before, after)
    assert str(canonical(after, OPTIMIZER)) == str(after)
    assert len(after.instructions) <= len(before.instructions) + 1


AVERAGE = ("m = interp(g, v1, 0.9)", "u = sign(m)", "v1 = interp(g, v1, 0.99)")
LAST = "update = mul(u, lr)"
OTHER = ("m = interp(g, s, 0.9)", "u = sign(m)", "n = interp(g, s, 0.99)")
SPELLINGS = {
    "split": ("a = mul(g, 0.1)", "b = mul(v1, 0.9)", "m = add(b, a)", *AVERAGE[1:], LAST),
    "other order": ("m = interp(v1, g, 0.1)", "u = sign(m)", "v1 = interp(v1, g, 0.01)", "update = mul(lr, u)"),
    "scaled state": ("s = mul(v2, 0.2)", *OTHER, "v2 = mul(n, 5.0)", LAST),
    "negated state": ("s = negative(v2)", *OTHER, "v2 = sub(0.0, n)", LAST),
    "chain": (AVERAGE[0], "v1 = interp(g, m, 1.1)", "m = mul(m, 3.0)", "u = sign(m)", "u = sign(u)", LAST),
    "positive factor": (AVERAGE[0], "k = exp(step)", "m = mul(m, k)", *AVERAGE[1:], "v2 = cosh(u)", LAST),
    "zero state": (AVERAGE[0], "t = tanh(m)", "u = sign(t)", AVERAGE[2], "v2 = mul(v2, 0.5)", "u = add(u, v2)", LAST),
    "double": ("m = interp(g, v2, 0.9)", *AVERAGE[1:], "v2 = interp(g, v2, 0.99)", LAST),
    "rate": ("h = mul(lr, 7.0)", *AVERAGE, "u = div(u, 14.0)", "update = mul(u, h)"),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings_of_one_formula_have_one_form(name: str) -> None:
    assert canonical_text(*SPELLINGS[name]) == canonical_text(*AVERAGE, LAST)


def test_what_differs_stays_different() -> None:
    texts = {
        canonical_text(*AVERAGE, LAST),
        canonical_text(*AVERAGE[:2], "v1 = interp(g, v1, 0.999)", LAST),
        canonical_text(AVERAGE[2], *AVERAGE[:2], LAST),
        canonical_text(AVERAGE[0], "u = tanh(m)", AVERAGE[2], LAST),
        canonical_text(AVERAGE[0], "u = mul(m, w)", "u = sign(u)", AVERAGE[2], LAST),
    }
    assert len(texts) == 5


def test_the_rate_gauge_is_all_that_changes_the_updates() -> None:
    raw = rule("g = clip(g, lr)", "v1 = interp(g, v1, 0.9)", "h = mul(lr, 0.25)", "update = mul(v1, h)")
    scale = rate_scale(raw, OPTIMIZER)
    assert scale == pytest.approx(0.25)
    same_updates(in_units(raw, scale, OPTIMIZER), canonical(raw, OPTIMIZER, rate_gauge=True))
    same_updates(raw, canonical(raw, OPTIMIZER))


def test_the_guard_of_a_division_is_kept() -> None:
    lines = ("s = mul(v1, 0.5)", "v1 = interp(g, s, 0.9)", "u = div(g, v1)", "h = mul(u, 0.001)", "update = mul(h, lr)")
    before = rule(*lines)
    same_updates(before, canonical(before, OPTIMIZER))


CONSTANTS = (0.5, 2.0, 0.9, -1.0, 1.0, 0.1, 3.0, 0.99, 0.0)
FREQUENT = ("add", "sub", "mul", "div", "interp", "interp", "square", "sqrt", "abs", "sign")


def random_rule(rng: np.random.Generator) -> Program:
    """Twelve statements over all ops, linear ones above all."""
    signature = optimizer_signature(2)
    types = [variable.type for variable in signature.inputs]
    body: list[Instruction] = []
    while len(body) < 12:
        op = OPTIMIZER[str(rng.choice(FREQUENT))] if rng.random() < 0.7 else OPTIMIZER.ops[rng.integers(len(OPTIMIZER.ops))]
        args = [int(rng.integers(max(0, len(types) - 5) if rng.random() < 0.5 else 0, len(types))) for _ in range(op.arity)]
        given = [Const(float(rng.choice(CONSTANTS))) if rng.random() < 0.25 else arg for arg in args]
        result = op.rule([Type.REAL if isinstance(arg, Const) else types[arg] for arg in given])
        if result is not None:
            body.append(Instruction(op, tuple(given)))
            types.append(result)
    arrays = [number for number, kind in enumerate(types) if kind is Type.ARRAY][-5:]
    return Program(signature, tuple(body), tuple(int(number) for number in rng.choice(arrays, 3)))


def test_random_rules_keep_their_updates() -> None:
    compared = 0
    for seed in range(80):
        before = random_rule(np.random.default_rng(seed))
        after = canonical(before, OPTIMIZER)
        check_types(after)
        want = np.array(list(islice(trajectory(before), 4)))
        if np.isfinite(want).all() and abs(want).max() < 1e6:
            got = np.array(list(islice(trajectory(after), 4)))
            size = max(1.0, abs(want).max())
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8 * size, err_msg=f"{before}\n{after}")
            compared += 1
    assert compared > 40
