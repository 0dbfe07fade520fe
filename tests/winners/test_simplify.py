"""Winners made simpler: what goes, what stays, and how many digits are left."""

from __future__ import annotations

import numpy as np
import pytest

from evosearch.language.infer import cost
from evosearch.language.program import Const, Program
from evosearch.language.text import parse
from evosearch.search.algorithms import make_problem
from evosearch.search.config import SearchConfig
from evosearch.search.work import Problem, polished
from evosearch.winners.fitter import Fitter
from evosearch.winners.shorten import digits_of, harmless, rounded, to_digits
from evosearch.winners.simplify import Version, simplify
from primitives.arithmetic import FIELD
from tasks.approximation import Approximation

PROBLEM = make_problem(SearchConfig(), Approximation("exp2", ("0", "1")), FIELD)
DENSE, SPARSE = Fitter(FIELD, PROBLEM.dense), Fitter(FIELD, PROBLEM.fit)


def lines(*calls: str) -> Program:
    """A program of calls whose values are t0, t1, ..."""
    *body, last = calls
    return parse("def f(x):\n" + "".join(f"    t{k} = {call}\n" for k, call in enumerate(body)) + f"    return {last}\n", FIELD)


def simplified(*calls: str, problem: Problem = PROBLEM) -> tuple[Program, Version]:
    """The polished program and what becomes of it."""
    program, _ = polished(problem, lines(*calls))
    return program, simplify(program, FIELD, Fitter(FIELD, problem.dense), Fitter(FIELD, problem.fit))


FRACTION = ("sub(x, 3.4)", "div(-8.2, t0)", "sub(t1, 1.4)")


def test_a_program_without_slack_stays_as_it_is():
    program, version = simplified(*FRACTION)
    assert version.program == program
    assert version.steps == ()


@pytest.mark.parametrize(
    "calls",
    [
        (*FRACTION[:2], "sub(t1, 1.4)", "mul(t2, 1.01)"),  # a scale that the constants can take
        ("sub(x, 3.4)", "sub(t0, 0.1)", "div(-8.2, t1)", "sub(t2, 1.4)"),  # two shifts
        ("sub(3.4, x)", "div(8.2, t0)", "mul(t1, -1.0)", "sub(-1.4, t2)"),  # a sign that the reader can take
        ("add(x, 0.5)", "sub(t0, x)", "sub(x, 3.4)", "mul(t1, -16.4)", "div(t3, t2)", "sub(t4, 1.4)"),  # t1 is a constant
    ],
    ids=["scale", "shift", "sign", "algebra"],
)
def test_an_instruction_goes_where_the_error_does_not_rise(calls: tuple[str, ...]):
    program, version = simplified(*calls)
    assert cost(version.program) == 3 < cost(program)
    assert version.error <= DENSE.error(program) * 1.00001
    assert version.error == pytest.approx(DENSE.error(version.program), rel=1e-12)
    assert all(" -> " in step for step in version.steps)
    assert "-> 3, error" in version.steps[-1]


def test_an_exact_program_is_simplified_too():
    x = PROBLEM.dense[0]
    halves = Fitter(FIELD, np.array([x, x / 2, 0 * x, 1 + 0 * x]))
    version = simplify(lines("mul(x, 2.0)", "mul(t0, 4.0)", "mul(t1, 0.0625)"), FIELD, halves, halves)
    assert cost(version.program) == 1
    assert version.error < 1e-30


def test_harmless_digits_keep_the_error():
    program, error = polished(PROBLEM, lines(*FRACTION))
    in_float64, short = harmless(DENSE, program, 1e-3)
    assert all(constant.lo == 0.0 for constant in in_float64.constants)
    assert max(digits_of(constant) for constant in short.constants) <= 8
    assert error < DENSE.error(short) <= error * 1.001
    assert harmless(DENSE, short, 1e-9) == ()


def test_pairs_keep_the_digits_that_float64_has_not():
    exact = np.array(PROBLEM.dense)
    third = Const.parse("0.333333333333333333333333333333")
    exact[1], exact[2] = third.hi, third.lo
    fitter = Fitter(FIELD, exact)
    program = lines("sub(x, x)", "add(t0, 0.33333333333333333333333338456789)")
    error = fitter.error(program)
    (short,) = harmless(fitter, program, 1e-3)
    assert 0 < error < 1e-24
    assert 25 <= digits_of(short.constants[0]) < digits_of(program.constants[0])
    assert fitter.error(short) <= error * 1.001


@pytest.mark.parametrize("digits", [3, 5, 20])
def test_digits_on_request(digits: int):
    program, error = polished(PROBLEM, lines(*FRACTION))
    naive = program.with_constants(tuple(rounded(constant, digits) for constant in program.constants))
    short = to_digits(DENSE, program, digits)
    assert all(digits_of(constant) <= digits for constant in short.constants)
    assert 0.999 * error < DENSE.error(short) <= DENSE.error(naive)
    assert to_digits(DENSE, short, digits) == short


def test_the_rest_is_fitted_to_rounded_constants():
    program, _ = polished(
        PROBLEM,
        lines(
            "div(90.49392790115, x)", "add(t0, x)", "div(237.378615396, t1)", "add(t2, t1)",
            "add(t3, -31.3627890289)", "div(-62.7256129597, t4)", "sub(0.999999999437, t5)",
        ),
    )  # fmt: skip
    naive = program.with_constants(tuple(rounded(constant, 7) for constant in program.constants))
    assert DENSE.error(to_digits(DENSE, program, 7)) < 0.3 * DENSE.error(naive)


def test_rounding_to_decimal_digits():
    third = Const.parse("0.33333333333333333333333333")
    assert rounded(third, 3) == Const(0.333)
    assert digits_of(rounded(third, 22)) == 22
    assert [digits_of(Const(value)) for value in (0.0, 1.0, -0.25, 1200.0, 1e-300)] == [1, 1, 2, 2, 1]
