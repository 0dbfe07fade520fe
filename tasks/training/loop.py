"""The kernels that train: batches, gradients and the candidate's steps, for several learning rates on the same batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from evosearch.evolution.random import uniform
from tasks.training.batches import BATCHES, START, VALIDATION, Source, draw, split, stream
from tasks.training.losses import agree, hits_of, loss_of

if TYPE_CHECKING:
    from evosearch.backends.array_vm import apply_rule, rule_registers
    from tasks.training.models import logits, slopes

Singles = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

LOSS, ACCURACY, TRAIN_LOSS, STEPS, VALID = range(5)
"""Columns of the results: validation loss and accuracy, mean training loss of the last tenth of the steps, steps done, and 1.0
where weights, gradients, updates and metrics stayed finite and the metrics agree."""
LARGEST = 3.4028234663852886e38
"""A weight or a gradient beyond float32 counts as not finite."""


class Rule(NamedTuple):
    """An encoded update rule, as `evosearch.backends.array_vm.EncodedRule` has it."""

    code: NDArray[np.int16]
    constants: Floats
    outputs: NDArray[np.int16]
    depths: Ints


class Shape(NamedTuple):
    """A model: its sizes for the kernels, and its tensors.

    Attributes:
        sizes: what the model's kernels read.
        offsets: (tensors + 1,) where each tensor starts in the flat weights.
        bounds: (tensors,) initial weights are uniform within +-bound.
        classes: of the labels.
    """

    sizes: Ints
    offsets: Ints
    bounds: Floats
    classes: int


class Room(NamedTuple):
    """What one training works in.

    Attributes:
        bx, by: (batch, inputs), (batch,): the batch.
        z, dz: (batch, classes, filled up to 16): logits and the gradient of the loss.
        t: (batch x that,) for the softmax.
        f: for the model's kernels.
        w, g: (weights,) in float32.
    """

    bx: Singles
    by: Singles
    z: Singles
    dz: Singles
    t: Floats
    f: Singles
    w: Singles
    g: Singles


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
    bad = False
    for i in range(wide.shape[0]):
        bad |= not abs(wide[i]) <= LARGEST
        narrow[i] = np.float32(wide[i])
    return not bad


@kernel
def to_double(narrow: Singles, wide: Floats) -> bool:
    """Widen to float64; whether all values are finite."""
    bad = False
    for i in range(wide.shape[0]):
        wide[i] = np.float64(narrow[i])
        bad |= not abs(wide[i]) <= LARGEST
    return not bad


@kernel
def subtract(w: Floats, update: Floats) -> None:
    """w = w - update."""
    for i in range(w.shape[0]):
        w[i] -= update[i]


@kernel
def gradient(shape: Shape, room: Room, w: Floats, g: Floats) -> float:
    """The mean loss of the batch, and its gradient g; NaN where a weight, the loss or the gradient is not finite."""
    n = room.by.shape[0]
    if not to_single(w, room.w):
        return np.nan
    logits(shape.sizes, room.w, room.bx, n, room.z, room.f)
    loss = loss_of(room.z, room.by, n, shape.classes, room.dz, room.t) / n
    slopes(shape.sizes, room.w, room.bx, room.dz, n, room.g, room.f)
    return loss if to_double(room.g, g) and np.isfinite(loss) else np.nan


@kernel
def validate(
    source: Source, shape: Shape, room: Room, x: Singles, y: Singles, order: Ints, seed: int, w: Floats, results: Floats
) -> None:
    """Validation loss and accuracy of each row of weights whose training is valid, into its row of `results`."""
    batch, state = room.by.shape[0], stream(seed, VALIDATION)
    for first in range(0, source.examples, batch):
        n = min(batch, source.examples - first)
        draw(source, x, y, order, first // batch, True, state, room.bx, room.by, n)
        for k in range(w.shape[0]):
            if results[k, VALID] == 0.0:
                continue
            if not to_single(w[k], room.w):
                results[k, VALID] = 0.0
            logits(shape.sizes, room.w, room.bx, n, room.z, room.f)
            results[k, LOSS] += loss_of(room.z, room.by, n, shape.classes, room.dz, room.t) / source.examples
            results[k, ACCURACY] += hits_of(room.z, room.by, n, shape.classes)
    for k in range(w.shape[0]):
        results[k, ACCURACY] /= source.examples
        if not (np.isfinite(results[k, LOSS]) and agree(results[k, LOSS], results[k, ACCURACY])):
            results[k, VALID] = 0.0


@kernel
def train_many(
    source: Source, shape: Shape, room: Room, rule: Rule, x: Singles, y: Singles,
    factors: Floats, rates: Floats, seed: int, results: Floats,
) -> None:  # fmt: skip
    """Train once for each learning rate, all on the same batches, and validate.

    Args:
        x, y: all examples.
        factors: (steps,) of the schedule; the rule's `lr` is factor x rate.
        rates: (rates,) learning rates.
        seed: of the split, the initial weights, the batches and the moves.
        results: (rates, 5), set; see `LOSS`.
    """
    count, steps, start = rates.shape[0], factors.shape[0], initial(shape, seed)
    w, state = np.empty((count, start.shape[0])), np.zeros((count, len(rule.outputs) - 1, start.shape[0]))
    g, update = np.empty_like(start), np.empty_like(start)
    regs = rule_registers(len(rule.code), len(shape.bounds))
    order, moves = split(source, x.shape[0], seed), stream(seed, BATCHES)
    results[:] = 0.0
    results[:, VALID] = 1.0
    for k in range(count):
        w[k] = start
    tail = max(1, steps // 10)
    for step in range(steps):
        draw(source, x, y, order, step, False, moves, room.bx, room.by, room.by.shape[0])
        for k in range(count):
            if results[k, VALID] == 0.0:
                continue
            results[k, STEPS] += 1.0
            loss = gradient(shape, room, w[k], g)
            fine = loss == loss and apply_rule(
                rule.code, rule.constants, rule.outputs, rule.depths, regs,
                w[k], g, state[k], shape.offsets, factors[step] * rates[k], step + 1.0, update,
            )  # fmt: skip
            if not fine:
                results[k, VALID] = 0.0
                continue
            subtract(w[k], update)
            if step >= steps - tail:
                results[k, TRAIN_LOSS] += loss / tail
    validate(source, shape, room, x, y, order, seed, w, results)
