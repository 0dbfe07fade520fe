"""Assessments of update rules on toy problems: fair trials, one book, stop and go on, the tests opened once."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import toy_suite

from evosearch.errors import StoreError
from evosearch.evaluation.local_pool import LocalPool
from evosearch.evaluation.pool import InProcessPool, Pool
from evosearch.evaluation.problems import Trained, validation_score
from evosearch.language.optimizer import read_rule
from evosearch.language.program import Program
from evosearch.report.assessment import assessed as shown
from evosearch.search.loop import Interrupt
from evosearch.winners.assess import Sources, affordable, assess, estimate, measure
from evosearch.winners.contenders import Contender, Point, baseline, candidate, knobs_of, shifted
from evosearch.winners.funnel import funnel, validate
from evosearch.winners.trials import Runner, Stopped, Trial, TrialBook, load_ops, trial_book
from evosearch.winners.tune import Scene, tune
from evosearch.winners.verdict import verdict
from primitives.rules import RULES

SOURCES = Sources(toy_suite.OPS, "toy_suite:validation", "toy_suite:test_families")
SUITE = toy_suite.test_families()
FULL, COARSE = SUITE.protocol.levels


def rule(name: str) -> Program:
    """A known one."""
    return read_rule(RULES[name], load_ops(toy_suite.OPS))


@contextmanager
def runner(path: Path, pool: Pool | None = None, stop_after: int | None = None) -> Iterator[Runner]:
    """A runner that is asked to stop after so many trainings."""
    interrupt, seen = Interrupt(), []

    def observe(trial: Trial, _trained: Trained) -> None:
        seen.append(trial)
        interrupt.requested = len(seen) == stop_after

    with trial_book(path) as book, pool or InProcessPool() as used:
        yield Runner(book, used, interrupt, observe)


def assess_toy(path: Path, **options: Any) -> dict[str, Any]:
    """The verdict on RMSProp at the coarse level."""
    with runner(path, **options) as running:
        return verdict(assess(rule("rmsprop"), SOURCES, COARSE, running), SUITE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """An assessment without a stop, and its book."""
    path = tmp_path_factory.mktemp("whole") / "trials.jsonl"
    return assess_toy(path), path


def test_an_assessment_that_was_stopped_goes_on_to_the_same_verdict(whole: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    verdict_, book = whole
    path = tmp_path / "trials.jsonl"
    for stop in (1, 30, 25):
        with pytest.raises(Stopped):
            assess_toy(path, stop_after=stop)
    path.write_bytes(path.read_bytes()[:-20])  # and it was cut off while it wrote
    assert assess_toy(path) == verdict_
    assert sorted(path.read_text().splitlines()) == sorted(book.read_text().splitlines())


def test_two_workers_find_what_one_process_finds(whole: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    assert assess_toy(tmp_path / "trials.jsonl", pool=LocalPool(2)) == whole[0]


def test_every_tuned_contender_gets_the_same_trials(whole: tuple[dict[str, Any], Path]) -> None:
    result, book = whole
    for family in result["families"].values():
        for name, row in family["contenders"].items():
            base = COARSE.trials if "own" not in name else 3
            assert row["trials"] == base + row["extended"] * max(1, base // 3)
    trials = [json.loads(line)["trial"] for line in book.read_text().splitlines()[1:]]
    tested = {trial["seed"] for trial in trials if trial["part"] == "test"}
    tuned = {trial["seed"] for trial in trials if trial["part"] == "valid"}
    assert tested == set(SUITE.protocol.final_seeds[: COARSE.seeds]) and tuned == set(SUITE.protocol.tuning_seeds)
    decays = [trial["decay"] for trial in trials if trial["decay"]]
    assert not decays or max(decays) <= 10.0


def test_the_verdict_is_what_the_final_losses_say(whole: tuple[dict[str, Any], Path]) -> None:
    result, _ = whole
    logs = []
    for family in result["families"].values():
        means = {n: sum(map(math.log, row["losses"])) / COARSE.seeds for n, row in family["contenders"].items()}
        assert family["better"] == min(("adamw", "lion"), key=means.__getitem__)
        logs.append(means["winner"] - means[family["better"]])
        assert family["winner_to_better"]["ratio"] == pytest.approx(math.exp(logs[-1]))
    assert result["winner_to_better"]["ratio"] == pytest.approx(math.exp(sum(logs) / len(logs)))
    assert result["contenders"]["winner"]["states"] == 1
    text = "\n".join(shown(json.loads(json.dumps(result, allow_nan=False))))
    assert "gorge" in text and "own constants" in text


def test_an_optimum_at_an_edge_extends_the_range(tmp_path: Path) -> None:
    scene = Scene(SOURCES.test, SOURCES.ops, "plain", dataclasses.replace(SUITE.protocol, spread=0.02))
    contender = baseline(SUITE.baselines[2], load_ops(toy_suite.OPS))
    with runner(tmp_path / "trials.jsonl") as running:
        tuned = running.all({"sgd": tune(contender, scene, 6)})["sgd"]
    assert tuned.extended > 0 and len(tuned.tried) == 6 + 2 * tuned.extended
    rates = [math.log10(point.lr) for point, _ in tuned.tried]
    assert max(rates[:6]) - min(rates[:6]) < 0.05 < 0.2 < max(rates) - min(rates)
    assert tuned.point in [point for point, _ in tuned.tried]


def test_knobs_turn_equal_constants_together_and_betas_by_their_distance_from_one() -> None:
    adamw = baseline(SUITE.baselines[0], load_ops(toy_suite.OPS))
    text, outside = adamw.at(Point(0.1, 3.0, (0.8, 0.95)))
    assert "0.8" in text and "0.95" in text and "3.0" in text and "0.9)" not in text and outside == 0.0
    found = candidate("x", rule("lion"))
    assert found.decay is not None and found.decay.value == 0.01
    plain = Contender("x", rule("sgd_momentum"))
    assert plain.at(Point(0.1, 0.5))[1] == 0.5  # decay is added outside where the rule has none
    full = read_rule(RULES["adamw"], load_ops(toy_suite.OPS))
    assert [len(knob.places) for knob in knobs_of(full) if knob.value in (0.9, 0.999)] == [2, 2]
    assert shifted(0.99, 10.0) == pytest.approx(0.9) and shifted(0.9, 0.1) == pytest.approx(0.99)
    assert shifted(0.9, 20.0) == 0.0 and shifted(1.1, 0.5) == pytest.approx(1.05) and shifted(-3.0, 2.0) == -6.0


def test_the_funnel_sends_the_best_on_and_says_whether_the_baselines_are_beaten(tmp_path: Path) -> None:
    still = read_rule("def train(w, g, lr):\n    u = mul(g, 0.0)\n    return u\n", load_ops(toy_suite.OPS))
    entrants = {7: still, 3: rule("sgd_momentum"), 5: rule("nesterov")}
    with runner(tmp_path / "trials.jsonl") as running:
        found = funnel(entrants, SOURCES.validation, SOURCES.ops, running, (FULL, COARSE))
        assert found.winner in (3, 5) and [len(stage.scores) for stage in found.stages] == [3, 3]
        assert found.stages[0].scores[7] > 0.5
        means = {id: (found.stages[0].scores[id] + found.stages[1].scores[id]) / 2 for id in entrants}
        assert found.winner == min(means, key=lambda id: means[id]) and found.score == pytest.approx(means[found.winner])
        assert found.beats == (found.score < 0.0)
        alone = funnel({7: still}, SOURCES.validation, SOURCES.ops, running, (FULL,))
        assert alone.winner == 7 and not alone.beats


def test_a_record_holders_validation_score_is_what_the_funnels_first_stage_says(tmp_path: Path) -> None:
    names = [problem.name for problem in toy_suite.validation().problems]

    def losses(name: str) -> dict[str, float]:
        found = {problem: validate(SOURCES.validation, SOURCES.ops, problem, RULES[name], FULL.horizon) for problem in names}
        return {problem: loss for problem, loss in found.items() if loss is not None}

    with runner(tmp_path / "trials.jsonl") as running:
        stage = funnel({1: rule("powersign")}, SOURCES.validation, SOURCES.ops, running, (FULL,)).stages[0]
    known = [losses(name) for name in ("adamw_plain", "lion")]
    assert validation_score(losses("powersign"), known) == stage.scores[1]


def test_a_budget_affords_a_level(tmp_path: Path) -> None:
    seconds = {"gorge": 2.0, "plain": 4.0}
    costs = [estimate(seconds, SUITE, level, workers=2) for level in SUITE.protocol.levels]
    assert costs[0] > costs[1] > 0.0 and estimate(seconds, SUITE, FULL, workers=1) == pytest.approx(2 * costs[0])
    assert affordable(SUITE.protocol.levels, costs, costs[0] + 1.0) is FULL
    assert affordable(SUITE.protocol.levels, costs, 0.0) is COARSE
    with runner(tmp_path / "trials.jsonl") as running:
        assert set(measure(SOURCES, running)) == {"gorge", "plain"}


def test_a_book_that_is_damaged_or_newer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    path.write_text('{"schema_version": 99}\n')
    with pytest.raises(StoreError, match="newer"):
        TrialBook(path)
    path.write_text('{"schema_version": 1}\nnonsense\n')
    with pytest.raises(StoreError, match="damaged"):
        TrialBook(path)
