"""Simplification: each law of the tables holds, and programs keep their meaning and never grow."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SIGNED_SPECIALS, programs, same_bits

from evosearch.backends.reference import evaluate
from evosearch.language.infer import live
from evosearch.language.laws import Call, Law, Pattern
from evosearch.language.op import OpSet
from evosearch.language.program import Const, Program
from evosearch.language.rewrite import EXACT_FLOAT, EXACT_REAL, Rules, simplify
from evosearch.language.text import parse, to_text
from primitives.arithmetic import CORE, FIELD

RATIONAL = OpSet("rational", tuple(CORE[name] for name in ("add", "sub", "mul", "div", "neg", "square", "abs", "min", "max")))
LETTERS = "xyzcd"

EXACT = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "abs": abs,
    "square": lambda a: a * a,
    "reciprocal": lambda a: 1 / a,
    "fma": lambda a, b, c: a * b + c,
    "min": min,
    "max": max,
    "select": lambda a, b, c: b if a else c,
}


def in_float(pattern: Pattern, values: dict[str, np.ndarray]) -> np.ndarray:
    match pattern:
        case Call():
            with np.errstate(all="ignore"):
                return np.asarray(CORE[pattern.op].reference(*(in_float(arg, values) for arg in pattern.args)), dtype=float)
        case Const():
            return np.full(values["x"].shape, pattern.hi)
    return values[pattern]


def in_rationals(pattern: Pattern, values: dict[str, Fraction]) -> Fraction:
    match pattern:
        case Call():
            return EXACT[pattern.op](*(in_rationals(arg, values) for arg in pattern.args))
        case Const():
            return Fraction(pattern.hi)
    return values[pattern]


def calls(pattern: Pattern) -> set[str]:
    return {pattern.op}.union(*map(calls, pattern.args)) if isinstance(pattern, Call) else set()


@pytest.mark.parametrize("law", EXACT_FLOAT.laws, ids=str)
def test_float_laws_change_no_bit(law: Law) -> None:
    rng = np.random.default_rng(7)
    raw = rng.integers(0, 2**64, 4000, dtype=np.uint64).view(np.float64)
    near = rng.normal(size=4000)
    pools = [np.concatenate([rng.choice(SIGNED_SPECIALS, 4000), rng.permutation(raw), rng.permutation(near)]) for _ in LETTERS]
    values = dict(zip(LETTERS, pools, strict=True))
    assert same_bits(in_float(law.left, values), in_float(law.right, values))


@pytest.mark.parametrize("law", [law for law in EXACT_REAL.laws if calls(law.left) <= EXACT.keys()], ids=str)
def test_real_laws_hold_in_exact_arithmetic(law: Law) -> None:
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(300):
        values = {letter: Fraction(int(rng.integers(-9, 10)), int(rng.integers(1, 5))) for letter in LETTERS}
        try:
            want = in_rationals(law.left, values)
        except ZeroDivisionError:
            continue
        try:
            assert in_rationals(law.right, values) == want
        except ZeroDivisionError:
            assert values["c"] == 0 or values["d"] == 0  # the constant does not fold then, and the law is not used
        held += 1
    assert held > 50


def same_program(text: str, expected: str, rules: Rules = EXACT_REAL, ops: OpSet = CORE) -> bool:
    return to_text(simplify(parse(text, ops), rules, ops)) == expected


def test_constants_are_folded_through_chains() -> None:
    text = "def f(x):\n    a = add(x, 1)\n    b = sub(a, 3)\n    c = add(b, 2)\n    d = mul(c, 3)\n    return div(d, 3)\n"
    assert same_program(text, "def f(x):\n    return x\n")
    assert same_program(
        "def f(x):\n    a = div(1, 3)\n    return mul(a, x)\n", "def f(x):\n    return mul(" + third() + ", x)\n"
    )


def third() -> str:
    return str(Const.nearest(Fraction(1, 3)))


def test_float_rules_keep_what_real_rules_may_drop() -> None:
    text = "def f(x):\n    a = sub(x, x)\n    return add(a, 0.0)\n"
    kept = "def f(x):\n    t0 = sub(x, x)\n    return add(t0, 0.0)\n"
    assert same_program(text, kept, EXACT_FLOAT)
    assert same_program(text, "def f(x):\n    return 0.0\n")


def test_equal_sub_expressions_are_shared_but_zeros_are_told_apart() -> None:
    text = "def f(x):\n    a = add(x, 1.5)\n    b = add(1.5, x)\n    return mul(a, b)\n"
    assert same_program(text, "def f(x):\n    t0 = add(x, 1.5)\n    return mul(t0, t0)\n", ops=FIELD)
    zeros = "def f(x):\n    a = div(x, 0.0)\n    b = div(x, -0.0)\n    return sub(a, b)\n"
    assert len(simplify(parse(zeros, FIELD), EXACT_FLOAT).instructions) == 3


def test_a_law_brings_in_only_ops_that_may_be_used() -> None:
    program = parse("def f(x):\n    return mul(x, x)\n", FIELD)
    assert simplify(program, EXACT_FLOAT).instructions[0].op.name == "mul"
    assert simplify(program, EXACT_FLOAT, CORE).instructions[0].op.name == "square"


@given(programs(CORE, inputs=2, max_length=14, outputs=2))
def test_float_rules_keep_every_bit_of_random_programs(program: Program) -> None:
    points = [grid.ravel() for grid in np.meshgrid(SIGNED_SPECIALS, SIGNED_SPECIALS)]
    simple = simplify(program, EXACT_FLOAT, CORE)
    assert len(simple.instructions) <= sum(live(program))
    assert same_bits(evaluate(program, *points), evaluate(simple, *points))


def exact_value(program: Program, x: Fraction) -> tuple[Fraction, Fraction]:
    """The value, and a bound on how much its size grew on the way (rounding of folded constants scales with it)."""
    values = [x]
    for instruction in program.instructions:
        values.append(EXACT[instruction.op.name](*(values[a] if isinstance(a, int) else a.exact for a in instruction.args)))
    out = program.outputs[0]
    return (values[out] if isinstance(out, int) else out.exact), max(map(abs, values))


@given(programs(RATIONAL, inputs=1, max_length=10, special=False, pairs=True), st.fractions(-3, 3, max_denominator=64))
def test_real_rules_keep_the_function_of_random_programs(program: Program, x: Fraction) -> None:
    simple = simplify(program, EXACT_REAL, CORE)
    assert len(simple.instructions) <= sum(live(program))
    try:
        want, size = exact_value(program, x)
        near, _ = exact_value(program, x + Fraction(1, 2**80))
    except ZeroDivisionError:
        return
    got, _ = exact_value(simple, x)
    steepness = abs(near - want) * 2**80
    assert abs(got - want) <= Fraction(1, 2**90) * (1 + size + steepness) ** 3
