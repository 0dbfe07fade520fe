"""An update rule as the step of a training in torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from evosearch.backends.torch_backend import compile_rule
from evosearch.language.program import Program

if TYPE_CHECKING:
    from tasks.training.torch_problem import Step

OVERFLOW = "without overflow"
"""In torch's error where a Python number does not fit a tensor's dtype."""


def rule_step(rule: Program, weights: list[torch.Tensor], decay: float) -> Step:
    """A function that changes `weights` in place by the rule, and by lr * decay * w beside it.

    The weights become NaN where a number of the rule is finite, but beyond what a tensor's dtype can hold.
    """
    compiled = compile_rule(rule)
    state = compiled.init(weights)

    def step(gradients: list[torch.Tensor], lr: float, number: int) -> None:
        shrink = torch._foreach_mul(weights, lr * decay) if decay else ()
        try:
            compiled.step(weights, gradients, state, lr, number)
        except RuntimeError as error:
            if OVERFLOW not in str(error):
                raise
            torch._foreach_mul_(weights, math.nan)
        if decay:
            torch._foreach_sub_(weights, list(shrink))

    return step
