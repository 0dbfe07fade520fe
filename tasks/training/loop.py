"""The kernel that trains: batches, gradients and the candidate's steps, for several learning rates on the same batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from evosearch.evolution.random import uniform
from tasks.training.batches import BATCHES, START, VALIDATION, Source, draw, split, stream
from tasks.training.losses import agree, hits_of, loss_of

if TYPE_CHECKING:
    from evosearch.backends.array_vm import apply_rule
    from tasks.training.models import logits, slopes

Singles = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOSS, ACCURACY, TRAIN_LOSS, STEPS, VALID = range(5)
"""Columns of the results."""
LARGEST = 3.4028234663852886e38
"""A weight or gradient beyond float32 counts as not finite."""


class Rule(NamedTuple):
    """An encoded update rule and its room: see `evosearch.backends.array_vm`."""

    code: NDArray[np.int16]
    constants: Floats
    outputs: NDArray[np.int16]
    depths: NDArray[np.int16]
    regs: Floats


class Shape(NamedTuple):
    """A model: its sizes for the kernels, tensors, and room.

    Attributes:
        sizes: what the model's kernels read.
        offsets: (tensors + 1,) where each tensor starts in the flat weights.
        bounds: (tensors,) initial weights are uniform within +-bound.
        classes: of the labels.
        inputs: columns of a batch.
        batch: examples a step.
        states: arrays of state that a rule has.
        room: float32 values that the model's kernels need.
    """

    sizes: Ints
    offsets: Ints
    bounds: Floats
    classes: int
    inputs: int
    batch: int
    states: int
    room: int


@kernel
def initial(shape: Shape, seed: int) -> Floats:
    """The weights at the start."""
    state = stream(seed, START)
    w = np.empty(shape.offsets[-1])
    for tensor in range(shape.bounds.shape[0]):
        for i in range(shape.offsets[tensor], shape.offsets[tensor + 1]):
            w[i] = (2.0 * uniform(state) - 1.0) * shape.bounds[tensor]
    return w


@kernel
def to_single(wide: Floats, narrow: Singles) -> bool:
    """Round to float32; whether all values are finite there."""
    bad = 0
    for i in range(wide.shape[0]):
        bad |= not abs(wide[i]) <= LARGEST
        narrow[i] = np.float32(wide[i])
    return bad == 0


@kernel
def to_double(narrow: Singles, wide: Floats) -> bool:
    """Widen to float64; whether all values are finite."""
    bad = 0
    for i in range(wide.shape[0]):
        wide[i] = np.float64(narrow[i])
        bad |= not abs(wide[i]) <= LARGEST
    return bad == 0


@kernel
def subtract(w: Floats, update: Floats) -> None:
    """w = w - update."""
    for i in range(w.shape[0]):
        w[i] -= update[i]


@kernel
def train_rates(
    source: Source, shape: Shape, rule: Rule, x: Singles, y: Singles, factors: Floats, rates: Floats, seed: int, results: Floats
) -> None:
    """Train once for each learning rate, all on the same batches, and validate.

    Args:
        x, y: all examples.
        factors: (steps,) of the schedule; the rule's `lr` is factor x rate.
        rates: (rates,) learning rates.
        seed: of the split, the initial weights, the batches and the moves.
        results: (rates, 5) out: validation loss and accuracy, mean training loss of the last tenth of the steps, steps
            done, and 1.0 where weights, gradients and metrics stayed finite and the metrics agree.
    """
    count, steps, batch = rates.shape[0], factors.shape[0], shape.batch
    width = (shape.classes + 15) // 16 * 16
    start = initial(shape, seed)
    size = start.shape[0]
    w, state = np.empty((count, size)), np.zeros((count, shape.states, size))
    for k in range(count):
        w[k] = start
    w32, g32, g, update = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size), np.empty(size)
    bx, by = np.zeros((batch, shape.inputs), np.float32), np.zeros(batch, np.float32)
    z, dz, t = np.zeros((batch, width), np.float32), np.zeros((batch, width), np.float32), np.empty(batch * width)
    f = np.zeros(shape.room, np.float32)
    order, moves = split(source, x.shape[0], seed), stream(seed, BATCHES)
    results[:] = 0.0
    results[:, VALID] = 1.0
    tail = max(1, steps // 10)
    for step in range(steps):
        draw(source, x, y, order, step, False, moves, bx, by, batch)
        for k in range(count):
            if results[k, VALID] == 0.0:
                continue
            results[k, STEPS] += 1.0
            fine = to_single(w[k], w32)
            logits(shape.sizes, w32, bx, batch, z, f)
            loss = loss_of(z, by, batch, shape.classes, dz, t) / batch
            slopes(shape.sizes, w32, bx, dz, batch, g32, f)
            fine = to_double(g32, g) and fine and np.isfinite(loss)
            fine = fine and apply_rule(
                rule.code, rule.constants, rule.outputs, rule.depths, rule.regs,
                w[k], g, state[k], shape.offsets, factors[step] * rates[k], step + 1.0, update,
            )  # fmt: skip
            if not fine:
                results[k, VALID] = 0.0
                continue
            subtract(w[k], update)
            if step >= steps - tail:
                results[k, TRAIN_LOSS] += loss / tail
    for first in range(0, source.examples, batch):
        n = min(batch, source.examples - first)
        if first == 0:
            moves = stream(seed, VALIDATION)
        draw(source, x, y, order, first // batch, True, moves, bx, by, n)
        for k in range(count):
            if results[k, VALID] != 0.0:
                if not to_single(w[k], w32):
                    results[k, VALID] = 0.0
                logits(shape.sizes, w32, bx, n, z, f)
                results[k, LOSS] += loss_of(z, by, n, shape.classes, dz, t) / source.examples
                results[k, ACCURACY] += hits_of(z, by, n, shape.classes)
    for k in range(count):
        results[k, ACCURACY] /= source.examples
        if not (np.isfinite(results[k, LOSS]) and agree(results[k, LOSS], results[k, ACCURACY])):
            results[k, VALID] = 0.0
