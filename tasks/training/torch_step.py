"""An update rule as the step of a training in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from evosearch.backends import reference
from evosearch.language.program import Program

if TYPE_CHECKING:
    from tasks.training.torch_problem import Step


def rule_step(rule: Program, weights: list[torch.Tensor], decay: float) -> Step:
    """A function that changes `weights` in place by the rule, and by lr * decay * w beside it."""
    state = [[np.zeros(tuple(weight.shape)) for weight in weights] for _ in rule.outputs[1:]]

    def step(gradients: list[torch.Tensor], lr: float, number: int) -> None:
        nonlocal state
        w = [weight.double().numpy() for weight in weights]
        updates, state = reference.step(rule, w, [gradient.double().numpy() for gradient in gradients], state, lr, number)
        for weight, update in zip(weights, updates, strict=True):
            weight.mul_(1.0 - lr * decay).sub_(torch.from_numpy(update))

    return step
