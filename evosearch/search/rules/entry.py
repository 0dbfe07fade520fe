"""Whether a rule enters the archive: measured on seeds that did not choose it, beside the rule that it would replace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from evosearch.evaluation.fitness import Fitness
from evosearch.evaluation.racing import draw_seeds, enter, from_plain, plain
from evosearch.language.optimizer import read_rule
from evosearch.search.rules.workshop import workshop


def run_entry(
    run: str, text: str, number: int, incumbent: tuple[str, Mapping[str, Any]] | None, baselines: Mapping[str, Any]
) -> dict[str, Any]:
    """Measure an offered rule; see `evosearch.evaluation.racing.enter`.

    Args:
        run: the run's configuration; see `workshop`.
        text: the rule.
        number: of the job, for the seeds.
        incumbent: text and tuned constants of the archive's rule.
        baselines: see `Fitness.learn`.
    """
    shop = workshop(run)
    shop.fitness.learn(baselines)
    fitness, ops = cast(Fitness, shop.fitness), shop.grammar.ops
    seeds = draw_seeds(shop.settings.seed, "entry", number, fitness.settings.entry_seeds)
    rival = None if incumbent is None else (read_rule(incumbent[0], ops), from_plain(incumbent[1]))
    entry = enter(fitness, read_rule(text, ops), seeds, rival)
    metrics = {
        **entry.score.metrics,
        "tuned": plain(entry.score.tuned),
        "cases": list(entry.score.cases),
        "p": entry.p,
        "difference": entry.difference,
        "confirmation": entry.confirmation.to_plain() if entry.confirmation else None,
    }
    return {"entered": entry.entered, "fitness": entry.score.fitness, "metrics": metrics, "work": entry.work}
