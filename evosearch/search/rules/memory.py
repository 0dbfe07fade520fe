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
        self._functions: Counter[int] = Counter()  # entries by function
        self._hits: Counter[int] = Counter()

    @property
    def count(self) -> int:
        """How many entries there were, ever."""
        return self._dropped + len(self._columns["rung"])

    def add(self, rows: Mapping[str, Sequence[Any]], hits: Mapping[int, int]) -> int:
        """Append what a slice trained, and count its cache hits by the functional hash that was hit.

        Args:
            rows: `structure` and `function`, hashes; `rung`, the last one trained, or INVALID; `split`, the draw of the data;
                `scores`, one a rung.

        Returns:
            how many functions are new: islands do not know what others try at the same time.
        """
        self._hits.update(hits)
        new = len(set(rows.get("function", ())) - self._functions.keys())
        worn = [key for key in hits if self._hits[key] >= self._forget]
        for key in worn:
            del self._hits[key]
        gone = len(worn)
        added = {
            "keys": [*zip(rows.get("structure", ()), rows.get("function", ()), strict=True), *((0, key) for key in worn)],
            "rung": [*rows.get("rung", ()), *[FORGOTTEN] * gone],
            "split": [*rows.get("split", ()), *[0] * gone],
            "scores": [*rows.get("scores", ()), *[[np.nan] * self._rungs] * gone],
        }
        for name, column in self._columns.items():
            more = np.array(added[name], column.dtype).reshape(-1, *column.shape[1:])
            self._columns[name] = np.concatenate([column, more])
        self._functions.update(key for _, key in added["keys"])
        return new

    def drop(self, needed: int) -> None:
        """Forget for good what a job asked when there were `needed` entries, and later ones, cannot know."""
        gone = max(0, needed - self._capacity - self._dropped)
        if gone > self._capacity // 10:
            self._dropped += gone
            self._functions -= Counter(self._columns["keys"][:gone, 1].tolist())
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
        self._functions = Counter(self._columns["keys"][:, 1].tolist())
        self._hits = Counter({int(key): int(count) for key, count in state["hits"]})


class Known:
    """What a slice knows of rules: verdicts by functional hash, and which structure computes which function.

    What it is given may be long, and a slice asks for little of it: rows are looked up in sorted columns.
    """

    def __init__(self, seen: Seen) -> None:
        """The last entry of a function counts; one that is forgotten is not known."""
        self._seen = seen
        self._sorted = {name: _ordered(seen[name]) for name in ("structure", "function")}
        self._functions: dict[int, int] = {}
        self._verdicts: dict[int, Verdict] = {}

    def function(self, structure: int) -> int | None:
        """The functional hash of a structure."""
        if structure in self._functions:
            return self._functions[structure]
        at = self._last("structure", structure)
        return None if at is None else int(self._seen["function"][at])

    def verdict(self, function: int) -> Verdict | None:
        """What is known of a function."""
        if function in self._verdicts:
            return self._verdicts[function]
        at = self._last("function", function)
        if at is None or self._seen["rung"][at] == FORGOTTEN:
            return None
        rung, fitness, first, split = (self._seen[name][at] for name in ("rung", "fitness", "first", "split"))
        return Verdict(int(rung), float(fitness), float(first), int(split))

    def call(self, structure: int, function: int) -> None:
        """A structure's function is known now."""
        self._functions[structure] = function

    def add(self, structure: int, function: int, verdict: Verdict) -> None:
        """What the slice has found itself."""
        self._functions[structure], self._verdicts[function] = function, verdict

    def _last(self, name: str, key: int) -> int | None:
        """The last row with a hash."""
        values, order = self._sorted[name]
        place = int(np.searchsorted(values, np.uint64(key), "right")) - 1
        return int(order[place]) if place >= 0 and int(values[place]) == key else None


def _ordered(column: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Values in order, and where they stood; equal ones in the order of their rows."""
    order = np.argsort(column, kind="stable")
    return column[order], order
