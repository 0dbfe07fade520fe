"""Novelty: the mean distance of a behaviour to its nearest ones, among its generation and an archive.

Squared Euclidean distances and an archive that takes each behaviour with a small probability, as in "Deep Neuroevolution"
(Such et al. 2017, supplement) after Lehman and Stanley (2011).
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import compile_modules, kernel

Floats = NDArray[np.float64]
BLOCK = 64
"""Others that are passed over together where none of them is near."""


def novelty(behaviour: Floats, archive: Floats, neighbours: int) -> Floats:
    """Novelty of each row of `behaviour` (n, k) beside the other rows and `archive` (m, k); NaN where a row has a NaN."""
    found = np.empty(len(behaviour))
    others = np.ascontiguousarray(np.vstack([archive.reshape(-1, behaviour.shape[1]), behaviour]).T)
    load().nearest_means(others, len(behaviour), neighbours, found)
    return found


def load() -> ModuleType:
    """The compiled kernel."""
    return compile_modules((__name__,), "novelty")


@kernel
def nearest_means(others: Floats, count: int, neighbours: int, out: Floats) -> None:
    """Mean squared distance of the last `count` columns of `others` (k, m) to their nearest other columns: out (count,)."""
    width, total = others.shape
    wanted = min(neighbours, total - 1)
    blocks = (total + BLOCK - 1) // BLOCK
    distance, best = np.full(blocks * BLOCK, np.nan), np.empty(max(wanted, 1))
    for i in range(count):
        own = total - count + i
        distance[:total] = 0.0
        for k in range(width):
            row = others[k]
            centre = row[own]
            for j in range(total):
                distance[j] += (row[j] - centre) ** 2
        distance[own] = np.nan
        held = 0
        limit = np.inf
        for b in range(blocks):
            part = distance[b * BLOCK : (b + 1) * BLOCK]
            near = 0
            for j in range(BLOCK):  # a sum of fixed length, which is a vector's work; a search for places is not
                near += 1 if part[j] < limit else 0
            if near == 0 and held == wanted:
                continue
            for j in range(BLOCK):
                if part[j] < limit or (held < wanted and part[j] == part[j]):
                    place = held if held < wanted else wanted - 1
                    while place > 0 and best[place - 1] > part[j]:
                        best[place] = best[place - 1]
                        place -= 1
                    best[place] = part[j]
                    held = min(held + 1, wanted)
                    if held == wanted:
                        limit = best[wanted - 1]
        mean = 0.0
        for j in range(held):
            mean += best[j]
        out[i] = mean / held if held > 0 else np.nan
