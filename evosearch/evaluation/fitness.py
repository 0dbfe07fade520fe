"""Fitness of an update rule: how its validation loss compares with the better of tuned AdamW and tuned Lion.

What a single short training at one learning rate says has nothing to do with how good a rule is (measured: rank correlation
-0.21). So the learning rate, and the decay where it can be told apart, are tuned outside the rule; a score is the mean over
its three best rates, over seeds and tasks, of the logarithm of the ratio of losses; and a score that counts is measured on
seeds that the tuning did not see. Lower is better, 0 is as good as the better baseline, -0.1 is a loss about 10% smaller.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evosearch.evaluation.baselines import Baselines
from evosearch.evaluation.confirmation import Confirmation, confirm_rule
from evosearch.evaluation.rates import Tuned
from evosearch.evaluation.rungs import Rung, Settings
from evosearch.evaluation.training import Proxy, Trainer, Trainings
from evosearch.evaluation.tuning import coarse, fine
from evosearch.language.op import OpSet
from evosearch.language.program import Program

__all__ = ["WORST", "Fitness", "Rung", "Score", "Settings"]

WORST = 1.0
"""Log-ratios are clipped to +-1: one broken task must not hide all others, nor one lucky one carry them."""


@dataclass(frozen=True)
class Score:
    """What the trainings of one rung say of a rule.

    Attributes:
        fitness: mean of `cases`, from -1 to 1; 1 where the rule is invalid.
        status: "ok"; "invalid" where no rate trained on some proxy.
        cases: log-ratio of each (proxy, seed), proxies outside; two rules' cases on equal seeds are pairs.
        tuned: by proxy name.
        metrics: plain data: `proxies` (log-ratio by proxy), `adamw` and `lion` (log-ratio to each), `accuracy` (mean at the
            best rates), `failed` (share of trainings that failed).
        work: instructions x weights, of all trainings that were done for it.
        seconds: wall clock; takes no part in equality.
    """

    fitness: float
    status: str
    cases: tuple[float, ...]
    tuned: Mapping[str, Tuned]
    metrics: Mapping[str, Any]
    work: int
    seconds: float = field(default=0.0, compare=False)


class Fitness:
    """Scores rules on a task's proxies; a score is a function of rule, task, settings and seeds."""

    def __init__(self, task: Trainer, ops: OpSet, settings: Settings | None = None) -> None:
        self.task, self.ops, self._proxies = task, ops, tuple(task.proxies())
        self.settings = (settings or Settings()).fitted(len(self._proxies))
        self._baselines = Baselines(task, ops, self.settings.shrinks, self.settings.tuning_seeds)

    def rung(self, number: int) -> Rung:
        """The rung, from 0."""
        return self.settings.rungs[number]

    def prepare(self, rung: int, proxy: int) -> dict[str, Any]:
        """Tune the baselines on one of a rung's proxies, for `learn`."""
        return self._baselines.tune(*self._trained(rung)[proxy])

    def learn(self, tuned: Mapping[str, Any]) -> None:
        """Take over what `prepare` of another one returned, which saves time and changes no score."""
        self._baselines.learn(tuned)

    def score(self, rule: Program, rung: int, seeds: Sequence[int], hint: Mapping[str, Tuned] | None = None) -> Score:
        """Tune the rule on these seeds and score it on them.

        Args:
            hint: what a cheaper rung has tuned, by proxy; without it the rates are looked for from scratch.
        """
        started = time.perf_counter()
        trainings, tuned = Trainings(self.task, self.ops, rule), dict(hint or {})
        for proxy, steps in self._trained(rung):
            start = tuned.get(proxy.name) or next(iter(tuned.values()), None)
            found = tuned[proxy.name] = self._tune(trainings, proxy, steps, seeds, self.rung(rung), start)
            if not math.isfinite(trainings.mean_losses(proxy, steps, seeds, found.rates[:1], found.decay)[0]):
                metrics = {"proxies": {}, "failed": trainings.failed}
                return Score(WORST, "invalid", (), tuned, metrics, trainings.work, time.perf_counter() - started)
        return self._scored(trainings, rung, seeds, tuned, started)

    def refine(self, rule: Program, rung: int) -> tuple[dict[str, Tuned], int]:
        """Tune a finalist's rates and decay as the baselines' are, on the same seeds; with the work of it."""
        trainings = Trainings(self.task, self.ops, rule)
        tuned = {proxy.name: self._baselines.tune_alike(trainings, proxy, steps) for proxy, steps in self._trained(rung)}
        return tuned, trainings.work

    def measure(self, rule: Program, rung: int, seeds: Sequence[int], tuned: Mapping[str, Tuned]) -> Score:
        """Score a tuned rule on seeds that the tuning did not see."""
        started = time.perf_counter()
        return self._scored(Trainings(self.task, self.ops, rule), rung, seeds, tuned, started)

    def confirm(self, rule: Program, rung: int, seeds: Sequence[int], tuned: Mapping[str, Tuned]) -> Confirmation:
        """Train the rule by the reference on the rung's first proxy and the first of these seeds; see `confirm_rule`."""
        proxy, steps = self._trained(rung)[0]
        return confirm_rule(self.task, self.ops, rule, tuned, proxy, steps, seeds)

    def _trained(self, rung: int) -> list[tuple[Proxy, int]]:
        """The proxies of a rung, each with its number of steps."""
        plan = self.rung(rung)
        return [(proxy, max(1, round(proxy.steps * plan.horizon))) for proxy in self._proxies[: plan.proxies]]

    def _tune(
        self, trainings: Trainings, proxy: Proxy, steps: int, seeds: Sequence[int], plan: Rung, start: Tuned | None
    ) -> Tuned:
        def losses(rates: Sequence[int], decay: float | None) -> list[float]:
            return trainings.mean_losses(proxy, steps, seeds, rates, decay)

        decay, natural = start.decay if start else None, trainings.gauge
        at, stride = start.rates[0] if start else natural.rate, natural.stride
        if plan.coarse:
            return Tuned((coarse(lambda rates: losses(rates, decay), at, stride, plan.extensions),), decay)
        if not start:
            at = coarse(lambda rates: losses(rates, decay), at, stride, plan.extensions)
        return Tuned(fine(lambda rates: losses(rates, decay), at, stride, plan.extensions), decay)

    def _scored(
        self, trainings: Trainings, rung: int, seeds: Sequence[int], tuned: Mapping[str, Tuned], started: float
    ) -> Score:
        cases: list[float] = []
        by_proxy: dict[str, float] = {}
        to_each: dict[str, list[float]] = {}
        accuracies: list[float] = []
        for proxy, steps in self._trained(rung):
            at = tuned[proxy.name]
            losses = [trainings.losses(proxy, steps, seed, at.rates, at.decay) for seed in seeds]
            baselines = self._baselines.losses(proxy, steps, seeds)
            ratios = {name: _log_ratios(losses, row) for name, row in baselines.items()}
            better = min(baselines, key=lambda name: (float(np.mean(baselines[name])), name))
            cases += ratios[better]
            by_proxy[proxy.name] = float(np.mean(ratios[better]))
            for name, values in ratios.items():
                to_each.setdefault(name, []).extend(values)
            accuracies += [trainings.accuracy(proxy, steps, seed, at) for seed in seeds]
        metrics = {
            "proxies": by_proxy,
            **{name: float(np.mean(values)) for name, values in to_each.items()},
            "accuracy": float(np.mean(accuracies)),
            "failed": trainings.failed,
        }
        fitness = float(np.mean(cases))
        return Score(fitness, "ok", tuple(cases), dict(tuned), metrics, trainings.work, time.perf_counter() - started)


def _log_ratios(losses: list[list[float]], baseline: list[float]) -> list[float]:
    """For each seed the mean over the rates of the clipped log-ratio; a training that failed counts as the worst."""
    return [float(np.mean(np.clip(np.array(row) - base, -WORST, WORST))) for row, base in zip(losses, baseline, strict=True)]
