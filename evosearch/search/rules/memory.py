"""What a search remembers of all rules that it has tried: results by what a rule computes.

Entries are appended in the order in which results are told and never changed, so that what a job may know is a number: how
many entries there were when it was asked. A job that is asked again after a stop knows the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

INVALID, FORGOTTEN = -1, -2
"""Rungs of a rule whose training is not valid, and of one that is to be trained again."""

Seen = Mapping[str, NDArray[Any]]
"""Columns: `structure`, `function` (uint64), two hashes of a rule; `rung` (int8), `fitness`, the last that it was trained on;
`first`, its fitness on rung 0; `split` (int16), the draw of the data."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a rule: the last rung that it was trained on and its fitness there; that on rung 0, and the split."""

    rung: int
    fitness: float
    first: float = 1.0
    split: int = 0

    @property
    def rank(self) -> tuple[int, float]:
        """Sorts from good to bad: who passed more hurdles comes first."""
        return -self.rung, self.fitness


class Memory:
    """Results in the order in which they were told; only the last `capacity` are known to new jobs."""

    def __init__(self, capacity: int, rungs: int, forget: int) -> None:
        self._capacity, self._rungs, self._forget = capacity, rungs, forget
        self._dropped = 0  # entries that no job needs any more
        self._keys = np.empty((0, 2), np.uint64)
        self._rung, self._split = np.empty(0, np.int8), np.empty(0, np.int16)
        self._scores = np.empty((0, rungs))  # of each rung, NaN where it was not trained
        self._hits: Counter[int] = Counter()

    @property
    def count(self) -> int:
        """How many entries there were, ever."""
        return self._dropped + len(self._rung)

    def add(self, rows: Mapping[str, Sequence[Any]], split: int, hits: Mapping[int, int]) -> None:
        """Append what a slice trained on a split, and count its cache hits by the hash that was hit.

        Args:
            rows: `structure` and `function`, hashes; `rung`, the last one trained, or INVALID; `scores`, one a rung.
        """
        keys = np.array([rows.get("structure", ()), rows.get("function", ())], np.uint64).T.reshape(-1, 2)
        rung = np.array(rows.get("rung", ()), np.int8)
        scores = np.array(rows.get("scores", ()), np.float64).reshape(-1, self._rungs)
        self._hits.update(hits)
        worn = [key for key in hits if self._hits[key] >= self._forget]
        for key in worn:
            del self._hits[key]
        forgotten = np.array([[key, key] for key in worn], np.uint64).reshape(-1, 2)
        self._keys = np.concatenate([self._keys, keys, forgotten])
        self._rung = np.concatenate([self._rung, rung, np.full(len(worn), FORGOTTEN, np.int8)])
        self._split = np.concatenate([self._split, np.full(len(rung) + len(worn), split, np.int16)])
        self._scores = np.concatenate([self._scores, scores, np.full((len(worn), self._rungs), np.nan)])

    def drop(self, needed: int) -> None:
        """Forget for good what a job asked when there were `needed` entries, and later ones, cannot know."""
        gone = max(0, needed - self._capacity - self._dropped)
        if gone > self._capacity // 10:
            self._dropped += gone
            self._keys, self._rung, self._split, self._scores = (
                column[gone:] for column in (self._keys, self._rung, self._split, self._scores)
            )

    def seen(self, count: int) -> Seen:
        """What a job knows that was asked when there were `count` entries."""
        end = count - self._dropped
        part = slice(max(0, end - self._capacity), end)
        rung, scores = self._rung[part], self._scores[part]
        fitness = scores[np.arange(len(rung)), np.maximum(rung, 0)]
        return {
            "structure": self._keys[part, 0],
            "function": self._keys[part, 1],
            "rung": rung,
            "fitness": fitness,
            "first": scores[:, 0],
            "split": self._split[part],
        }

    def state(self) -> dict[str, Any]:
        """As plain data."""
        hits = np.array([*self._hits.items()], np.uint64).reshape(-1, 2)
        columns = {"keys": self._keys, "rung": self._rung, "split": self._split, "scores": self._scores}
        return {"dropped": self._dropped, **columns, "hits": hits}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._dropped = state["dropped"]
        self._keys, self._rung, self._split, self._scores = (
            np.array(state[name]) for name in ("keys", "rung", "split", "scores")
        )
        self._hits = Counter({int(key): int(count) for key, count in state["hits"]})


def known(seen: Seen) -> dict[int, Verdict]:
    """Verdicts by either hash; the last one counts, a forgotten one is none."""
    verdicts: dict[int, Verdict] = {}
    columns: Sequence[Any] = [seen[name].tolist() for name in ("structure", "function", "rung", "fitness", "first", "split")]
    for structure, function, *verdict in zip(*columns, strict=True):
        verdicts[structure] = verdicts[function] = Verdict(*verdict)
    for key in seen["function"][seen["rung"] == FORGOTTEN].tolist():
        if key in verdicts and verdicts[key].rung == FORGOTTEN:
            del verdicts[key]
    return verdicts
