"""Who has children: truncation selection by score, novelty or both; random search; an evolution strategy.

A breeder makes the children of a generation and is told how they did. It draws from generators that are named by the run's
seed and the generation, so that its state holds no generator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evosearch.evaluation.statistics import ranks
from evosearch.evolution.noise import add_noise
from evosearch.evolution.seeds import Layout, pack, seed_of
from evosearch.search.policies.member import FRESH, Member
from evosearch.search.policies.novelty import novelty
from evosearch.search.policies.settings import PolicySettings

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Brood:
    """The children of a generation.

    Attributes:
        bases: their parents.
        children: (n, 3) place of the parent or `FRESH`, gene, sign of its noise; 0 for the parent itself.
    """

    bases: tuple[Member, ...]
    children: NDArray[np.int64]

    def member(self, place: int, power: float) -> Member:
        """A child as a candidate of its own."""
        base, word, sign = self.children[place].tolist()
        if base == FRESH:
            return Member.from_words(np.array([word], np.uint32))
        parent: Member = self.bases[base]
        if sign == 0:
            return parent
        if parent.is_list:
            return parent.child(word)
        weights = parent.data.copy()
        add_noise(weights, seed_of(word), sign * power)
        return Member.from_weights(weights)


class Breeder(Protocol):
    """What the search knows of an algorithm."""

    def brood(self, generation: int) -> Brood:
        """The children of a generation, from 0."""

    def select(self, generation: int, brood: Brood, scores: Floats, behaviour: Floats, elite: Member | None) -> None:
        """Take the results of a generation: scores (n,), NaN where a child failed; behaviour (n, k)."""

    def state(self) -> dict[str, Any]:
        """Plain data to go on from."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""


def drawn(settings: PolicySettings, *name: object) -> Random:
    """The generator of that name."""
    return Random(":".join(map(str, (settings.seed, *name))))


def drawn_words(settings: PolicySettings, count: int, *name: object) -> NDArray[np.uint32]:
    """So many words of 32 bits of that generator: (count,)."""
    return np.frombuffer(drawn(settings, *name).randbytes(4 * count), "<u4")


def episode_seeds(settings: PolicySettings, count: int, *name: object) -> tuple[int, ...]:
    """Seeds of episodes, each from 0 to 2^31 - 1."""
    return tuple((drawn_words(settings, count, *name) >> 1).tolist())


def gene_words(settings: PolicySettings, count: int, generation: int) -> NDArray[np.int64]:
    """New genes, packed: (count,); all of the middle level, for the power of a mutation does not change."""
    return pack(seed_of(drawn_words(settings, count, "genes", generation).astype(np.int64)))


def training_seeds(settings: PolicySettings, generation: int, signs: Sequence[int]) -> list[tuple[int, ...]]:
    """The episode of each child of a generation; an antithetic pair plays the same one."""
    own = episode_seeds(settings, len(signs), "training episodes", generation)
    return [(own[n - 1] if sign < 0 else seed,) for n, (seed, sign) in enumerate(zip(own, signs, strict=True))]


def archived(settings: PolicySettings, generation: int, count: int) -> NDArray[np.bool_]:
    """Which of the children of a generation the archive takes."""
    return drawn_words(settings, count, "archive", generation) < settings.archive * 2.0**32


class Truncation:
    """The paper's genetic algorithm, by score, by novelty or by both; and random search, which selects nothing."""

    def __init__(self, settings: PolicySettings, start: Member | None) -> None:
        self._settings = settings
        self._parents: tuple[Member, ...] = () if start is None else (start,)
        self._archive: Floats = np.empty((0, 0))
        if settings.algorithm in ("novelty", "blend"):
            novelty(np.zeros((2, 2)), np.zeros((0, 2)), 1)  # loads its kernel before the clock starts

    def brood(self, generation: int) -> Brood:
        """Each child has one parent, drawn uniformly; the first ones, and those of random search, have none."""
        settings, parents, count = self._settings, self._parents, self._settings.population
        words = drawn_words(settings, count, "parents", generation).astype(np.int64)
        bases = words * len(parents) >> 32 if parents else np.full(count, FRESH)
        genes = gene_words(settings, count, generation)
        return Brood(parents, np.column_stack([bases, genes, np.ones(count, np.int64)]))

    def select(self, generation: int, brood: Brood, scores: Floats, behaviour: Floats, elite: Member | None) -> None:
        """The best are parents; by score the elite is always one of them."""
        settings = self._settings
        alive = ~np.isnan(scores)
        if settings.algorithm == "random" or not alive.any():
            return
        by_score = np.where(alive, scores, -np.inf)
        worth = by_score
        if settings.algorithm != "ga":
            new = novelty(behaviour, self._archive, settings.neighbours)
            worth = np.where(np.isnan(new), -np.inf, new)
            self._remember(generation, behaviour)
        if settings.algorithm == "blend":
            worth = settings.novelty * ranks(worth) + (1.0 - settings.novelty) * ranks(by_score)
        order = np.argsort(-worth, kind="stable")
        order = order[alive[order]][: settings.parents]
        chosen = [brood.member(int(place), settings.power) for place in order]
        if settings.algorithm != "novelty" and elite is not None:
            chosen = [elite, *(member for member in chosen if member.key != elite.key)][: settings.parents]
        self._parents = tuple(chosen)

    def _remember(self, generation: int, behaviour: Floats) -> None:
        kept = archived(self._settings, generation, len(behaviour)) & ~np.isnan(behaviour).any(axis=1)
        self._archive = np.vstack([self._archive.reshape(-1, behaviour.shape[1]), behaviour[kept]])

    def state(self) -> dict[str, Any]:
        """Parents and archive."""
        return {"parents": [member.data for member in self._parents], "archive": self._archive}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Breeder`."""
        self._parents = tuple(Member.from_data(data) for data in state["parents"])
        self._archive = state["archive"]


class Strategy:
    """OpenAI's evolution strategy (Salimans et al. 2017): antithetic pairs around one centre, ranked, and Adam.

    Adam is written out in float64: the centre is the same on every machine.
    """

    def __init__(self, settings: PolicySettings, layout: Layout, centre: NDArray[np.float32]) -> None:
        self._settings = settings
        self._centre = Member.from_weights(centre)
        self._mean, self._square = np.zeros(layout.size), np.zeros(layout.size)

    def brood(self, generation: int) -> Brood:
        """Pairs of one gene with both signs, and the centre itself."""
        words = gene_words(self._settings, self._settings.population // 2, generation)
        signs = np.tile([1, -1], len(words))
        pairs = np.column_stack([np.zeros(len(signs), np.int64), np.repeat(words, 2), signs])
        return Brood((self._centre,), np.vstack([pairs, np.zeros((1, 3), np.int64)]))

    def select(self, generation: int, brood: Brood, scores: Floats, behaviour: Floats, elite: Member | None) -> None:  # noqa: ARG002
        """One step of Adam along the ranked sum of the noise."""
        order = ranks(np.where(np.isnan(scores[:-1]), -np.inf, scores[:-1]))
        worth = (order - 1.0) / max(len(order) - 1, 1) - 0.5
        total = np.zeros(len(self._centre.data), np.float32)
        for word, value in zip(brood.children[:-1:2, 1].tolist(), (worth[0::2] - worth[1::2]).tolist(), strict=True):
            add_noise(total, seed_of(word), value)
        centre = self._centre.data.astype(np.float64)
        gradient = total / (len(order) * self._settings.power) - self._settings.decay * centre
        self._mean = 0.9 * self._mean + 0.1 * gradient
        self._square = 0.999 * self._square + 0.001 * gradient * gradient
        first, second = 1.0, 1.0
        for _ in range(generation + 1):
            first, second = first * 0.9, second * 0.999
        step = self._mean / (1.0 - first) / (np.sqrt(self._square / (1.0 - second)) + 1e-8)
        self._centre = Member.from_weights((centre + self._settings.rate * step).astype(np.float32))

    def state(self) -> dict[str, Any]:
        """The centre and Adam's moments."""
        return {"centre": self._centre.data, "mean": self._mean, "square": self._square}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Breeder`."""
        self._centre = Member.from_weights(state["centre"])
        self._mean, self._square = state["mean"], state["square"]
