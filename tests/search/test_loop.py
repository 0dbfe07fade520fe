"""The loop: the same content however a run is worked off, cut or interrupted."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import ToySearch

from evosearch.errors import WorkerError
from evosearch.evaluation.pool import InProcessPool, PoolResult
from evosearch.search.budget import Budget, Goal
from evosearch.search.checkpoint import decode, from_parts
from evosearch.search.loop import Interrupt, Progress, Status, enter_front, run_loop
from evosearch.search.protocol import Job, Told
from evosearch.search.store import Store
from primitives.arithmetic import FIELD

ENOUGH = Budget(evaluations=10**9)


class ShuffledPool(InProcessPool):
    """Hands results out late and in another order than they were submitted, as several workers would."""

    def __init__(self) -> None:
        super().__init__()
        self.done: deque[PoolResult] = deque()

    def next(self, timeout: float | None = None) -> PoolResult | None:
        while (result := super().next(timeout)) is not None:
            self.done.append(result)
        return self.done.pop() if self.done else None


class ObservedPool(InProcessPool):
    """Counts how many jobs are open at most."""

    most = 0

    def submit(self, job_id: int, function: str, payload: Mapping[str, Any]) -> None:
        super().submit(job_id, function, payload)
        self.most = max(self.most, len(self._open))


def play(store: Store, search: ToySearch, budget: Budget = ENOUGH, **options: Any) -> Status:
    """Run, or go on with what the store holds."""
    totals = store.totals()
    progress = Progress(evaluations=int(totals["evaluations"]), slices=int(totals["slices"]))
    progress.seconds = store.meta().get("seconds", 0.0)
    for program in store.programs():
        enter_front(progress.front, program)
    if parts := store.checkpoint():
        search.restore(decode(from_parts(parts), FIELD))
    pool = options.pop("pool", None) or InProcessPool()
    options.setdefault("interrupt", Interrupt())
    return run_loop(search, pool, store, budget, options.pop("goal", None), progress, **options)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> str:
    store = Store.create(tmp_path_factory.mktemp("whole") / "run", {})
    assert play(store, ToySearch(FIELD)) is Status.COMPLETE
    return store.dump()


def test_results_in_another_order_change_nothing(tmp_path: Path, uninterrupted: str) -> None:
    store = Store.create(tmp_path, {})
    play(store, ToySearch(FIELD), pool=ShuffledPool())
    assert store.dump() == uninterrupted


def test_another_seed_changes_the_dump(tmp_path: Path, uninterrupted: str) -> None:
    store = Store.create(tmp_path, {})
    play(store, ToySearch(FIELD, seed=2))
    assert store.dump() != uninterrupted


def test_as_many_jobs_are_open_as_the_window_holds(tmp_path: Path) -> None:
    pool = ObservedPool()
    play(Store.create(tmp_path, {}), ToySearch(FIELD, window=2), pool=pool)
    assert pool.most == 2


@settings(max_examples=12)
@given(cuts=st.lists(st.integers(1, 39), min_size=1, max_size=3, unique=True))
def test_interrupted_at_any_tell_and_resumed_equals_uninterrupted(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory, uninterrupted: str
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    Store.create(folder, {}).close()
    for cut in sorted(cuts):
        interrupt = Interrupt()

        def stop(progress: Progress, interrupt: Interrupt = interrupt, cut: int = cut) -> None:
            interrupt.requested = progress.slices >= cut

        store = Store.open(folder, writable=True)
        assert play(store, ToySearch(FIELD), interrupt=interrupt, observe=stop) is Status.INTERRUPTED
        assert store.totals()["slices"] == cut
        store.close()
    store = Store.open(folder, writable=True)
    assert play(store, ToySearch(FIELD)) is Status.COMPLETE
    assert store.dump() == uninterrupted
    store.close()


@settings(max_examples=8)
@given(first=st.integers(1, 30), more=st.integers(1, 30))
def test_an_extended_budget_equals_a_longer_run(first: int, more: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = Store.create(tmp_path_factory.mktemp("whole"), {})
    assert play(whole, ToySearch(FIELD), Budget(evaluations=first + more)) is Status.BUDGET
    folder = tmp_path_factory.mktemp("parts")
    for budget in (first, first + more):
        parts = Store.open(folder, writable=True) if budget > first else Store.create(folder, {})
        play(parts, ToySearch(FIELD), Budget(evaluations=budget))
        dump = parts.dump()
        parts.close()
    assert dump == whole.dump()
    whole.close()


@settings(max_examples=6)
@given(seconds=st.integers(1, 12))
def test_a_time_budget_has_an_equivalent_number_of_evaluations(seconds: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    ticks = iter(range(10**6))
    timed = Store.create(tmp_path_factory.mktemp("timed"), {})
    assert play(timed, ToySearch(FIELD), Budget(seconds=seconds * 10), clock=lambda: float(next(ticks))) is Status.BUDGET
    counted = Store.create(tmp_path_factory.mktemp("counted"), {})
    play(counted, ToySearch(FIELD), Budget(evaluations=int(timed.totals()["evaluations"])))
    assert timed.dump() == counted.dump()
    timed.close()
    counted.close()


def test_a_goal_stops_the_run_at_the_tell_that_reaches_it(tmp_path: Path) -> None:
    store = Store.create(tmp_path, {})
    goal = Goal.parse("cost<=3, error<0.2")
    assert play(store, ToySearch(FIELD), goal=goal) is Status.GOAL
    last = store.programs()[-1]
    assert last.slice == store.totals()["slices"] - 1
    assert any(program.cost <= 3 and program.error < 0.2 for program in store.programs())
    assert play(store, ToySearch(FIELD), goal=goal) is Status.GOAL  # at once: it is already reached


def test_a_failed_job_names_its_cause_and_keeps_what_was_told(tmp_path: Path) -> None:
    store = Store.create(tmp_path, {})
    play(store, ToySearch(FIELD), Budget(evaluations=5))
    before = store.totals()["slices"]
    with pytest.raises(WorkerError, match=r"toy_search:fail.*ValueError: no slice for"):
        play(store, ToySearch(FIELD, function="toy_search:fail"))
    assert store.totals()["slices"] == before
    assert store.meta()["status"] == "interrupted"


def test_a_failed_closing_job_is_raised_and_what_was_confirmed_before_it_is_kept(tmp_path: Path) -> None:
    class Confirming(ToySearch):
        def closing(self) -> tuple[Job, ...]:
            jobs = enumerate(("work", "fail"))
            return tuple(Job(100 + k, f"toy_search:{name}", {"seed": k, "island": 0}) for k, name in jobs)

        def tell(self, job: Job, result: Any) -> Told:
            return Told((self._entrant(20, 1e-9),)) if job.number == 100 else super().tell(job, result)

    store = Store.create(tmp_path, {})
    with pytest.raises(WorkerError, match=r"job 101 \(toy_search:fail\) failed: ValueError: no slice for 1"):
        play(store, Confirming(FIELD), Budget(evaluations=5))
    store.close()
    store = Store.open(tmp_path, writable=False)
    assert store.meta()["status"] == "budget"
    assert store.programs()[-1].cost == 20


def test_a_search_that_fails_in_tell_leaves_the_last_commit(tmp_path: Path) -> None:
    class Broken(ToySearch):
        def tell(self, job: Any, result: Any) -> Any:
            if job.number >= 20:
                self.seeds[:] = -1  # half-told
                raise ArithmeticError("in mid-tell")
            return super().tell(job, result)

    store = Store.create(tmp_path, {})
    with pytest.raises(ArithmeticError):
        play(store, Broken(FIELD))
    store.close()
    store = Store.open(tmp_path, writable=True)
    assert store.totals()["slices"] <= 20
    reference = Store.create(tmp_path / "reference", {})
    play(reference, ToySearch(FIELD))
    play(store, ToySearch(FIELD))
    assert store.dump() == reference.dump()
