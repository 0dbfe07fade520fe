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
        self._columns: dict[str, NDArray[Any]] = {
            "keys": np.empty((0, 2), np.uint64),  # structure and function
            "rung": np.empty(0, np.int8),
            "split": np.empty(0, np.int16),
            "scores": np.empty((0, rungs)),  # of each rung, NaN where it was not trained
        }
        self._hits: Counter[int] = Counter()

    @property
    def count(self) -> int:
        """How many entries there were, ever."""
        return self._dropped + len(self._columns["rung"])

    def add(self, rows: Mapping[str, Sequence[Any]], split: int, hits: Mapping[int, int]) -> None:
        """Append what a slice trained on a split, and count its cache hits by the functional hash that was hit.

        Args:
            rows: `structure` and `function`, hashes; `rung`, the last one trained, or INVALID; `scores`, one a rung.
        """
        self._hits.update(hits)
        worn = [key for key in hits if self._hits[key] >= self._forget]
        for key in worn:
            del self._hits[key]
        count, gone = len(rows.get("rung", ())), len(worn)
        added = {
            "keys": [*zip(rows.get("structure", ()), rows.get("function", ()), strict=True), *((0, key) for key in worn)],
            "rung": [*rows.get("rung", ()), *[FORGOTTEN] * gone],
            "split": [split] * (count + gone),
            "scores": [*rows.get("scores", ()), *[[np.nan] * self._rungs] * gone],
        }
        for name, column in self._columns.items():
            new = np.array(added[name], column.dtype).reshape(-1, *column.shape[1:])
            self._columns[name] = np.concatenate([column, new])

    def drop(self, needed: int) -> None:
        """Forget for good what a job asked when there were `needed` entries, and later ones, cannot know."""
        gone = max(0, needed - self._capacity - self._dropped)
        if gone > self._capacity // 10:
            self._dropped += gone
            self._columns = {name: column[gone:] for name, column in self._columns.items()}

    def seen(self, count: int) -> Seen:
        """What a job knows that was asked when there were `count` entries."""
        end = count - self._dropped
        part = slice(max(0, end - self._capacity), end)
        keys, rung, split, scores = (self._columns[name][part] for name in ("keys", "rung", "split", "scores"))
        return {
            "structure": keys[:, 0],
            "function": keys[:, 1],
            "rung": rung,
            "fitness": scores[np.arange(len(rung)), np.maximum(rung, 0)],
            "first": scores[:, 0],
            "split": split,
        }

    def state(self) -> dict[str, Any]:
        """As plain data."""
        hits = np.array([*self._hits.items()], np.uint64).reshape(-1, 2)
        return {"dropped": self._dropped, "columns": dict(self._columns), "hits": hits}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._dropped = state["dropped"]
        self._columns = {name: np.array(column) for name, column in state["columns"].items()}
        self._hits = Counter({int(key): int(count) for key, count in state["hits"]})



class Known:
    """What a slice knows of rules: verdicts by functional hash, and which structure computes which function."""

    def __init__(self, seen: Seen) -> None:
        """The last entry of a function counts; one that is forgotten is not known."""
        structure, function, *columns = (
            seen[name].tolist() for name in ("structure", "function", "rung", "fitness", "first", "split")
        )
        self.functions: dict[int, int] = dict(zip(structure, function, strict=True))
        rows = dict(zip(function, zip(*columns, strict=True), strict=True))
        self.verdicts = {key: Verdict(*row) for key, row in rows.items() if row[0] != FORGOTTEN}

    def add(self, structure: int, function: int, verdict: Verdict) -> None:
        """What the slice has found itself."""
        self.functions[structure], self.verdicts[function] = function, verdict
