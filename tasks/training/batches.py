"""Kernels that make batches: splits by seed, rows in shuffled order, images moved and turned afresh, windows of a text.

Every stream of random numbers is a SplitMix64 generator of its own, started from the seed and the stream's number, so that a
batch depends on the seed and the step alone: all rules and rates see the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from evosearch.evolution.random import below, next_word, uniform

Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

ROWS, IMAGES, TEXT = range(3)
"""Kinds of data: rows as they are, square images to be moved afresh at each draw, numbers of characters in a row."""
SPLIT, START, BATCHES, VALIDATION = range(1, 5)
"""Streams."""
SHIFT, TURN, GROWTH, NOISE = 1.0, 0.25, 0.15, 0.1
"""How far images move (pixels), turn (radians) and grow (share), and the spread of the noise (of the range 0 to 1)."""


class Source(NamedTuple):
    """Where examples come from.

    Attributes:
        kind: ROWS, IMAGES or TEXT.
        held: rows (characters of a text) kept apart for validation.
        examples: how many validation examples are drawn.
        side: of an image, in pixels.
        context: characters that predict the next.
    """

    kind: int
    held: int
    examples: int
    side: int
    context: int


@kernel
def stream(seed: int, number: int) -> Words:
    """The generator of a stream."""
    state = np.empty(1, np.uint64)
    state[0] = np.uint64(seed)
    first = next_word(state)
    state[0] = first ^ (np.uint64(number) * np.uint64(0xD1342543DE82EF95))
    next_word(state)
    return state


@kernel
def shuffle(order: Ints, first: int, state: Words) -> None:
    """Shuffle order[first:] (Fisher and Yates)."""
    for i in range(order.shape[0] - 1, first, -1):
        k = first + below(state, i - first + 1)
        order[i], order[k] = order[k], order[i]


@kernel
def split(source: Source, rows: int, seed: int) -> Ints:
    """The rows in random order, the first `held` of them for validation; of a text, its characters from a random place on."""
    state = stream(seed, SPLIT)
    order = np.arange(rows)
    if source.kind == TEXT:
        first = below(state, rows)
        for i in range(rows):
            order[i] = first + i if first + i < rows else first + i - rows
    else:
        shuffle(order, 0, state)
    return order


@kernel
def draw(
    source: Source, x: Singles, y: Singles, order: Ints, step: int, held: bool, state: Words, bx: Singles, by: Singles, n: int
) -> None:
    """Fill the first n rows of a batch.

    Args:
        order: as `split` made it; the training rows are shuffled anew after each pass.
        step: number of the batch, from 0, all of by's length.
        held: whether to draw from the validation rows, in order, instead of the training rows.
        state: of the stream that shuffles, chooses and moves.
    """
    first, count = (0, source.held) if held else (source.held, order.shape[0] - source.held)
    for i in range(n):
        number = step * by.shape[0] + i
        if source.kind == TEXT:
            last = count - source.context - 1
            place = number * last // source.examples if held else below(state, last)
            for k in range(source.context):
                bx[i, k] = x[order[first + place + k], 0]
            by[i] = x[order[first + place + source.context], 0]
            continue
        place = number % count
        if place == 0 and not held:
            shuffle(order, first, state)
        row = order[first + place]
        by[i] = y[row]
        if source.kind == IMAGES:
            move(x, row, source.side, state, bx, i)
        else:
            for k in range(x.shape[1]):
                bx[i, k] = x[row, k]


@kernel
def move(x: Singles, row: int, side: int, state: Words, bx: Singles, i: int) -> None:
    """Row i of a batch is the image x[row] shifted, turned, grown and with noise: sampled bilinearly, 0 outside."""
    middle = (side - 1) * 0.5
    down, along = (2.0 * uniform(state) - 1.0) * SHIFT, (2.0 * uniform(state) - 1.0) * SHIFT
    half = (uniform(state) - 0.5) * TURN  # of the angle's tangent: a turn without sine and cosine
    shrink = 1.0 / (1.0 + (2.0 * uniform(state) - 1.0) * GROWTH)
    cosine, sine = shrink * (1.0 - half * half) / (1.0 + half * half), shrink * 2.0 * half / (1.0 + half * half)
    for p in range(side):
        for q in range(side):
            dp, dq = p - middle - down, q - middle - along
            r, c = cosine * dp - sine * dq + middle, sine * dp + cosine * dq + middle
            r0, c0 = int(np.floor(r)), int(np.floor(c))
            value = 0.0
            for a in range(2):
                for b in range(2):
                    if 0 <= r0 + a < side and 0 <= c0 + b < side:
                        weight = (r - r0 if a else 1.0 - (r - r0)) * (c - c0 if b else 1.0 - (c - c0))
                        value += weight * x[row, (r0 + a) * side + c0 + b]
            bx[i, p * side + q] = value + noise(state)


@kernel
def noise(state: Words) -> float:
    """Nearly normal with deviation NOISE: the sum of four uniforms of 16 bits, from one word."""
    word = next_word(state)
    total = 0
    for k in range(4):
        total += int((word >> np.uint64(16 * k)) & np.uint64(0xFFFF))
    return (total - 131070.0) * (NOISE * 1.7320508075688772 / 65536.0)
