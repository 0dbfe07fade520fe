"""Update rules on flat vectors: all parameter tensors one after the other, as compiled steps take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evosearch.backends.reference import Array, rule_inputs
from evosearch.language.optimizer import GRADIENT, WEIGHT, state_names
from evosearch.language.program import Program

Ints = NDArray[np.int64]
FlatStep = Callable[[Array, Array, Array, Ints, float, float, Array], bool]
"""(w, g, state, offsets, lr, step, update) -> whether updates and states are finite.

w, g, update float64 (N,), state float64 (states, N), offsets int64 (tensors + 1,): where each tensor starts, and N. `state`
and `update` are set; the caller does w - update.
"""


def step_by(
    flat_step: FlatStep, rule: Program, w: Sequence[ArrayLike], g: Sequence[ArrayLike], state: Sequence[Sequence[ArrayLike]],
    lr: float, step: float,
) -> tuple[list[Array], list[list[Array]]]:  # fmt: skip
    """As the reference's `step`, by a compiled step of the same rule."""
    tensors, given = rule_inputs(rule, w, g, state)
    offsets = np.cumsum([0, *(tensor.size for tensor in tensors)])
    flat = {name: np.concatenate([*arrays, np.empty(0)]) for name, arrays in given.items()}
    kept = np.array([flat[name] for name in state_names(rule)]).reshape(len(state), offsets[-1])
    update = np.empty(offsets[-1])
    flat_step(flat[WEIGHT], flat[GRADIENT], kept, offsets, float(lr), float(step), update)

    def split(values: Array) -> list[Array]:
        parts = np.split(values, offsets[1:-1]) if tensors else []
        return [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    return split(update), [split(values) for values in kept]
