"""An update rule as the step of a training in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from evosearch.backends.torch_backend import compile_rule
from evosearch.language.program import Program

if TYPE_CHECKING:
    from tasks.training.torch_problem import Step


def rule_step(rule: Program, weights: list[torch.Tensor], decay: float) -> Step:
    """A function that changes `weights` in place by the rule, and by lr * decay * w beside it."""
    compiled = compile_rule(rule)
    state = compiled.init(weights)

    def step(gradients: list[torch.Tensor], lr: float, number: int) -> None:
        if decay == 0.0:
            compiled.step(weights, gradients, state, lr, number)
            return
        shrink = torch._foreach_mul(weights, lr * decay)
        compiled.step(weights, gradients, state, lr, number)
        torch._foreach_sub_(weights, list(shrink))

    return step
