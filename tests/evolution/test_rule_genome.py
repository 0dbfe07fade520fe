"""Genomes of update rules: they mean what their rule means, and variation and abstract execution keep to that."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from evosearch.backends import reference
from evosearch.backends.array_vm import EncodedRule, encode_rule, load
from evosearch.errors import ProgramError
from evosearch.evolution.rules.abstract import Meaning, Refused, execute
from evosearch.evolution.rules.genome import Genome, Grammar
from evosearch.evolution.rules.mutate import OPERATORS, Limits, propose, scratch
from evosearch.evolution.rules.probe import Probe
from evosearch.language.optimizer import optimizer_signature, read_rule, state_names
from evosearch.language.program import Program
from evosearch.search.rules.settings import RuleSettings
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES

GRAMMAR = Grammar(optimizer_signature(), OPTIMIZER)
LIMITS = Limits(40, 0.4, dict.fromkeys(OPERATORS, 1.0))
EXPRESSED = [name for name, text in RULES.items() if "v3" not in text]


def genome(text: str) -> Genome:
    return GRAMMAR.genome(read_rule(text, OPTIMIZER))


def meaning(text: str) -> Meaning:
    found = execute(genome(text), GRAMMAR)
    assert isinstance(found, Meaning)
    return found


def trajectory(rule: Program) -> np.ndarray:
    rng, w = np.random.default_rng(5), [np.array([0.3, -0.2, 0.1]), np.array(0.5)]
    state, path = [[np.zeros_like(part) for part in w] for _ in state_names(rule)], []
    for step in range(1, 5):
        updates, state = reference.step(rule, w, [rng.normal(size=part.shape) for part in w], state, 0.1, step)
        w = [part - update for part, update in zip(w, updates, strict=True)]
        path.append(np.concatenate([part.ravel() for part in w]))
    return np.array(path)


@pytest.mark.parametrize("name", EXPRESSED)
def test_a_rule_and_its_genome_walk_the_same_path(name: str) -> None:
    rule = read_rule(RULES[name], OPTIMIZER)
    np.testing.assert_array_equal(trajectory(meaning(RULES[name]).program), trajectory(rule))


def test_results_reach_their_variables_where_they_would_hide_each_other() -> None:
    text = "def train(w, g, v1, v2, lr, step):\n    a = mul(g, lr)\n    b = add(v1, g)\n    return {}\n"
    for outputs in ("a, v2, v1", "a, b, v1", "a, a, b", "b, g, a", "a, b, b"):
        wanted = "a, b, b" if outputs == "b, g, a" else outputs
        body = text.format(wanted).replace("b = add(v1, g)", "b = add(v1, g)\n    a = add(a, v2)\n    a = add(a, v1)")
        np.testing.assert_array_equal(trajectory(meaning(body).program), trajectory(read_rule(body, OPTIMIZER)))


def test_a_rule_that_needs_more_state_is_refused() -> None:
    with pytest.raises(ProgramError, match="'v3'"):
        genome(RULES["diffgrad"])


def test_the_structural_hash_ignores_what_does_not_matter() -> None:
    plain = "def train(w, g, v1, v2, lr, step):\n    a = mul(g, lr)\n{}    return a, v1, v2\n"
    base = meaning(plain.format(""))
    for line in ("    b = add(v1, g)\n    v1 = b\n", "    a = mul(a, 1.0)\n", "    a = add(0.0, a)\n", "    v2 = mul(g, lr)\n"):
        assert meaning(plain.format(line)).key == base.key
    assert meaning(plain.format("").replace("g, lr", "lr, g")).key == base.key
    for line in ("    a = mul(a, 2.0)\n", "    v1 = add(v1, g)\n    a = add(a, v1)\n", "    a = add(a, step)\n"):
        assert meaning(plain.format(line)).key != base.key
    first = plain.format("    v1 = interp(g, v1, 0.9)\n    a = mul(v1, lr)\n")
    second = plain.format("    v2 = interp(g, v2, 0.9)\n    a = mul(v2, lr)\n")
    assert meaning(first).key == meaning(second).key and meaning(first).live == 2


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        (((6, "add", (9, 1)),), "undefined"),
        (((7, "norm", (4,)), (6, "mul", (1, 7))), "types"),
        (((7, "mul", (1, 4)),), "no update"),
        (((6, "mul", (4, 5)),), "no update"),
        (((6, "mul", (0, 4)),), "no gradient"),
        (((2, "mul", (1, 1)), (6, "mul", (0, 4))), "no gradient"),
        (((6, "mul", (1, 1.0)), (7, "mul", (6, 4))), "no rate"),
    ],
)
def test_a_genome_that_is_not_valid_says_why(statements: tuple, reason: str) -> None:
    body = tuple((destination, GRAMMAR.codes[name], args) for destination, name, args in statements)
    assert execute(body, GRAMMAR) == Refused(reason)


def assert_same(one: EncodedRule, other: EncodedRule) -> None:
    for name in ("code", "constants", "outputs", "depths"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype


@pytest.mark.parametrize("name", EXPRESSED)
def test_a_genome_is_encoded_as_its_program_is(name: str) -> None:
    found = meaning(RULES[name])
    assert_same(found.encoded, encode_rule(found.program, OPTIMIZER))


def test_a_constant_one_is_not_the_gradient() -> None:
    over = [((6, GRAMMAR.codes["div"], args), (6, GRAMMAR.codes["mul"], (6, 4))) for args in ((1.0, 1), (1, 1.0))]
    first, second = (execute(body, GRAMMAR) for body in over)
    assert isinstance(first, Meaning) and isinstance(second, Meaning) and first.key != second.key


def test_every_operator_yields_valid_rules_and_keeps_its_parent() -> None:
    for name in OPERATORS:
        rng, parent, other = Random(3), genome(RULES["adamw_plain"]), genome(RULES["lion"])
        before, refused = repr(parent), dict[str, int]()
        found = set()
        for _ in range(40):
            child = propose(parent, rng, GRAMMAR, Limits(40, 0.4, {name: 1.0}), other, refused)
            assert child is not None and child[0] != parent and child[2] == name
            assert_same(child[1].encoded, encode_rule(child[1].program, OPTIMIZER))
            found.add(child[0])
        assert repr(parent) == before and len(found) > 2, name
    for seed in range(20):
        genome_, drawn, _ = scratch(Random(seed), GRAMMAR, LIMITS, 10)
        again = execute(genome_, GRAMMAR)
        assert isinstance(again, Meaning) and again.key == drawn.key and len(genome_) <= 10


def test_many_children_differ_from_their_parent_in_constants_alone() -> None:
    def structure(of: Genome) -> list[object]:
        return [(into, code, [float if isinstance(arg, float) else arg for arg in args]) for into, code, args in of]

    rng, parent, limits = Random(4), genome(RULES["adamw_plain"]), Limits(40, 0.4, RuleSettings().operators())
    children = [propose(parent, rng, GRAMMAR, limits, parent, {}) for _ in range(300)]
    alike = sum(child is not None and structure(child[0]) == structure(parent) for child in children)
    assert 300 / 4 < alike < 300 / 2


def test_the_probe_knows_what_a_rule_computes() -> None:
    probe = Probe(load(OPTIMIZER), 200, 2)

    def key(line: str) -> int | None:
        rule = read_rule(f"def train(w, g, v1, v2, lr, step):\n{line}    return update, v1, v2\n", OPTIMIZER)
        return probe.key(encode_rule(rule, OPTIMIZER))

    twice = key("    a = mul(g, 2.0)\n    update = mul(a, lr)\n")
    assert twice == key("    a = add(g, g)\n    update = mul(a, lr)\n") == key("    a = mul(lr, g)\n    update = add(a, a)\n")
    sign = key("    a = sign(g)\n    update = mul(a, lr)\n")
    assert sign != key("    b = square(g)\n    b = sqrt(b)\n    a = div(g, b)\n    update = mul(a, lr)\n")  # differs near 0
    assert key("    a = norm(g)\n    a = mul(g, a)\n    update = mul(a, lr)\n") != key(
        "    a = global_norm(g)\n    a = mul(g, a)\n    update = mul(a, lr)\n"
    )
    mixed = "    a = interp(g, v1, {})\n    v1 = interp(g, v1, 0.99)\n    a = sign(a)\n    update = mul(a, lr)\n"
    assert key(mixed.format(0.95)) != key(mixed.format(0.94)), "their signs seldom differ"
    assert key("    a = log(g)\n    update = mul(a, lr)\n") is None
    assert len({twice, sign, key("    update = mul(g, 0.01)\n"), key("    a = div(g, step)\n    update = mul(a, lr)\n")}) == 4
