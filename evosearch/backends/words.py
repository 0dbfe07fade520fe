"""Words of 32 bits that kernels mix, as helpers that are always inlined."""

from __future__ import annotations

import numpy as np

from evosearch.backends.scalar import inline


@inline
def mixed(x: np.uint32, y: np.uint32, turn: int) -> tuple[np.uint32, np.uint32]:
    """One round of Threefry-2x32, which rotates `y` to the left by `turn` bits."""
    x = np.uint32(x + y)
    y = np.uint32(np.uint32(y << np.uint32(turn)) | np.uint32(y >> np.uint32(32 - turn)))
    return x, np.uint32(x ^ y)
