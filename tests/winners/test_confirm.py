"""From a candidate to an entrant: refusals, the price of simplification, and constraints through whole runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evosearch import api
from evosearch.cli import main
from evosearch.evaluation.certify import certify
from evosearch.evaluation.ieee import evaluate
from evosearch.language.program import Program
from evosearch.language.text import parse
from evosearch.search.algorithms import make_problem
from evosearch.search.config import SearchConfig
from evosearch.search.work import polished
from evosearch.winners.confirm import HARMLESS, confirm, judge
from evosearch.winners.shorten import digits_of
from primitives.arithmetic import FIELD
from tasks.approximation import Approximation, Constraint

TASK = Approximation("exp2", ("0", "1"))
PROBLEM = make_problem(SearchConfig(), TASK, FIELD)


def lines(*calls: str) -> Program:
    """A program of calls whose values are t0, t1, ..."""
    *body, last = calls
    return parse("def f(x):\n" + "".join(f"    t{k} = {call}\n" for k, call in enumerate(body)) + f"    return {last}\n", FIELD)


@pytest.mark.parametrize(
    "calls",
    [
        ("sub(x, 3.4)", "div(-8.2, t0)", "sub(t1, 1.4)", "mul(t2, 1.01)"),
        ("div(90.5, x)", "add(t0, x)", "div(237.4, t1)", "add(t2, t1)", "add(t3, -31.4)", "div(-62.7, t4)", "sub(0.999, t5)"),
    ],
)
def test_an_entrant_is_simple_and_certified_about_as_the_polished_program(calls: tuple[str, ...]):
    core, _ = polished(PROBLEM, lines(*calls))
    entrant = confirm(PROBLEM, lines(*calls), TASK, FIELD)
    before = certify(core, TASK.target()).error_real
    assert before is not None
    assert entrant["error"] == certify(entrant["program"], TASK.target()).error_real <= before * (1 + HARMLESS)
    assert sum(map(digits_of, entrant["program"].constants)) < 0.6 * sum(map(digits_of, core.constants))
    assert entrant["metrics"]["simplified"][-1].startswith("coefficients of")
    json.dumps(entrant["metrics"])


def test_a_pole_is_refused():
    assert "pole" in confirm(PROBLEM, lines("mul(x, x)", "sub(x, t0)", "div(1.0, t1)"), TASK, FIELD)["refused"]


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a user's functions: one that balls know, and one that mpmath alone knows."""
    text = "def winners_line(x, m):\n    return x + m.mpf(1) / 2\n\n\ndef winners_sech(x, m):\n    return m.sech(x)\n"
    (tmp_path / "winners_functions.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("functions")
def test_a_bound_that_was_not_found_keeps_a_program_off_the_front():
    """(x + 1/2) as (t x + t / 2) / t where t = x^128 - x^64 vanishes at 1: beyond the work limit of the algebra."""
    squares = [f"mul({v}, {v})" for v in ("x", "t0", "t1", "t2", "t3", "t4", "t5")]
    program = lines(*squares, "sub(t6, t5)", "mul(t7, x)", "mul(t7, 0.5)", "add(t8, t9)", "div(t10, t7)")
    judged = judge(program, Approximation("winners_functions:winners_line", ("0.5", "1")))
    assert judged.certificate.error_real is None
    assert judged.refusal is not None
    assert judged.refusal.startswith("no bound was found")


@pytest.mark.usefixtures("functions")
def test_a_function_without_a_bound_is_sampled_but_a_pole_is_still_refused():
    task = Approximation("winners_functions:winners_sech", ("0", "1"))
    judged = judge(lines("add(x, 1.5)", "div(2.5, t0)"), task)
    assert judged.refusal is None
    assert judged.unbounded == "there is no rigorous 'sech'"
    assert judged.error == pytest.approx(2 / 3)  # at 0
    assert "pole" in str(judge(lines("sub(x, 0.3)", "div(2.5, t0)"), task).refusal)


SHORT = {"search.max_cost": 6, "search.islands": 2, "search.fuel": 1e7}


def searched(folder: Path, budget: int = 20_000, **task: object) -> api.Run:
    """A run of a second or two in this process."""
    settings = {**SHORT, **{f"task.{key}": value for key, value in task.items()}}
    return api.run("exp2", budget=budget, overrides=settings.items(), out=folder, workers=0)


@pytest.mark.usefixtures("functions")
def test_a_run_of_a_function_without_a_bound_says_sampled(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = searched(tmp_path / "run", function="winners_functions:winners_sech", interval=["0", "1"])
    assert run.front()
    assert all(program.certified_error is None for program in run.front())
    assert all(program.metrics["certificate"].startswith("sampled: there is no") for program in run.front())
    assert main(["show", str(tmp_path / "run")]) == 0
    assert " sampled " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("constraints", "digits", "best"),
    [
        (["exact-ends"], None, 1e-3),
        (["monotone"], None, 1e-5),
        (["no-division"], None, 2e-4),
        (["short-coefficients"], 4, 5e-5),
        (["monotone", "exact-ends"], None, 1e-3),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_constraints_hold_in_a_run(constraints: list[str], digits: int | None, best: float, tmp_path: Path):
    more = {} if digits is None else {"digits": digits}
    run = searched(tmp_path / "run", 40_000, constraints=constraints, **more)
    task = Approximation("exp2", constraints=tuple(map(Constraint, constraints)), **more)
    programs = [run.load(program) for program in run.front()]
    assert len(programs) >= 3
    assert [task.unmet(program) for program in programs] == [()] * len(programs)
    assert all(program.certified_error is not None for program in run.front())
    assert run.front()[-1].error < best
    if "exact-ends" in constraints:
        assert all(evaluate(program, np.array([0.0, 1.0])).tolist() == [1.0, 2.0] for program in programs)


def test_export_with_digits_is_certified_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = searched(tmp_path / "run")
    best = run.front()[-1]
    assert any("->" in step for step in best.metrics["simplified"])
    assert main(["inspect", str(tmp_path / "run"), str(best.id)]) == 0
    assert best.metrics["simplified"][-1] in capsys.readouterr().out
    short = run.shortened(best, 4)
    program = run.load(short)
    assert max(map(digits_of, program.constants)) <= 4 < max(map(digits_of, run.load(best).constants))
    assert short.error == certify(program, TASK.target()).error_real > best.error
    file = str(tmp_path / "f.py")
    assert main(["export", str(tmp_path / "run"), str(best.id), "--digits", "4", "--to", "python", "-o", file]) == 0
    assert f"with constants of at most 4 digits, {best.error:.2e} before" in capsys.readouterr().out
    assert f"program {best.id} with constants of at most 4 digits" in Path(file).read_text(encoding="utf-8")
    assert main(["export", str(tmp_path / "run"), "--digits", "0", "--to", "c"]) == 2
    assert "from 1 to 33 digits, got 0" in capsys.readouterr().err
