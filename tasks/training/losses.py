"""Kernels that score logits: softmax cross-entropy with its gradient, and accuracy counted apart from it.

No libm: exp(x) on [-40, 0] is a Taylor polynomial of degree 10 at x / 256, squared eight times (relative error below 1e-12);
the logarithm of a sum in [1, classes] is the atanh series after halving into [3/4, 3/2) (absolute error below 1e-15).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel

Singles = NDArray[np.float32]
Floats = NDArray[np.float64]

LN2 = 0.6931471805599453


@kernel
def exp_all(t: Floats, count: int) -> None:
    """t = exp(t) in place; t <= 0, and below -40 it counts as -40; NaN stays."""
    for i in range(count):
        x = -40.0 if t[i] < -40.0 else t[i]
        x = x * 0.00390625
        p = 1.0 + x * 0.1
        p = 1.0 + x * (1.0 / 9.0) * p
        p = 1.0 + x * 0.125 * p
        p = 1.0 + x * (1.0 / 7.0) * p
        p = 1.0 + x * (1.0 / 6.0) * p
        p = 1.0 + x * 0.2 * p
        p = 1.0 + x * 0.25 * p
        p = 1.0 + x * (1.0 / 3.0) * p
        p = 1.0 + x * 0.5 * p
        p = 1.0 + x * p
        p = p * p
        p = p * p
        p = p * p
        p = p * p
        p = p * p
        p = p * p
        p = p * p
        t[i] = p * p


@kernel
def log_of(s: float) -> float:
    """The natural logarithm of s in [1, 2^53); NaN and infinity stay."""
    whole = 0.0
    while 1.5 <= s < 9007199254740992.0:
        s *= 0.5
        whole += LN2
    t = (s - 1.0) / (s + 1.0)
    square = t * t
    series = 0.0
    for k in range(27, 0, -2):
        series = series * square + 1.0 / k
    return whole + 2.0 * t * series if s < 2.0 else s


@kernel
def loss_of(z: Singles, y: Singles, n: int, classes: int, dz: Singles, t: Floats) -> float:
    """Sum of the cross-entropy over the first n rows of logits; dz is the gradient of their mean.

    Args:
        z: (batch, width), width >= classes; further columns are ignored.
        y: (batch,) labels, whole numbers.
        dz: as z; further columns are 0.
        t: room for batch x width values.
    """
    width = z.shape[1]
    for i in range(n):
        top = z[i, 0]
        for j in range(1, classes):
            top = z[i, j] if z[i, j] > top else top
        for j in range(width):
            t[i * width + j] = np.float64(z[i, j]) - np.float64(top)
    exp_all(t, n * width)
    total, share = 0.0, 1.0 / n
    for i in range(n):
        s = 0.0
        for j in range(classes):
            s += t[i * width + j]
        label, factor = int(y[i]), share / s
        top = z[i, 0]
        for j in range(1, classes):
            top = z[i, j] if z[i, j] > top else top
        total += log_of(s) + (np.float64(top) - np.float64(z[i, label]))
        for j in range(classes):
            dz[i, j] = t[i * width + j] * factor
        dz[i, label] = np.float32(t[i * width + label] * factor - share)
        for j in range(classes, width):
            dz[i, j] = 0.0
    return total


@kernel
def hits_of(z: Singles, y: Singles, n: int, classes: int) -> int:
    """How many rows have their label's logit above every other; a NaN is above nothing."""
    hits = 0
    for i in range(n):
        label, above = int(y[i]), True
        for j in range(classes):
            if j != label and not z[i, label] > z[i, j]:
                above = False
        hits += above
    return hits


@kernel
def agree(loss: float, accuracy: float) -> bool:
    """Whether a mean loss and an accuracy can belong together: a miss costs at least log 2."""
    return loss >= (1.0 - accuracy) * LN2 - 1e-6
