"""The classical baseline against published figures, Sollya, and its own programs."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path

import mpmath
import pytest
from flint import arb, arb_poly, ctx

from evosearch.evaluation.target import ErrorMeasure, Form, Target
from evosearch.language.infer import cost
from evosearch.language.program import Const, Program
from evosearch.winners import classical
from evosearch.winners.adapted import eve, knuth_sextic
from evosearch.winners.classical import classical_candidates, classical_front
from evosearch.winners.families import sample
from evosearch.winners.forms import Writer, continued_fraction, evaluate, horner, horner_quotient, text
from evosearch.winners.remez import PRECISION, minimax
from primitives.arithmetic import FIELD

GOLDEN = Path(__file__).parents[1] / "golden"
FIGURES = json.loads((GOLDEN / "classical_exp2.json").read_text())
SOLLYA = json.loads((GOLDEN / "classical_sollya.json").read_text())["rows"]


def exp2(x, m):
    return m.power(2, x)


def log2(x, m):
    return m.log(x) / m.log(m.mpf(2))


def erf(x, m):
    return m.erf(x)


def tanh(x, m):
    return m.tanh(x)


def sin(x, m):
    return m.sin(x)


def cos(x, m):
    return m.cos(x)


FUNCTIONS = {f.__name__: f for f in (exp2, log2, erf, tanh, sin, cos)}


def target(name: str, measure: str, lower: str, upper: str, **changes) -> Target:
    plain = Target(name, name, FUNCTIONS[name], lower, upper, ErrorMeasure(measure), squaring=name == "exp2")
    return dataclasses.replace(plain, **changes)


EXP2 = target("exp2", "relative", "0", "1")


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVOSEARCH_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def precision():
    with ctx.workprec(PRECISION):
        yield


@pytest.fixture(scope="module")
def exp2_curve():
    with ctx.workprec(PRECISION):
        return sample(EXP2).plain


@pytest.mark.parametrize(("degree", "error"), FIGURES["horner_degree"].items())
def test_polynomials_of_exp2(exp2_curve, degree, error):
    assert minimax(exp2_curve, int(degree), 0).error == pytest.approx(error, rel=2e-3)


@pytest.mark.parametrize(("degrees", "row"), FIGURES["rational"].items())
def test_rationals_of_exp2_and_their_costs(exp2_curve, degrees, row):
    by_horner, as_fraction, error = row
    m, n = map(int, degrees.split("/"))
    found = minimax(exp2_curve, m, n)
    assert found.error == pytest.approx(error, rel=1e-3)
    assert len(found.ripples) == m + n + 2
    for form, steps in ((horner_quotient, by_horner), (continued_fraction, as_fraction)):
        writer = Writer()
        form(writer, 0, found.p, found.q)
        assert len(writer.steps) == steps


@pytest.mark.parametrize("row", ["horner_forms_by_cost", "continued_fraction_and_squaring_by_cost"])
def test_the_front_of_exp2_is_at_least_the_published_one(row):
    front = {entry.cost: entry.error for entry in classical_front(EXP2)}
    assert sorted(front) == list(range(1, 15))
    assert all(front[int(k)] <= error * 1.005 for k, error in FIGURES[row].items())


def curve(name, measure, lower, upper, form):
    samples = sample(target(name, measure, lower, upper))
    return samples.plain if form == "plain" else samples.core


@pytest.mark.parametrize("case", sorted({tuple(row[:5]) for row in SOLLYA}), ids="-".join)
def test_polynomials_match_sollya(case):
    approximated = curve(*case)
    for *head, coefficients, least, most in SOLLYA:
        if tuple(head) == case:
            error = minimax(approximated, coefficients - 1, 0).error
            assert least * (1 - 1e-6) <= error <= most * (1 + 1e-4), coefficients


@pytest.mark.skipif(shutil.which("sollya") is None, reason="sollya is not installed")
def test_sollya_still_says_so():
    script = str(GOLDEN / "classical.sollya")
    command = ["sollya", script]  # its exit code counts warnings
    output = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    live = [line.split() for line in output.splitlines()]
    assert [[*row[:5], int(row[5])] for row in live] == [row[:6] for row in SOLLYA]
    for row, kept in zip(live, SOLLYA, strict=True):
        assert [float(bound) for bound in row[6:]] == pytest.approx(kept[6:], rel=1e-5)


@pytest.mark.parametrize("measure", ["absolute", "relative"])
def test_an_odd_function_is_approximated_in_the_square(measure):
    front = classical_front(target("sin", measure, "0", "pi/4", form=Form.ODD), ops=FIELD)
    assert front[-1].form.startswith("x R(x^2)")
    assert front[7].error < 5e-12
    assert measured(front[7].program, sin, measure, "0", "pi/4") == pytest.approx(front[7].error, rel=1e-2)


def measured(program: Program, function, measure: str, lower: str, upper: str, n: int = 400) -> float:
    """The error at n points inside the interval, in 60 digits; the interval's ends are left out."""
    worst = mpmath.mpf(0)
    with mpmath.workdps(60):
        a, b = (mpmath.mpf(classical_number(bound)) for bound in (lower, upper))
        for k in range(1, n):
            x = a + (b - a) * (1 - mpmath.cospi(mpmath.mpf(k) / n)) / 2
            f = function(x, mpmath.mp)
            values = [x]
            for item in program.instructions:
                left, right = (mpmath.mpf(v.hi) + v.lo if isinstance(v, Const) else values[v] for v in item.args)
                values.append(APPLY[item.op.name](left, right))
            gap = abs(values[program.outputs[0]] - f)
            worst = max(worst, gap / abs(f) if measure == "relative" else gap)
    return float(worst)


APPLY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
}


def classical_number(bound: str) -> mpmath.mpf:
    return mpmath.pi / 4 if bound == "pi/4" else mpmath.mpf(bound)


def test_programs_of_the_front_have_its_cost_and_error():
    for entry in classical_front(EXP2, 12, FIELD)[1:]:
        assert cost(entry.program, FIELD) <= entry.cost
        assert measured(entry.program, exp2, "relative", "0", "1") == pytest.approx(entry.error, rel=2e-2)


def test_a_dear_division_gives_way_to_polynomials():
    dear = FIELD.subset(["add", "sub", "mul", "div"], {"div": 100.0})
    without = FIELD.subset(["add", "sub", "mul"])
    for ops in (dear, without):
        front = classical_front(EXP2, 12, ops)
        assert all("rational" not in entry.form for entry in front)
        assert front[8].form == "polynomial of degree 2, Horner, squared 3 times" or front[8].error < 7.5e-8


@pytest.mark.parametrize(
    ("degree", "form", "steps"), [(6, knuth_sextic, 11), (5, eve, 9), (6, eve, 11), (7, eve, 12), (8, eve, 14)]
)
def test_adapted_coefficients_give_the_same_polynomial(degree, form, steps):
    p = arb_poly([arb(1) / (3 + 2 * k) - arb(k) / 7 for k in range(degree + 1)])
    plain, adapted = Writer(), Writer()
    expected, result = horner(plain, 0, p), form(adapted, 0, p)
    assert len(plain.steps) == 2 * degree
    assert len(adapted.steps) == steps
    xs = [arb(k) / 8 - 1 for k in range(17)]
    for a, b in zip(evaluate(plain.steps, expected, xs), evaluate(adapted.steps, result, xs), strict=True):
        assert abs(float(a - b)) < 1e-25


def test_the_text_of_a_program_reads_back():
    for candidate in classical_candidates(EXP2)[:5]:
        assert sum(candidate.uses.values()) == candidate.steps
    writer = Writer()
    result = horner(writer, 0, arb_poly([1, 2, 3]))
    assert text(writer.steps, result, "f").splitlines()[1] == "    t0 = mul(3.0, x)"


def test_the_baseline_is_computed_once(monkeypatch):
    first = classical_candidates(target("tanh", "absolute", "0", "1"))

    def computed_again(_):
        raise AssertionError("the cache was not read")

    monkeypatch.setattr(classical, "candidates", computed_again)
    assert classical_candidates(target("tanh", "absolute", "0", "1")) == first
    with pytest.raises(AssertionError, match="cache"):
        classical_candidates(target("tanh", "absolute", "0", "1", function=sin))


def test_a_damaged_cache_is_replaced():
    first = classical_candidates(target("log2", "absolute", "1", "2"))
    (path,) = (classical.cache_folder() / "classical").glob("log2_*.json")
    path.write_text(path.read_text()[:100])
    assert classical_candidates(target("log2", "absolute", "1", "2")) == first


def weight(x, m):
    return m.mpf(1) + 99 * x


def test_weighted_error_moves_the_error_to_where_it_weighs_little():
    plain = classical_front(target("exp2", "absolute", "0", "1"), 6, FIELD)[5]
    weighted = classical_front(target("exp2", "weighted", "0", "1", weight=weight), 6, FIELD)[5]
    at = [measured(entry.program, exp2, "absolute", "0.9", "1", 50) for entry in (plain, weighted)]
    assert at[1] < at[0]
