"""Pareto search as the loop sees it: its jobs follow from what it was told, in that order, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from engine import SETTINGS

from evosearch.backends.reference import evaluate
from evosearch.errors import ConfigError
from evosearch.language.infer import cost
from evosearch.language.text import parse
from evosearch.search.algorithms import make_problem, make_search
from evosearch.search.checkpoint import decode, encode
from evosearch.search.config import SearchConfig, read_config
from evosearch.search.island import COUNT
from evosearch.search.pareto import ParetoSearch, operators
from evosearch.search.protocol import Job, Told
from evosearch.search.work import run_slice
from primitives.arithmetic import FIELD
from tasks.approximation import Approximation

CONFIRM = "evosearch.winners.confirm:confirm"


def make(**changes: Any) -> ParetoSearch:
    config = replace(read_config("exp2"), search=replace(SETTINGS, **{"fuel": 1e6, "max_cost": 5, **changes}))
    search = make_search(config, config.load_task(), FIELD, CONFIRM)
    assert isinstance(search, ParetoSearch)
    return search


def accept(job: Job) -> dict[str, Any]:
    """A result of a job: the slice itself, and an entrant for every candidate."""
    if job.function != CONFIRM:
        return run_slice(**job.payload)
    program = job.payload["program"]
    return {"program": program, "cost": cost(program, FIELD), "error": 0.5, "metrics": {"error_real": 0.5}}


def play(search: ParetoSearch, jobs: int, answer: Any = accept) -> list[tuple[Job, Told]]:
    """Tell so many jobs, one at a time."""
    played = []
    for _ in range(jobs):
        job = search.ask()
        assert job is not None
        played.append((job, search.tell(job, answer(job))))
    return played


def content(job: Job | None) -> Any:
    """What a job is, but for what all jobs of a run share."""
    assert job is not None
    varying = {key: job.payload[key] for key in ("island", "migrants", "banned", "program") if key in job.payload}
    return job.number, job.function, encode(varying)


def test_each_island_has_one_slice_open_at_a_time() -> None:
    search = make()
    jobs = [search.ask() for _ in range(SETTINGS.islands)]
    assert all(jobs) and search.ask() is None
    assert len({int(job.payload["island"]["rng"][0]) for job in jobs if job}) == SETTINGS.islands
    told = search.tell(jobs[0], accept(jobs[0]))  # type: ignore[arg-type]
    assert told.evaluations > 0 and told.work > 0
    following = search.ask()
    assert following is not None and following.number == SETTINGS.islands


def test_a_restored_search_asks_the_same_jobs_as_the_one_that_went_on() -> None:
    search = make()
    play(search, 11)
    open_job = search.ask()  # asked and not told: asked again after the cut
    other = make()
    other.restore(decode(encode(search.state()), FIELD))
    again = other.ask()
    assert open_job is not None and again is not None
    assert content(again) == content(open_job)
    results = accept(open_job)
    assert search.tell(open_job, results).evaluations == other.tell(again, results).evaluations
    for (one, _), (two, _) in zip(play(search, 12), play(other, 12), strict=True):
        assert content(one) == content(two)


def test_every_second_slice_brings_the_neighbour_s_state_of_that_moment() -> None:
    search = make(migration=2)
    slices: dict[int, int] = {}
    latest: dict[int, Any] = {}
    number_of: dict[int, int] = {}
    for _ in range(60):
        job = search.ask()
        assert job is not None
        result = accept(job)
        if job.function != CONFIRM:
            island = number_of.get(job.number, job.number)
            arrived = job.payload["migrants"]
            done = slices.get(island, 0)
            assert (arrived is not None) == (done > 0 and done % 2 == 0)
            slices[island], latest[island] = done + 1, result["island"]
        before = search.state()["tickets"]
        search.tell(job, result)
        for ticket in search.state()["waiting"]:
            if ticket["number"] >= before and ticket["candidate"] is None:
                number_of[ticket["number"]] = ticket["island"]
    assert min(slices.values()) > 4


def test_a_refused_program_is_banned_and_its_cost_is_open_again() -> None:
    search = make(islands=1)
    refused: list[Any] = []

    def refuse_first(job: Job) -> dict[str, Any]:
        if job.function == CONFIRM and not refused:
            refused.append(job.payload["program"])
            return {"refused": "a pole at 0.5"}
        return accept(job)

    played = play(search, 20, refuse_first)
    told = next(told for job, told in played if job.function == CONFIRM)
    assert told.entrants == () and told.counters == {"refused": 1.0}
    at = next(number for number, (job, _) in enumerate(played) if job.function == CONFIRM)
    later = [job for job, _ in played[at + 1 :] if job.function != CONFIRM]
    assert all(len(job.payload["banned"]) == 1 for job in later[1:]) and later
    level = cost(refused[0], FIELD)
    candidates = [job.payload["program"] for job, _ in played[at + 1 :] if job.function == CONFIRM]
    assert any(cost(program, FIELD) == level for program in candidates)


def test_only_what_beats_all_that_is_no_dearer_is_confirmed() -> None:
    x = np.linspace(0, 1, 200)
    best: dict[float, float] = {}
    for job, told in play(make(), 60):
        for entrant in told.entrants:
            assert job.function == CONFIRM
            error = float(np.max(np.abs(evaluate(entrant.program, x)[0] / np.exp2(x) - 1)))
            rivals = [value for level, value in best.items() if level <= entrant.cost]
            assert error < 3 * min(rivals, default=np.inf)  # ranked by the root mean square, so only nearly
            best[entrant.cost] = min(error, best.get(entrant.cost, np.inf))
    assert len(best) >= 3


def test_an_island_that_finds_nothing_starts_anew_with_other_numbers_and_stays_alone_for_a_while() -> None:
    search = make(islands=2, patience=2, isolation=3, migration=1, max_cost=2)
    seeds = {int(island["rng"][0]) for island in search.state()["islands"]}
    isolated = restarts = 0
    for _ in range(60):
        before = search.state()
        job = search.ask()
        assert job is not None
        search.tell(job, accept(job))
        after = search.state()
        for number in range(2):
            if after["restarts"][number] > before["restarts"][number]:
                restarts += 1
                fresh = after["islands"][number]
                assert fresh["sizes"][:, COUNT].sum() == 0 and int(fresh["rng"][0]) not in seeds
                seeds.add(int(fresh["rng"][0]))
        for ticket in after["waiting"]:
            young = after["restarts"][ticket["island"]] > 0 and after["slices"][ticket["island"]] < 3
            if ticket["candidate"] is None and young:
                assert ticket["migrants"] is None
                isolated += 1
    assert restarts >= 2 and isolated > 0


def test_an_entrant_names_its_nearest_archived_ancestor_and_the_operators_since() -> None:
    search = make(islands=1, migration=100, patience=100, max_cost=8, fuel=4e6)
    keys: set[str] = set()
    children = 0
    for _, told in play(search, 60):
        for entrant in told.entrants:
            assert entrant.parent is None or entrant.parent in keys
            assert entrant.operators and len(entrant.operators) <= 16 and all(entrant.operators)
            children += entrant.parent is not None
            keys.add(entrant.key)
    assert children > 0


def test_a_path_is_read_oldest_first() -> None:
    assert operators(0x1267, 4) == ("insert", "delete", "lift", "absorb")
    assert operators(0x1267, 2) == ("lift", "absorb")
    assert len(operators(0x1111_1111_1111_1111, 40)) == 16


@pytest.mark.parametrize(
    ("costs", "max_cost", "in_levels", "unit", "levels"),
    [
        ({}, 6.0, [1, 1, 1, 1], 1.0, 7),
        ({"div": 4.0}, 12.0, [1, 1, 1, 4], 1.0, 13),
        ({"add": 0.5, "sub": 0.5, "div": 2.5}, 5.0, [1, 1, 2, 5], 0.5, 11),
        ({"add": 2.0, "sub": 2.0, "mul": 2.0, "div": 6.0}, 9.0, [1, 1, 1, 3], 2.0, 5),
    ],
)
def test_costs_become_whole_levels(
    costs: dict[str, float], max_cost: float, in_levels: list[int], unit: float, levels: int
) -> None:
    ops = FIELD.subset([op.name for op in FIELD], costs)
    problem = make_problem(SearchConfig(max_cost=max_cost), Approximation("exp2"), ops)
    assert problem.costs.tolist() == in_levels and problem.unit == unit and problem.levels == levels


@pytest.mark.parametrize(("costs", "max_cost"), [({"mul": 0.0}, 6.0), ({"div": 3.1415}, 12.0), ({}, 0.5), ({}, 1000.0)])
def test_costs_that_make_no_levels_are_refused(costs: dict[str, float], max_cost: float) -> None:
    ops = FIELD.subset([op.name for op in FIELD], costs)
    with pytest.raises(ConfigError):
        make_problem(replace(SearchConfig(), max_cost=max_cost), Approximation("exp2"), ops)


def test_a_start_program_is_there_from_the_beginning() -> None:
    text = "def f(x):\n    a = mul(x, 0.9)\n    b = add(a, 1.0)\n    return b\n"
    search = make(start=text)
    for island in search.state()["islands"]:
        assert island["sizes"][:, COUNT].tolist() == [0, 0, 1, 0, 0, 0]
    assert cost(parse(text, FIELD), FIELD) == 2
