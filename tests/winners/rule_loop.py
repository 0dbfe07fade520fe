"""The kernel of `rule_tasks`: gradient steps on noisy quadratics by an encoded update rule."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.array_vm import apply_rule
from evosearch.backends.kernels import kernel

Array = NDArray[np.float64]


@kernel
def descend(
    code: Any, constants: Any, outputs: Any, depths: Any, regs: Any, offsets: Any,
    curvature: Array, target: Array, noise: Array, rates: Array, state: Array, w: Array,
) -> None:  # fmt: skip
    """As many steps as there are rates, in place; `noise` is a row a step."""
    g, update = np.empty_like(w), np.empty_like(w)
    for step in range(len(rates)):
        for j in range(len(w)):
            g[j] = curvature[j] * (w[j] - target[j]) + noise[step, j]
        apply_rule(code, constants, outputs, depths, regs, w, g, state, offsets, rates[step], step + 1.0, update)
        for j in range(len(w)):
            w[j] -= update[j]
