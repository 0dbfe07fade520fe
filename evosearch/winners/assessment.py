"""A run's winner on disk: chosen by the funnel, pinned when the test families are opened, assessed, all of it resumable.

In the run's folder: `validation.jsonl` and `assessment.jsonl` (trials), `winner.json`, `assessment.json`. The store's meta
has `winner` (id and program) and `tests_opened`: from then on the run has no other winner.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from evosearch.errors import ConfigError, StoreError, nearest
from evosearch.evaluation.pool import InProcessPool, Pool
from evosearch.evaluation.problems import Level, Suite, Trained
from evosearch.language.optimizer import check_rule, read_rule
from evosearch.language.program import Program
from evosearch.language.text import to_text
from evosearch.search.budget import Budget
from evosearch.search.config import RunConfig
from evosearch.search.loop import interrupts
from evosearch.search.machine import usable_cores
from evosearch.search.observer import AssessmentObserver
from evosearch.search.store import Store, StoredProgram
from evosearch.winners.assess import Assessed, Sources, affordable, assess, estimate, measure
from evosearch.winners.funnel import Funnelled, funnel
from evosearch.winners.trials import Runner, Trial, load_ops, load_suite, trial_book
from evosearch.winners.verdict import verdict

VALIDATION, ASSESSMENT = "validation.jsonl", "assessment.jsonl"
WINNER_FILE, RESULT_FILE = "winner.json", "assessment.json"


@runtime_checkable
class Assessable(Protocol):
    """A task whose winners can be selected and assessed: it names its suites, "module:function"."""

    @property
    def validation(self) -> str:
        """The suite that selects."""

    @property
    def test(self) -> str:
        """The suite that nobody selects on."""


def assess_run(
    folder: Path,
    *,
    id: int | None = None,
    program: str | None = None,
    budget: str | int | None = None,
    level: str | None = None,
    workers: int | None = None,
    observer: AssessmentObserver | None = None,
) -> dict[str, Any]:
    """Assess the winner of the run in `folder`; the result is also in its `assessment.json`.

    Args:
        id: take this archive entrant for the winner.
        program: text of the winner, such as a simplified form of it.
        budget: time, such as "5m"; without it, an hour.
        level: name of a level of the suite, in place of a budget.
        workers: processes; 0 for none; without it, the usable cores.

    Raises:
        ConfigError: where another winner was assessed on the test families, or the budget is no time.
        TaskError: where a data set is missing, with the remedy.
        Stopped: on Ctrl-C; what is finished is kept.
    """
    observer = observer or AssessmentObserver()
    with _opened(folder) as (store, config):
        sources = sources_of(config)
        seconds = _seconds(budget)
        _check(load_suite(sources.test), level)  # before hours of work
        with open_runner(folder / VALIDATION, workers, _told(observer)) as runner:
            chosen = _winner(store, config, sources, runner, observer, id, program)
        rule = read_rule(chosen["program"], load_ops(sources.ops))
        with open_runner(folder / ASSESSMENT, workers, _told(observer)) as runner:
            _open_tests(store, chosen, sources)
            picked, cost = _plan(sources, runner, seconds, level, workers)
            observer.planned(chosen["program"], load_suite(sources.test).protocol.levels, picked, cost)
            assessed = assess(rule, sources, picked, runner)
        result = {**verdict(assessed, load_suite(sources.test)), "winner": chosen, "run": folder.resolve().name}
        write_json(folder / RESULT_FILE, result)
        store.write_meta({"assessed": {"level": picked.name, "winner_to_better": result["winner_to_better"]}})
        _draw(folder, assessed)
        return result


def select_run(
    folder: Path, *, workers: int | None = None, observer: AssessmentObserver | None = None, stages: int = 0
) -> Funnelled:
    """Choose the winner of the run in `folder` on its validation problems, and keep it.

    Args:
        stages: only so many of the funnel's stages; 0 for all.
    """
    observer = observer or AssessmentObserver()
    with _opened(folder) as (store, config), open_runner(folder / VALIDATION, workers, _told(observer)) as runner:
        return _select(store, config, sources_of(config), runner, observer, stages)


def sources_of(config: RunConfig) -> Sources:
    """The references of a run that searches update rules; ConfigError for any other."""
    task: object = config.load_task()
    if not isinstance(task, Assessable):
        raise ConfigError(f"run '{config.name}' searches no update rules: there is nothing to assess; see: evosearch show RUN")
    return Sources(config.ops, task.validation, task.test)


def entrants_of(store: Store, config: RunConfig) -> dict[int, Program]:
    """The archive's programs by id, best fitness first, one for each text."""
    ops = load_ops(config.ops)
    found: dict[str, StoredProgram] = {}
    for stored in sorted(store.programs(), key=lambda p: (p.error, p.cost, p.id)):
        found.setdefault(stored.text, stored)
    return {stored.id: read_rule(stored.text, ops) for stored in found.values()}


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Replace a file at once."""
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    scratch.replace(path)


def _winner(
    store: Store,
    config: RunConfig,
    sources: Sources,
    runner: Runner,
    observer: AssessmentObserver,
    id: int | None,
    program: str | None,
) -> dict[str, Any]:
    """The program to assess: as pinned, as given, or as the funnel chooses it."""
    ops = load_ops(sources.ops)
    pinned = store.meta().get("tests_opened")
    wanted: dict[str, Any] | None = None
    if program is not None:
        wanted = {"id": id, "program": to_text(read_rule(program, ops))}
    elif id is not None:
        stored = store.program(id)
        if stored is None:
            raise StoreError(f"run {config.name} has no program {id}; `evosearch show` lists its front")
        wanted = {"id": id, "program": stored.text}
    if pinned is not None:
        if wanted is not None and wanted["program"] != pinned["program"]:
            raise ConfigError(
                f"the test families were opened for this run on {pinned['opened']} with another program; a second one would be "
                "chosen by what they say. Assess the pinned one without --id and --program, or make a new run"
            )
        return {"id": pinned["id"], "program": pinned["program"]}
    if wanted is None:
        kept = store.meta().get("winner")
        if kept is None:
            _select(store, config, sources, runner, observer)
            kept = store.meta()["winner"]
        wanted = {"id": kept["id"], "program": kept["program"]}
    check_rule(read_rule(wanted["program"], ops))
    return wanted


def _select(
    store: Store, config: RunConfig, sources: Sources, runner: Runner, observer: AssessmentObserver, stages: int = 0
) -> Funnelled:
    entrants = entrants_of(store, config)
    if not entrants:
        raise StoreError("the run has found no program yet; go on with it: evosearch resume RUN --budget 10m")
    observer.selecting(len(entrants))
    levels = load_suite(sources.validation).protocol.levels
    found = funnel(entrants, sources.validation, sources.ops, runner, levels[: stages or len(levels)])
    store.write_meta({"winner": {"id": found.winner, "program": to_text(entrants[found.winner]), **_last(found)}})
    write_json(store.folder / WINNER_FILE, {**found.to_json(), "program": to_text(entrants[found.winner])})
    return found


def _last(found: Funnelled) -> dict[str, Any]:
    return {"validation": found.stages[-1].scores[found.winner], "beats_baselines": found.beats}


def _open_tests(store: Store, chosen: Mapping[str, Any], sources: Sources) -> None:
    if "tests_opened" not in store.meta():
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        digest = load_suite(sources.test).digest
        store.write_meta({"tests_opened": {**chosen, "opened": now, "suite": sources.test, "digest": digest}})


def _plan(sources: Sources, runner: Runner, budget: float, level: str | None, workers: int | None) -> tuple[Level, float]:
    """The level that the budget affords, or the one that was named; and the seconds that it is going to take."""
    suite, count = load_suite(sources.test), usable_cores() if workers is None else workers
    levels, measured = suite.protocol.levels, measure(sources, runner)
    costs = {each.name: estimate(measured, suite, each, count) for each in levels}
    named = next((each for each in levels if each.name == level), None)
    chosen = named or affordable(levels, list(costs.values()), budget)
    return chosen, costs[chosen.name]


def _check(suite: Suite, level: str | None) -> None:
    """That the level and all data are there."""
    known = [each.name for each in suite.protocol.levels]
    if level is not None and level not in known:
        raise ConfigError(f"unknown level '{level}'.{nearest(level, known)}")
    for problem in suite.problems:
        problem.check()


def _told(observer: AssessmentObserver) -> Callable[[Trial, Trained], None]:
    return lambda trial, trained: observer.trained(trial.problem, trained.loss)


def _seconds(budget: str | int | None) -> float:
    seconds = Budget.parse(budget if budget is not None else "60m").seconds
    if seconds is None:
        raise ConfigError(f"the budget of an assessment is a time, such as 5m or 1h, got '{budget}'")
    return seconds


def _draw(folder: Path, assessed: Assessed) -> None:
    """The data of the lr x wd maps; pictures are made of it by the report."""
    maps = {
        name: {
            family: [[point.lr, point.decay, loss if loss < 1e300 else None] for point, loss in tuned.tried]
            for family, tuned in families.items()
        }
        for name, families in assessed.tuned.items()
    }
    write_json(folder / "assessment-trials.json", {"schema_version": 1, "columns": ["lr", "decay", "log_loss"], "maps": maps})


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[Store, RunConfig]]:
    store = Store.open(folder, writable=True)
    try:
        meta = store.meta()
        yield store, RunConfig.from_table(meta["name"], meta["config"])
    finally:
        store.close()


@contextmanager
def open_runner(path: Path, workers: int | None, observe: Callable[[Trial, Trained], None]) -> Iterator[Runner]:
    """Workers, the book of trials at `path`, and Ctrl-C, for as long as plans are run."""
    count = usable_cores() if workers is None else workers
    pool: Pool
    if count == 0:
        pool = InProcessPool()
    else:
        from evosearch.evaluation.local_pool import LocalPool

        pool = LocalPool(count)
    with pool, trial_book(path) as book, interrupts() as interrupt:
        yield Runner(book, pool, interrupt, observe)
