"""Tuned AdamW and Lion: what a candidate's loss is compared with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evosearch.errors import TaskError
from evosearch.evaluation.rates import Tuned
from evosearch.evaluation.thorough import tune_thoroughly
from evosearch.evaluation.training import Proxy, Trainer, Trainings
from evosearch.language.op import OpSet

_TUNING_SEED = 2**30
"""The first of the seeds that baselines are tuned on; no other seed is as large (see `racing.draw_seeds`)."""


class Baselines:
    """The baselines on each proxy and horizon: their best rates and decay, and their loss on each seed.

    Rates and decay are tuned once per proxy and horizon, on seeds of their own, by the procedure that tunes finalists;
    on a seed the loss is the mean over the kept rates, as a candidate's is. All of it is a function of task and settings;
    what was tuned once is kept, and handed to other processes as plain data.
    """

    def __init__(self, task: Trainer, ops: OpSet, shrinks: Sequence[float], tuning_seeds: int) -> None:
        rules = dict(task.baselines(ops))
        self._ops, self._shrinks = ops, tuple(shrinks)
        self._seeds = tuple(_TUNING_SEED + number for number in range(tuning_seeds))
        self._trainings = {name: Trainings(task, ops, rules[name]) for name in sorted(rules)}
        self._tuned: dict[str, Tuned] = {}
        self._losses: dict[str, float] = {}

    def learn(self, tuned: Mapping[str, Any]) -> None:
        """Take over what `tune` of another process returned."""
        for key, plain in tuned.items():
            self._tuned.setdefault(key, Tuned.from_plain(plain))

    def tune(self, proxy: Proxy, steps: int) -> dict[str, Any]:
        """Tune them on a proxy; as plain data for `learn`."""
        return {f"{name} {proxy.name} {steps}": self.tuned(name, proxy, steps).to_plain() for name in self._trainings}

    def tune_alike(self, trainings: Trainings, proxy: Proxy, steps: int) -> Tuned:
        """Tune another rule by the very procedure and on the very seeds: of two equal rules none has better luck."""
        return tune_thoroughly(trainings, self._ops, proxy, steps, self._seeds, self._shrinks)

    def losses(self, proxy: Proxy, steps: int, seeds: Sequence[int]) -> dict[str, list[float]]:
        """By baseline the mean over its kept rates of the logarithm of the loss, for each seed."""
        return {name: [self._loss(name, proxy, steps, seed) for seed in seeds] for name in self._trainings}

    def tuned(self, name: str, proxy: Proxy, steps: int) -> Tuned:
        """A baseline's best rates and decay: learning rate x weight decay."""
        key = f"{name} {proxy.name} {steps}"
        if key not in self._tuned:
            self._tuned[key] = self.tune_alike(self._trainings[name], proxy, steps)
        return self._tuned[key]

    def _loss(self, name: str, proxy: Proxy, steps: int, seed: int) -> float:
        key = f"{name} {proxy.name} {steps} {seed}"
        if key not in self._losses:
            tuned, trainings = self.tuned(name, proxy, steps), self._trainings[name]
            values = trainings.losses(proxy, steps, seed, tuned.rates, tuned.decay)
            finite = [value for value in values if math.isfinite(value)]
            if not finite:
                raise TaskError(
                    f"the baseline '{name}' does not train on proxy '{proxy.name}' (seed {seed}, {steps} steps): "
                    "its loss is not finite at any learning rate; mend the proxy's data, model or loss"
                )
            self._losses[key] = float(np.mean(finite))
        return self._losses[key]
