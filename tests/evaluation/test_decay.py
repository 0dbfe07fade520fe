"""The decay of a rule: found where it stands alone, and nowhere else."""

from __future__ import annotations

import pytest

from evosearch.evaluation.decay import find_decay, with_decay
from evosearch.language.optimizer import read_rule
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES


def rule(body: str, state: str = "v1") -> str:
    lines = "".join(f"    {line.strip()}\n" for line in body.split(";"))
    return f"def train(w, g, v1, lr):\n{lines}    return update, {state}\n"


FOUND = {
    "plain": "d = mul(w, 0.3); update = add(g, d)",
    "constant first": "d = mul(0.3, w); update = add(d, g)",
    "times lr": "d = mul(w, 0.3); d = mul(d, lr); update = add(g, d)",
    "lr first": "d = mul(w, lr); d = mul(d, 0.3); update = add(g, d)",
    "within the rate": "r = mul(lr, 0.3); d = mul(w, r); update = add(g, d)",
    "all scaled later": "d = mul(w, 0.3); u = sub(g, d); u = negative(u); u = mul(u, 7.0); update = mul(u, lr)",
    "used twice": "d = mul(w, 0.3); u = add(g, d); update = add(u, d)",
    "dead reader": "d = mul(w, 0.3); m = sin(d); update = add(g, d)",
    "last of two": "a = mul(w, 0.1); u = add(g, a); d = mul(w, 0.3); update = add(u, d)",
}
NOT_FOUND = {
    "none": ("update = mul(g, lr)", "v1"),
    "in the gradient": ("d = mul(w, 0.3); g = add(g, d); v1 = interp(g, v1, 0.9); update = mul(v1, lr)", "v1"),
    "also in the state": ("d = mul(w, 0.3); update = add(g, d)", "d"),
    "through a function": ("d = mul(w, 0.3); u = add(g, d); update = sign(u)", "v1"),
    "times the gradient": ("d = mul(w, 0.3); d = mul(d, g); update = add(g, d)", "v1"),
    "scales all": ("u = add(g, w); update = mul(u, 0.3)", "v1"),
}


@pytest.mark.parametrize("body", FOUND.values(), ids=FOUND)
def test_a_decay_is_found_and_changed_alone(body: str) -> None:
    program = read_rule(rule(body), OPTIMIZER)
    decay = find_decay(program)
    assert decay is not None and decay.value == 0.3
    assert str(with_decay(program, decay, 0.7)) == str(program).replace("0.3", "0.7")


@pytest.mark.parametrize(("body", "state"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_what_is_no_decay_is_left_alone(body: str, state: str) -> None:
    assert find_decay(read_rule(rule(body, state), OPTIMIZER)) is None


def test_known_optimizers_with_decoupled_decay_are_told_from_the_others() -> None:
    found = {name for name, text in RULES.items() if find_decay(read_rule(text, OPTIMIZER))}
    assert {"adamw", "lion", "signsgd"} <= found
    assert not found & {"sgd_momentum", "nesterov", "adam", "rmsprop", "adagrad"}
