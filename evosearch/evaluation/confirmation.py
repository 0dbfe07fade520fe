"""Confirmation of a record holder: the reference backend trains it again, and checks every step of the interpreter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.backends import array_vm, reference
from evosearch.evaluation.decay import find_decay, with_decay
from evosearch.evaluation.rates import Tuned, rate_of
from evosearch.evaluation.training import Proxy, Tensors, Trainer, Trainings, log_loss
from evosearch.language.op import OpSet
from evosearch.language.program import Program

Array = NDArray[np.float64]

ONE_STEP = 1e-12
"""By how much the interpreter's update or state may differ from the reference's in one step, relative to its largest element.

Today the bits are equal; the bound is what the claim is worth on a machine where they are not.
"""

NOISE = 2.0
"""The two final losses may differ by so many standard deviations over seeds."""


@dataclass(frozen=True)
class Confirmation:
    """What the reference backend says of a rule.

    Attributes:
        refusal: why the rule is no record holder; None where it is one.
        steps: compared one by one, along the trajectory of the training.
        difference: the largest one-step difference of an update or state, relative to that tensor's largest element.
        losses: final loss by the interpreter and by the reference; NaN where the training failed.
        noise: standard deviation of the logarithm of the loss over seeds.
    """

    refusal: str | None
    steps: int
    difference: float
    losses: tuple[float, float]
    noise: float

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it; what is not finite is None."""
        finite = {name: value if math.isfinite(value) else None for name, value in _numbers(self).items()}
        return {"refusal": self.refusal, "steps": self.steps, **finite}


def confirm_rule(
    task: Trainer, ops: OpSet, rule: Program, tuned: Mapping[str, Tuned], proxy: Proxy, steps: int, seeds: Sequence[int]
) -> Confirmation:
    """Train a tuned rule on a proxy by the reference, on the first seed, and compare: each step, and the final loss.

    Args:
        seeds: two at least; the spread of the interpreter's losses over them is the noise that a final loss may differ by.
    """
    at = tuned[proxy.name]
    decay = find_decay(rule)
    changed = rule if at.decay is None or decay is None else with_decay(rule, decay, at.decay)
    witness = _Witness(changed, ops)
    trained = log_loss(task.train_with(proxy, witness.step, ops, rate_of(at.rates[0]), seeds[0], steps))
    trainings = Trainings(task, ops, rule)
    claimed = [trainings.losses(proxy, steps, seed, at.rates[:1], at.decay)[0] for seed in seeds]
    finite = [value for value in claimed if math.isfinite(value)]
    noise = float(np.std(finite, ddof=1)) if len(finite) > 1 else 0.0
    refusal = None
    if not (math.isfinite(trained) and math.isfinite(claimed[0])):
        refusal = "a weight or a metric is not finite, or loss and accuracy contradict each other"
    elif not witness.difference <= ONE_STEP:
        refusal = f"a step differs from the reference's by {witness.difference:.1e}"
    elif not abs(trained - claimed[0]) <= max(NOISE * noise, ONE_STEP):
        refusal = f"its final loss {math.exp(claimed[0]):.4g} is {math.exp(trained):.4g} by the reference"
    losses = (math.exp(claimed[0]), math.exp(trained))
    return Confirmation(refusal, witness.steps, witness.difference, losses, noise)


class _Witness:
    """Steps by the reference, and looks at what the interpreter makes of the same weights, gradients and state."""

    def __init__(self, rule: Program, ops: OpSet) -> None:
        self._rule, self._ops = rule, ops
        self._state: list[Tensors] | None = None
        self.steps, self.difference = 0, 0.0

    def step(self, w: Tensors, g: Tensors, lr: float, number: int) -> Tensors:
        """See `Step`."""
        state = self._state or [[np.zeros_like(tensor) for tensor in w] for _ in self._rule.outputs[1:]]
        update, new = reference.step(self._rule, w, g, state, lr, number)
        other, others = array_vm.step(self._rule, self._ops, w, g, state, lr, number)
        for mine, theirs in zip([update, *new], [other, *others], strict=True):
            self.difference = max([self.difference, *map(_difference, mine, theirs)])
        self._state = new
        self.steps += 1
        return update


def _difference(a: Array, b: Array) -> float:
    """The largest difference relative to the largest element; infinite where one is finite and the other is not."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return math.inf
    apart = np.abs(a - b)[~same]
    finite = np.abs(a)[np.isfinite(a)]
    return float(np.max(apart) / np.max(finite)) if finite.size and np.isfinite(apart).all() and finite.max() > 0 else math.inf


def _numbers(confirmation: Confirmation) -> dict[str, float]:
    interpreter, reference_loss = confirmation.losses
    return {
        "difference": confirmation.difference,
        "loss": interpreter,
        "loss_reference": reference_loss,
        "noise": confirmation.noise,
    }
