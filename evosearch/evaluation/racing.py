"""Racing: most candidates are stopped by a cheap rung, and what enters the archive has won on fresh seeds.

The hurdles are shares of the scores told so far. A search takes them when it asks and updates them in the order of telling,
so that no result depends on which worker was done first.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evosearch.evaluation.confirmation import Confirmation
from evosearch.evaluation.fitness import WORST, Fitness, Score, Settings
from evosearch.evaluation.rates import Tuned
from evosearch.evaluation.statistics import paired_p
from evosearch.language.program import Program

_SEED_BITS = 30
_FIRST = 10
"""Scores that a rung must have seen before its hurdle is a share of them."""

_BEFORE = 0.0
"""The hurdle until then: no worse than the tuned baselines."""


def draw_seeds(seed: int, role: str, number: int, count: int) -> tuple[int, ...]:
    """Training seeds below 2^30, a function of the run's seed, what they are for ("race", "entry") and a number."""
    state = np.random.SeedSequence([seed, zlib.crc32(role.encode()), number]).generate_state(count, np.uint64)
    return tuple(int(value >> np.uint64(64 - _SEED_BITS)) for value in state)


@dataclass(frozen=True)
class Race:
    """How far a candidate came.

    Attributes:
        scores: one a rung that it ran.
        finished: whether it ran them all.
        paused: whether it may go on, and the fuel is used up.
    """

    scores: tuple[Score, ...]
    finished: bool
    paused: bool = False

    @property
    def last(self) -> Score:
        """The score of the highest rung that it reached."""
        return self.scores[-1]

    @property
    def work(self) -> int:
        """Of all rungs."""
        return sum(score.work for score in self.scores)


def race(
    fitness: Fitness,
    rule: Program,
    hurdles: Sequence[float],
    seeds: Sequence[Sequence[int]],
    begun: Sequence[Score] = (),
    fuel: float = float("inf"),
) -> Race:
    """Run a candidate from rung to rung while its fitness is below the hurdle of the rung it has run.

    Args:
        hurdles: one for each rung but the last, as `Hurdles.values` has them.
        seeds: for each rung, that rung's number of them.
        begun: scores of the rungs that a race ran before it paused.
        fuel: work after which it pauses; one rung is run at least.
    """
    scores, used = list(begun), 0
    for number, rung in enumerate(fitness.settings.rungs):
        if number < len(begun):
            continue
        if number > len(begun) and used >= fuel:
            return Race(tuple(scores), finished=False, paused=True)
        hint = scores[-1].tuned if scores else None
        score = fitness.score(rule, number, seeds[number][: rung.seeds], hint)
        scores.append(score)
        used += score.work
        last = number == len(fitness.settings.rungs) - 1
        if score.status != "ok" or last or not score.fitness < hurdles[number]:
            return Race(tuple(scores), finished=last and score.status == "ok")
    raise AssertionError("a race ends at its last rung")


class Hurdles:
    """Each rung's share of best scores among the last ones that were told; the state is plain data."""

    def __init__(self, settings: Settings, state: Sequence[Sequence[float]] | None = None) -> None:
        rungs = len(settings.rungs) - 1
        self._shares = [rung.promoted for rung in settings.rungs[:-1]]
        self._last = [deque(row, maxlen=settings.window) for row in (state or [()] * rungs)]

    def values(self) -> tuple[float, ...]:
        """One a rung but the last: a candidate goes on where its fitness is below."""
        return tuple(_hurdle(row, share) for row, share in zip(self._last, self._shares, strict=True))

    def tell(self, scores: Sequence[float]) -> None:
        """Count a candidate's fitness on each rung that it ran, in the order of telling."""
        for row, fitness in zip(self._last, scores, strict=False):
            row.append(fitness)

    def state(self) -> list[list[float]]:
        """What `__init__` takes to go on."""
        return [list(row) for row in self._last]


def _hurdle(last: Sequence[float], share: float) -> float:
    if len(last) < _FIRST:
        return _BEFORE
    return min(WORST, float(np.quantile(list(last), share, method="higher")))


@dataclass(frozen=True)
class Entry:
    """Whether a program may enter the archive.

    Attributes:
        score: on the fresh seeds; its `fitness` is what the archive keeps, for no seed that chose the program is in it.
        entered: whether it was better than the incumbent by the paired test, or there is none; and was then confirmed.
        p: of the test; 0 without an incumbent.
        work: of its tuning, and of the measurement of both programs.
        difference: mean log-ratio to the incumbent; negative is better.
        confirmation: what the reference backend says; None where the test was lost already.
    """

    score: Score
    entered: bool
    p: float
    work: int
    difference: float = 0.0
    confirmation: Confirmation | None = None


def enter(
    fitness: Fitness,
    rule: Program,
    seeds: Sequence[int],
    incumbent: tuple[Program, Mapping[str, Tuned]] | None = None,
) -> Entry:
    """Measure a finalist of the race on fresh seeds, beside the archive's program that it would replace.

    Its rates and decay are tuned first, as those of the baselines and on the same seeds (`Entry.score.tuned` has them). Both
    programs are then trained on seeds that neither was tuned on: the pairs' differences are those of the rules.

    Args:
        incumbent: with what was tuned when it entered.
    """
    last = len(fitness.settings.rungs) - 1
    tuned, work = fitness.refine(rule, last)
    score = fitness.measure(rule, last, seeds, tuned)
    work += score.work
    if score.fitness >= WORST:
        return Entry(score, entered=False, p=1.0, work=work)
    p = difference = 0.0
    if incumbent is not None:
        other = fitness.measure(incumbent[0], last, seeds, incumbent[1])
        work += other.work
        differences = [mine - theirs for mine, theirs in zip(score.cases, other.cases, strict=True)]
        p, difference = paired_p(differences, np.random.default_rng(list(seeds))), float(np.mean(differences))
    if not p < fitness.settings.level:
        return Entry(score, entered=False, p=p, work=work, difference=difference)
    confirmation = fitness.confirm(rule, last, seeds, tuned)
    return Entry(score, confirmation.refusal is None, p, work, difference, confirmation)


def plain(tuned: Mapping[str, Tuned]) -> dict[str, Any]:
    """What a rung has tuned, as JSON has it."""
    return {name: at.to_plain() for name, at in tuned.items()}


def from_plain(stored: Mapping[str, Any]) -> dict[str, Tuned]:
    """From what `plain` returned."""
    return {name: Tuned.from_plain(at) for name, at in stored.items()}
