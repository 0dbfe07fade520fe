"""A rule of a run, simplified on the proxies of the run, on seeds that neither its search nor its tuning has seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from evosearch.errors import ConfigError
from evosearch.evaluation.fitness import Fitness, Score
from evosearch.evaluation.racing import draw_seeds
from evosearch.evaluation.rates import Tuned
from evosearch.evaluation.training import Trainer
from evosearch.language.program import Program
from evosearch.search.config import RunConfig
from evosearch.search.rules.settings import RuleSettings
from evosearch.winners.rules.simplify import Simplified, Step, simplify, statement
from evosearch.winners.rules.trial import Effect, Margin

SCHEMA = 1
_TUNING = 2  # seeds on which rates are tuned before a rule is measured on others
_NEAR = 0.02  # a rule this near to the original at the original's rates needs none of its own


@dataclass
class _Scorer:
    """Scores on the dearest rung.

    The original is tuned once, on seeds of its own. Others are trained at its rates and decay, since to tune each anew would
    add the luck of the tuning to every difference; they are tuned themselves where they do badly there.
    """

    fitness: Fitness
    seed: int
    _tuned: dict[str, dict[str, Tuned]] = field(default_factory=dict)
    _first: Score | None = None

    def __call__(self, rule: Program, draws: Sequence[int]) -> Sequence[float]:
        text, rung = str(rule), len(self.fitness.settings.rungs) - 1
        if text not in self._tuned:
            self._tuned[text] = self._tune(rule, rung)
        if not self._tuned[text]:
            return ()
        seeds = [draw_seeds(self.seed, "simplify", draw, 1)[0] for draw in draws]
        score = self.fitness.measure(rule, rung, seeds, self._tuned[text])
        return score.cases if score.status == "ok" else ()

    def _tune(self, rule: Program, rung: int) -> dict[str, Tuned]:
        seeds = draw_seeds(self.seed, "simplify tuning", 0, _TUNING)
        if self._first is None:
            self._first = self.fitness.score(rule, rung, seeds)
            return dict(self._first.tuned) if self._first.status == "ok" else {}
        there = self.fitness.measure(rule, rung, seeds, self._first.tuned)
        if there.status == "ok" and there.fitness <= self._first.fitness + _NEAR:
            return dict(self._first.tuned)
        own = self.fitness.score(rule, rung, seeds, self._first.tuned)
        best = min((there, own), key=lambda score: (score.status != "ok", score.fitness))
        return dict((own if best is own else self._first).tuned) if best.status == "ok" else {}


def simplify_of_run(
    rule: Program, config: RunConfig, margin: Margin | None = None, tell: Callable[[Step], None] | None = None
) -> Simplified:
    """Simplify a rule on the proxies of a run; see `simplify`.

    Raises:
        ConfigError: where the run does not search update rules.
    """
    if config.family != "rule":
        raise ConfigError(
            f"run '{config.name}' searches functions or policies; a function is simplified when it enters its front: "
            "evosearch inspect RUN ID"
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
