"""Races: hurdles stop most, and what enters the archive has won on fresh seeds."""

from __future__ import annotations

import pytest
from toy_training import ToyTask

from evosearch.evaluation.fitness import WORST, Fitness, Rung, Settings
from evosearch.evaluation.racing import Entry, Hurdles, draw_seeds, enter, race
from evosearch.language.optimizer import read_rule
from evosearch.language.program import Program
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES

SETTINGS = Settings(rungs=(Rung(), Rung(proxies=2, seeds=2)), shrinks=(), window=50)
SEEDS = (draw_seeds(1, "race", 0, 1), draw_seeds(1, "race", 1, 2))


@pytest.fixture(scope="module")
def fitness() -> Fitness:
    return Fitness(ToyTask(), OPTIMIZER, SETTINGS)


def rule(name: str) -> Program:
    return read_rule(RULES[name], OPTIMIZER)


def test_a_candidate_runs_until_a_hurdle_stops_it(fitness: Fitness) -> None:
    stopped = race(fitness, rule("adamw"), (-WORST,), SEEDS)
    whole = race(fitness, rule("adamw"), (WORST,), SEEDS)
    assert (len(stopped.scores), stopped.finished) == (1, False)
    assert (len(whole.scores), whole.finished) == (2, True)
    paused = race(fitness, rule("adamw"), (WORST,), SEEDS, fuel=1.0)
    assert paused.paused and paused.scores == stopped.scores
    assert race(fitness, rule("adamw"), (WORST,), SEEDS, paused.scores) == whole
    assert whole.scores[0] == stopped.last and whole.work == sum(score.work for score in whole.scores)
    assert set(whole.last.tuned) == {"round", "long"}


def test_hurdles_are_shares_of_what_was_told() -> None:
    hurdles = Hurdles(SETTINGS)
    for _ in range(9):
        hurdles.tell([-0.5, -0.5])
    assert hurdles.values() == (0.0,), "too few scores to judge by"
    for k in range(50):
        hurdles.tell([k / 100.0])
    assert hurdles.values() == (pytest.approx(0.05),), "the best tenth of the last 50"
    again = Hurdles(SETTINGS, hurdles.state())
    assert again.values() == hurdles.values()
    for _ in range(6):
        again.tell([-1.0])
    assert again.values() == (-1.0,) != hurdles.values()


def test_entry_needs_a_win_on_fresh_seeds(fitness: Fitness) -> None:
    fresh = draw_seeds(1, "entry", 7, 4)
    alone = {name: enter(fitness, rule(name), fresh) for name in ("adamw", "signsgd")}
    first = alone["adamw"]
    assert first.entered and first.score.fitness == pytest.approx(sum(first.score.cases) / 8)
    assert first.confirmation is not None and (first.confirmation.steps, first.confirmation.difference) == (30, 0.0)

    def beside(name: str, other: str) -> Entry:
        return enter(fitness, rule(name), fresh, (rule(other), alone[other].score.tuned))

    itself = beside("adamw", "adamw")
    assert not itself.entered and (itself.p, itself.difference) == (1.0, 0.0)
    better, worse = sorted(alone, key=lambda name: alone[name].score.fitness)
    won, lost = beside(better, worse), beside(worse, better)
    assert won.difference == pytest.approx(-lost.difference) and won.difference < 0
    assert won.entered == (won.p < SETTINGS.level) and won.p < lost.p and not lost.entered


def test_seeds_are_drawn_by_what_they_are_for() -> None:
    drawn = [draw_seeds(1, role, number, 8) for role in ("race", "entry") for number in range(3)]
    assert len({seed for seeds in drawn for seed in seeds}) == 48
    assert all(0 <= seed < 2**30 for seeds in drawn for seed in seeds)
    assert draw_seeds(1, "race", 0, 8) == drawn[0] != draw_seeds(2, "race", 0, 8)
