"""A run on disk: its winner is chosen and assessed once, and stands beside other runs."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import toy_suite

from evosearch import api, cli, driver
from evosearch.errors import ConfigError, TaskError
from evosearch.language.optimizer import read_rule
from evosearch.search.loop import Status
from evosearch.search.protocol import Entrant, Told
from evosearch.search.store import Store
from evosearch.winners.selection import select_run
from evosearch.winners.trials import load_ops
from primitives.rules import RULES
from tasks.training import Training


@dataclass(frozen=True)
class ToyAssessed(Training):
    """A task with toy suites."""

    validation: str = "toy_suite:validation"
    test: str = "toy_suite:test_families"


def make_run(
    folder: Path, *, seed: int = 1, algorithm: str = "regularized", rules: Sequence[str] = ("rmsprop",), work: int = 9
) -> Path:
    """The store of a run that has found rules, as a search leaves it."""
    config: dict[str, Any] = {
        "schema": 1,
        "family": "rule",
        "ops": toy_suite.OPS,
        "task": {"use": "test_assessed_run:ToyAssessed"},
        "search": {"algorithm": algorithm, "seed": seed, "race": {"rungs": [{"horizon": 0.1}, {"horizon": 0.1}]}},
    }
    meta = {"name": "lion", "config": config, "status": "budget", "seconds": 60.0, "task": "toy", "evaluations": 5}
    store = Store.create(folder, meta)
    ops = load_ops(toy_suite.OPS)
    found = [Entrant(name, read_rule(RULES[name], ops), 5.0 + k, -0.1 * k, {}) for k, name in enumerate(rules)]
    store.record(1, Told(tuple(found), evaluations=5, work=work))
    store.commit([], {})
    store.close()
    for id, name in enumerate(rules, 1):
        (folder / f"simplified-{id}.txt").write_text(RULES[name])  # as `evosearch simplify` leaves it
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_assess_writes_its_result_and_pictures(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(here / "runs" / "lion-1")
    assert cli.main(["assess", "lion-1", "--level", "coarse", "--workers", "0"]) == 0
    shown = capsys.readouterr()
    assert "better of AdamW and Lion" in shown.out and "gorge" in shown.out
    assert "coarse: coarse has 3 of 6 trials, 2 of 3 seeds and 50% of the steps of full" in shown.err
    result = json.loads((folder / "assessment.json").read_text())
    assert result["schema_version"] == 1 and result["winner"]["id"] == 1
    assert {path.name for path in folder.glob("*.png")} == {"assessment-gorge.png", "assessment-plain.png"}
    assert cli.main(["assess", "lion-1", "--level", "coarse", "--workers", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == result


def test_an_assessment_like_another_trains_the_winner_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = make_run(here / "lion-1"), make_run(here / "lion-2", rules=("signsgd",))
    assert cli.main(["assess", "lion-2", "--like", "lion-1", "--workers", "0"]) == 2
    assert "was not assessed to its end" in capsys.readouterr().err
    one = api.assess("lion-1", level="coarse", workers=0)
    two = api.assess("lion-2", like="lion-1", workers=0)
    assert one is not None and two is not None and two["level"] == one["level"]
    assert two["contenders"]["adamw"] == one["contenders"]["adamw"] != two["contenders"]["winner"]
    done, after = (
        {line: json.loads(line)["trial"]["rule"] for line in (folder / "assessment.jsonl").read_text().splitlines()[1:]}
        for folder in (first, second)
    )
    known = {line for line, rule in after.items() if rule in done.values()}
    assert len(known) > 0.5 * len(after) and known <= set(done)  # to the seconds that they took
    assert set(after) - known
    with pytest.raises(ConfigError, match="leave the budget and the level out"):
        api.assess("lion-2", like="lion-1", level="full", workers=0)


def test_the_test_families_are_opened_for_one_program(here: Path) -> None:
    make_run(here / "lion-1", rules=("rmsprop", "lion"))
    first = api.assess("lion-1", id=1, level="coarse", workers=0)
    assert first is not None and first["winner"]["id"] == 1
    with pytest.raises(ConfigError, match="opened for this run"):
        api.assess("lion-1", id=2, level="coarse", workers=0)
    again = api.assess("lion-1", level="coarse", workers=0)
    assert again == first


def test_the_winner_is_simplified_with_half_the_margin_of_the_assessment(here: Path) -> None:
    folder = make_run(here / "runs" / "lion-1", rules=("signsgd",))
    (folder / "simplified-1.txt").unlink()
    api.assess("lion-1", level="coarse", workers=0)
    simplified = json.loads((folder / "simplified-1.json").read_text())
    margin = json.loads((folder / "assessment.json").read_text())["to_adamw_with_own_constants"]["margin"]
    assert simplified["margin"]["loss"] == margin / 2


def test_the_winner_is_exported_in_the_form_that_was_assessed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(here / "runs" / "lion-1", rules=("rmsprop", "lion"))
    select_run(folder, workers=0)
    winner = api.open("lion-1").winner_id
    other = 3 - (winner or 0)
    assert cli.main(["show", "lion-1"]) == 0
    assert f"evosearch export lion-1 {winner} --to torch" in capsys.readouterr().out
    (folder / f"simplified-{winner}.txt").write_text(RULES["signsgd"])
    assert api.open("lion-1").choose().text == api.open("lion-1").program(winner).text != RULES["signsgd"]
    api.assess("lion-1", level="coarse", workers=0)
    assert cli.main(["export", "lion-1", "--to", "numpy", "-o", "rule.py"]) == 0
    shown = capsys.readouterr().out
    assert f"rule {winner}, size 4, fitness" in shown and "before it was simplified" in shown
    assert "np.sign(" in Path("rule.py").read_text() and "statements, simplified" in Path("rule.py").read_text()
    text = here / "mine.txt"
    text.write_text(RULES["sgd_momentum"])
    assert cli.main(["export", "lion-1", str(other), "--program", str(text), "--to", "numpy", "-o", "other.py"]) == 0
    assert f"rule {other}, size 5" in capsys.readouterr().out and "np.sign(" not in Path("other.py").read_text()


def test_the_funnel_chooses_and_keeps_the_winner(here: Path) -> None:
    folder = make_run(here / "lion-1", rules=("signsgd", "sgd_momentum"))
    found = select_run(folder, workers=0)
    kept = json.loads((folder / "winner.json").read_text())
    assert f"winner: program {found.winner}, " in api.open("lion-1").meta["note"]
    assert kept["winner"] == found.winner and kept["program"].startswith("def train(")
    assert Store.open(folder).meta()["winner"]["id"] == found.winner


def test_compare_counts_every_run_of_the_task(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = here / "runs"
    make_run(root / "lion-1", work=1000)
    make_run(root / "lion-2", seed=2, algorithm="random", rules=(), work=1010)
    make_run(root / "lion-3", seed=3, algorithm="hillclimb")
    api.assess("lion-1", level="coarse", workers=0)
    comparison = api.compare(["lion-1", "lion-2"])
    assert comparison["counted"] == 3 and comparison["absent"] == ["lion-3"]
    assert [row["fitness"] for row in comparison["runs"]] == [0.0, None]
    assert all(row["alike"] for row in comparison["runs"])
    assert comparison["runs"][0]["test"][0] > 0.0 and comparison["runs"][1]["test"] is None
    assert cli.main(["compare", "lion-1", "lion-2"]) == 0
    shown = capsys.readouterr().out
    assert "not assessed" in shown and "runs of this task here: 3, shown: 2" in shown and "not shown: lion-3" in shown


def test_what_cannot_be_assessed_says_so(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(here / "lion-1")
    with pytest.raises(ConfigError, match="unknown level 'best'"):
        api.assess("lion-1", level="best", workers=0)
    with pytest.raises(ConfigError, match="is a time"):
        api.assess("lion-1", budget="20M", workers=0)

    def gone(_self: object) -> None:
        raise TaskError("the data is not here; install it")

    monkeypatch.setattr(toy_suite.Valley, "check", gone)
    with pytest.raises(TaskError, match="install it"):
        api.assess("lion-1", workers=0)
    store = Store.open(here / "lion-1")
    assert "winner" not in store.meta()  # nothing was begun
    store.close()


def test_a_search_that_has_used_its_budget_chooses_its_winner(here: Path) -> None:
    make_run(here / "runs" / "lion-1", rules=("lion",))
    finished = api.open("lion-1")
    assert driver.selected(finished, 0, api.Observer()).meta.get("winner") is None  # no stages, as by default
    config = dataclasses.replace(finished.config, search=dataclasses.replace(finished.config.search, funnel=1))
    finished.config = config
    assert driver.selected(finished, 0, api.Observer()).meta["winner"]["id"] == 1
    finished.status = Status.INTERRUPTED
    assert driver.selected(finished, 0, api.Observer()) is finished
