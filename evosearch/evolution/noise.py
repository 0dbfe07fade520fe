"""Normal noise as a pure function of (seed, index): the weights that a list of seeds unfolds into.

Any slice can be drawn alone, in any order and on any number of threads, with the same bits on every machine: words come
from the counter-based generator Threefry-2x32 with 13 rounds (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers:
as easy as 1, 2, 3"; the fewest rounds that pass BigCrush), and become normals through a table of the quantile function,
with IEEE float32 products and sums only: no libm, no noise table of a gigabyte (Such et al. 2017, section 3.2, has one).

Draws come in blocks of `BLOCK`: the two words of counter j give elements j and j + BLOCK / 2 of their block.
"""

from __future__ import annotations

import functools
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import compile_modules, kernel
from evosearch.backends.words import mixed

BLOCK = 2048
HALF = 1024
OCTAVES = 31
SEGMENTS = 32  # of an octave
FIRST_ROW = 127 * SEGMENTS  # a float32's exponent and first 5 bits of its fraction are a row's number; 127 is exponent 0


@functools.cache
def quantiles() -> NDArray[np.float32]:
    """The upper quantile function of the normal distribution, as parabolas: float32 (3, rows).

    The tail probability v / 2^32 with v in [1, 2^31) is cut into `SEGMENTS` parts an octave; parabola k is in t, the place
    of v in its part, from 0 to 1. Its nodes are the part's ends and centre, computed by balls and rounded correctly. The last
    row, of zeros, is for v = 2^31, to which float32 rounds the largest words.
    """
    from flint import arb

    def quantile(v: float) -> float:
        return float((arb(1) - arb(v) / arb(2**31)).erfinv() * arb(2).sqrt())

    table = np.zeros((3, FIRST_ROW + OCTAVES * SEGMENTS + 1), dtype=np.float32)
    for row in range(OCTAVES * SEGMENTS):
        octave, segment = divmod(row, SEGMENTS)
        low, step = 2.0**octave * (1 + segment / SEGMENTS), 2.0**octave / SEGMENTS
        left, centre, right = (quantile(low + step * part) for part in (0.0, 0.5, 1.0))
        slope, bend = 4.0 * centre - 3.0 * left - right, 2.0 * (left - 2.0 * centre + right)
        table[:, FIRST_ROW + row] = left, slope, bend
    table.flags.writeable = False
    return table


@functools.cache  # a mutation of a small network takes less time than to look its kernel up
def load() -> ModuleType:
    """The compiled kernels of this module."""
    return compile_modules((__name__,), "noise")


def add_noise(weights: NDArray[np.float32], seed: int, scale: float, start: int = 0) -> None:
    """Add scale * N(0, 1) to `weights` in place.

    Args:
        weights: float32 (n,), contiguous.
        seed: 0 .. 2^64 - 1.
        scale: rounded to float32.
        start: index of the first element in the seed's endless stream.
    """
    load().add_normals(weights, np.uint64(seed), np.float32(scale), start, quantiles())


def add_noises(weights: NDArray[np.float32], seeds: NDArray[np.int64], scales: NDArray[np.float64]) -> None:
    """`add_noise` to each row of weights (n, size) by its own seed and scale; a row of scale 0 stays as it is."""
    load().add_rows(weights, seeds.astype(np.uint64), scales.astype(np.float32), quantiles())


@kernel
def words(key0: np.uint32, key1: np.uint32, counter: int, first: NDArray[np.uint32], second: NDArray[np.uint32]) -> None:
    """Threefry-2x32-13 of the counters (counter, 0), (counter + 1, 0), ...: first, second uint32 (n,)."""
    key2 = np.uint32(np.uint32(0x1BD11BDA) ^ key0 ^ key1)
    inject1, inject2, inject3 = np.uint32(key2 + np.uint32(1)), np.uint32(key0 + np.uint32(2)), np.uint32(key1 + np.uint32(3))
    for j in range(first.shape[0]):
        x, y = np.uint32(np.uint32(counter) + np.uint32(j) + key0), np.uint32(key1)
        x, y = mixed(x, y, 13)
        x, y = mixed(x, y, 15)
        x, y = mixed(x, y, 26)
        x, y = mixed(x, y, 6)
        x, y = np.uint32(x + key1), np.uint32(y + inject1)
        x, y = mixed(x, y, 17)
        x, y = mixed(x, y, 29)
        x, y = mixed(x, y, 16)
        x, y = mixed(x, y, 24)
        x, y = np.uint32(x + key2), np.uint32(y + inject2)
        x, y = mixed(x, y, 13)
        x, y = mixed(x, y, 15)
        x, y = mixed(x, y, 26)
        x, y = mixed(x, y, 6)
        x, y = np.uint32(x + key0), np.uint32(y + inject3)
        x, y = mixed(x, y, 17)
        first[j] = x
        second[j] = y


@kernel
def normals(
    word: NDArray[np.uint32],
    value: NDArray[np.float32],
    bits: NDArray[np.int32],
    table: NDArray[np.float32],
    scale: np.float32,
    out: NDArray[np.float32],
) -> None:
    """Add scale * N(0, 1) to `out`, one a word; `bits` is `value` as integers, both scratch of that length."""
    for j in range(word.shape[0]):
        value[j] = np.float32(np.int32(word[j] & np.uint32(0x7FFFFFFF)) | np.int32(1))
    for j in range(word.shape[0]):
        row = np.uint64(np.uint32(bits[j]) >> np.uint32(18))
        t = np.float32(bits[j] & np.int32(0x3FFFF)) * np.float32(2.0**-18)
        x = (table[2, row] * t + table[1, row]) * t + table[0, row]
        out[j] += (scale if np.int32(word[j]) >= 0 else -scale) * x


@kernel
def add_normals(
    weights: NDArray[np.float32], seed: np.uint64, scale: np.float32, start: int, table: NDArray[np.float32]
) -> None:
    """As `add_noise`: whole blocks in place, the first and the last through a buffer where they are cut."""
    first, second = np.empty(HALF, np.uint32), np.empty(HALF, np.uint32)
    value = np.empty(HALF, np.float32)
    bits = value.view(np.int32)
    buffer = np.empty(BLOCK, np.float32)
    key0, key1 = np.uint32(seed & np.uint64(0xFFFFFFFF)), np.uint32(seed >> np.uint64(32))
    n = weights.shape[0]
    for block in range(start // BLOCK, (start + n + BLOCK - 1) // BLOCK):
        low = block * BLOCK - start
        drawn = min(HALF, n - low)  # a small network needs the first words of its only block
        words(key0, key1, block * HALF, first[:drawn], second)
        if low >= 0 and low + BLOCK <= n:
            normals(first, value, bits, table, scale, weights[low : low + HALF])
            normals(second, value, bits, table, scale, weights[low + HALF : low + BLOCK])
        else:
            here, end = max(0, low), min(n, low + BLOCK)
            buffer[here - low : end - low] = weights[here:end]
            normals(first[:drawn], value, bits, table, scale, buffer[:HALF])
            if end - low > HALF:
                normals(second, value, bits, table, scale, buffer[HALF:])
            weights[here:end] = buffer[here - low : end - low]


@kernel
def add_rows(
    weights: NDArray[np.float32], seeds: NDArray[np.uint64], scales: NDArray[np.float32], table: NDArray[np.float32]
) -> None:
    """As `add_noises`."""
    for n in range(weights.shape[0]):
        if scales[n] != 0.0:
            add_normals(weights[n], seeds[n], scales[n], 0, table)
