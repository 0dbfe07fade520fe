"""NSGA-II: DEAP's selection over (cost, error), the population in the arrays of an island, and the search around it."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from engine import SETTINGS

from evosearch.backends.reference import evaluate
from evosearch.evaluation.pool import resolve
from evosearch.language.infer import cost
from evosearch.search.algorithms import make_search
from evosearch.search.checkpoint import decode, encode
from evosearch.search.config import read_config
from evosearch.search.generations import PLACES, candidates, make_population, run_generations, select
from evosearch.search.island import COUNT, ERROR, KEY, from_arrays
from evosearch.search.nsga2 import NSGA2Search
from evosearch.search.pareto import genome_program
from evosearch.search.protocol import Told
from primitives.arithmetic import FIELD

CONFIRM = "evosearch.winners.confirm:confirm"
"""Never called here: the drive below answers in its place."""


def search(seed: int = 1) -> NSGA2Search:
    """A small search for exp2."""
    config = replace(read_config("exp2"), search=replace(SETTINGS, algorithm="nsga2", seed=seed, fuel=3e5))
    made = make_search(config, config.load_task(), FIELD, CONFIRM)
    assert isinstance(made, NSGA2Search)
    return made


def drive(found: NSGA2Search, jobs: int, ahead: int = 1) -> list[Any]:
    """Tell `jobs` results in ask order, with up to `ahead` jobs open; what was confirmed, and the final state."""
    open_jobs: deque[Any] = deque()
    log: list[Any] = []
    for _ in range(jobs):
        while len(open_jobs) < ahead and (job := found.ask()) is not None:
            open_jobs.append(job)
        job = open_jobs.popleft()
        if job.function == CONFIRM:
            program = job.payload["program"]
            result: Any = {"program": program, "cost": cost(program, FIELD), "error": 1.0, "metrics": {}}
        else:
            result = resolve(job.function)(**job.payload)
        told: Told = found.tell(job, result)
        log.append((told.evaluations, told.work, [entrant.key for entrant in told.entrants]))
    return [log, encode(found.state())]


def test_selection_prefers_the_better_front_then_the_emptier_place() -> None:
    levels = np.array([1, 2, 3, 2, 3, 3])
    errors = np.array([1e-1, 1e-3, 1e-9, 1e-2, 1e-6, 0.9e-3])
    chosen, crowding = select(levels, errors, 3)
    assert sorted(chosen) == [0, 1, 2]
    assert np.isinf(crowding[[list(chosen).index(0), list(chosen).index(2)]]).all()
    # of the second front, (2, 1e-2) and (3, 1e-6), the ends both come before the third, (3, 0.9e-3)
    assert sorted(select(levels, errors, 5)[0]) == [0, 1, 2, 3, 4]
    # distances count orders of magnitude: 1e-4 between 1e-1 and 1e-8 is in an emptier place than 1e-7
    crowded = select(np.array([1, 2, 3, 4]), np.array([1e-1, 1e-4, 1e-7, 1e-8]), 3)[0]
    assert sorted(crowded) == [0, 1, 3]
    assert select(np.array([2, 2]), np.array([1e-9, 0.0]), 1)[0].tolist() == [1]


def test_survivors_of_many_are_never_dominated_by_the_dropped() -> None:
    rng = np.random.default_rng(3)
    levels, errors = rng.integers(1, 7, 80), 2.0 ** -rng.integers(1, 40, 80).astype(float)
    chosen = set(select(levels, errors, 40)[0].tolist())
    assert len(chosen) == 40
    for dropped in set(range(80)) - chosen:
        better = (levels <= levels[dropped]) & (errors <= errors[dropped])
        worse = (levels[dropped] <= levels) & (errors[dropped] <= errors) & ~better
        assert not worse[list(chosen)].any()


def test_candidates_are_the_best_of_each_structure_that_was_not_refused() -> None:
    population = make_population(1, 4)
    population.notes[0, :5, KEY] = [7, 8, 7, 9, 8]
    population.values[0, :5, ERROR] = [0.3, 0.1, 0.2, 0.05, 0.4]
    assert candidates(population, 5, ()).tolist() == [1, 2, 3]
    assert candidates(population, 5, (9,)).tolist() == [1, 2]
    assert candidates(population, 0, ()).tolist() == []


def test_a_slice_breeds_programs_whose_errors_are_what_they_say() -> None:
    found = search()
    drive(found, 9)
    problem = found._problem
    x, hi, lo, weight = problem.fit
    for island in found._islands:
        assert island.values.shape[1] == PLACES * SETTINGS.members
        leaders = found._leaders(island)
        assert set(leaders) >= {3, 4, 5}
        for level, place in leaders.items():
            program = genome_program(island, place, problem)
            assert cost(program, FIELD) == level
            residual = (evaluate(program, x)[0] - hi - lo) * weight
            assert np.sqrt(np.mean(residual**2)) == pytest.approx(island.values[(*place, ERROR)], rel=1e-6)
    assert found._archive.min() < 5e-3


def test_immigrants_join_and_the_refused_leave() -> None:
    found = search()
    drive(found, 4)
    source = max(found._islands, key=lambda island: int(island.sizes[0, COUNT]))
    best = min(found._leaders(source).values(), key=lambda place: float(source.values[(*place, ERROR)]))
    key = int(source.notes[(*best, KEY)])
    payload = {"problem": found._problem, "rules": {**found._rules, "fuel": 1.0}}
    empty = make_population(5, SETTINGS.members)._asdict()
    settled = from_arrays(run_generations(**payload, island=empty, migrants=source._asdict(), banned=())["island"])
    assert key in settled.notes[0, : settled.sizes[0, COUNT], KEY]
    without = from_arrays(run_generations(**payload, island=empty, migrants=source._asdict(), banned=(key,))["island"])
    assert key not in without.notes[0, : without.sizes[0, COUNT], KEY] and not empty["sizes"].any()
    found._banned = (key,)
    assert best not in found._leaders(source).values()


def test_a_run_depends_on_its_seed_and_not_on_workers_or_interruptions() -> None:
    log, state = drive(search(), 16)
    assert drive(search(), 16, ahead=3) == [log, state]
    assert drive(search(seed=2), 16) != [log, state]

    interrupted = search()
    before, _ = drive(interrupted, 7, ahead=2)
    resumed = search()
    resumed.restore(decode(encode(interrupted.state()), FIELD))
    after, end = drive(resumed, 9)
    assert before + after == log and end == state
