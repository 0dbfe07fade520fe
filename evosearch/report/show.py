"""What `show`, `list` and the end of a run print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from evosearch.errors import EvosearchError
from evosearch.report.live import totals_line
from evosearch.report.table import Classical, aligned
from evosearch.report.views import VIEWS
from evosearch.search.config import RunConfig
from evosearch.search.loop import Status
from evosearch.search.store import StoredProgram


class ShownRun(Protocol):
    """What is shown of a run."""

    meta: Mapping[str, Any]
    config: RunConfig
    status: Status
    seconds: float
    task_text: str

    @property
    def name(self) -> str: ...
    @property
    def reference(self) -> str: ...
    @property
    def evaluations(self) -> int: ...
    def front(self) -> Sequence[StoredProgram]: ...
    @property
    def winner_id(self) -> int | None: ...
    def seconds_by(self) -> Mapping[str, float]: ...
    def classical(self) -> Classical: ...
    def counters(self) -> Mapping[str, float]: ...


def shown(run: ShownRun) -> list[str]:
    """What `show` prints: the run, its front with ids, how it ended, what to type next."""
    front = run.front()
    search = run.config.search
    lines = [f"run {run.name}   {run.task_text}   {search.algorithm}, seed {search.seed}, {search.breadth()}", ""]
    view = VIEWS[run.config.family]
    lines += view.front_table(front, run.classical()) if front else ["no program yet"]
    remarks = view.remarks(front, run.counters(), run.seconds)
    return [*lines, *remarks, *_note(run), "", _totals(run), *_shares(run), how_it_ended(run), next_line(run)]


def ending(run: ShownRun) -> list[str]:
    """What the end of a run prints."""
    view = VIEWS[run.config.family]
    table = view.live_table(run.front(), run.classical()) if run.front() else ["no program yet"]
    if run.status is Status.INTERRUPTED:  # the command says the rest
        return [*table, *_note(run), _totals(run)]
    return [*table, *_note(run), _totals(run), how_it_ended(run), next_line(run)]


def _note(run: ShownRun) -> list[str]:
    """What the search says its result is worth, if it says anything."""
    return [str(run.meta["note"])] if run.meta.get("note") else []


def _totals(run: ShownRun) -> str:
    totals = totals_line(run.seconds, run.evaluations, counted=VIEWS[run.config.family].counted)
    warm = run.meta.get("warm_seconds")
    preparing = f"   (and {warm:.1f} s to prepare the workers)" if warm and warm >= 0.1 else ""
    return f"{totals}{preparing}"


def _shares(run: ShownRun) -> list[str]:
    """Where the time went, in shares of the search time."""
    seconds = run.seconds_by()
    workers = seconds.get("jobs", 0.0) + seconds.get("waiting", 0.0)
    if not workers or not run.seconds:
        return []
    parent = ", ".join(f"{name} {seconds.get(name, 0.0) / run.seconds:.1%}" for name in ("search", "store"))
    return [f"workers wait {seconds['waiting'] / workers:.1%} of their time; the main process: {parent} of the search time"]


def how_it_ended(run: ShownRun) -> str:
    """One line."""
    match run.status:
        case Status.BUDGET:
            return f"stopped by its budget (equivalent: --budget {run.evaluations})"
        case Status.GOAL:
            return f"stopped by its goal, {run.config.search.until}"
        case Status.COMPLETE:
            return "complete: nothing is left to search"
        case Status.RUNNING:
            return "still running"
        case _:
            return f"interrupted; go on with: evosearch resume {run.reference}"


def next_line(run: ShownRun) -> str:
    """What to type next."""
    front, name = run.front(), run.reference
    if not front:
        return f"next: evosearch resume {name} --budget 10m"
    best = front[-1].id if run.winner_id is None else run.winner_id
    return VIEWS[run.config.family].next_line(name, run.config.name, front, best)


def listing(runs: Iterable[ShownRun | EvosearchError], shipped: Mapping[str, str]) -> list[str]:
    """What `list` prints: the runs here, then the run files that ship."""
    rows, broken = [["run", "status", "evaluations", "best", "task"]], []
    for run in runs:
        if isinstance(run, EvosearchError):
            broken.append(f"cannot be opened: {run}")
            continue
        front = run.front()
        view = VIEWS[run.config.family]
        best = f"{view.worth} {view.short(front[-1])} at {view.axis} {front[-1].cost:g}" if front else "-"
        rows.append([run.name, run.status.value, f"{run.evaluations:,}", best, run.task_text])
    table = aligned(rows, left=(0, 1, 3, 4)) if len(rows) > 1 else ["no runs in ./runs/; start one: evosearch run exp2"]
    files = aligned([[name, task] for name, task in shipped.items()], left=(0, 1)) if shipped else ["none"]
    return [*table, *broken, "", "run files that ship (evosearch run NAME):", *(f"  {line}" for line in files)]
