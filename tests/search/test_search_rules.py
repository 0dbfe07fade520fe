"""The search for update rules, on a toy task: the same run whatever the workers and however it is cut."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from toy_rules import run_file

import evosearch
from evosearch.cli import main
from evosearch.errors import EvosearchError
from evosearch.evaluation.pool import resolve
from evosearch.search.config import read_config
from evosearch.search.rules.memory import Known, Memory, Verdict
from evosearch.search.rules.search import SLICE
from evosearch.search.rules.start import make_rule_search
from evosearch.search.store import Store

BUDGET = 240


def dump(run: evosearch.Run) -> str:
    store = Store.open(run.folder)
    try:
        return store.dump()
    finally:
        store.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> evosearch.Run:
    folder = tmp_path_factory.mktemp("rules")
    return evosearch.run(run_file(folder), budget=BUDGET, workers=0, out=folder / "whole")


def test_workers_and_cuts_change_nothing(whole: evosearch.Run, tmp_path: Path) -> None:
    file = run_file(tmp_path)
    two = evosearch.run(file, budget=BUDGET, workers=2, out=tmp_path / "two")
    cut = evosearch.run(file, budget=BUDGET // 3, workers=0, out=tmp_path / "cut")
    resumed = evosearch.resume(cut.folder, budget=BUDGET, workers=1)
    other = evosearch.run(file, budget=BUDGET, workers=0, seed=2, out=tmp_path / "other")
    assert dump(two) == dump(resumed) == dump(whole) != dump(other)


def test_every_evaluation_is_kept_and_counted(whole: evosearch.Run) -> None:
    kept, counters = whole.evaluations_kept(), whole.counters()
    assert len(kept) == whole.evaluations
    assert 0.7 * len(kept) < len({one.function for one in kept}) <= counters["distinct"]  # islands do not know of each other
    stopped = sum(counters.get(name, 0.0) for name in ("stopped 0", "finished", "invalid training"))
    assert stopped == len(kept) >= counters["distinct"]
    assert counters["valid"] >= len(kept) + counters["hits structure"] + counters["hits function"]
    assert 0 < counters["audited"] <= 12 and counters.get("audit differs", 0.0) == 0.0
    assert 0 < counters["dead"] < counters["statements"]


def test_what_entered_was_better_on_fresh_seeds_and_confirmed(whole: evosearch.Run) -> None:
    front = whole.front()
    assert front and all(a.cost < b.cost and a.error > b.error for a, b in pairwise(front))
    for program in whole.programs:
        assert program.metrics["confirmation"]["refusal"] is None and program.metrics["p"] < 0.05
        assert program.cost == len(program.json["instructions"])


def test_what_islands_start_from_is_trained_to_the_end_and_stays_out_of_the_archive(whole: evosearch.Run) -> None:
    kept = whole.evaluations_kept()
    starts = {one.text for one in kept if one.operator == "start"}
    assert len(starts) >= 2 and all(one.rung == 1 for one in kept if one.operator == "start")
    assert whole.programs and not starts & {program.text for program in whole.programs}


def test_hurdles_are_an_island_s_own_and_fall_when_it_starts_anew(tmp_path: Path) -> None:
    config = read_config(run_file(tmp_path), [("search.follow", False)])
    search: Any = make_rule_search(config, cast(Any, config.load_task()))
    anew = False
    while not anew:
        job = search.ask()
        search.tell(job, resolve(job.function)(**job.payload))
        state = search.state()
        if job.function == SLICE:
            island, turn, slices = job.payload["number"]
            anew = tuple(state["turns"][island]) == (turn + 1, 0)
            assert bool(state["hurdles"][island][0]) is not anew
            assert slices or turn or not any(rows[0] for rows in state["hurdles"][island + 1 :])


def test_a_run_of_rules_is_shown(whole: evosearch.Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    best = whole.front()[-1]
    assert main(["show", str(whole.folder), "--picture", str(tmp_path / "front.png")]) == 0
    assert main(["inspect", str(whole.folder), str(best.id), "-o", str(tmp_path / "rule.png")]) == 0
    out = capsys.readouterr().out
    for words in ("loss / AdamW", "cache hits", "the paper: 89.1%", "dead statements", "stopped by rung 0", "def train(w, g"):
        assert words in out
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in ("front.png", "rule.png"))
    row = whole.show_json()["front"][-1]
    assert row["size"] == best.cost and row["fitness"] == best.error and row["program"] == best.text
    assert whole.record_json()["counters"] == whole.counters()


@pytest.mark.parametrize("algorithm", ["constants", "random", "mutation", "hillclimb"])
def test_baselines_at_equal_compute(algorithm: str, tmp_path: Path) -> None:
    overrides = [("search.initial", ["lion"]), ("search.follow", False)]
    run = evosearch.run(
        run_file(tmp_path), budget=40, workers=0, algorithm=algorithm, overrides=overrides, out=tmp_path / algorithm
    )
    kept = run.evaluations_kept()
    made = {one.operator for one in kept}
    match algorithm:
        case "constants":
            assert made == {"start", "constants"} and {one.live for one in kept} == {6}
        case "random":
            assert made == {"start", "scratch"}
        case _:
            assert {"insert", "modify"} < made


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([("search.initial", ["lyon"])], "unknown rule 'lyon'. Did you mean 'lion'?"),
        ([("search.initial", ["diffgrad"])], "the rule reads 'v3', which this run has not"),
        ([("search.populaton", 3)], "unknown key 'search.populaton'. Did you mean 'population'?"),
        ([("search.algorithm", "pareto")], "unknown algorithm 'pareto'"),
        ([("search.start", "def train(w, g):\n    u = sgn(g)\n    return u\n")], "line 2: unknown op 'sgn'"),
    ],
)
def test_bad_input_is_named(overrides: list[tuple[str, object]], message: str, tmp_path: Path) -> None:
    with pytest.raises(EvosearchError, match=re.escape(message)):
        evosearch.run(run_file(tmp_path), workers=0, overrides=overrides, out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_worn_result_is_forgotten_and_a_job_knows_what_it_knew_when_it_was_asked() -> None:
    memory = Memory(capacity=10, rungs=2, forget=3)
    rows = {"structure": [1, 2], "function": [11, 12], "rung": [0, 1], "split": [3, 3]}
    assert memory.add({**rows, "scores": [[0.5, math.nan], [0.4, -0.1]]}, {}) == 2
    asked = memory.count
    assert memory.add({}, {12: 3}) == 0
    before, after = Known(memory.seen(asked)), Known(memory.seen(memory.count))
    assert (before.verdict(11), before.verdict(12)) == (Verdict(0, 0.5, 0.5, 3), Verdict(1, -0.1, 0.4, 3))
    assert (before.function(2), before.function(3), before.verdict(13)) == (12, None, None)
    assert (after.verdict(11), after.verdict(12)) == (before.verdict(11), None)
    again = Memory(capacity=10, rungs=2, forget=3)
    again.restore(memory.state())
    for k in range(40):
        for one in (memory, again):
            one.add({"structure": [k], "function": [k], "rung": [0], "split": [0], "scores": [[0.0, math.nan]]}, {k: 1})
            one.drop(one.count)
    known = [Known(one.seen(one.count)) for one in (memory, again)]
    assert all(known[0].verdict(k) == known[1].verdict(k) == (Verdict(0, 0.0, 0.0, 0) if k >= 30 else None) for k in range(40))
    assert len(memory.seen(memory.count)["rung"]) == 10
    more = {"structure": [0, 39], "function": [0, 39], "rung": [0, 0], "split": [0, 0], "scores": [[0.0, math.nan]] * 2}
    assert [one.add(more, {}) for one in (memory, again)] == [1, 1]  # what was dropped is new again
