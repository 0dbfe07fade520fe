"""What people call: start, open, extend and export a run. The command line is a thin layer over this module."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from evosearch import driver
from evosearch.errors import ConfigError, StoreError
from evosearch.record import Run
from evosearch.search import checkpoint, folders
from evosearch.search.config import read_config, read_start, shipped_runs
from evosearch.search.loop import Progress, Status
from evosearch.search.observer import AssessmentObserver, Observer
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
    prepared = driver.prepare(config)
    meta = driver.first_meta(prepared, source, options, start)
    folder = Path(out) if out is not None else folders.new_folder(config.name)
    store = Store.create(folder, meta)
    return driver.drive(prepared, store, Progress(), workers, observer or Observer())


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
        driver.refuse_finished(before, config, extended=bool(changes))
        prepared = driver.prepare(config)
        store.reopen()
        if parts := store.checkpoint():
            prepared.search.restore(checkpoint.decode(checkpoint.from_parts(parts), prepared.ops))
        command = driver.with_options(str(before.meta["command"]), changes)
        store.write_meta({"config": config.to_table(), "command": command, "status": Status.RUNNING})
    except BaseException:
        store.close()
        raise
    return driver.drive(prepared, store, driver.progress_of(before), workers, observer or Observer())


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
    like: str | Path | None = None,
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

    folder, other = folders.find_folder(path), None if like is None else folders.find_folder(like)
    try:
        result = assess_run(
            folder, id=id, program=program, budget=budget, level=level, like=other, workers=workers, observer=observer
        )
    except Stopped:
        return None
    draw_maps(folder)
    return result


def simplify(
    path: str | Path,
    id: int,
    *,
    margin: float = 0.01,
    seeds: int = 32,
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
