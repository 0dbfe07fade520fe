"""Enumeration as a search: all structures of a cost, the best constants for the known ones, an honest note, and resumption."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine import SETTINGS, problem_of

import evosearch
from evosearch.backends.reference import evaluate
from evosearch.errors import ConfigError
from evosearch.evaluation.pool import resolve
from evosearch.evolution.enumerate import make_walk
from evosearch.evolution.starts import FIT_ERROR
from evosearch.language.infer import cost
from evosearch.report.show import shown
from evosearch.search.algorithms import make_search
from evosearch.search.checkpoint import decode, encode
from evosearch.search.config import SearchConfig, read_config
from evosearch.search.enumeration import EnumerationSearch, kernels, run_stretch
from evosearch.search.loop import Status
from evosearch.search.pareto import rows_program
from evosearch.search.store import Store
from primitives.arithmetic import FIELD

STRUCTURES = [6, 64, 1274]
"""Of cost 1, 2 and 3 over + - * /."""
CONFIRM = "evosearch.winners.confirm:confirm"
"""Never called here: `drive` answers in its place."""


def search(max_cost: float = 3, **settings: Any) -> EnumerationSearch:
    """An enumeration for exp2 whose stretches are short."""
    changes = {"algorithm": "enumerate", "max_cost": max_cost, "fuel": 1e6, "starts": 2, **settings}
    config = replace(read_config("exp2"), search=replace(SETTINGS, **changes))
    made = make_search(config, config.load_task(), FIELD, CONFIRM)
    assert isinstance(made, EnumerationSearch)
    return made


def drive(found: EnumerationSearch, jobs: int = 1_000_000, refuse: int = 0) -> list[Any]:
    """Tell up to `jobs` results in ask order, the window full; the first `refuse` candidates are refused."""
    open_jobs: deque[Any] = deque()
    log: list[Any] = []
    while len(log) < jobs:
        while len(open_jobs) < found.window and not found.finished and (job := found.ask()) is not None:
            open_jobs.append(job)
        if not open_jobs:
            break
        job = open_jobs.popleft()
        if job.function != CONFIRM:
            result: Any = resolve(job.function)(**job.payload)
        elif refuse:
            result, refuse = {"refused": "a pole"}, refuse - 1
        else:
            program = job.payload["program"]
            result = {"program": program, "cost": cost(program, FIELD), "error": 1.0, "metrics": {}}
        told = found.tell(job, result)
        log.append((job.number, told.evaluations, told.work, [entrant.key for entrant in told.entrants], told.note))
    return log


def test_the_known_best_of_small_costs_is_found_and_called_evidence(tmp_path: Path) -> None:
    options = [("search.max_cost", 3), ("search.starts", 4)]
    run = evosearch.run("exp2", algorithm="enumerate", overrides=options, out=tmp_path / "run", workers=0)
    assert run.status is Status.COMPLETE
    assert run.evaluations == sum(STRUCTURES)
    best = {member.cost: member.certified_error for member in run.front()}
    assert best[2] == pytest.approx(2.98e-2, rel=0.01)
    assert best[3] == pytest.approx(8.67e-4, rel=0.01)
    note = "evidence, not a proof: every structure of cost <= 3 (1,344), each fitted from 4 starts"
    assert "enumerate, seed 1, 4 starts" in shown(run)[0]
    assert note in shown(run)
    assert run.show_json()["note"] == note


def test_each_structure_is_asked_once_and_the_note_counts_what_was_told() -> None:
    found = search()
    log = drive(found)
    assert found.finished
    assert sum(evaluations for _, evaluations, *_ in log) == sum(STRUCTURES)
    assert len(log) > 10
    assert [note for *_, note in log if "every structure of cost <= 2 (70) and the first" in note]
    assert found.note.startswith("evidence, not a proof: every structure of cost <= 3 (1,344)")


def test_how_the_enumeration_is_cut_up_does_not_matter() -> None:
    problem = problem_of(max_cost=3)
    whole = run_stretch(problem, 3, None, 2000, 4, 1, np.inf)
    assert whole["structures"] == STRUCTURES[2]
    assert whole["fits"] > 3 * whole["structures"]
    cut: list[float] = []
    rows = None
    for _ in range(7):
        walk = make_walk(problem.costs, 3, rows)
        part = run_stretch(problem, 3, rows, 200, 4, 1, np.inf)
        cut += part["values"][:, FIT_ERROR].tolist()
        kernels(problem.ops).skip(walk, 200)
        rows = walk.g[: walk.size[0]].copy()
    assert min(cut) == whole["values"][0, FIT_ERROR]


def test_what_a_stretch_reports_is_what_the_program_does() -> None:
    problem = problem_of(max_cost=3)
    part = run_stretch(problem, 3, None, 2000, 2, 1, np.inf)
    x, target, _low, weight = problem.fit
    errors = part["values"][:, FIT_ERROR]
    assert (np.diff(errors) > 0).all()
    for rows, values, error in zip(part["rows"], part["values"], errors, strict=True):
        (value,) = evaluate(rows_program(rows, values, problem), x)
        assert np.sqrt(np.mean(((value - target) * weight) ** 2)) == pytest.approx(error, rel=1e-6)


def test_other_seeds_guess_otherwise() -> None:
    problem = problem_of(max_cost=3)
    one, other = (run_stretch(problem, 3, None, 300, 1, seed, np.inf)["values"] for seed in (1, 2))
    assert not np.array_equal(one, other)


def test_a_refused_candidate_makes_room_for_the_next_best() -> None:
    plain, refused = search(max_cost=2), search(max_cost=2)
    wanted = [keys for _, _, _, keys, _ in drive(plain) if keys]
    got = [keys for _, _, _, keys, _ in drive(refused, refuse=1) if keys]
    assert got and got[0] != wanted[0]


def test_it_goes_on_from_its_state_as_if_nothing_had_happened() -> None:
    whole = drive(search())
    first = search()
    begun = drive(first, jobs=len(whole) // 2)
    again = search()
    again.restore(decode(encode(first.state()), FIELD))
    assert begun + drive(again) == whole


def test_workers_change_nothing(tmp_path: Path) -> None:
    options = [("search.max_cost", 3), ("search.starts", 2), ("search.fuel", 1e6)]
    dumps = []
    for workers in (0, 2):
        folder = tmp_path / str(workers)
        evosearch.run("exp2", algorithm="enumerate", overrides=options, out=folder, workers=workers)
        store = Store.open(folder)
        dumps.append(store.dump())
        store.close()
    assert dumps[0] == dumps[1]


def test_no_starts_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"search\.starts must be at least 1"):
        SearchConfig(starts=0)
