"""The archive of a search for update rules: by lineage the rules that no smaller one of it is better than.

A lineage is an island from one start to the next. Rules compete for entry with those of their lineage alone: the archive is to
hold what differs, since selection on other problems comes after it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evosearch.evolution.rules.genome import Genome, from_plain

Lineage = tuple[int, int]
"""Island, and how often it had been started anew."""
Bar = tuple[int, float]
"""Live statements, and a fitness."""


@dataclass(frozen=True)
class Kept:
    """A rule of the archive.

    Attributes:
        fitness: on fresh seeds.
        race: its fitness in the race.
        key: its canonical hash.
        tuned: rates and decay by proxy.
    """

    lineage: Lineage
    live: int
    fitness: float
    race: float
    key: str
    text: str
    tuned: Mapping[str, Any]
    genome: Genome


class Archive:
    """See the module; its state is plain data."""

    def __init__(self, state: Sequence[Mapping[str, Any]] = ()) -> None:
        self._kept = [Kept(**{**row, "lineage": tuple(row["lineage"]), "genome": from_plain(row["genome"])}) for row in state]

    def state(self) -> list[dict[str, Any]]:
        """What `__init__` takes to go on."""
        return [{item.name: getattr(kept, item.name) for item in dataclasses.fields(kept)} for kept in self._kept]

    def bars(self, lineage: Lineage) -> list[Bar]:
        """What a rule of the lineage must beat in its race to be measured.

        A race may be a lucky one; then what fresh seeds said counts, or the archive would be closed to all but luckier ones.
        """
        return [(kept.live, max(kept.race, kept.fitness)) for kept in self._of(lineage)]

    def rival(self, lineage: Lineage, live: int) -> Kept | None:
        """The lineage's best rule of at most that size."""
        smaller = [kept for kept in self._of(lineage) if kept.live <= live]
        return min(smaller, key=lambda kept: kept.fitness, default=None)

    def add(self, new: Kept) -> None:
        """Take a rule in; those of its lineage that are neither smaller nor better leave."""
        self._kept = [
            kept for kept in self._kept if kept.lineage != new.lineage or kept.live < new.live or kept.fitness < new.fitness
        ]
        self._kept.append(new)

    def front(self) -> list[Kept]:
        """The rules of all lineages that no smaller one is better than."""
        return [
            kept
            for kept in self._kept
            if not any(other.live <= kept.live and other.fitness < kept.fitness for other in self._kept)
        ]

    def _of(self, lineage: Lineage) -> list[Kept]:
        return [kept for kept in self._kept if kept.lineage == lineage]


def beats(bars: Sequence[Bar], live: int, fitness: float) -> bool:
    """Whether a rule beats all that are no larger."""
    return all(fitness < bar for size, bar in bars if size <= live)
