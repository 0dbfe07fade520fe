"""What fitness knows of a task that trains: proxies, trainings, baselines; and which results it believes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.array_vm import EncodedRule, encode_rule
from evosearch.evaluation.decay import find_decay, with_decay
from evosearch.evaluation.rates import Tuned, rate_of
from evosearch.evaluation.tuning import Gauge, gauge
from evosearch.language.op import OpSet
from evosearch.language.program import Program

Tensors = list[NDArray[np.float64]]
Step = Callable[[Tensors, Tensors, float, int], Tensors]
"""Takes weights, gradients, learning rate and step number (from 1), keeps its own state, and returns the updates."""


class Proxy(Protocol):
    """A small problem of training."""

    @property
    def name(self) -> str:
        """Unique in its task."""

    @property
    def steps(self) -> int:
        """Of a whole training."""


class Outcome(Protocol):
    """What became of one training; `loss` and `accuracy` are on validation data, `work` counts instructions x weights."""

    @property
    def status(self) -> str:
        """ "ok", or "invalid" where a weight or a metric was not finite."""

    @property
    def loss(self) -> float: ...
    @property
    def accuracy(self) -> float: ...
    @property
    def work(self) -> int: ...


class Trainer(Protocol):
    """A task as fitness uses it; every method is a function of its arguments alone. It knows its proxies' own type."""

    def proxies(self) -> Sequence[Proxy]:
        """From cheap to dear; the first is what rung 0 trains."""

    def train_rates(
        self, proxy: Any, rule: EncodedRule, ops: OpSet, rates: Sequence[float], seed: int, steps: int
    ) -> Sequence[Outcome]:
        """Train from scratch at each learning rate; `seed` draws split, initial weights and batches, `steps` is the horizon."""

    def train_with(self, proxy: Any, step: Step, ops: OpSet, lr: float, seed: int, steps: int) -> Outcome:
        """The same training with a step in Python, bit for bit where the step is; for confirmation, and slow."""

    def baselines(self, ops: OpSet) -> Mapping[str, Program]:
        """The rules that a candidate is measured against, by name: "adamw" and "lion"."""


SLACK = 1e-4
"""Relative; losses are sums of float32 terms."""


def log_loss(outcome: Outcome) -> float:
    """The logarithm of a training's validation loss; +inf where it is invalid or contradicts its own accuracy.

    The mean cross-entropy L and the accuracy a check each other: a wrong answer means that its class had a probability of at
    most one half, so that L >= (1 - a) log 2. Weights that are not finite break this: every comparison with NaN is false.
    """
    loss, accuracy = outcome.loss, outcome.accuracy
    if outcome.status != "ok" or not (math.isfinite(loss) and math.isfinite(accuracy)):
        return math.inf
    if not 0.0 <= accuracy <= 1.0 or loss < (1.0 - accuracy) * math.log(2.0) * (1.0 - SLACK):
        return math.inf
    return math.log(max(loss, 1e-12))


class Trainings:
    """The trainings of one rule, each done once: a memory, not a state."""

    def __init__(self, task: Trainer, ops: OpSet, rule: Program) -> None:
        self._task, self._ops, self.rule = task, ops, rule
        self._decay = find_decay(rule)
        self._encoded: dict[float | None, EncodedRule] = {}
        self._found: dict[tuple[object, ...], tuple[float, float]] = {}
        self.work = 0

    def losses(self, proxy: Proxy, steps: int, seed: int, rates: Sequence[int], decay: float | None = None) -> list[float]:
        """Logarithms of the loss at rates RATIO^k with that decay (None: the rule's own); +inf where a training fails."""
        return [loss for loss, _ in self._at(proxy, steps, seed, rates, decay)]

    def mean_losses(
        self, proxy: Proxy, steps: int, seeds: Sequence[int], rates: Sequence[int], decay: float | None = None
    ) -> list[float]:
        """The same, as means over seeds."""
        rows = [self.losses(proxy, steps, seed, rates, decay) for seed in seeds]
        return [float(np.mean(column)) for column in zip(*rows, strict=True)]

    def accuracy(self, proxy: Proxy, steps: int, seed: int, tuned: Tuned) -> float:
        """At the best tuned rate; 0 where the training fails."""
        return self._at(proxy, steps, seed, tuned.rates[:1], tuned.decay)[0][1]

    @functools.cached_property
    def gauge(self) -> Gauge:
        """How the rule reads its learning rate; the same on every proxy."""
        return gauge(self.rule, self._ops)

    @property
    def decay(self) -> float | None:
        """The rule's own decay constant; None where it has none that can be told apart."""
        return None if self._decay is None else self._decay.value

    @property
    def failed(self) -> float:
        """Share of the trainings that failed."""
        return sum(not math.isfinite(loss) for loss, _ in self._found.values()) / max(1, len(self._found))

    def _at(self, proxy: Proxy, steps: int, seed: int, rates: Sequence[int], decay: float | None) -> list[tuple[float, float]]:
        """(loss, accuracy) at each rate; those not yet known are trained together, on the same batches."""
        decay = None if self._decay is None or decay == self._decay.value else decay
        keys = [(proxy.name, steps, seed, k, decay) for k in rates]
        missing = [(key, k) for key, k in zip(keys, rates, strict=True) if key not in self._found]
        if missing:
            wanted = [rate_of(k) for _, k in missing]
            outcomes = self._task.train_rates(proxy, self._rule(decay), self._ops, wanted, seed, steps)
            for (key, _), outcome in zip(missing, outcomes, strict=True):
                loss = log_loss(outcome)
                self._found[key] = loss, outcome.accuracy if math.isfinite(loss) else 0.0
                self.work += outcome.work
        return [self._found[key] for key in keys]

    def _rule(self, decay: float | None) -> EncodedRule:
        if decay not in self._encoded:
            changed = self.rule if decay is None or self._decay is None else with_decay(self.rule, self._decay, decay)
            self._encoded[decay] = encode_rule(changed, self._ops)
        return self._encoded[decay]
