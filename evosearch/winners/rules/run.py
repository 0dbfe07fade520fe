"""A rule of a run, simplified on the proxies of the run, on seeds that neither its search nor its tuning has seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from evosearch.errors import ConfigError
from evosearch.evaluation.fitness import Fitness
from evosearch.evaluation.racing import draw_seeds
from evosearch.evaluation.training import Trainer
from evosearch.evaluation.tuning import Tuned
from evosearch.language.program import Program
from evosearch.search.config import RunConfig
from evosearch.search.rules.settings import RuleSettings
from evosearch.winners.rules.simplify import Simplified, Step, simplify, statement
from evosearch.winners.rules.trial import Effect, Margin

SCHEMA = 1
_TUNING = 2  # seeds on which a rule's rates are tuned before it is measured on others


@dataclass
class _Scorer:
    """Scores on the dearest rung; a rule is tuned once, on seeds of their own."""

    fitness: Fitness
    seed: int
    _tuned: dict[str, dict[str, Tuned]] = field(default_factory=dict)

    def __call__(self, rule: Program, draws: Sequence[int]) -> Sequence[float]:
        text, rung = str(rule), len(self.fitness.settings.rungs) - 1
        if text not in self._tuned:
            score = self.fitness.score(rule, rung, draw_seeds(self.seed, "simplify tuning", 0, _TUNING))
            self._tuned[text] = dict(score.tuned) if score.status == "ok" else {}
        if not self._tuned[text]:
            return ()
        seeds = [draw_seeds(self.seed, "simplify", draw, 1)[0] for draw in draws]
        score = self.fitness.measure(rule, rung, seeds, self._tuned[text])
        return score.cases if score.status == "ok" else ()


def simplify_of_run(
    rule: Program, config: RunConfig, margin: Margin | None = None, tell: Callable[[Step], None] | None = None
) -> Simplified:
    """Simplify a rule on the proxies of a run; see `simplify`.

    Raises:
        ConfigError: where the run does not search update rules.
    """
    if config.family != "rule":
        raise ConfigError(
            f"run '{config.name}' searches functions; those are simplified when they enter its front: evosearch inspect RUN ID"
        )
    task, ops, settings = config.load_task(), config.load_ops(), cast(RuleSettings, config.search)
    fitness = Fitness(cast(Trainer, task), ops, settings.race)
    return simplify(rule, ops, _Scorer(fitness, settings.seed), margin or Margin(), tell)


def to_plain(found: Simplified, margin: Margin) -> dict[str, Any]:
    """As JSON has it; `simplify --json` prints it."""
    return {
        "schema_version": SCHEMA,
        "original": str(found.original),
        "program": str(found.rule),
        "margin": {"loss": margin.loss, "level": margin.level, "seeds": list(margin.seeds)},
        "steps": list(map(step_to_plain, found.steps)),
        "statements": [
            {"statement": statement(found.rule, k), **_effect(effect)} for k, effect in enumerate(found.effects)
        ],
        "scored": found.scored,
    }


def step_to_plain(step: Step) -> dict[str, Any]:
    """What was done, the rule after it, and what all of it so far does to the score."""
    return {"what": step.what, "statements": len(step.rule.instructions), "program": str(step.rule), **_effect(step.effect)}


def _effect(effect: Effect | None) -> dict[str, float | None]:
    """None where nothing could be measured, or not on one pair alone."""
    return {
        "effect": None if effect is None else _finite(effect.mean),
        "error": None if effect is None else _finite(effect.error),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
