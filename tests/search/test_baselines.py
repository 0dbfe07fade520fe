"""The simple algorithms do what their names say: random search inherits nothing, a hill climb never gets worse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from engine import SETTINGS

from evosearch.evaluation.pool import resolve
from evosearch.evolution.mutate import ABSORB, COPY, DELETE, GRAFT, INSERT, LIFT, LOWER, REWIRE
from evosearch.search.algorithms import make_search
from evosearch.search.config import read_config
from evosearch.search.island import ANCESTOR, COUNT, ELITES_OF, ERROR, NICHES, PATH, STEPS_SINCE, from_arrays
from evosearch.search.pareto import ParetoSearch
from primitives.arithmetic import FIELD

CONFIRM = "confirm:confirm"
"""Never called: candidates are left unconfirmed."""


def search_by(algorithm: str, **settings: Any) -> ParetoSearch:
    """A small search for exp2."""
    config = replace(read_config("exp2"), search=replace(SETTINGS, algorithm=algorithm, **settings))
    search = make_search(config, config.load_task(), FIELD, CONFIRM)
    assert isinstance(search, ParetoSearch)
    return search


def slices(algorithm: str, count: int) -> list[Any]:
    """Islands after each of `count` slices, all of one search."""
    search = search_by(algorithm, fuel=1e6)
    told = []
    while len(told) < count:
        job = search.ask()
        assert job is not None
        if job.function == CONFIRM:
            search._open.pop(job.number)
            continue
        assert job.payload["migrants"] is None
        result = resolve(job.function)(**job.payload)
        search.tell(job, result)
        told.append((job.number, from_arrays(result["island"])))
    return told


def members(island: Any) -> list[tuple[int, int]]:
    """Places of the members of the populations."""
    first = island.values.shape[1] - SETTINGS.members
    return [(level, first + k) for level in range(len(island.sizes)) for k in range(island.sizes[level, COUNT])]


def path(notes: Any) -> list[int]:
    """Operators since the last report, newest first; at most 16 are kept."""
    return [(int(notes[PATH]) >> (4 * k)) & 15 for k in range(min(int(notes[STEPS_SINCE]), 16))]


def test_random_search_makes_every_child_from_scratch() -> None:
    for _, island in slices("random", 9):
        places = members(island)
        assert len(places) > 20
        for place in places:
            notes = island.notes[place]
            assert notes[ANCESTOR] == 0
            assert set(path(notes)) <= {INSERT, DELETE, REWIRE, 4}
            if notes[STEPS_SINCE] <= 16:
                assert path(notes)[-1] == INSERT


def test_a_hill_climb_keeps_one_program_a_niche_and_replaces_it_only_by_a_better_one() -> None:
    best: dict[int, Any] = {}
    islands = slices("hillclimb", 15)
    for k, (_, island) in enumerate(islands):
        assert island.values.shape[1] == NICHES + 1 and island.sizes[:, ELITES_OF:].max() == 1
        errors = np.where(island.sizes[:, ELITES_OF:] == 1, island.values[:, :NICHES, ERROR], np.inf)
        assert (errors <= best.get(k % SETTINGS.islands, np.inf)).all()
        best[k % SETTINGS.islands] = errors
        filled = np.argwhere(island.sizes[:, ELITES_OF:] == 1)
        for level, niche in filled:
            assert not {ABSORB, LIFT, COPY, GRAFT, LOWER} & set(path(island.notes[level, niche]))
    assert min(errors.min() for errors in best.values()) < 5e-4


def test_the_two_differ_from_evolution() -> None:
    chosen = {name: [island for _, island in slices(name, 3)] for name in ("pareto", "random")}
    found = {name: {operator for island in islands for place in members(island) for operator in path(island.notes[place])}
             for name, islands in chosen.items()}  # fmt: skip
    assert {ABSORB, LIFT} <= found["pareto"] and not {ABSORB, LIFT} & found["random"]


@pytest.mark.parametrize("algorithm", ["random", "hillclimb"])
def test_restarts_begin_from_nothing(algorithm: str) -> None:
    search = search_by(algorithm, patience=1, islands=1, fuel=1e3)
    search._best = [np.zeros(search._problem.levels)]  # so that nothing is an improvement
    job = search.ask()
    assert job is not None
    before = int(search._islands[0].rng[0])
    search.tell(job, resolve(job.function)(**job.payload))
    assert search._restarts == [1] and not search._islands[0].sizes.any()
    assert int(search._islands[0].rng[0]) != before
