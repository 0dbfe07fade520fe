"""Text and JSON read back what they wrote; the canonical hash sees structure only; bad text gets its line and the remedy."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import programs

from evosearch.errors import ProgramError
from evosearch.language.infer import canonical_hash, cost, expand, live, without_dead_code
from evosearch.language.json_form import from_json, to_json
from evosearch.language.program import Instruction, Operand, Program
from evosearch.language.text import parse, to_text
from evosearch.language.types import elementwise
from primitives.arithmetic import CORE, FIELD
from primitives.elementary import ELEMENTARY

WORDS = st.lists(st.sampled_from(["t0", "t1", "x", "y", "m", "update"]), max_size=14)


def named(program: Program, names: list[str]) -> Program:
    """The program with names that may collide with one another and with inputs."""
    padded = (*names, *[""] * len(program.instructions))[: len(program.instructions)]
    return Program(program.signature, program.instructions, program.outputs, padded)


def identical(a: Program, b: Program) -> bool:
    """Equal, and equal in the signs of zeros, which `==` cannot tell."""
    return a == b and [repr(c) for c in a.constants] == [repr(c) for c in b.constants]


@given(programs(CORE, outputs=1), WORDS)
def test_text_round_trip(program: Program, names: list[str]) -> None:
    given = named(program, names)
    assert identical(parse(to_text(given), CORE, program.signature), program)


@given(programs(CORE, outputs=3), WORDS)
def test_text_round_trip_of_several_outputs(program: Program, names: list[str]) -> None:
    assert identical(parse(to_text(named(program, names)), CORE, program.signature), program)


@given(programs(CORE, outputs=2), WORDS)
def test_json_round_trip(program: Program, names: list[str]) -> None:
    given = named(program, names)
    back = from_json(json.loads(json.dumps(to_json(given))), CORE)
    assert identical(back, given) and back.names == given.names


def test_one_text_is_golden() -> None:
    text = "def exp2(x):\n    t0 = add(x, 3.5)\n    t1 = div(2.25, t0)\n    return sub(t1, 0.125)\n"
    assert to_text(parse(text, FIELD)) == text
    long = "def f(x):\n    v = mul(x, 0.3333333333333333333333333333333333)\n    return v\n"
    constant = parse(long, FIELD).constants[0]
    assert constant.hi == 1 / 3 and constant.lo != 0.0
    assert abs(3 * constant.exact - 1) < 2**-105


@given(programs(CORE, outputs=2), st.randoms(use_true_random=False), WORDS)
def test_hash_ignores_names_dead_code_and_order(program: Program, random: object, names: list[str]) -> None:
    key = canonical_hash(program)
    assert canonical_hash(named(program, names)) == key
    assert canonical_hash(without_dead_code(program)) == key
    assert canonical_hash(shuffled(program, random)) == key
    assert canonical_hash(swapped(program)) == key


@given(programs(CORE, max_length=5, all_live=True))
def test_hash_sees_ops_and_constants(program: Program) -> None:
    assume(any(live(program)) and without_dead_code(program).instructions[0].op.rule is elementwise)
    first, *rest = without_dead_code(program).instructions
    other = {1: CORE["neg"], 2: CORE["copysign"], 3: CORE["fma"]}[first.op.arity]
    changed = Program(program.signature, (Instruction(other, first.args), *rest), without_dead_code(program).outputs)
    assert (canonical_hash(changed) == canonical_hash(program)) == (other is first.op)
    assert canonical_hash(program, constants=False) == canonical_hash(program.rounded(), constants=False)


def shuffled(program: Program, random: object) -> Program:
    """The same instructions in another order that respects who reads whom."""
    offset, count = program.n_inputs, len(program.instructions)
    placed: list[int] = []
    while len(placed) < count:
        ready = [
            k
            for k in range(count)
            if k not in placed
            and all(a < offset or a - offset in placed for a in program.instructions[k].args if isinstance(a, int))
        ]
        placed.append(random.choice(ready))
    number = {old: offset + new for new, old in enumerate(placed)}

    def moved(operand: Operand) -> Operand:
        return number[operand - offset] if isinstance(operand, int) and operand >= offset else operand

    body = tuple(Instruction(program.instructions[k].op, tuple(map(moved, program.instructions[k].args))) for k in placed)
    return Program(program.signature, body, tuple(map(moved, program.outputs)))


def swapped(program: Program) -> Program:
    """Commutative arguments the other way round."""
    body = (Instruction(i.op, (i.args[1], i.args[0], *i.args[2:])) if i.op.commutative else i for i in program.instructions)
    return Program(program.signature, tuple(body), program.outputs)


def test_cost_counts_what_depends_on_an_input_and_is_read() -> None:
    text = "def f(x):\n    dead = mul(x, x)\n    folded = add(1.5, 2.5)\n    a = add(x, folded)\n    return mul(a, a)\n"
    program = parse(text, FIELD)
    assert cost(program) == 2
    assert cost(program, FIELD.subset(["add", "mul"], {"mul": 4.0})) == 5
    twice = parse("def f(x):\n    a = sigmoid(x)\n    return tanh(a)\n", ELEMENTARY)
    assert cost(twice) == len(expand(twice).instructions)


BAD = {
    "def f(x):\n    t0 = ad(x, 1)\n    return t0\n": "line 2: unknown op 'ad'. Did you mean 'add'?",
    "def f(x):\n    t0 = add(x)\n    return t0\n": "line 2: add takes 2 arguments, got 1",
    "def f(x):\n    t0 = add(x, y)\n    return t0\n": "line 2: 'y' is read before it is assigned",
    "def f(x):\n    t0 = add(x, mul(x, x))\n    return t0\n": "line 2: one call a line",
    "def f(x):\n    t0 = add(x, 1e999)\n    return t0\n": "line 2: constant 1e999 is not a finite float64",
    "def f(x):\n    import os\n    return x\n": "line 2: each line must be",
    "def f(x):\n    t0 = add(x, True)\n    return t0\n": "line 2: True is not a number",
    "def f(x):\n    t0 = add(x, 1j)\n    return t0\n": "line 2: 1j is not a number",
    "def f(x):\n    t0 = add(x, 1)\n": "line 2: the last line must return the outputs",
    "def f(x=1):\n    return x\n": "line 1: inputs must be plain names",
    "def f(x, x):\n    return x\n": "line 1",
    "def f(x):\n    return x, x\n": "line 2: 'f' must return 1 values, got 2",
    "def f(x):\n    p = lt(x, 1)\n    return p\n": "output 'result' must be real, got boolean",
    "def f(x):\n    t = select(x, x, x)\n    return t\n": "line 2: select does not take (real, real, real)",
    "x = 1": "line 1: a program is one function definition",
    "def f(x) return": "line 1: not valid syntax",
    "": "line 1: a program is one function definition",
    "def f(x):\n    t0 = x.__class__(x, 1)\n    return t0\n": "line 2: an op is called by its plain name",
}


@pytest.mark.parametrize("text", list(BAD))
def test_bad_text_gets_its_line_and_the_remedy(text: str) -> None:
    with pytest.raises(ProgramError) as caught:
        parse(text, CORE)
    assert str(caught.value).startswith(BAD[text])


DAMAGE: list[dict[str, object]] = [
    {"schema_version": 2},
    {"instructions": [["ad", 0, 0]]},
    {"instructions": [["add", 0, 7]]},
    {"instructions": [["add", False, 0]]},
    {"instructions": [["add", 0.5, 0]]},
    {"instructions": 5},
    {"inputs": [["x", "reel"]]},
    {"inputs": None},
    {"results": [None]},
    {"results": "x"},
]


@pytest.mark.parametrize("change", DAMAGE, ids=str)
def test_damaged_json_is_refused(change: dict[str, object]) -> None:
    data = to_json(parse("def f(x):\n    return add(x, 1)\n", FIELD))
    with pytest.raises(ProgramError):
        from_json(data | change, FIELD)
