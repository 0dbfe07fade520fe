"""The networks of `tasks.networks.architecture` as kernels: the same bits on every machine, alone or among other observations.

Images lie as planes of rows, everything later as (row, column, channel), so that what a convolution reads is runs of
neighbouring numbers. Half of what the hidden layer reads is 0, and it does not read the weights of that half: with one
observation at a time, fetching weights from memory is most of its work.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from evosearch.backends.tiles import CHANNELS, add_rows, patches

STEP, ROW_STEP, LENGTH, RUNS, REACHED, FILTERS, X0, W0, B0, OUT0, OUT_ROW, FIELDS = range(12)
"""Columns of a table of stages: numbers between neighbouring places and rows, length and count of runs, ..."""

GROUP = 8
"""Rows of hidden weights that are added at a time."""

CHUNK = 128
"""Rows of hidden weights that all observations use in turn, while they are in the cache."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@kernel
def places_of(x: Floats, x0: int, runs: Ints, w: Floats, w0: int, row: Ints, b0: int, out: Floats, o0: int, count: int) -> None:
    """`count` places of one row, `CHANNELS` channels; blocks of registers are made for what the networks have."""
    length, step, filters = row[LENGTH], row[STEP], row[FILTERS]
    if step == 4:
        if count == 7:
            patches(x, x0, runs, length, w, w0, w, b0, out, o0, filters, 7, 4)
        else:
            patches(x, x0, runs, length, w, w0, w, b0, out, o0, filters, 10, 4)
    elif count == 11:
        patches(x, x0, runs, length, w, w0, w, b0, out, o0, filters, 11, 64)
    elif count == 9:
        patches(x, x0, runs, length, w, w0, w, b0, out, o0, filters, 9, 64)
    else:
        patches(x, x0, runs, length, w, w0, w, b0, out, o0, filters, 7, 64)


@kernel
def convolve(x: Floats, runs: Ints, w: Floats, row: Ints, count: int, out: Floats, o0: int) -> None:
    """One stage, `count` places at a time."""
    filters, weights = row[FILTERS], row[LENGTH] * row[RUNS] * CHANNELS
    for y in range(row[REACHED]):
        for p in range(0, row[REACHED], count):
            here, there = row[X0] + y * row[ROW_STEP] + p * row[STEP], o0 + y * row[OUT_ROW] + p * filters
            for n in range(filters // CHANNELS):
                c = n * CHANNELS
                places_of(x, here, runs, w, row[W0] + n * weights, row, row[B0] + c, out, there + c, count)


@kernel
def read(
    planes: Floats, first: Ints, later: Ints, w: Floats, stages: Ints, counts: Ints, memory: Floats, out: Floats, n: int
) -> None:
    """The convolutions of one observation.

    Args:
        planes: the images.
        first: runs of the first stage; they say which image is the oldest.
        later: (stages, most runs) of the other stages.
        w: their weights and biases as `tasks.networks.network` packs them.
        stages: (stages, `FIELDS`).
        counts: (stages,) places at a time.
        memory: inputs of the other stages, whose padding is 0.
        out: (observations, features) row n is written.
    """
    last = stages.shape[0] - 1
    flat = out.reshape(-1)
    for s in range(last + 1):
        row = stages[s]
        x, runs = (planes, first) if s == 0 else (memory, later[s, : row[RUNS]])
        if s == last:
            convolve(x, runs, w, row, counts[s], flat, n * out.shape[1])
        else:
            convolve(x, runs, w, row, counts[s], memory, row[OUT0])


@kernel
def hide(x: Floats, count: int, w: Floats, w0: int, y: Floats, places: Ints) -> None:
    """y[n] = x[n] @ weights for the first `count` rows, sums in the order of x; numbers that are 0 add nothing.

    Args:
        x: (observations, inputs).
        w: flat; (inputs, hidden) from w0 on.
        y: (observations, hidden).
        places: (inputs,) is overwritten.
    """
    inputs, hidden = x.shape[1], y.shape[1]
    flat_x, flat_y = x.reshape(-1), y.reshape(-1)
    y[:count] = np.float32(0.0)
    most = inputs if count == 1 else CHUNK
    for low in range(0, inputs, most):
        for n in range(count):
            found = 0
            for i in range(low, min(low + most, inputs)):
                places[found] = i
                found += 1 if x[n, i] != np.float32(0.0) else 0
            whole = found - found % GROUP
            for k in range(0, whole, GROUP):
                add_rows(flat_y, n * hidden, w, w0, hidden, flat_x, n * inputs, places, k, min(k + GROUP, whole - GROUP), 8)
            for k in range(whole, found):
                add_rows(flat_y, n * hidden, w, w0, hidden, flat_x, n * inputs, places, k, k, 1)


@kernel
def decide(x: Floats, count: int, w: Floats, starts: Ints, y: Floats, places: Ints, outputs: Floats, best: Ints) -> None:
    """From what the convolutions found to actions.

    Args:
        x: (observations, features), of which `count` rows count.
        w: flat, as the layout has them.
        starts: of the hidden layer's weights and biases and of the outputs' weights and biases in w.
        y: (observations, hidden) is overwritten.
        places: (features,) is overwritten.
        outputs: (observations, actions) is set.
        best: (observations,) the place of the largest output, the first of several; -1 where one is not finite.
    """
    hide(x, count, w, starts[0], y, places)
    hidden, actions = y.shape[1], outputs.shape[1]
    for n in range(count):
        total = outputs[n]
        total[:] = np.float32(0.0)
        for i in range(hidden):
            value = y[n, i] + w[starts[1] + i]
            if not value <= np.float32(0.0):
                for j in range(actions):
                    total[j] += value * w[starts[2] + i * actions + j]
        best[n] = 0
        for j in range(actions):
            total[j] += w[starts[3] + j]
            if best[n] >= 0 and not abs(total[j]) < np.inf:
                best[n] = -1
            elif best[n] >= 0 and total[j] > total[best[n]]:
                best[n] = j
