"""The loop that drives a search: ask, submit, tell in ask order, record, stop.

What a run finds depends on its file and its seed alone: results are told in the order in which they were asked,
however many workers there are and whichever is done first. Clocks decide only after which tell a run stops, and when
it is written to disk.
"""

from __future__ import annotations

import enum
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Protocol

from evosearch.errors import WorkerError
from evosearch.evaluation.pool import Pool, PoolResult
from evosearch.search.budget import Budget, Goal
from evosearch.search.checkpoint import encode, to_parts
from evosearch.search.protocol import Job, Search, Told
from evosearch.search.store import CLOSING, Store

COMMIT_SECONDS = 0.3  # a crash loses at most about so much
COMMIT_SHARE = 50  # a commit waits so many times as long as the last one took: a large state costs 2% at most
POLL_SECONDS = 0.2  # how often a waiting loop looks for Ctrl-C
GRACE_SECONDS = 5.0


class Scored(Protocol):
    """What the front knows of a program: an `Entrant` or a `StoredProgram`."""

    @property
    def key(self) -> str: ...
    @property
    def cost(self) -> float: ...
    @property
    def error(self) -> float: ...
    @property
    def metrics(self) -> Mapping[str, Any]: ...


class Status(enum.StrEnum):
    """Where a run stands. A store that says "running" while nobody holds its lock was cut off."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    BUDGET = "budget"  # stopped by its budget
    GOAL = "goal"  # stopped by its goal
    COMPLETE = "complete"  # nothing was left to search


@dataclass
class Progress:
    """How far a run has come; passed to `observe` after every tell.

    Attributes:
        seconds: search time, over all parts of a resumed run.
        front: the best program of each cost that beats all cheaper ones, by cost.
        busy_seconds, waited_seconds: time of workers inside and between jobs.
        parent_seconds: time of this process by what it did: "search" (ask and tell), "store".
    """

    evaluations: int = 0
    work: int = 0
    slices: int = 0
    seconds: float = 0.0
    busy_seconds: float = 0.0
    waited_seconds: float = 0.0
    parent_seconds: dict[str, float] = field(default_factory=lambda: {"search": 0.0, "store": 0.0})
    front: dict[float, Scored] = field(default_factory=dict)


Observe = Callable[[Progress], None]


class Interrupt:
    """Whether the run was asked to stop."""

    requested = False


@contextmanager
def interrupts() -> Iterator[Interrupt]:
    """Within it, Ctrl-C (and SIGTERM) asks the loop to stop between two tells; a second Ctrl-C ends the process at once."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        interrupt.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_loop(
    search: Search,
    pool: Pool,
    store: Store,
    budget: Budget,
    goal: Goal | None,
    progress: Progress,
    *,
    interrupt: Interrupt,
    observe: Observe = lambda _progress: None,
    clock: Callable[[], float] = time.monotonic,
) -> Status:
    """Drive `search` until it stops; all that was told is in the store when this returns.

    Args:
        search: as made, or restored to the store's last checkpoint.
        progress: as of that checkpoint; updated in place.
        interrupt: asks the loop to stop; open jobs are dropped, and asked again on resume.
        clock: seconds; for tests.

    Raises:
        WorkerError: where a job failed, one of `closing` too, with its traceback as a note; the store holds everything told
            before it.
        Exception: from the search itself, as it is; the store then stands as of its last commit.
    """
    recorder = _Recorder(search, store, progress, clock)
    open_jobs: deque[Job] = deque()
    results: dict[int, PoolResult] = {}
    status = _before_start(search, budget, goal, progress)
    try:
        while status is Status.RUNNING:
            status = _step(search, pool, open_jobs, results, recorder, interrupt)
            if status is Status.RUNNING:
                status = _after_tell(recorder.last, budget, goal, progress)
                recorder.commit_when_due()
                observe(progress)
    except WorkerError:
        recorder.commit(Status.INTERRUPTED)
        raise
    recorder.commit(status)
    if status is not Status.INTERRUPTED:
        _close(search, pool, open_jobs, results, recorder, interrupt)
        observe(progress)
    return status


def _close(
    search: Search,
    pool: Pool,
    open_jobs: deque[Job],
    results: dict[int, PoolResult],
    recorder: _Recorder,
    interrupt: Interrupt,
) -> None:
    """Confirm what was found last, until Ctrl-C.

    The checkpoint stands before it, so that a resumed run walks the same path again.
    """
    asked = {job.number for job in open_jobs}
    jobs = search.closing()
    for job in jobs:
        if job.number not in asked:
            pool.submit(job.number, job.function, job.payload)
    try:
        for job in jobs:
            result = _wait_for(job.number, pool, results, interrupt)
            if result is None:
                return
            recorder.take_closing(job, search.tell(job, _value(job, result)))
    finally:
        recorder.commit_closing()


def _step(
    search: Search,
    pool: Pool,
    open_jobs: deque[Job],
    results: dict[int, PoolResult],
    recorder: _Recorder,
    interrupt: Interrupt,
) -> Status:
    """Ask for as many jobs as the window holds, wait for the oldest one's result and tell it."""
    with recorder.timed("search"):
        _ask(search, pool, open_jobs)
    if not open_jobs:
        return Status.COMPLETE
    result = _wait_for(open_jobs[0].number, pool, results, interrupt)
    if result is None:
        return Status.INTERRUPTED
    job = open_jobs.popleft()
    value = _value(job, result)
    with recorder.timed("search"):
        told = search.tell(job, value)
    recorder.take(job, told, result)
    return Status.RUNNING


def _ask(search: Search, pool: Pool, open_jobs: deque[Job]) -> None:
    while len(open_jobs) < search.window and not search.finished:
        job = search.ask()
        if job is None:
            return
        open_jobs.append(job)
        pool.submit(job.number, job.function, job.payload)


def _wait_for(number: int, pool: Pool, results: dict[int, PoolResult], interrupt: Interrupt) -> PoolResult | None:
    """The result of job `number`, others kept in `results`; None where the run was asked to stop."""
    while not interrupt.requested:
        if number in results:
            return results.pop(number)
        result = pool.next(POLL_SECONDS)
        if result is not None:
            results[result.job_id] = result
    return None


def _value(job: Job, result: PoolResult) -> Any:
    """What a job returned; WorkerError where it failed."""
    return result.value_of(f"job {job.number} ({job.function})")


def _before_start(search: Search, budget: Budget, goal: Goal | None, progress: Progress) -> Status:
    if goal is not None and any(goal.met(goal_fields(entrant)) for entrant in progress.front.values()):
        return Status.GOAL
    if not budget.left(progress):
        return Status.BUDGET
    return Status.COMPLETE if search.finished else Status.RUNNING


def _after_tell(told: Told, budget: Budget, goal: Goal | None, progress: Progress) -> Status:
    if goal is not None and any(goal.met(goal_fields(entrant)) for entrant in told.entrants):
        return Status.GOAL
    # A time budget ends on a tell that added evaluations, so that the same number of them as a budget ends on it too;
    # a search that adds none any more is not waited for.
    late = budget.seconds is not None and progress.seconds >= budget.seconds + GRACE_SECONDS
    if not budget.left(progress) and (told.evaluations > 0 or late):
        return Status.BUDGET
    return Status.RUNNING


def goal_fields(entrant: Scored) -> dict[str, float | None]:
    """What a goal may ask of an entrant."""
    return {
        "cost": entrant.cost,
        "error": entrant.error,
        "error_float64": entrant.metrics.get("error_float64"),
        "certified_error": entrant.metrics.get("error_real"),
        "score": entrant.metrics.get("score"),
        "solved": entrant.metrics.get("solved"),
    }


def enter_front(front: dict[float, Scored], entrant: Scored) -> None:
    """Put an entrant where it is the best of its cost or less, and drop those that it dominates."""
    for cost in [cost for cost, member in front.items() if member.key == entrant.key]:
        del front[cost]
    if any(cost <= entrant.cost and member.error <= entrant.error for cost, member in front.items()):
        return
    for cost in [cost for cost, member in front.items() if cost >= entrant.cost and member.error >= entrant.error]:
        del front[cost]
    front[entrant.cost] = entrant


class _Recorder:
    """Keeps progress and store in step with what was told, and the clocks of both."""

    def __init__(self, search: Search, store: Store, progress: Progress, clock: Callable[[], float]) -> None:
        self._search, self._store, self._progress, self._clock = search, store, progress, clock
        self._start = clock() - progress.seconds
        self._committed_at = clock()
        self._commit_took = 0.0
        self.last = Told()
        self._note = ""
        self._closing: dict[str, float] = {}

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        start = self._clock()
        try:
            yield
        finally:
            self._progress.parent_seconds[what] += self._clock() - start

    def take(self, job: Job, told: Told, result: PoolResult) -> None:
        progress, self.last, self._note = self._progress, told, told.note or self._note
        progress.seconds = self._clock() - self._start
        progress.slices += 1
        progress.evaluations += told.evaluations
        progress.work += told.work
        progress.busy_seconds += result.seconds
        progress.waited_seconds += result.waited
        with self.timed("store"):
            self._store.record(job.number, told, result.seconds, result.waited)
        for entrant in told.entrants:
            enter_front(progress.front, entrant)

    def take_closing(self, job: Job, told: Told) -> None:
        self._store.record(job.number, told, closing=True)
        for name, value in told.counters.items():
            self._closing[name] = self._closing.get(name, 0.0) + value
        for entrant in told.entrants:
            enter_front(self._progress.front, entrant)

    def commit_closing(self) -> None:
        self._store.commit([], {CLOSING: self._closing})

    def commit_when_due(self) -> None:
        if self._clock() - self._committed_at >= max(COMMIT_SECONDS, COMMIT_SHARE * self._commit_took):
            self.commit(Status.RUNNING)

    def commit(self, status: Status) -> None:
        start = self._clock()
        with self.timed("store"):
            meta = {
                "status": status,
                "seconds": self._progress.seconds,
                "evaluations": self._progress.evaluations,
                "parent_seconds": self._progress.parent_seconds,
                **({"note": self._note} if self._note else {}),
            }
            self._store.commit(to_parts(encode(self._search.state())), meta)
        self._committed_at = self._clock()
        self._commit_took = self._committed_at - start
