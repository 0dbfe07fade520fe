"""Toy environments of a search for policies: microseconds an episode, noisy or not, one that raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from evosearch.evolution.seeds import Layer, Layout
from evosearch.search.policies.task import Episode, Traits

RUN = """\
schema = 1

[task]
use = "toy_policies:Hill"

[search]
population = 20
parents = 5
power = 0.3
chunk = 6
candidates = 4
validation = 5
test = 12
neighbours = 5
archive = 0.2
"""


@dataclass(frozen=True)
class Hill:
    """The nearer the weights to 1, the better; a score from -1 on counts as solved.

    Attributes:
        noise: of a score, from its episode's seed.
        failing: share of episodes in which the environment raises.
    """

    noise: float = 0.0
    failing: float = 0.0

    def check(self, ops: Any) -> None:
        """Nothing can be missing."""

    def describe(self, ops: Any = None) -> str:  # noqa: ARG002
        return "a hill"

    def traits(self) -> Traits:
        return Traits(noisy=self.noise > 0.0, threshold=-1.0, behaviour="the first two weights")

    def layout(self) -> Layout:
        return Layout((Layer("w", (3, 2), 0.5), Layer("b", (2,), 0.0)))

    def warm(self, progress: Callable[[str], None]) -> None:
        progress("nothing to do")

    def episodes(self, weights: Iterable[Any], seeds: Sequence[Sequence[int]], use: str) -> list[list[Episode]]:
        assert use in ("training", "validation", "test")
        return [[self._episode(flat, seed) for seed in own] for flat, own in zip(weights, seeds, strict=True)]

    def _episode(self, flat: Any, seed: int) -> Episode:
        rng = Random(seed)
        if rng.random() < self.failing:
            return Episode(float("nan"), 3, (), "RuntimeError: the motor is hot")
        score = -float(np.sum((flat.astype(np.float64) - 1.0) ** 2))
        return Episode(score + self.noise * (rng.random() - 0.5), 10, tuple(flat[:2].tolist()))
