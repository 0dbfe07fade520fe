"""What people call: start, open, extend and export a run. The command line is a thin layer over this module."""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evosearch import __version__
from evosearch.errors import ConfigError, StoreError, WorkerError
from evosearch.evaluation.pool import Pool
from evosearch.language.op import OpSet
from evosearch.record import Classical, Run, compute_classical, read_classical
from evosearch.search import checkpoint, folders, machine
from evosearch.search.budget import Budget
from evosearch.search.config import RunConfig, Task, read_config, read_start, shipped_runs
from evosearch.search.loop import Progress, Status, enter_front, goal_fields, interrupts, run_loop
from evosearch.search.observer import AssessmentObserver, Observer
from evosearch.search.protocol import Search
from evosearch.search.store import Store

__all__ = [
    "Observer",
    "Run",
    "assess",
    "calibrate_proxy",
    "compare",
    "list_runs",
    "open",
    "replay",
    "resume",
    "run",
    "shipped_tasks",
    "simplify",
]
LOG = "workers.log"
_OPTIONS = {f"search.{name}": f"--{name}" for name in ("seed", "budget", "until", "algorithm")}


def run(
    source: str | Path,
    *,
    seed: int | None = None,
    budget: str | int | None = None,
    until: str | None = None,
    algorithm: str | None = None,
    overrides: Iterable[tuple[str, Any]] = (),
    start: str | Path | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    observer: Observer | None = None,
) -> Run:
    """Search, until the budget is spent, the goal is reached or Ctrl-C; return the run.

    Args:
        source: name of a run file that ships, or path of one.
        seed, budget, until, algorithm: take the place of the run file's `search.*`.
        overrides: (dotted key, value) pairs, as `--set` has them.
        start: file with a program to start from.
        out: folder of the run; without it, ./runs/NAME-N.
        workers: processes; 0 for none (all in this process); without it, the usable cores.
        observer: is told how it goes.

    Raises:
        EvosearchError: for what the user can mend; before anything is written, where the input is at fault.
    """
    given = {"seed": seed, "budget": budget, "until": until, "algorithm": algorithm}
    options = [*overrides, *((f"search.{key}", value) for key, value in given.items() if value is not None)]
    if start is not None:
        options.append(("search.start", read_start(start)))
    config = read_config(source, options)
    prepared = _prepare(config)
    meta = _first_meta(prepared, source, options, start)
    folder = Path(out) if out is not None else folders.new_folder(config.name)
    store = Store.create(folder, meta)
    return _selected(_drive(prepared, store, Progress(), workers, observer or Observer()), workers, observer or Observer())


def open(path: str | Path) -> Run:
    """The run in folder `path`, or with that name (or a unique prefix of it) under ./runs/."""
    return Run(folders.find_folder(path))


def resume(
    path: str | Path,
    *,
    budget: str | int | None = None,
    until: str | None = None,
    workers: int | None = None,
    observer: Observer | None = None,
) -> Run:
    """Go on with a run from where it stopped; with a larger `budget` (in total) also with one that is done.

    Raises:
        ConfigError: where the run has spent the budget, reached the goal, or has nothing left to search.
        StoreError: where it is damaged or another process is at it.
    """
    before = open(path)
    changes = {key: value for key, value in (("budget", budget), ("until", until)) if value is not None}
    config = before.config.with_search(**changes)
    store = Store.open(before.folder, writable=True)
    try:
        before = Run(before.folder)  # as it stands now that nobody else writes
        _refuse_finished(before, config, extended=bool(changes))
        prepared = _prepare(config)
        store.reopen()
        if parts := store.checkpoint():
            prepared.search.restore(checkpoint.decode(checkpoint.from_parts(parts), prepared.ops))
        command = _with_options(str(before.meta["command"]), changes)
        store.write_meta({"config": config.to_table(), "command": command, "status": Status.RUNNING})
    except BaseException:
        store.close()
        raise
    finished = _drive(prepared, store, _progress_of(before), workers, observer or Observer())
    return _selected(finished, workers, observer or Observer())


def list_runs(root: str | Path = folders.RUNS) -> list[Run | StoreError]:
    """The runs under `root` (./runs/); for one that cannot be opened, what is wrong with it."""
    runs: list[Run | StoreError] = []
    for folder in folders.run_folders(Path(root)):
        try:
            runs.append(Run(folder))
        except StoreError as error:
            runs.append(error)
    return runs


def assess(
    path: str | Path,
    *,
    id: int | None = None,
    program: str | None = None,
    budget: str | int | None = None,
    level: str | None = None,
    workers: int | None = None,
    observer: AssessmentObserver | None = None,
) -> dict[str, Any] | None:
    """Assess a run's winner on the test families; see `evosearch.winners.assessment.assess_run`.

    Returns:
        the result, which is also in the run's `assessment.json`, with maps of the tuning as pictures beside it; None where
        Ctrl-C stopped it: the same call goes on.
    """
    from evosearch.report.assessment import draw_maps
    from evosearch.winners.assessment import assess_run
    from evosearch.winners.trials import Stopped

    folder = folders.find_folder(path)
    try:
        result = assess_run(
            folder, id=id, program=program, budget=budget, level=level, workers=workers, observer=observer
        )
    except Stopped:
        return None
    draw_maps(folder)
    return result


def simplify(
    path: str | Path,
    id: int,
    *,
    margin: float = 0.03,
    seeds: int = 16,
    output: str | Path | None = None,
    tell: Callable[[Mapping[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Simplify an update rule of a run on the run's proxies; see `evosearch.winners.rules.simplify`.

    Args:
        margin: by how much the logarithm of the loss may rise, over all steps together.
        seeds: of each proxy, after which an undecided step is refused; looks are also taken at a half and a quarter.
        output: file for the program's text; without it, RUN/simplified-ID.txt.
        tell: is told of each step.

    Returns:
        the program, the steps to it and what each of its statements is worth; also as JSON beside `output`.

    Raises:
        ConfigError: where the run searches functions, or its proxies cannot score the rule.
    """
    from evosearch.winners.rules.run import simplify_of_run, step_to_plain, to_plain
    from evosearch.winners.rules.trial import Margin

    allowed = Margin(margin, seeds=tuple(sorted({max(1, seeds // 4), max(1, seeds // 2), seeds})))
    opened = open(path)
    program = opened.load(opened.program(id))
    told = None if tell is None else lambda step: tell(step_to_plain(step))
    result = to_plain(simplify_of_run(program, opened.config, allowed, told), allowed)
    file = Path(output) if output is not None else opened.folder / f"simplified-{id}.txt"
    file.write_text(result["program"], encoding="utf-8")
    file.with_suffix(".json").write_text(json.dumps(result, indent=2, allow_nan=False), encoding="utf-8")
    return result


def replay(path: str | Path, id: int, *, genes: int | None = None) -> dict[str, Any]:
    """Rebuild a policy from its genome, play its episodes again and check its weights; see `evosearch.winners.replay`.

    Args:
        genes: rebuild its ancestor of so many genes.

    Raises:
        ConfigError: where the run searches no policies.
        ProgramError: where the stored genome is damaged.
    """
    from evosearch.winners.replay import replay as replay_policy

    opened = open(path)
    if opened.config.family != "policy":
        raise ConfigError(f"run {opened.name} searches no policies; `evosearch inspect` shows its programs")
    stored = opened.program(id)
    kept = opened.evaluations_kept() if genes is not None else ()
    return replay_policy(opened.config, opened.load(stored), opened.programs, kept, genes).to_plain()


def compare(paths: Iterable[str | Path]) -> dict[str, Any]:
    """Runs of one task side by side, as plain data; see `evosearch.winners.compare`."""
    from evosearch.winners import compare as side_by_side

    return side_by_side.compare([folders.find_folder(path) for path in paths]).to_json()


def calibrate_proxy(
    paths: Iterable[str | Path],
    *,
    programs: int = 100,
    out: str | Path | None = None,
    workers: int | None = None,
    observer: AssessmentObserver | None = None,
) -> dict[str, Any] | None:
    """Whether the fitness of runs predicts validation; see `evosearch.winners.calibrate.calibrate`.

    Args:
        out: folder of the record and the trainings; without it, ./runs/calibration.

    Returns:
        the record, which is also in the folder's `calibration.json`; None where Ctrl-C stopped it: the same call goes on.
    """
    from evosearch.winners.calibrate import calibrate
    from evosearch.winners.trials import Stopped

    found = [folders.find_folder(path) for path in paths]
    folder = Path(out) if out is not None else folders.RUNS / "calibration"
    try:
        return calibrate(found, folder, programs=programs, workers=workers, observer=observer)
    except Stopped:
        return None


def shipped_tasks() -> dict[str, str]:
    """The run files that ship, by name, each with its task in one line."""
    tasks = {}
    for name in shipped_runs():
        config = read_config(name)
        tasks[name] = config.load_task().describe(config.load_ops())
    return tasks


@dataclass(frozen=True)
class _Prepared:
    """A checked run, ready to start."""

    config: RunConfig
    ops: OpSet
    task: Task
    search: Search


def _prepare(config: RunConfig) -> _Prepared:
    ops, task = config.load_ops(), config.load_task()
    task.check(ops)
    from evosearch.search.algorithms import make_search

    return _Prepared(config, ops, task, make_search(config, task, ops, "evosearch.winners.confirm:confirm"))


def _first_meta(
    prepared: _Prepared, source: str | Path, overrides: list[tuple[str, Any]], start: str | Path | None
) -> dict[str, Any]:
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


def _with_options(command: str, options: Mapping[str, Any]) -> str:
    """The command line with these options set: a run that was extended is the run of the longer command."""
    words = shlex.split(command)
    for name, value in options.items():
        option = f"--{name}"
        if option in words:
            words[words.index(option) + 1] = str(value)
        else:
            words += [option, str(value)]
    return shlex.join(words)


def _refuse_finished(run: Run, config: RunConfig, *, extended: bool) -> None:
    again = f"evosearch resume {run.name}"
    if run.status is Status.COMPLETE:
        raise ConfigError(f"run {run.name} is complete: nothing is left to search; start another with another seed or task")
    goal = config.search.goal()
    if goal is not None and any(goal.met(goal_fields(program)) for program in run.programs):
        raise ConfigError(f"run {run.name} has reached its goal '{goal.text}'; give another: {again} --until ... --budget ...")
    budget = Budget.parse(config.search.budget)
    spent = run.seconds if budget.seconds else run.totals["work"] if budget.frames else run.evaluations
    limit = budget.evaluations or budget.frames or budget.seconds or 0.0
    if spent >= limit:
        used = f"{run.evaluations} evaluations in {run.seconds:.0f}s"
        verb = "is less than what it has used" if extended else "is spent"
        raise ConfigError(f"run {run.name} has used {used}; the budget {budget} {verb}; give a larger one: {again} --budget 2h")


def _progress_of(run: Run) -> Progress:
    totals = run.totals
    progress = Progress(run.evaluations, int(totals["work"]), int(totals["slices"]), run.seconds)
    progress.busy_seconds, progress.waited_seconds = totals["busy_seconds"], totals["waited_seconds"]
    progress.parent_seconds.update(run.meta.get("parent_seconds", {}))
    for program in run.programs:
        enter_front(progress.front, program)
    return progress


def _drive(prepared: _Prepared, store: Store, progress: Progress, workers: int | None, observer: Observer) -> Run:
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


def _selected(run: Run, workers: int | None, observer: Observer) -> Run:
    """Where a search for update rules has used its budget, choose its winner; Ctrl-C leaves that to `assess`."""
    stages = getattr(run.config.search, "funnel", 0)
    if not stages or not run.programs or run.status not in (Status.BUDGET, Status.GOAL):
        return run
    from evosearch.winners.selection import select_run
    from evosearch.winners.trials import Stopped

    with contextlib.suppress(Stopped):
        select_run(run.folder, stages=stages, workers=workers, observer=observer.selection())
    return Run(run.folder)


def _stored_classical(prepared: _Prepared, store: Store) -> Classical:
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
