"""Calibration of the fitness: who is drawn, what is correlated, and that a stop costs nothing."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import toy_suite

from evosearch import cli
from evosearch.errors import ConfigError
from evosearch.language.optimizer import read_rule
from evosearch.search.protocol import Entrant, Told
from evosearch.search.store import Store
from evosearch.winners.calibrate import Drawn, calibrate, draw, judged
from evosearch.winners.trials import load_ops
from primitives.rules import RULES
from tasks.training import Training


@dataclass(frozen=True)
class ToyCalibrated(Training):
    """A task with toy validation problems."""

    validation: str = "toy_suite:validation"


def drawn(run: str, number: int, fitness: float = 0.0, adamw: float = 0.0) -> Drawn:
    return Drawn(run, number, f"{run} {number}", fitness, adamw, {"digits": -fitness})


def make_run(folder: Path, rules: tuple[str, ...]) -> Path:
    """A run whose archive holds known rules."""
    config: dict[str, Any] = {
        "schema": 1, "family": "rule", "ops": toy_suite.OPS, "task": {"use": "test_calibrate:ToyCalibrated"},
        "search": {"algorithm": "regularized"},
    }  # fmt: skip
    store = Store.create(folder, {"name": "lion", "config": config, "status": "budget", "seconds": 1.0, "task": "toy"})
    ops = load_ops(toy_suite.OPS)
    found = [
        Entrant(name, read_rule(RULES[name], ops), 5.0, 0.01 * k, {"adamw": 0.01 * k, "proxies": {"digits": 0.01 * k}})
        for k, name in enumerate(rules)
    ]
    store.record(1, Told(tuple(found), evaluations=5, work=1))
    store.commit([], {})
    store.close()
    return folder


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two runs."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs" / "lion-1", ("lion", "signsgd", "rmsprop"))
    make_run(tmp_path / "runs" / "lion-2", ("sgd_momentum", "adagrad", "lion"))
    return tmp_path / "runs"


def test_equal_numbers_are_drawn_from_each_run_and_only_peers_of_adamw() -> None:
    found = {
        "a": [drawn("a", k, adamw=0.01 * k) for k in range(10)],
        "b": [
            drawn("b", 1),
            drawn("b", 2),
            drawn("b", 3, adamw=0.19),
            drawn("b", 4, adamw=-0.19),
            drawn("b", 5, adamw=float("nan")),
        ],
        "c": [drawn("c", 1), drawn("a", 1)],
    }
    chosen, left_out = draw(found, 6)
    assert [one.run for one in chosen] == ["a", "a", "a", "b", "b", "c"]
    assert left_out == {"better": 1, "worse": 2, "repeated": 1}
    assert draw(found, 6) == (chosen, left_out)
    assert len(draw(found, 100)[0]) == 13, "all there are"


def test_the_gate_is_judged_over_enough_programs_only() -> None:
    many = [drawn(f"run-{k % 5}", k, fitness=0.001 * k) for k in range(100)]
    right, wrong = [0.002 * k for k in range(100)], [-0.002 * k for k in range(100)]
    problems = [{"one": score} for score in right]
    result = judged(many, right, problems)
    assert (result["spearman"], result["met"], result["by_problem"]) == (pytest.approx(1.0), True, {"one": pytest.approx(1.0)})
    assert result["by_proxy"] == {"digits": pytest.approx(-1.0)}
    assert judged(many, wrong, problems)["met"] is False
    assert judged(many[:99], right[:99], problems[:99])["met"] is None
    four = [drawn(f"run-{k % 4}", k, fitness=0.001 * k) for k in range(100)]
    assert judged(four, right, problems)["met"] is None
    same = judged(many, [0.0] * 100, problems)
    assert same["spearman"] is None and same["met"] is False and json.dumps(same, allow_nan=False)


def test_a_calibration_from_the_command_line_goes_on_where_it_stopped(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["calibrate-proxy", "lion-1", "lion-2", "--workers", "0"]
    assert cli.main(command) == 0
    shown = capsys.readouterr().out
    assert "rank correlation of fitness with validation: " in shown and "5 programs of 2 runs" in shown
    assert "gate of 0.5: not judged" in shown and "1 repeated" in shown
    out = runs / "calibration"
    record, trials = (out / "calibration.json").read_text(), (out / "trials.jsonl").read_bytes()
    (out / "trials.jsonl").write_bytes(trials[: len(trials) // 2])  # as a kill leaves it
    assert cli.main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(record) == json.loads((out / "calibration.json").read_text())
    assert sorted((out / "trials.jsonl").read_bytes().splitlines()) != [] and len(record) < 20_000


def test_runs_that_do_not_go_together_are_refused(runs: Path) -> None:
    with pytest.raises(ConfigError, match="given twice"):
        calibrate([runs / "lion-1", runs / "lion-1"], runs / "new", workers=0)
    with pytest.raises(ConfigError, match="too few to correlate"):
        calibrate([make_run(runs / "lion-3", ("lion",))], runs / "new", workers=0)
    calibrate([runs / "lion-1"], runs / "one", workers=0)
    with pytest.raises(ConfigError, match="was begun with 100 programs of lion-1"):
        calibrate([runs / "lion-1", runs / "lion-2"], runs / "one", workers=0)
