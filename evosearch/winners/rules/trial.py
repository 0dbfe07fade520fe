"""The test that a simpler rule must pass: not worse than the original, by more than a margin, over several seeds and tasks.

Every simplification is held against the original and never against the step before it, so that small losses cannot add up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evosearch.errors import ConfigError
from evosearch.evaluation.statistics import paired_p
from evosearch.language.program import Program

Scoring = Callable[[Program, Sequence[int]], Sequence[float]]
"""(rule, draws) -> a score for each task and draw: a log-ratio of losses, lower is better. A draw is a seed's number, from 0.

Two rules' scores on equal draws are pairs; nothing, or a number that is not finite, means that the rule is invalid.
"""


@dataclass(frozen=True)
class Margin:
    """What counts as not worse.

    Attributes:
        loss: by how much the mean score may rise; 0.01 is a loss 1% larger, half of what assessments allow.
        level: probability of taking a rule that is worse by more than that, over all looks at one rule together.
        seeds: numbers of seeds after which to look; a rule still undecided after the last is refused.
    """

    loss: float = 0.01
    level: float = 0.05
    seeds: tuple[int, ...] = (8, 16, 32)

    def __post_init__(self) -> None:
        if not self.loss > 0.0 or not 0.0 < self.level < 1.0:
            raise ConfigError(f"the margin must be above 0 and the level between 0 and 1, got {self.loss} and {self.level}")
        if not self.seeds or min(self.seeds) < 1 or list(self.seeds) != sorted(set(self.seeds)):
            raise ConfigError(f"looks must come after rising numbers of seeds, got {self.seeds}; for example 4, 8, 16")


@dataclass(frozen=True)
class Effect:
    """How much larger a rule's scores are than another's, in pairs.

    Attributes:
        mean: of the differences; infinite where the rule is invalid.
        error: standard error of the mean; NaN below two pairs.
        pairs: how many.
    """

    mean: float
    error: float
    pairs: int

    def __str__(self) -> str:
        return "invalid" if not math.isfinite(self.mean) else f"{self.mean:+.4f} ± {self.error:.4f}"


class Trial:
    """Holds rules against an original; every score is measured once."""

    def __init__(self, original: Program, score: Scoring, margin: Margin) -> None:
        self.original = original
        self.margin = margin
        self.scored = 0
        self._score = score
        self._known: dict[tuple[str, int], tuple[float, ...]] = {}
        if not all(map(math.isfinite, self._scores(original, 1))) or not self._scores(original, 1):
            raise ConfigError("the rule to simplify is invalid on the tasks that are to judge its simplifications")

    def effect(self, rule: Program, of: Program | None = None) -> Effect:
        """Of `rule` against the original, or another rule, after the first look's seeds."""
        differences = self._differences(rule, of or self.original, 1)
        return _effect(differences)

    def passes(self, rule: Program) -> Effect | None:
        """The effect where `rule` is not worse than the original, else None."""
        looks = len(self.margin.seeds)
        for look in range(1, looks + 1):
            beyond = np.asarray(self._differences(rule, self.original, look)) - self.margin.loss
            rng = np.random.default_rng(0)
            if paired_p(beyond.tolist(), rng) <= self.margin.level / looks:
                return _effect((beyond + self.margin.loss).tolist())
            if not np.isfinite(beyond).all() or paired_p((-beyond).tolist(), rng) <= self.margin.level / looks:
                return None
        return None

    def _differences(self, rule: Program, of: Program, looks: int) -> list[float]:
        ours, theirs = self._scores(rule, looks), self._scores(of, looks)
        return [a - b for a, b in zip(ours, theirs, strict=True)] if len(ours) == len(theirs) else [math.inf]

    def _scores(self, rule: Program, looks: int) -> list[float]:
        """All scores up to a look; none where one of them is not finite."""
        found: list[float] = []
        text, before = str(rule), 0
        for upto in self.margin.seeds[:looks]:
            draws = range(before, upto)
            before = upto
            if (text, upto) not in self._known:
                self._known[text, upto] = tuple(self._score(rule, draws))
                self.scored += 1
            scores = self._known[text, upto]
            if not scores or not all(map(math.isfinite, scores)):
                return []
            found += scores
        return found


def _effect(differences: Sequence[float]) -> Effect:
    values = np.asarray(differences, dtype=np.float64)
    error = float(values.std(ddof=1) / math.sqrt(values.size)) if values.size > 1 else math.nan
    return Effect(float(values.mean()) if values.size else math.inf, error, values.size)
