"""Enumeration: every canonical structure of rising cost, each fitted from several starts; the yardstick of evolution.

Jobs are stretches of the enumeration, planned here by walking over the structures without fitting them (millions a second),
and confirmations of what a stretch found. Not a proof: a fit may miss the best constants from every one of its starts.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import assemble
from evosearch.evolution.enumerate import make_walk
from evosearch.evolution.starts import FIT_ERROR, FITS, STRUCTURES, StartRules, make_found, make_scratch
from evosearch.language.infer import canonical_hash
from evosearch.language.op import OpSet
from evosearch.language.program import Program
from evosearch.search.config import SearchConfig
from evosearch.search.pareto import IMPROVEMENT, Confirm, rows_program
from evosearch.search.protocol import Entrant, Job, Payload, Told
from evosearch.search.queued import Queued
from evosearch.search.work import Problem, noise_floor

KERNELS = (
    "evosearch.evolution.random",
    "evosearch.evolution.genome",
    "evosearch.evolution.fit",
    "evosearch.evolution.enumerate",
    "evosearch.evolution.starts",
)
STRETCH = "evosearch.search.enumeration:run_stretch"
WARM = "evosearch.search.enumeration:warm"
WINDOW = 32
LEADS = 8
"""How many candidates of a cost wait for the case that better ones are refused; a stretch reports as many."""
STEPS = 100
"""Evaluations that a fit takes, about: what the length of a stretch is planned by."""
PATIENCE = 3000
"""Most steps of a fit that comes near what is known: with so many, 12% of the starts reach the best [2/2] continued fraction
for 2^x, with 300 steps 1%."""


def kernels(ops: OpSet) -> ModuleType:
    """The compiled kernels for an op set."""
    return assemble(ops, KERNELS, "enumeration")


def warm(problem: Problem, progress: Callable[[str], None]) -> None:
    """Compile everything that this search calls, or load it from the cache."""
    from evosearch.search import work

    progress("compiling the kernels of the enumeration (once, about 20 s)")
    level = int(problem.costs.min())
    kernels(problem.ops).skip(make_walk(problem.costs, level), 1)
    run_stretch(problem, level, None, 2, 1, 1, np.inf)
    compiled, bench = work.kernels(problem.ops), problem.bench(problem.dense)
    compiled.polish(bench, make_scratch().code, 1, 0, 1)


def run_stretch(
    problem: Problem, level: int, rows: NDArray[np.int64] | None, count: int, starts: int, seed: int, hurdle: float
) -> dict[str, Any]:
    """Fit the next `count` structures of cost `level` after the structure `rows` (n, 4); None: from the first one on.

    Args:
        starts: fits of each structure.
        seed: of their guesses.
        hurdle: root mean square error above which nothing is reported.

    Returns:
        The best under "rows" (list of (n, 4)) and "values" (K, 2 MAX_CONSTANTS + 1), best first; the numbers of "structures"
        and "fits", the "work", and the "seconds" in kernels.
    """
    found, walk = make_found(LEADS), make_walk(problem.costs, level, rows)
    bench, probe = problem.bench(problem.fit), problem.bench(problem.probe)
    rules = StartRules(seed, starts, PATIENCE, hurdle, noise_floor(bench))
    start = time.perf_counter()
    kernels(problem.ops).fit_stretch(walk, bench, probe, make_scratch(), rules, found, count)
    filled = [k for k in range(LEADS) if found.lengths[k] > 0]
    return {
        "rows": [found.code[k, : found.lengths[k]] for k in filled],
        "values": found.values[filled],
        "structures": int(found.counts[STRUCTURES]),
        "fits": int(found.counts[FITS]),
        "work": int(bench.work[0] + probe.work[0]),
        "seconds": time.perf_counter() - start,
    }


@dataclass(frozen=True)
class _Ticket:
    """A job in the making: `count` structures of a level after `rows`, or a candidate of that level with its error."""

    number: int
    level: int
    rows: NDArray[np.int64] | None = None
    count: int = 0
    hurdle: float = np.inf
    candidate: Program | None = None
    error: float = np.inf


class EnumerationSearch(Queued[_Ticket]):
    """All structures by rising cost; see `evosearch.search.protocol.Search`."""

    def __init__(self, config: SearchConfig, problem: Problem, wrapper_cost: float, confirm: Confirm) -> None:
        super().__init__()
        self._config, self._problem, self._confirm = config, problem, confirm
        self._wrapper_cost = wrapper_cost
        self._level = 1
        self._rows: NDArray[np.int64] | None = None  # where planning stands
        self._planned = np.zeros(problem.levels, np.int64)
        self._fitted = np.zeros(problem.levels, np.int64)
        self._best = np.full(problem.levels, np.inf)  # of confirmed programs
        self._leads: list[list[tuple[float, Program]]] = [[] for _ in range(problem.levels)]
        self._tickets = 0

    @property
    def window(self) -> int:
        """Enough for the workers; what is found is confirmed after all that is open."""
        return WINDOW

    @property
    def warm(self) -> tuple[str, Payload] | None:
        """Compile the kernels."""
        return WARM, {"problem": self._problem}

    @property
    def finished(self) -> bool:
        """Whether all structures up to the highest cost were asked for."""
        return self._level >= self._problem.levels and not self._queue

    @property
    def note(self) -> str:
        """What the result is worth, for people."""
        done = 1
        while done < self._level and self._fitted[done] == self._planned[done]:
            done += 1
        parts = [f"every structure of cost <= {self._cost(done - 1):g} ({self._fitted[:done].sum():,})"] if done > 1 else []
        if done < self._problem.levels and self._fitted[done] > 0:
            parts.append(f"the first {self._fitted[done]:,} of cost {self._cost(done):g}")
        what = " and ".join(parts) or "no structure yet"
        return f"evidence, not a proof: {what}, each fitted from {self._config.starts} starts"

    def _cost(self, level: int) -> float:
        return level * self._problem.unit + self._wrapper_cost

    def ask(self) -> Job | None:
        """A candidate to confirm, or the next stretch."""
        if not self._queue and (ticket := self._plan()) is not None:
            self._queue.append(ticket)
        return super().ask()

    def closing(self) -> tuple[Job, ...]:
        """The candidates that are not confirmed yet."""
        return self._close(lambda ticket: ticket.candidate is not None)

    def _job(self, ticket: _Ticket) -> Job:
        if ticket.candidate is not None:
            return self._confirm.job(ticket.number, self._problem, ticket.candidate)
        payload = {
            "problem": self._problem,
            "level": ticket.level,
            "rows": ticket.rows,
            "count": ticket.count,
            "starts": self._config.starts,
            "seed": self._config.seed,
            "hurdle": ticket.hurdle,
        }
        return Job(ticket.number, STRETCH, payload)

    def _plan(self) -> _Ticket | None:
        """The next stretch, of about as much work as a slice of evolution; None after the last one.

        A level begins when the one before it is done, for it has to beat what that one found.
        """
        compiled = kernels(self._problem.ops)
        while self._level < self._problem.levels and all(t.level >= self._level for t in self._open.values()):
            level, rows = self._level, self._rows
            walk = make_walk(self._problem.costs, level, rows)
            work = self._config.starts * STEPS * level * self._problem.fit.shape[1]
            count = int(compiled.skip(walk, max(1, int(self._config.fuel / work))))
            length = walk.size[0]
            self._level, self._rows = (level, walk.g[:length].copy()) if length > 0 else (level + 1, None)
            if count > 0:
                self._planned[level] += count
                return self._numbered(_Ticket(0, level, rows, count, float(self._best[: level + 1].min())))
        return None

    def _numbered(self, ticket: _Ticket) -> _Ticket:
        self._tickets += 1
        return dataclasses.replace(ticket, number=self._tickets - 1)

    def tell(self, job: Job, result: Any) -> Told:
        """Take a result."""
        ticket = self._open.pop(job.number)
        told = self._tell_stretch(ticket, result) if ticket.candidate is None else self._tell_candidate(ticket, result)
        self._offer(ticket.level)
        return dataclasses.replace(told, note=self.note)

    def _tell_stretch(self, ticket: _Ticket, result: Any) -> Told:
        self._fitted[ticket.level] += result["structures"]
        leads = self._leads[ticket.level]
        for rows, values in zip(result["rows"], result["values"], strict=True):
            leads.append((float(values[FIT_ERROR]), rows_program(rows, values, self._problem)))
        leads.sort(key=lambda lead: lead[0])
        del leads[LEADS:]
        return Told(
            evaluations=result["structures"],
            work=result["work"],
            counters={"kernel_seconds": result["seconds"], "fits": result["fits"]},
        )

    def _tell_candidate(self, ticket: _Ticket, result: Any) -> Told:
        if "refused" in result:
            return Told(counters={"refused": 1.0})
        self._best[ticket.level] = min(self._best[ticket.level], ticket.error)
        program = result["program"]
        entrant = Entrant(
            key=canonical_hash(program),
            program=program,
            cost=result["cost"],
            error=result["error"],
            metrics=result["metrics"],
            operators=("enumerate",),
        )
        return Told(entrants=(entrant,))

    def _offer(self, level: int) -> None:
        """Ask to confirm a level's best lead, if none of that level is under way and it beats what is confirmed."""
        under_way = any(t.candidate is not None and t.level == level for t in self._waiting())
        leads = self._leads[level]
        if under_way or not leads:
            return
        error, program = leads.pop(0)
        if error < IMPROVEMENT * self._best[: level + 1].min():
            self._queue.append(self._numbered(_Ticket(0, level, candidate=program, error=error)))
        else:
            leads.clear()  # the others are no better

    def state(self) -> dict[str, Any]:
        """All of the search as plain data."""
        tickets = self._waiting()
        return {
            "level": self._level,
            "rows": self._rows,
            "planned": self._planned,
            "fitted": self._fitted,
            "best": self._best,
            "leads": [[[error, program] for error, program in leads] for leads in self._leads],
            "tickets": self._tickets,
            "waiting": [{item.name: getattr(ticket, item.name) for item in dataclasses.fields(ticket)} for ticket in tickets],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; jobs that were open are asked again."""
        self._level, self._rows, self._tickets = state["level"], state["rows"], state["tickets"]
        self._planned, self._fitted, self._best = (np.array(state[name]) for name in ("planned", "fitted", "best"))
        self._leads = [[(error, program) for error, program in leads] for leads in state["leads"]]
        self._wait_again(_Ticket(**fields) for fields in state["waiting"])
