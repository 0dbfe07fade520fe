"""How a run is driven: made ready, begun, gone on with and left whole, whatever happens."""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evosearch import __version__
from evosearch.errors import ConfigError, WorkerError
from evosearch.evaluation.pool import Pool
from evosearch.language.op import OpSet
from evosearch.record import Classical, Run, compute_classical, read_classical
from evosearch.search import machine
from evosearch.search.budget import Budget
from evosearch.search.config import RunConfig, Task
from evosearch.search.loop import Progress, Status, enter_front, goal_fields, interrupts, run_loop
from evosearch.search.observer import Observer
from evosearch.search.protocol import Search
from evosearch.search.store import Store

LOG = "workers.log"
_OPTIONS = {f"search.{name}": f"--{name}" for name in ("seed", "budget", "until", "algorithm")}


@dataclass(frozen=True)
class Prepared:
    """A checked run, ready to start."""

    config: RunConfig
    ops: OpSet
    task: Task
    search: Search


def prepare(config: RunConfig) -> Prepared:
    """Load and check what the run needs; EvosearchError for what the user can mend."""
    ops, task = config.load_ops(), config.load_task()
    task.check(ops)
    from evosearch.search.algorithms import make_search

    return Prepared(config, ops, task, make_search(config, task, ops, "evosearch.winners.confirm:confirm"))


def first_meta(
    prepared: Prepared, source: str | Path, overrides: list[tuple[str, Any]], start: str | Path | None
) -> dict[str, Any]:
    """What the store of a new run says about it."""
    config = prepared.config
    return {
        "name": config.name,
        "config": config.to_table(),
        "identity": config.identity(),
        "task": prepared.task.describe(prepared.ops),
        "status": Status.RUNNING,
        "seconds": 0.0,
        "evaluations": 0,
        "version": __version__,
        "machine": machine.describe_machine(),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": _command(source, overrides, start),
    }


def _command(source: str | Path, overrides: list[tuple[str, Any]], start: str | Path | None) -> str:
    """The command line that makes the same run."""
    words = ["evosearch", "run", str(source)]
    for key, value in overrides:
        if key in _OPTIONS:
            words += [_OPTIONS[key], str(value)]
        elif key != "search.start":
            words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words if start is None else [*words, "--from", str(start)])


def with_options(command: str, options: Mapping[str, Any]) -> str:
    """The command line with these options set: a run that was extended is the run of the longer command."""
    words = shlex.split(command)
    for name, value in options.items():
        option = f"--{name}"
        if option in words:
            words[words.index(option) + 1] = str(value)
        else:
            words += [option, str(value)]
    return shlex.join(words)


def refuse_finished(run: Run, config: RunConfig, *, extended: bool) -> None:
    """ConfigError where nothing is left to do, by the settings with which the run is to go on."""
    again = f"evosearch resume {run.name}"
    if run.status is Status.COMPLETE:
        raise ConfigError(f"run {run.name} is complete: nothing is left to search; start another with another seed or task")
    goal = config.search.goal()
    if goal is not None and any(goal.met(goal_fields(program)) for program in run.programs):
        raise ConfigError(f"run {run.name} has reached its goal '{goal.text}'; give another: {again} --until ... --budget ...")
    budget = Budget.parse(config.search.budget)
    if not budget.left(progress_of(run)):
        used = f"{run.evaluations} evaluations in {run.seconds:.0f}s"
        verb = "is less than what it has used" if extended else "is spent"
        raise ConfigError(f"run {run.name} has used {used}; the budget {budget} {verb}; give a larger one: {again} --budget 2h")


def progress_of(run: Run) -> Progress:
    """How far a stored run has come."""
    totals = run.totals
    progress = Progress(run.evaluations, int(totals["work"]), int(totals["slices"]), run.seconds)
    progress.busy_seconds, progress.waited_seconds = totals["busy_seconds"], totals["waited_seconds"]
    progress.parent_seconds.update(run.meta.get("parent_seconds", {}))
    for program in run.programs:
        enter_front(progress.front, program)
    return progress


def drive(prepared: Prepared, store: Store, progress: Progress, workers: int | None, observer: Observer) -> Run:
    """Search, then choose the winner where the run has a funnel; the store is left closed and whole, however it ends."""
    return selected(_searched(prepared, store, progress, workers, observer), workers, observer)


def _searched(prepared: Prepared, store: Store, progress: Progress, workers: int | None, observer: Observer) -> Run:
    """Start the workers, run the loop, and leave the store closed and whole, however it ends."""
    count = machine.usable_cores() if workers is None else workers
    search, config = prepared.search, prepared.config
    try:
        observer.started(store.folder, config, prepared.task.describe(prepared.ops), count)
        observer.baseline(_stored_classical(prepared, store))
        with _pool(count, search, store.folder / LOG, observer.warming) as pool, interrupts() as interrupt:
            observer.warmed(pool.warm_seconds)
            store.write_meta({"warm_seconds": pool.warm_seconds, "workers": count})
            budget, goal = Budget.parse(config.search.budget), config.search.goal()
            run_loop(search, pool, store, budget, goal, progress, interrupt=interrupt, observe=observer.progress)
    except WorkerError as error:
        log = store.folder / LOG
        with log.open("a", encoding="utf-8") as file:
            file.writelines(f"{note}\n" for note in getattr(error, "__notes__", ()))
        raise WorkerError(f"{error}; what was found is kept in {store.folder}, the traceback is in {log}") from None
    except KeyboardInterrupt:
        store.write_meta({"status": Status.INTERRUPTED})
    finally:
        observer.stopped()
        store.close()
    return Run(store.folder)


def selected(run: Run, workers: int | None, observer: Observer) -> Run:
    """Where a search for update rules has used its budget, choose its winner; Ctrl-C leaves that to `assess`."""
    stages = getattr(run.config.search, "funnel", 0)
    if not stages or not run.programs or run.status not in (Status.BUDGET, Status.GOAL):
        return run
    from evosearch.winners.selection import select_run
    from evosearch.winners.trials import Stopped

    with contextlib.suppress(Stopped):
        select_run(run.folder, stages=stages, workers=workers, observer=observer.selection())
    return Run(run.folder)


def _stored_classical(prepared: Prepared, store: Store) -> Classical:
    """The classical front, kept in the store so that showing a run needs no code of its task."""
    stored = store.meta().get("classical")
    if stored is None:
        stored = compute_classical(prepared.task, prepared.ops)
        store.write_meta({"classical": stored})
    return read_classical(stored)


@contextlib.contextmanager
def _pool(count: int, search: Search, log: Path, report: Callable[[str], None]) -> Iterator[Pool]:
    function, payload = search.warm or (None, {})
    pool: Pool
    if count == 0:
        from evosearch.evaluation.pool import InProcessPool

        pool = InProcessPool(function, payload, report)
    else:
        from evosearch.evaluation.local_pool import LocalPool

        pool = LocalPool(count, function, log, warm_payload=payload, progress=report)
    try:
        yield pool
    finally:
        pool.close(kill=True)
