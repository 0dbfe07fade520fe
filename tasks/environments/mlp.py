"""A small fully connected network with tanh units as a kernel, so that the time goes to the environment.

Sums run over inputs one after another, in float64; tanh is a polynomial on a range cut by powers of two: no libm, no BLAS.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import compile_modules, kernel
from evosearch.evolution.seeds import Layer, Layout

LAST = 0.1
"""Scale of the last layer's initial weights beside 1 / sqrt(inputs), as in "Deep Neuroevolution"."""


def mlp_layout(inputs: int, hidden: Sequence[int], outputs: int) -> Layout:
    """Weights (in, out) and biases (out,) of each layer, in the order of the flat vector."""
    sizes = (inputs, *hidden, outputs)
    layers = []
    for n, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        scale = (LAST if n == len(hidden) else 1.0) / math.sqrt(fan_in)
        layers += [Layer(f"{n}.weight", (fan_in, fan_out), scale), Layer(f"{n}.bias", (fan_out,), 0.0)]
    return Layout(tuple(layers))


def load() -> ModuleType:
    """The compiled kernels."""
    return compile_modules((__name__,), "mlp")


@kernel
def tanh_of(x: float) -> float:
    """tanh(x) to 1e-9."""
    y = min(abs(x), 20.0) * 2.8853900817779268  # 2 |x| log2(e)
    whole = np.floor(y + 0.5)
    r = (y - whole) * 0.6931471805599453
    p = 1.0 + r * (1.0 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (1 / 5040 + r / 40320)))))))
    t: float = 1.0 - 2.0 / (p * float(np.int64(1) << np.int64(whole)) + 1.0)
    return t if x >= 0.0 else -t


@kernel
def tanh_all(values: NDArray[np.float64], count: int) -> None:
    """Replace the first `count` of values[0] by their tanh."""
    for j in range(count):
        values[0, j] = tanh_of(values[0, j])


@kernel
def mlp(weights: NDArray[np.float32], sizes: NDArray[np.int64], values: NDArray[np.float64]) -> int:
    """Turn the inputs in values[0] into the outputs there; the place of the largest one, -1 where one is not finite.

    Args:
        weights: flat, as `mlp_layout` has them.
        sizes: (layers + 1,) inputs, hidden units, ..., outputs.
        values: (2, largest size) both rows are overwritten.
    """
    position = 0
    layers = sizes.shape[0] - 1
    for n in range(layers):
        inputs, outputs = sizes[n], sizes[n + 1]
        bias = position + inputs * outputs
        for j in range(outputs):
            values[1, j] = weights[bias + j]
        for i in range(inputs):
            x = values[0, i]
            for j in range(outputs):
                values[1, j] += x * weights[position + i * outputs + j]
        for j in range(outputs):
            values[0, j] = tanh_of(values[1, j]) if n < layers - 1 else values[1, j]
        position = bias + outputs
    best = 0
    for j in range(sizes[layers]):
        if not abs(values[0, j]) < np.inf:
            return -1
        if values[0, j] > values[0, best]:
            best = j
    return best
