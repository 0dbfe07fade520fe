"""What the benchmarks share: driving a search in this process, and what came of it.

Competitors have one thread, and their seconds are the processor's: those of the clock where nothing else runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.evaluation.pool import resolve
from evosearch.language.infer import cost
from evosearch.language.op import OpSet
from evosearch.language.program import Program
from evosearch.search.algorithms import make_search
from evosearch.search.config import read_config
from evosearch.search.island import COUNT, LENGTH
from evosearch.search.protocol import Search
from evosearch.search.work import Problem, polished

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Grown:
    """What one run of a competitor gives.

    Attributes:
        fitted: candidates whose constants were fitted (evaluated, where they are not fitted).
        operations: + - * / in each program of the last population; (programs,).
        error: largest absolute error of the best program, in float64.
        best: the same by the program's cost, where there is a choice.
    """

    fitted: int
    seconds: float
    operations: Ints
    error: float
    best: dict[float, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Candidates a second."""
        return self.fitted / self.seconds


@dataclass
class Totals:
    """How far a driven search has come: `best` is the smallest error of an entrant by its cost."""

    seconds: float = 0.0
    work: int = 0
    evaluations: int = 0
    best: dict[float, float] = field(default_factory=dict)


def accept(problem: Problem, program: Program, task: Any, ops: OpSet) -> dict[str, Any]:
    """In the place of certified confirmation, which takes a worker of its own: the polished program and its error."""
    core, error = polished(problem, program)
    whole = task.wrap(core, ops)
    return {"program": whole, "cost": cost(whole, ops), "error": error, "metrics": {}}


def search_for(run: str = "exp2", task: dict[str, Any] | None = None, **settings: Any) -> Search:
    """The search of a run file with other settings."""
    config = read_config(run, [(f"task.{key}", value) for key, value in (task or {}).items()])
    config = replace(config, search=replace(config.search, **settings))
    made = config.load_task()
    return make_search(config, made, config.load_ops(), "driving:accept")  # type: ignore[arg-type]


def warm(search: Search) -> None:
    """Compile what the search needs."""
    if search.warm is not None:
        function, payload = search.warm
        resolve(function)(**payload, progress=lambda _line: None)


def drive(search: Search, until: Callable[[Totals], bool]) -> Totals:
    """Run the search's jobs one by one in this process until a condition holds or nothing is left."""
    totals, start = Totals(), time.process_time()
    while not until(totals) and not search.finished and (job := search.ask()) is not None:
        told = search.tell(job, resolve(job.function)(**job.payload))
        totals.seconds = time.process_time() - start
        totals.work += told.work
        totals.evaluations += told.evaluations
        for entrant in told.entrants:
            totals.best[entrant.cost] = min(entrant.error, totals.best.get(entrant.cost, np.inf))
    return totals


def lengths(search: Any) -> Ints:
    """Operations of all members of the islands' populations."""
    found = []
    for island in search._islands:
        first = island.values.shape[1] - search._members
        for level, count in enumerate(island.sizes[:, COUNT]):
            found += island.notes[level, first : first + count, LENGTH].tolist()
    return np.array(found, np.int64)
