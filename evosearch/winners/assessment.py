"""The assessment of a run on disk: resumable, within a budget of its own, on test families that are opened once.

In the run's folder: `assessment.jsonl` (every finished training), `assessment.json` (the result), `assessment-trials.json`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evosearch.errors import ConfigError, nearest
from evosearch.evaluation.problems import Level, Suite
from evosearch.language.optimizer import read_rule
from evosearch.search.budget import Budget
from evosearch.search.observer import AssessmentObserver
from evosearch.winners.assess import Assessed, affordable, assess, estimate, measure
from evosearch.winners.selection import pin, winner_of
from evosearch.winners.session import ASSESSMENT, MAPS_FILE, RESULT_FILE, Session, open_session, read_json, write_json
from evosearch.winners.trials import Runner, load_ops, load_suite
from evosearch.winners.verdict import verdict

BUDGET = "60m"


def assess_run(
    folder: Path,
    *,
    id: int | None = None,
    program: str | None = None,
    budget: str | int | None = None,
    level: str | None = None,
    like: Path | None = None,
    workers: int | None = None,
    observer: AssessmentObserver | None = None,
) -> dict[str, Any]:
    """Assess the winner of the run in `folder`; the result is also in its `assessment.json`.

    Args:
        id: take this archive entrant, simplified, for the winner.
        program: text of the winner, taken as it is.
        budget: time, such as "5m"; without it, an hour.
        level: name of a level of the suite, in place of a budget.
        like: folder of a run that was assessed: at its level, with the trainings that it has done already.
        workers: processes; 0 for none; without it, the usable cores.

    Raises:
        ConfigError: where another winner was assessed on the test families, or the budget is no time.
        TaskError: where a data set is missing, with the remedy.
        Stopped: on Ctrl-C; what is finished is kept.
    """
    if like is not None:
        level = _level_of(like, budget, level)
    with open_session(folder, workers, observer) as session:
        sources, suite = session.sources, load_suite(session.sources.test)
        seconds = _seconds(budget)
        _check(suite, level)  # before hours of work
        winner = winner_of(session, id, program)
        pin(session, winner)
        with session.runner(ASSESSMENT) as runner:
            if like is not None:
                runner.book.borrow(like / ASSESSMENT)
            picked = _plan(session, runner, suite, seconds, level, winner.program)
            assessed = assess(read_rule(winner.program, load_ops(sources.ops)), sources, picked, runner)
        result = {**verdict(assessed, suite), "winner": vars(winner), "run": folder.resolve().name}
        write_json(folder / RESULT_FILE, result)
        write_json(folder / MAPS_FILE, _maps(assessed))
        return result


def _plan(session: Session, runner: Runner, suite: Suite, budget: float, level: str | None, winner: str) -> Level:
    """The level that the budget affords, or the one that was named; the observer is told what it takes."""
    levels, measured = suite.protocol.levels, measure(session.sources, runner)
    costs = {each.name: estimate(measured, suite, each, session.workers) for each in levels}
    named = next((each for each in levels if each.name == level), None)
    chosen = named or affordable(levels, list(costs.values()), budget)
    session.observer.planned(winner, levels, chosen, costs[chosen.name])
    return chosen


def _level_of(folder: Path, budget: str | int | None, level: str | None) -> str:
    """Of the assessment of a run; ConfigError where there is none, or a level is asked for beside it."""
    if budget is not None or level is not None:
        raise ConfigError("an assessment like that of another run has its level; leave the budget and the level out")
    result = read_json(folder / RESULT_FILE)
    if result is None:
        raise ConfigError(f"run '{folder.resolve().name}' was not assessed to its end; do it first: evosearch assess {folder}")
    name: str = result["level"]["name"]
    return name


def _check(suite: Suite, level: str | None) -> None:
    """That the level and all data are there."""
    known = [each.name for each in suite.protocol.levels]
    if level is not None and level not in known:
        raise ConfigError(f"unknown level '{level}'.{nearest(level, known)}")
    for problem in suite.problems:
        problem.check()


def _seconds(budget: str | int | None) -> float:
    seconds = Budget.parse(budget if budget is not None else BUDGET).seconds
    if seconds is None:
        raise ConfigError(f"the budget of an assessment is a time, such as 5m or 1h, got '{budget}'")
    return seconds


def _maps(assessed: Assessed) -> dict[str, Any]:
    """The tuning trials, for the lr x wd maps; null where a training failed, or the decay was not tuned."""
    maps = {
        name: {
            family: [[point.lr, point.decay, loss if loss < 1e300 else None] for point, loss in tuned.tried]
            for family, tuned in families.items()
        }
        for name, families in assessed.tuned.items()
    }
    return {"schema_version": 1, "columns": ["lr", "decay", "log_loss"], "maps": maps}
