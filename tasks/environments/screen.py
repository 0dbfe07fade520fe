"""From two screens of the emulator to one 84 x 84 image, as a kernel: brighter of both, averaged over areas, in whole numbers.

The average is what OpenCV's INTER_AREA and `ale_py.AtariVectorEnv` give, without their rounding errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel

TAPS = 3
"""Columns that one column of the image is made of at most: of the 160 that all screens have."""

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Areas:
    """What each row or column of a smaller image is the weighted sum of.

    Attributes:
        first: (size,) the first row that counts.
        weights: (size, taps) of it and its followers; the sum of each line is `total`.
    """

    first: Ints
    weights: Ints
    total: int

    @classmethod
    def shrink(cls, length: int, size: int) -> Areas:
        """From `length` rows to `size`."""
        unit = int(np.gcd(length, size))
        span, part = length // unit, size // unit  # a new row is `span` parts long, an old one `part`
        starts = np.arange(size) * span
        first = starts // part
        taps = max(TAPS, int((-(-(starts + span) // part) - first).max()))
        rows = first[:, None] + np.arange(taps)
        low, high = np.maximum(rows * part, starts[:, None]), np.minimum((rows + 1) * part, starts[:, None] + span)
        return cls(first, np.maximum(0, high - low), span)


@kernel
def shrink(
    one: Bytes, two: Bytes, rows: Ints, down: Ints, columns: Ints, across: Ints, total: int, line: NDArray[np.int32],
    levels: NDArray[np.float32], out: NDArray[np.float32], before: int,
) -> None:  # fmt: skip
    """Write the image of two screens.

    Args:
        one, two: (height, width) grey.
        rows, down, columns, across: `Areas` of rows and columns, of which the latter has `TAPS` taps.
        total: product of their totals, even.
        line: (width + 2,) 0, of which `width` are overwritten.
        levels: (256,) what is written for each grey.
        out: (side, side) is written from row and column `before` on.
    """
    width = one.shape[1]
    half, inverse = total // 2, ((1 << 32) + total - 1) // total  # exact for what is divided here: less than 2^16
    for y in range(rows.shape[0]):
        line[:width] = 0
        for tap in range(down.shape[1]):
            weight, row = np.int32(down[y, tap]), rows[y] + tap
            if weight:
                first, second = one[row], two[row]
                for x in range(width):
                    line[x] += weight * np.int32(max(first[x], second[x]))
        for x in range(columns.shape[0]):
            c = columns[x]
            found = half + across[x, 0] * line[c] + across[x, 1] * line[c + 1] + across[x, 2] * line[c + 2]
            level = found * inverse >> 32
            if level * total == found and level % 2:
                level -= 1  # a half goes to the even one
            out[before + y, before + x] = levels[level]
