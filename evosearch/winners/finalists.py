"""Rules that finished their race and were never offered to the archive, measured as the archive's entrants are.

A run measures few entrants, since it has better to do; who asks whether fitness predicts wants many more. All that finished a
race are alike to the search, so that any of them may be asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from evosearch.evaluation.fitness import Fitness
from evosearch.evaluation.racing import draw_seeds
from evosearch.language.optimizer import read_rule
from evosearch.search.config import RunConfig
from evosearch.search.loop import POLL_SECONDS
from evosearch.search.rules.settings import RuleSettings
from evosearch.search.rules.workshop import workshop
from evosearch.search.store import Store
from evosearch.winners.trials import Runner, Stopped

MEASURE = "evosearch.winners.finalists:measure_finalist"


@dataclass(frozen=True)
class Finalist:
    """A rule that finished its race: the run's configuration as JSON, the evaluation's number, and the text."""

    config: str
    id: int
    text: str


def read_finalists(store: Store, config: RunConfig, within: float) -> list[Finalist]:
    """Rules of a run whose race ended with a fitness of at most `within`, one for each function, in the order of telling."""
    last, table = len(cast(RuleSettings, config.search).race.rungs) - 1, json.dumps(config.to_table())
    kept = {program.text for program in store.programs()}
    found: dict[str, Finalist] = {}
    for one in store.evaluations():
        if one.rung == last and one.scores[last] <= within and one.text not in kept:
            found.setdefault(one.function, Finalist(table, one.id, one.text))
    return list(found.values())


def measure_finalist(config: str, id: int, text: str) -> dict[str, Any]:
    """A worker's job: tune and measure on fresh seeds, as `racing.enter` does; fitness and metrics."""
    shop = workshop(config)
    fitness = cast(Fitness, shop.fitness)
    last, rule = len(fitness.settings.rungs) - 1, read_rule(text, shop.grammar.ops)
    tuned, _ = fitness.refine(rule, last)
    seeds = draw_seeds(shop.settings.seed, "finalist", id, fitness.settings.entry_seeds)
    score = fitness.measure(rule, last, seeds, tuned)
    return {"fitness": score.fitness, "adamw": score.metrics["adamw"], "proxies": score.metrics["proxies"]}


def measured(finalists: Sequence[Finalist], runner: Runner) -> list[Mapping[str, Any]]:
    """What `measure_finalist` returns of each.

    Raises:
        Stopped: on Ctrl-C; nothing is kept.
        WorkerError: where a measurement failed.
    """
    for number, finalist in enumerate(finalists):
        runner.pool.submit(number, MEASURE, vars(finalist))
    found: dict[int, Mapping[str, Any]] = {}
    while len(found) < len(finalists):
        if runner.interrupt.requested:
            raise Stopped
        result = runner.pool.next(POLL_SECONDS)
        if result is not None:
            found[result.job_id] = result.value_of("the measurement of a finalist")
    return [found[number] for number in range(len(finalists))]
