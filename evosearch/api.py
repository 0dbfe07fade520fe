"""What people call: start, open, extend and export a run. The command line is a thin layer over this module."""

from __future__ import annotations

import contextlib
import math
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evosearch import __version__
from evosearch.errors import ConfigError, ExportError, StoreError
from evosearch.evaluation.pool import Pool
from evosearch.language.json_form import from_json
from evosearch.language.op import OpSet
from evosearch.language.program import Program
from evosearch.search import checkpoint, folders, machine
from evosearch.search.budget import Budget
from evosearch.search.config import RunConfig, Task, read_config, read_start, shipped_runs
from evosearch.search.loop import Progress, Status, enter_front, goal_fields, interrupts, run_loop
from evosearch.search.observer import Observer
from evosearch.search.protocol import Search
from evosearch.search.store import Store, StoredProgram, is_being_written

SHOW_SCHEMA = 1
LOG = "workers.log"

Classical = tuple[tuple[float, float, str], ...]
"""(cost, error, form) of the best classical programs, by cost."""


class Run:
    """A run on disk. Reading it imports no code that it names; `load` and what builds on it does."""

    def __init__(self, folder: Path) -> None:
        """Open the run in `folder`; StoreError where it is missing, damaged or newer."""
        self.folder = folder
        with self._store() as store:
            self.meta: Mapping[str, Any] = store.meta()
            self.totals = store.totals()
            self.programs = tuple(store.programs())
        try:
            self.config = RunConfig.from_table(self.meta["name"], self.meta["config"])
            self.status = Status(self.meta["status"])
            self.seconds = float(self.meta["seconds"])
            self.task_text = str(self.meta["task"])
        except (KeyError, ValueError) as error:
            raise StoreError(f"the run in {folder} is incomplete ({error}); restore it or start a new one") from None
        if self.status is Status.RUNNING and not is_being_written(folder):
            self.status = Status.INTERRUPTED  # its process was ended before it could say so

    @contextlib.contextmanager
    def _store(self) -> Iterator[Store]:
        store = Store.open(self.folder)
        try:
            yield store
        finally:
            store.close()

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @property
    def reference(self) -> str:
        """What to type for this run: its name, or its folder where that is not under ./runs/."""
        return self.name if self.folder.parent == folders.RUNS else str(self.folder)

    @property
    def evaluations(self) -> int:
        """Distinct programs whose fit has finished."""
        return int(self.totals["evaluations"])

    def front(self) -> tuple[StoredProgram, ...]:
        """The non-dominated programs, by rising cost; each one's error is below that of all cheaper ones."""
        best: list[StoredProgram] = []
        for program in sorted(self.programs, key=lambda p: (p.cost, p.error, p.id)):
            if not math.isnan(program.error) and (not best or program.error < best[-1].error):
                best.append(program)
        return tuple(best)

    def program(self, id: int) -> StoredProgram:
        """The program with that id; StoreError where there is none."""
        for program in self.programs:
            if program.id == id:
                return program
        known = ", ".join(str(program.id) for program in self.front()) or "empty"
        raise StoreError(f"run {self.name} has no program {id}; its front: {known}")

    def choose(self, id: int | None = None, *, cost: float | None = None, max_error: float | None = None) -> StoredProgram:
        """One program: by id, the best of at most `cost`, the cheapest with at most `max_error`, or the front's best error."""
        if sum(choice is not None for choice in (id, cost, max_error)) > 1:
            raise ConfigError("choose a program by one of ID, --cost and --max-error")
        if id is not None:
            return self.program(id)
        front = self.front()
        if not front:
            raise StoreError(f"run {self.name} has found no program yet; go on: evosearch resume {self.name} --budget 60s")
        if cost is not None:
            cheapest = front[0].cost
            front = tuple(program for program in front if program.cost <= cost)
            if not front:
                raise StoreError(f"run {self.name} has no program of cost {cost:g} or less; its cheapest costs {cheapest:g}")
        if max_error is not None:
            best = front[-1].error
            front = tuple(program for program in front if program.error <= max_error)[:1]
            if not front:
                raise StoreError(f"run {self.name} has no program with error {max_error:g} or less; its best is {best:.3g}")
        return front[-1]

    def lineage(self, id: int) -> tuple[StoredProgram, ...]:
        """A program and its archived ancestors, youngest first."""
        chain = [self.program(id)]
        while chain[-1].parent is not None and chain[-1].parent not in {program.id for program in chain}:
            chain.append(self.program(chain[-1].parent))
        return tuple(chain)

    def summary(self) -> dict[str, Any]:
        """The run without its front, as plain data."""
        return {
            "run": self.name,
            "task": self.task_text,
            "status": self.status.value,
            "evaluations": self.evaluations,
            "seconds": round(self.seconds, 3),
        }

    def show_json(self) -> dict[str, Any]:
        """The run and its front as plain data; `show --json` prints it."""
        return {
            "schema_version": SHOW_SCHEMA,
            **self.summary(),
            "front": [
                {
                    "id": program.id,
                    "cost": program.cost,
                    "error": _finite(program.error),
                    "error_float64": _finite(program.metrics.get("error_float64")),
                    "certified_error": _finite(program.certified_error),
                    "program": program.text,
                }
                for program in self.front()
            ],
        }

    def load(self, program: StoredProgram) -> Program:
        """The program itself, over the run's op set; imports the module that holds the op set."""
        return from_json(program.json, self.config.load_ops())

    def task(self) -> Task:
        """The task; imports the modules that it names."""
        return self.config.load_task()

    def classical(self) -> Classical:
        """The classical baseline, as computed when the run was made; computed now where the run was cut off before."""
        stored = self.meta.get("classical")
        return _classical(stored) if stored is not None else compute_classical(self.task(), self.config.load_ops())

    def draw_curve(self, id: int, output: str | Path | None = None) -> Path:
        """Draw the error curve of a program as PNG (RUN/program-ID.png where no file is given); return the file."""
        from evosearch.report.curve import error_curve
        from evosearch.report.plots import plot_curve

        program, target = self.program(id), self.task().target()
        path = Path(output) if output is not None else self.folder / f"program-{id}.png"
        bound = program.certified_error
        kind = "sampled" if bound is None else "certified"
        title = f"{self.task_text}: program {id}, cost {program.cost:g}, error {program.error:.2e} ({kind})"
        plot_curve(error_curve(self.load(program), target), path, title=title, measure=target.error.value, bound=bound)
        return path

    def draw_front(self, output: str | Path) -> Path:
        """Draw the front beside the classical one as PNG; return the file."""
        from evosearch.report.plots import plot_front

        found = [(program.cost, program.error) for program in self.front()]
        known = [(cost, error) for cost, error, _form in self.classical() if not found or cost <= found[-1][0]]
        path = Path(output)
        plot_front(found, known, path, title=self.task_text, measure=self.task().target().error.value)
        return path

    def export(
        self,
        id: int | None = None,
        *,
        to: str,
        output: str | Path | None = None,
        cost: float | None = None,
        max_error: float | None = None,
        force: bool = False,
    ) -> str:
        """Write a program as a file that stands alone, and return its text.

        Args:
            id, cost, max_error: which program; see `choose`.
            to: "python", "numba", "c" or "proof".
            output: the file; without it nothing is written.
            force: overwrite the file.

        Raises:
            ExportError: where the target cannot express the program, or the file exists or cannot be written.
        """
        path = None if output is None else Path(output)
        if path is not None and path.exists() and not force:
            raise ExportError(f"{path} exists already; give another file with -o, or --force to overwrite it")
        text = self._render(self.choose(id, cost=cost, max_error=max_error), to)
        if path is not None:
            try:
                path.write_text(text, encoding="utf-8")
            except OSError as error:
                raise ExportError(f"cannot write {path}: {error.strerror}; give another file with -o") from None
        return text

    def _render(self, program: StoredProgram, to: str) -> str:
        from evosearch.export import render
        from evosearch.export.info import ExportInfo

        info = ExportInfo(
            run=self.name,
            program_id=program.id,
            seed=self.config.search.seed,
            version=str(self.meta.get("version", __version__)),
            command=str(self.meta.get("command", "")),
            target=self.task().target(),
            cost=program.cost,
            error_real=program.certified_error,
            error_float64=program.metrics.get("error_float64"),
            error_sampled=program.metrics.get("error_sampled", program.error),
        )
        return render(self.load(program), to, info)


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
    options = [(f"search.{key}", value) for key, value in given.items() if value is not None]
    if start is not None:
        options.append(("search.start", read_start(start)))
    config = read_config(source, [*overrides, *options])
    prepared = _prepare(config)
    folder = Path(out) if out is not None else folders.new_folder(config.name)
    store = Store.create(folder, _first_meta(prepared, [*overrides, *options], source))
    return _drive(prepared, store, Progress(), workers, observer or Observer())


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
        if parts := store.checkpoint():
            prepared.search.restore(checkpoint.decode(checkpoint.from_parts(parts), prepared.ops))
        store.write_meta({"config": config.to_table(), "status": Status.RUNNING})
    except BaseException:
        store.close()
        raise
    return _drive(prepared, store, _progress_of(before), workers, observer or Observer())


def list_runs(root: str | Path = folders.RUNS) -> list[Run | StoreError]:
    """The runs under `root` (./runs/); for one that cannot be opened, what is wrong with it."""
    runs: list[Run | StoreError] = []
    for folder in folders.run_folders(Path(root)):
        try:
            runs.append(Run(folder))
        except StoreError as error:
            runs.append(error)
    return runs


def compute_classical(task: Task, ops: OpSet) -> Classical:
    """The best textbook programs over these ops, by cost, each better than all cheaper ones."""
    from evosearch.winners.classical import classical_front

    return _classical((entry.cost, entry.error, entry.form) for entry in classical_front(task.target(), ops=ops))


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
    config.load_start(ops)
    from evosearch.search.algorithms import make_search

    return _Prepared(config, ops, task, make_search(config, task, ops))


def _first_meta(prepared: _Prepared, overrides: list[tuple[str, Any]], source: str | Path) -> dict[str, Any]:
    config = prepared.config
    changes = " ".join(shlex.quote(f"{key}={value}") for key, value in overrides if key != "search.start")
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
        "command": f"evosearch run {source}" + (f" --set {changes.replace(' ', ' --set ')}" if changes else ""),
    }


def _refuse_finished(run: Run, config: RunConfig, *, extended: bool) -> None:
    again = f"evosearch resume {run.name}"
    if run.status is Status.COMPLETE:
        raise ConfigError(f"run {run.name} is complete: nothing is left to search; start another with another seed or task")
    goal = config.search.goal()
    if goal is not None and any(goal.met(goal_fields(program)) for program in run.programs):
        raise ConfigError(f"run {run.name} has reached its goal '{goal.text}'; give another: {again} --until ... --budget ...")
    budget = Budget.parse(config.search.budget)
    spent = run.evaluations if budget.evaluations is not None else run.seconds
    limit = budget.evaluations or budget.seconds or 0.0
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
    except KeyboardInterrupt:
        store.write_meta({"status": Status.INTERRUPTED})
    finally:
        observer.stopped()
        store.close()
    return Run(store.folder)


def _stored_classical(prepared: _Prepared, store: Store) -> Classical:
    """The classical front, kept in the store so that showing a run needs no code of its task."""
    stored = store.meta().get("classical")
    if stored is None:
        stored = compute_classical(prepared.task, prepared.ops)
        store.write_meta({"classical": stored})
    return _classical(stored)


def _classical(stored: Iterable[Any]) -> Classical:
    return tuple((float(cost), float(error), str(form)) for cost, error, form in stored)


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


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
