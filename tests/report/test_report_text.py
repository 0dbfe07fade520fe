"""Formulas and tables."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evosearch.language.program import Const, Instruction, Operand, Program, function_signature
from evosearch.language.text import parse
from evosearch.report.formula import formula
from evosearch.report.live import clock, totals_line
from evosearch.report.table import best_classical, gain, live_table
from evosearch.search.protocol import Entrant
from primitives.arithmetic import CORE, FIELD


def shown(*lines: str) -> str:
    return formula(parse("def f(x):\n" + "\n".join(f"    {line}" for line in lines), CORE))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["t = add(x, -2.0)", "return sub(t, -0.5)"], "f(x) = x - 2 + 0.5"),
        (["t = add(x, 1.0)", "return sub(3.0, t)"], "f(x) = 3 - (x + 1)"),
        (["t = add(x, 1.0)", "return add(3.0, t)"], "f(x) = 3 + x + 1"),
        (["t = mul(x, 3.0)", "return div(2.0, t)"], "f(x) = 2 / (x * 3)"),
        (["t = div(x, 3.0)", "return mul(2.0, t)"], "f(x) = 2 * x / 3"),
        (["t = add(x, 1.0)", "return mul(t, -2.0)"], "f(x) = (x + 1) * (-2)"),
        (["t = add(x, 1.0)", "return mul(t, t)"], "t0 = x + 1\nf(x) = t0 * t0"),
        (["t = neg(x)", "u = square(t)", "return sqrt(u)"], "f(x) = sqrt((-x)^2)"),
        (["u = mul(x, 2.0)", "return add(x, 0.123456789)"], "f(x) = x + 0.123457"),
    ],
)
def test_a_formula_has_few_parentheses(lines: list[str], expected: str) -> None:
    assert shown(*lines) == expected


@st.composite
def field_programs(draw: st.DrawFn) -> Program:
    instructions = []
    for position in range(draw(st.integers(1, 8))):
        operand: st.SearchStrategy[Operand] = st.one_of(
            st.integers(0, position), st.integers(-9, 9).map(lambda k: Const(k / 4))
        )
        instructions.append(Instruction(draw(st.sampled_from(FIELD.ops)), (draw(operand), draw(operand))))
    return Program(function_signature(), tuple(instructions), (len(instructions),))


@given(field_programs(), st.integers(-5, 5))
def test_a_formula_means_what_the_program_means(program: Program, x: int) -> None:
    names: dict[str, Fraction] = {"x": Fraction(x)}
    values: list[Fraction] = [Fraction(x)]
    operations = {"add": Fraction.__add__, "sub": Fraction.__sub__, "mul": Fraction.__mul__, "div": Fraction.__truediv__}
    try:
        for instruction in program.instructions:
            args = [values[arg] if isinstance(arg, int) else arg.exact for arg in instruction.args]
            values.append(operations[instruction.op.name](*args))
    except ZeroDivisionError:
        return
    for line in formula(program, digits=None).splitlines():
        left, right = line.split(" = ")
        exact = "".join(f"Fraction('{word}')" if word[0].isdigit() else word for word in _words(right))
        names[left] = eval(exact, {"Fraction": Fraction}, names)
    assert names["f(x)"] == values[-1]


def _words(text: str) -> list[str]:
    import re

    return re.findall(r"\d+(?:\.\d+)?|[a-z]\w*|\s+|.", text)


def member(cost: float, error: float, certified: bool) -> Entrant:
    program = parse("def f(x):\n    return add(x, 1.0)", FIELD)
    return Entrant(f"{cost}", program, cost, error, {"error_real": error if certified else None})


def test_the_table_sets_the_best_classical_error_of_at_most_the_same_cost_beside() -> None:
    classical = [(2.0, 3e-2, "linear"), (3.0, 8.67e-4, "rational 1/1")]
    assert best_classical(classical, 4) == (8.67e-4, "rational 1/1")
    assert live_table([member(3, 8.67e-4, True), member(4, 2.17e-4, False)], classical) == [
        "cost     error             classical  gain",
        "   3  8.67e-04  certified   8.67e-04  1.0x",
        "   4  2.17e-04  sampled     8.67e-04  4.0x",
    ]
    assert live_table([member(1, 0.3, True)], classical)[1].split() == ["1", "3.00e-01", "certified", "-"]


def test_gains_and_times_for_people() -> None:
    assert [gain(1.5e-2, error) for error in (8.67e-4, 3e-2, 1.5e-11, 0.0)] == ["17x", "0.5x", "1e+09x", "exact"]
    assert clock(60) == "01:00" and clock(7265) == "2:01:05"
    assert totals_line(60.0, 3_412_000) == "01:00  3,412,000 programs fitted, 57,000/s"
