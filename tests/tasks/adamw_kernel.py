"""AdamW by hand, behind the signature of the interpreter's `apply_rule`: a second opinion on the training loop."""

# ruff: noqa: ARG001

from __future__ import annotations

import numpy as np

from evosearch.backends.kernels import kernel


@kernel
def apply_rule(code, constants, outputs, depths, regs, w, g, state, offsets, lr, step, update):  # type: ignore[no-untyped-def]
    """constants: beta1, beta2, epsilon, weight decay; state: the two moments."""
    b1, b2, eps, decay = constants[0], constants[1], constants[2], constants[3]
    power1, power2 = 1.0, 1.0
    for _ in range(int(step)):
        power1, power2 = power1 * b1, power2 * b2
    fine = True
    for i in range(w.shape[0]):
        state[0, i] = b1 * state[0, i] + (1.0 - b1) * g[i]
        state[1, i] = b2 * state[1, i] + (1.0 - b2) * g[i] * g[i]
        ratio = state[0, i] / (1.0 - power1) / (np.sqrt(state[1, i] / (1.0 - power2)) + eps)
        update[i] = lr * (ratio + decay * w[i])
        fine = fine and np.isfinite(update[i])
    return fine


@kernel
def rule_registers(instructions, tensors):  # type: ignore[no-untyped-def]
    """None are needed."""
    return np.zeros((1, 1))
