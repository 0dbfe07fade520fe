"""A user's own proxy, model and data in one file: softmax regression on three clouds of points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from tasks.training import Data, Model, Net, Proxy, Training


def clouds() -> Data:
    """Points around three corners."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = rng.normal(size=(300, 2)) + 3.0 * np.array([[0, 0], [1, 0], [0, 1]])[y]
    return Data(x.astype(np.float32), y.astype(np.float32), classes=3)


@kernel
def logits(m, w, x, n, z, f):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """z = x W + b."""
    inputs, classes = m[0], m[1]
    for i in range(n):
        for j in range(classes):
            z[i, j] = w[inputs * classes + j]
            for k in range(inputs):
                z[i, j] += x[i, k] * w[k * classes + j]


@kernel
def slopes(m, w, x, dz, n, g, f):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """The gradients of W and b."""
    inputs, classes = m[0], m[1]
    g[:] = 0.0
    for i in range(n):
        for j in range(classes):
            g[inputs * classes + j] += dz[i, j]
            for k in range(inputs):
                g[k * classes + j] += x[i, k] * dz[i, j]


def build(sizes: tuple[int, ...], data: Data, batch: int) -> Net:  # noqa: ARG001
    """Two tensors, W and b."""
    inputs = data.x.shape[1]
    sizes_of: NDArray[np.int64] = np.array([inputs, data.classes])
    return Net(shapes=((inputs, data.classes), (data.classes,)), bounds=(0.1, 0.0), sizes=sizes_of, room=1)


MODEL = Model("own_training", build)


@dataclass(frozen=True)
class Clouds(Training):
    """Search for rules that train this."""

    def every(self) -> Sequence[Proxy]:
        """One proxy."""
        return (Proxy("clouds", data="own_training:clouds", model="own_training:MODEL", sizes=(), batch=20, steps=60),)
