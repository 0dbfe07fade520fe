"""Simplification of update rules: the paper's raw program and disguises arrive at Lion; AdamW and RMSProp do not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from disguises import adamw, lion, rmsprop
from rule_tasks import scores

from evosearch.errors import ConfigError, ProgramError
from evosearch.language.infer import canonical_hash, live
from evosearch.language.optimizer import read_rule
from evosearch.language.program import Program
from evosearch.language.text import parse
from evosearch.winners.rules.canonical import canonical
from evosearch.winners.rules.simplify import Simplified, simplify, statement
from evosearch.winners.rules.trial import Margin, Trial
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES

RAW = """
def train(w, g, m, v, lr):
    g = clip(g, lr)
    g = arcsin(g)
    m = interp(g, v, 0.899)
    m2 = mul(m, m)
    v = interp(g, m, 1.109)
    s = sqrt(m2)
    update = div(m, s)
    wd = mul(w, 0.4602)
    update = add(update, wd)
    lr = mul(lr, 0.0002)
    m = cosh(update)
    update = mul(update, lr)
    return update, m, v
"""
"""The program that the paper's search found (section 2.4), one assignment a line."""

LION = """
def train(w, g, v1, v2, lr):
    m = interp(g, v1, 0.9)
    u = sign(m)
    d = mul(w, 0.1)
    u = add(u, d)
    update = mul(u, lr)
    v1 = interp(g, v1, 0.99)
    return update, v1, v2
"""
MARGIN = Margin(loss=0.05, seeds=(4, 8, 16))


@functools.cache
def _known(text: str, seeds: tuple[int, ...]) -> list[float]:
    names = text.partition("(")[2].partition(")")[0]
    assert names in ("w, g, v1, v2, lr", "w, g, m, v, lr")
    return scores(read_rule(text, OPTIMIZER), seeds)


def score(rule: Program, seeds: Sequence[int]) -> list[float]:
    return _known(str(rule), tuple(seeds))


def simplified(rule: Program, margin: Margin = MARGIN) -> Simplified:
    return simplify(rule, OPTIMIZER, score, margin)


def is_lion(rule: Program) -> bool:
    return canonical_hash(rule, constants=False) == canonical_hash(read_rule(LION, OPTIMIZER), constants=False)


def betas(rule: Program) -> list[float]:
    return [item.args[2].hi for item in rule.instructions if item.op.name == "interp"]


def test_the_papers_raw_program_arrives_at_lion() -> None:
    found = simplified(read_rule(RAW, OPTIMIZER))
    assert is_lion(found.rule)
    assert len(found.rule.instructions) == 6
    assert betas(found.rule) == pytest.approx([0.9, 0.997], abs=1e-3)
    taken = " ".join(step.what for step in found.steps)
    assert "arcsin(x) = x" in taken and "clip(x, y) = x" in taken and "div(x, abs(x)) = sign(x)" in taken
    averages = [effect for k, effect in enumerate(found.effects) if "interp" in statement(found.rule, k)]
    assert all(effect is not None and effect.mean > 10 * MARGIN.loss for effect in averages)
    assert all(effect is not None for effect in found.effects)


@pytest.mark.parametrize("seed", range(20))
def test_disguises_of_lion_arrive_at_lion(seed: int) -> None:
    hidden = lion(seed)
    assert not is_lion(hidden)
    assert len(hidden.instructions) > 9
    found = simplified(hidden)
    assert is_lion(found.rule), str(found.rule)
    assert betas(found.rule) == pytest.approx([0.9, 0.99], abs=2e-3)


@pytest.mark.parametrize("make", [adamw, rmsprop])
@pytest.mark.parametrize("seed", range(4))
def test_other_rules_in_disguise_do_not_become_lion(make: Callable[[int], Program], seed: int) -> None:
    found = simplified(make(seed))
    assert not is_lion(found.rule)
    assert len(found.rule.instructions) <= 8
    assert "sign" not in {item.op.name for item in found.rule.instructions}


def test_disguised_adamw_is_adamw_to_the_algebra() -> None:
    forms = {str(canonical(adamw(seed), OPTIMIZER, rate_gauge=True)) for seed in range(12)}
    assert len(forms) == 1
    assert len(forms.pop().splitlines()) == 10


def test_a_decay_and_lr_stay_where_the_tasks_have_no_use_for_them() -> None:
    def blind(_: Program, seeds: Sequence[int]) -> list[float]:
        return [0.0] * 4 * len(seeds)

    found = simplify(read_rule(RULES["adamw"], OPTIMIZER), OPTIMIZER, blind)
    assert [item.op.name for item in found.rule.instructions] == ["mul", "add", "mul"]
    assert {variable.name for k, variable in enumerate(found.rule.signature.inputs) if _read(found.rule, k)} >= {"w", "lr"}


def _read(rule: Program, number: int) -> bool:
    kept = zip(rule.instructions, live(rule), strict=True)
    return any(number in item.args for item, alive in kept if alive)


def test_losses_do_not_add_up() -> None:
    """Each statement is worth less than the margin, all of them together more."""

    def worth(rule: Program, seeds: Sequence[int]) -> list[float]:
        kept = sum(item.op.name in ("sin", "tanh", "arctan") for item in rule.instructions)
        return [-0.008 * kept] * 4 * len(seeds)

    text = "def train(w, g, lr):\n    a = tanh(g)\n    b = sin(a)\n    c = arctan(b)\n    return mul(c, lr)\n"
    text = text.replace("return mul(c, lr)", "update = mul(c, lr)\n    return update")
    found = simplify(read_rule(text, OPTIMIZER), OPTIMIZER, worth, Margin(loss=0.01))
    assert len(found.rule.instructions) == 3


@pytest.mark.parametrize(("worse_by", "least", "most"), [(0.03, 0.0, 0.08), (0.0, 0.8, 1.0), (0.1, 0.0, 0.0)])
def test_how_often_a_noisy_rule_passes(worse_by: float, least: float, most: float) -> None:
    """At the margin at most as often as the level says; where nothing is lost, mostly."""
    rng = np.random.default_rng(1)
    first, other = (read_rule(RULES[name], OPTIMIZER) for name in ("lion", "signsgd"))

    def noisy(rule: Program, seeds: Sequence[int]) -> list[float]:
        return rng.normal(worse_by if rule is other else 0.0, 0.02, 3 * len(seeds)).tolist()

    margin = Margin(loss=0.03, seeds=(2, 4))
    passed = [Trial(first, noisy, margin).passes(other) is not None for _ in range(150)]
    assert least <= np.mean(passed) <= most


def test_bad_input_is_named() -> None:
    with pytest.raises(ProgramError, match="an update rule takes"):
        simplified(parse("def f(x):\n    return add(x, 1.0)\n", OPTIMIZER))
    with pytest.raises(ConfigError, match="invalid on the tasks"):
        simplify(read_rule(LION, OPTIMIZER), OPTIMIZER, lambda _rule, _seeds: [])
    with pytest.raises(ConfigError, match="rising numbers of seeds"):
        Margin(seeds=(4, 2))
