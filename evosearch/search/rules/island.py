"""An island of update rules: members by age, what is still to be tried first, and who is the best."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from evosearch.evolution.rules.genome import Genome, from_plain
from evosearch.search.rules.memory import Verdict

PATH = 16
"""Operators of a lineage that are kept."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a rule comes from.

    Attributes:
        ancestor: functional hash of the nearest ancestor that was offered to the archive; 0 for none.
        operators: names of the last operators since, oldest first.
        steps: how many operators since.
    """

    ancestor: int = 0
    operators: tuple[str, ...] = ()
    steps: int = 0

    def by(self, operator: str) -> Lineage:
        """Of a child."""
        return Lineage(self.ancestor, (*self.operators, operator)[-PATH:], self.steps + 1)


@dataclass(frozen=True, slots=True)
class Member:
    """A rule of a population; `key` is its functional hash."""

    genome: Genome
    key: int
    verdict: Verdict
    lineage: Lineage = Lineage()


@dataclass(frozen=True, slots=True)
class Paused:
    """A rule whose race goes on in the next slice.

    Attributes:
        operator: that made it.
        split: the draw of the data.
        scores: (fitness, work) of each rung that it has run.
        tuned: by the last of them, as plain data.
    """

    genome: Genome
    operator: str
    lineage: Lineage
    split: int
    scores: tuple[tuple[float, int], ...]
    tuned: Mapping[str, Any]


@dataclass
class Island:
    """A population, oldest first, a race that goes on, and rules that are to be tried before any child."""

    members: deque[Member] = field(default_factory=deque)
    waiting: deque[Genome] = field(default_factory=deque)
    paused: Paused | None = None

    def text(self) -> str:
        """As JSON, on one line: what stores and messages hold."""
        members = [[m.genome, m.key, m.verdict.rung, m.verdict.fitness, *_plain(m.lineage)] for m in self.members]
        p = self.paused
        paused = None if p is None else [p.genome, p.operator, p.split, p.scores, p.tuned, *_plain(p.lineage)]
        return json.dumps({"members": members, "waiting": list(self.waiting), "paused": paused}, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Island:
        """From `text`."""
        data = json.loads(text)
        members = (
            Member(from_plain(genome), key, Verdict(rung, fitness), _lineage(*lineage))
            for genome, key, rung, fitness, *lineage in data["members"]
        )
        paused = None
        if data["paused"] is not None:
            genome, operator, split, scores, tuned, *lineage = data["paused"]
            ran = tuple((fitness, work) for fitness, work in scores)
            paused = Paused(from_plain(genome), operator, _lineage(*lineage), split, ran, tuned)
        return cls(deque(members), deque(map(from_plain, data["waiting"])), paused)

    def parent(self, rng: Random, tournament: int) -> Member:
        """The best of some members at random; the youngest of equals."""
        count = len(self.members)
        drawn = [int(rng.random() * count) for _ in range(tournament)]
        return self.members[min(drawn, key=lambda at: (self.members[at].verdict.rank, -at))]

    def best(self) -> Verdict | None:
        """Of the members."""
        return min((member.verdict for member in self.members), key=lambda verdict: verdict.rank, default=None)


def _plain(lineage: Lineage) -> tuple[int, tuple[str, ...], int]:
    return lineage.ancestor, lineage.operators, lineage.steps


def _lineage(ancestor: int, operators: list[str], steps: int) -> Lineage:
    return Lineage(ancestor, tuple(operators), steps)
