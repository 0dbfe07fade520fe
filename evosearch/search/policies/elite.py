"""The elite: chosen among candidates on validation episodes where episodes differ, and tested on episodes that choose nothing.

As in "Deep Neuroevolution" (Such et al. 2017, section 3.1): candidates are the last elite and the best of the generation; each
plays `validation` episodes, the best mean is the elite. Where an episode is always the same, the best score is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evosearch.evolution.seeds import Layout
from evosearch.search.policies.breeding import Brood, Floats, episode_seeds
from evosearch.search.policies.member import Member, chain
from evosearch.search.policies.settings import PolicySettings
from evosearch.search.policies.task import Traits
from evosearch.search.protocol import Entrant

Z95 = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Champion:
    """An elite.

    Attributes:
        score: its mean over validation episodes, or the score of its only episode.
        validation: scores of those episodes.
        generation: in which it was chosen.
        frames: of the run until then, by use.
    """

    member: Member
    score: float
    validation: Floats
    generation: int = 0
    frames: Mapping[str, int] = field(default_factory=dict)


@dataclass(eq=False)
class _Test:
    """A champion whose test is under way; `scores` is filled episode by episode."""

    champion: Champion
    scores: Floats
    left: int


class Elites:
    """The elites of a run, and those of them that enter the archive: each better than all before it."""

    def __init__(self, settings: PolicySettings, layout: Layout, traits: Traits) -> None:
        self._settings, self._layout, self._noisy, self._traits = settings, layout, traits.noisy, traits
        self.current: Champion | None = None
        self.candidates: tuple[Member, ...] = ()
        self._found: list[Floats] = []
        self._tests: dict[str, _Test] = {}
        self._best = -math.inf
        self._known: list[str] = []

    # Choosing

    def propose(self, brood: Brood, scores: Floats, generation: int) -> None:
        """Take the children's scores: set `candidates`, or the elite itself where episodes do not differ."""
        order = np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind="stable")
        order = order[~np.isnan(scores[order])]
        elite = self.current
        if not self._noisy:
            if len(order) and (elite is None or scores[order[0]] > elite.score):
                best = int(order[0])
                member = brood.member(best, self._settings.power)
                self.current = Champion(member, float(scores[best]), scores[best : best + 1].copy(), generation)
            return
        room = self._settings.candidates - (elite is not None)
        children = [brood.member(int(place), self._settings.power) for place in order[:room]]
        self.candidates = (*(() if elite is None else (elite.member,)), *children)
        self._found = [np.full(self._settings.validation, np.nan) for _ in self.candidates]

    def take_validation(self, place: int, first: int, scores: Floats) -> None:
        """Take some of a candidate's episodes."""
        self._found[place][first : first + len(scores)] = scores

    def choose(self, generation: int, frames: Mapping[str, int]) -> Champion | None:
        """The elite of the generation becomes `current`; returned where it is better than all before it."""
        if self._noisy and self.candidates:
            means = [float(np.mean(found)) for found in self._found]
            best = int(np.argmax([-math.inf if math.isnan(mean) else mean for mean in means]))
            if not math.isnan(means[best]):
                self.current = Champion(self.candidates[best], means[best], self._found[best], generation)
            self.candidates, self._found = (), []
        elite = self.current
        if elite is None or elite.score <= self._best or elite.member.key.hex() in (*self._known, *self._tests):
            return None
        self._best = elite.score
        champion = Champion(elite.member, elite.score, elite.validation, generation, dict(frames))
        count = len(test_seeds(self._settings, self._noisy))
        self._tests[elite.member.key.hex()] = _Test(champion, np.full(count, np.nan), count)
        return champion

    # Testing

    def tested(self, key: str) -> Member:
        """The champion of that key, whose test is not complete."""
        return self._tests[key].champion.member

    def take_test(self, key: str, first: int, result: Mapping[str, Any]) -> Entrant | None:
        """Take some test episodes; the entrant where they are the last ones."""
        test = self._tests[key]
        scores = result["scores"]
        test.scores[first : first + len(scores)] = scores
        test.left -= len(scores)
        if test.left:
            return None
        del self._tests[key]
        self._known.append(key)
        return self._entrant(test.champion, test.scores, result["hash"])

    def _entrant(self, champion: Champion, test: Floats, weights: str) -> Entrant:
        member, settings = champion.member, self._settings
        ancestor, steps = self._ancestor(member)
        written = member.written(settings.power, self._layout)
        threshold, human = self._traits.threshold, self._traits.human
        solved = None if threshold is None else champion.score >= threshold
        normalised = None if human is None else (float(np.mean(test)) - human[0]) / (human[1] - human[0])
        metrics = {
            "score": champion.score,
            "solved": solved,
            "generation": champion.generation,
            "frames": champion.frames,
            "validation": spread(champion.validation),
            "test": spread(test),
            "human_normalised": None if normalised is None or math.isnan(normalised) else normalised,
            "weights": weights,
            "genome_bytes": 32 + 4 * member.size if member.is_list else None,
            "weight_bytes": 4 * self._layout.size,
        }
        made = ("strategy",) if not member.is_list else ("mutation",) if member.size > 1 else ("initial",)
        error = 0.0 - champion.score
        return Entrant(member.key.hex(), written, float(member.size), error, metrics, ancestor, made, steps)

    def _ancestor(self, member: Member) -> tuple[str | None, int]:
        """The nearest ancestor in the archive, and how many between were not kept."""
        if not member.is_list:
            return None, 0
        keys = [key.hex() for key in chain(member.data)[:-1]]
        kept = [place for place, key in enumerate(keys) if key in self._known]
        return (keys[kept[-1]], len(keys) - 1 - kept[-1]) if kept else (None, 0)

    # Stop and go on

    def state(self) -> dict[str, Any]:
        """Plain data to go on from."""
        return {
            "current": _plain(self.current),
            "candidates": [member.data for member in self.candidates],
            "found": [found.copy() for found in self._found],
            "tests": [(_plain(test.champion), test.scores.copy(), test.left) for test in self._tests.values()],
            "best": self._best,
            "known": list(self._known),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.current = _champion(state["current"])
        self.candidates = tuple(Member.from_data(data) for data in state["candidates"])
        self._found = list(state["found"])
        tests = [(_champion(champion), scores, left) for champion, scores, left in state["tests"]]
        self._tests = {one.member.key.hex(): _Test(one, scores, left) for one, scores, left in tests if one is not None}
        self._best, self._known = state["best"], list(state["known"])


def validation_seeds(settings: PolicySettings, generation: int) -> tuple[int, ...]:
    """The same episodes for all candidates of a generation."""
    return episode_seeds(settings, settings.validation, "validation episodes", generation)


def test_seeds(settings: PolicySettings, noisy: bool) -> tuple[int, ...]:
    """The same episodes for all elites of a run; one, to confirm the score, where episodes do not differ."""
    return episode_seeds(settings, settings.test if noisy else 1, "test episodes")


def spread(scores: Floats) -> dict[str, Any]:
    """Mean of scores with its 95% interval (normal); null where an episode failed or there is but one."""
    n, mean = len(scores), float(np.mean(scores))
    if math.isnan(mean):
        return {"episodes": n, "mean": None, "low": None, "high": None, "least": None}
    half = Z95 * float(np.std(scores, ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    known = n > 1
    low, high = (mean - half, mean + half) if known else (None, None)
    return {"episodes": n, "mean": mean, "low": low, "high": high, "least": float(np.min(scores))}


def _plain(champion: Champion | None) -> list[Any] | None:
    if champion is None:
        return None
    frames = dict(champion.frames)
    return [champion.member.data, champion.score, champion.validation, champion.generation, frames]


def _champion(plain: list[Any] | None) -> Champion | None:
    return None if plain is None else Champion(Member.from_data(plain[0]), *plain[1:])
