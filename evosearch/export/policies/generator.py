"""The generator of `evosearch.evolution.noise` in plain NumPy, as exported policies carry it along: the same bits.

Written for a reader with NumPy alone: words of Threefry-2x32 with 13 rounds (Salmon, Moraes, Dror, Shaw 2011) become normals
through parabolas on the normal distribution's upper quantile function. Python's own quantile function is good to about 1e-16,
the parabolas are rounded to float32: they are those that balls give, which the hash of the weights confirms.
"""

from __future__ import annotations

import base64
import functools
import statistics
from typing import Any

import numpy as np
from numpy.typing import NDArray


@functools.cache
def _quantiles() -> NDArray[np.float32]:
    """Parabolas on the upper quantile function of the normal distribution, 32 an octave of the tail: float32 (3, 993)."""
    quantile, table = statistics.NormalDist().inv_cdf, []
    for row in range(31 * 32):
        low, step = 2.0 ** (row // 32) * (1 + row % 32 / 32), 2.0 ** (row // 32) / 32
        left, centre, right = (-quantile((low + step * part) / 2**32) for part in (0.0, 0.5, 1.0))
        table.append((left, 4.0 * centre - 3.0 * left - right, 2.0 * (left - 2.0 * centre + right)))
    return np.array([*table, (0.0, 0.0, 0.0)]).astype(np.float32).T.copy()  # float32 rounds the largest words to 2^31


def _words(seed: int, blocks: range) -> NDArray[np.uint32]:
    """Threefry-2x32-13 of a seed, in blocks of 2048 words: uint32 (2048 * len(blocks),)."""
    key = [seed & 0xFFFFFFFF, seed >> 32]
    key.append(key[0] ^ key[1] ^ 0x1BD11BDA)
    x = np.arange(blocks.start * 1024, blocks.stop * 1024, dtype=np.uint32) + np.uint32(key[0])
    y = np.full(len(x), key[1], np.uint32)
    for turn in range(13):
        left = (13, 15, 26, 6, 17, 29, 16, 24)[turn % 8]
        x += y
        y = (y << np.uint32(left) | y >> np.uint32(32 - left)) ^ x
        if turn % 4 == 3:
            number = turn // 4 + 1
            x += np.uint32(key[number % 3])
            y += np.uint32(key[(number + 1) % 3] + number & 0xFFFFFFFF)
    return np.stack([x.reshape(-1, 1024), y.reshape(-1, 1024)], axis=1).reshape(-1)


def _normals(word: NDArray[np.uint32]) -> NDArray[np.float32]:
    """One number of N(0, 1) a word."""
    bits = ((word & np.uint32(0x7FFFFFFF)) | np.uint32(1)).astype(np.float32).view(np.int32)
    row, t = (bits >> 18) - 127 * 32, (bits & 0x3FFFF).astype(np.float32) * np.float32(2.0**-18)
    value, slope, bend = _quantiles()
    x: NDArray[np.float32] = (bend[row] * t + slope[row]) * t + value[row]
    return np.where(word < np.uint32(2**31), x, -x)


def _unfold(genome: str, tensors: Any) -> NDArray[np.float32]:
    """The weights of a genome: its first seed draws them, each further one adds power * N(0, 1) to all of them."""
    data = base64.urlsafe_b64decode(genome + "=" * (-len(genome) % 4))
    (sigma,), genes = np.frombuffer(data, "<f4", 1, 16).tolist(), np.frombuffer(data, "<u4", offset=32).tolist()
    sizes = [int(np.prod(shape)) for _name, shape, _scale in tensors]
    scale = np.repeat(np.array([scale for *_, scale in tensors], np.float32), sizes)
    weights = np.zeros(len(scale), np.float32)
    for first in range(0, len(weights), 32768):  # few enough for the processor's cache
        part, blocks = weights[first : first + 32768], range(first // 2048, -(-min(first + 32768, len(weights)) // 2048))
        part += scale[first : first + 32768] * _normals(_words(genes[0] % 2**28 | 1 << 63, blocks))[: len(part)]
        for gene in genes[1:]:
            power = np.float32(sigma * 2.0 ** ((gene >> 28) - 8))
            part += power * _normals(_words(gene % 2**28, blocks))[: len(part)]
    return weights
