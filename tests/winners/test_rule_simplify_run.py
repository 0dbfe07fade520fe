"""`evosearch simplify`: a rule of a run on the run's proxies, its files, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toy_rules import run_file
from toy_runs import workplace  # noqa: F401

import evosearch
from evosearch.cli import main
from evosearch.language.optimizer import read_rule
from primitives.optimizer import OPTIMIZER

LION = """
def train(w, g, v1, v2, lr, step):
    m = interp(g, v1, 0.9)
    u = div(m, 1.0)
    u = mul(u, 4.0)
    u = sign(u)
    n = cosh(u)
    v1 = interp(g, v1, 0.99)
    update = mul(u, lr)
    return update, v1, n
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> evosearch.Run:
    folder = tmp_path_factory.mktemp("valleys")
    start = folder / "start.txt"
    start.write_text(LION)
    return evosearch.run(run_file(folder), budget=240, workers=0, start=start, out=folder / "run")


def test_a_rule_of_a_run_is_simplified(run: evosearch.Run, capsys: pytest.CaptureFixture[str]) -> None:
    id = run.front()[0].id
    assert main(["simplify", str(run.folder), str(id), "--seeds", "4", "--json"]) == 0
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert result == json.loads((run.folder / f"simplified-{id}.json").read_text())
    assert "exact algebra" in shown.err or not result["steps"]
    text = (run.folder / f"simplified-{id}.txt").read_text()
    assert text == result["program"]
    rule = read_rule(text, OPTIMIZER)
    assert len(rule.instructions) == len(result["statements"]) <= len(run.load(run.program(id)).instructions)
    assert all(row["effect"] is None or row["effect"] > -2.0 for row in result["statements"])
    assert result["margin"] == {"loss": 0.01, "level": 0.05, "seeds": [1, 2, 4]}


def test_the_worth_of_statements_is_printed(run: evosearch.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    id = run.front()[-1].id
    out = tmp_path / "rule.txt"
    assert main(["simplify", str(run.folder), str(id), "--seeds", "2", "-o", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "what the logarithm of the loss gains" in shown and "at most 1% worse than the original" in shown
    assert out.read_text() in shown


@pytest.mark.usefixtures("workplace")
def test_functions_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "exp2", "--budget", "20", "--workers", "0", "--quiet"]) == 0
    id = evosearch.open("exp2-1").front()[0].id
    assert main(["simplify", "exp2-1", str(id)]) == 2
    assert "searches functions" in capsys.readouterr().err
