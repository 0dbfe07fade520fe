"""Update rules as text: inputs by name, round trips, and for every mistake the line, the cause and the remedy."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from strategies import rules

from evosearch.errors import ProgramError
from evosearch.language.json_form import from_json, to_json
from evosearch.language.optimizer import check_rule, live_states, optimizer_signature, read_rule, state_names
from evosearch.language.program import Const, Program
from evosearch.language.text import parse, to_text
from evosearch.language.types import Type
from primitives.arithmetic import FIELD
from primitives.optimizer import OPTIMIZER

LION = """\
def train(w, g, v1, v2, lr):
    m = interp(g, v1, 0.9)
    u = sign(m)
    v1 = interp(g, v1, 0.99)
    d = mul(w, 0.1)
    update = add(u, d)
    update = mul(update, lr)
    return update, v1, v2
"""


def rule(body: str, head: str = "def train(w, g, v1, v2, lr):", last: str = "update, v1, v2") -> str:
    return f"{head}\n" + "".join(f"    {line}\n" for line in body.split("; ") if line) + f"    return {last}\n"


@given(rules(OPTIMIZER))
def test_round_trips(program: Program) -> None:
    shown = [repr(constant) for constant in program.constants]
    for back in (read_rule(to_text(program), OPTIMIZER), from_json(json.loads(json.dumps(to_json(program))), OPTIMIZER)):
        assert back == program and [repr(constant) for constant in back.constants] == shown


def test_one_text_is_golden() -> None:
    lion = read_rule(LION, OPTIMIZER)
    assert to_text(lion) == LION and lion.signature == optimizer_signature(2, step=False)
    sgd = "def train(w, g, lr):\n    return mul(g, lr)\n"
    assert to_text(read_rule(sgd, OPTIMIZER)) == sgd


def test_inputs_are_known_by_name() -> None:
    text = rule("h = mul(step, slow); u = add(g, h)", "def train(step, fast, g, w, slow):", "u, g, slow")
    program = read_rule(text, OPTIMIZER)
    types = {variable.name: variable.type for variable in program.signature.inputs}
    assert types["step"] is Type.REAL and types["slow"] is Type.ARRAY
    assert state_names(program) == ("fast", "slow")
    assert optimizer_signature(3).inputs[-1].name == "step" and len(optimizer_signature(3).outputs) == 4


def test_constants_by_name() -> None:
    program = read_rule(rule("update = mul(g, pi); e = add(g, eps); v1 = add(e, w)"), OPTIMIZER)
    assert program.constants == (Const(3.141592653589793), Const(1e-8))


def test_states_that_no_update_ever_reads_are_known() -> None:
    assert live_states(read_rule(LION, OPTIMIZER)) == (True, False)
    chain = rule("update = mul(g, lr); update = add(update, v1); v1 = add(v2, g); v2 = add(v2, g)")
    assert live_states(read_rule(chain, OPTIMIZER)) == (True, True)
    assert live_states(read_rule(rule("update = mul(g, lr); v1 = add(v1, v2)"), OPTIMIZER)) == (False, False)


MISTAKES = {
    "unknown op": (rule("m = interpp(g, v1, 0.9)"), "line 2: unknown op 'interpp'. Did you mean 'interp'?"),
    "wrong arity": (rule("m = interp(g, v1)"), "line 2: interp takes 3 arguments, got 2"),
    "undefined variable": (
        rule("m = mul(g, lr); update = add(m, old)"),
        r"line 3: 'old' is read before it is assigned\..* What lives from step to step must be an input and be returned\.",
    ),
    "missing output": (
        rule("update = mul(g, lr)", last="update, v1"),
        "line 3: 'train' must return 3 values, got 2, as in: return update, v1, v2",
    ),
    "no return": ("def train(w, g, lr):\n    u = mul(g, lr)\n", "line 2: the last line must return the outputs"),
    "a real to a reduction": (
        rule("n = norm(lr); update = mul(g, n)"),
        r"line 2: norm does not take \(real\); one argument at least must be an array",
    ),
    "a real to clip": (rule("update = clip_by_global_norm(lr, 1)"), r"line 2: clip_by_global_norm does not take \(real, real"),
    "no gradient": ("def train(w, lr):\n    return mul(w, lr)\n", r"line 1: an update rule takes w .weights. and g .* add g,"),
    "a state called update": (rule("", "def train(w, g, update):", "g, update"), "line 1: 'update' is what a rule returns"),
    "nested calls": (rule("m = mul(add(g, w), lr)"), "line 2: one call a line"),
    "twice the same input": (rule("", "def train(w, g, g):", "w"), "line 1: two inputs have the same name"),
}


@pytest.mark.parametrize("name", list(MISTAKES))
def test_mistakes_get_line_cause_and_remedy(name: str) -> None:
    text, message = MISTAKES[name]
    with pytest.raises(ProgramError, match=message):
        read_rule(text, OPTIMIZER)


def test_a_function_is_no_rule() -> None:
    with pytest.raises(ProgramError, match=r"takes w \(weights\) and g \(gradient\), got \(x\)"):
        check_rule(parse("def f(x):\n    return add(x, 1)\n", FIELD))
    with pytest.raises(ProgramError, match="must return update and then each state"):
        check_rule(parse("def train(w, g):\n    return add(w, g)\n", FIELD))
