"""Problems that larger tasks train networks on: what the funnel and the assessment know of them.

A `Suite` is named by a run file as "module:function"; the function returns it, and raises TaskError with the remedy where
its data is missing or damaged. Whoever selects (search, funnel) never sees the suite that tests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from typing import Protocol as Interface

from evosearch.errors import ConfigError, TaskError, nearest
from evosearch.language.program import Program

Part = Literal["valid", "test"]
"""The examples that score a training: "valid" tunes and ranks, "test" is looked at once, in the end."""


@dataclass(frozen=True)
class Setting:
    """What one training runs with.

    Attributes:
        lr: peak learning rate of the schedule.
        decay: decoupled weight decay that is added outside the rule, lr * decay * w a step; 0 where the rule has its own.
        seed: of the split, the initial weights and the order of examples.
        horizon: factor on the problem's number of steps.
        part: the examples that score it.
        points: how often the loss on the "valid" part is taken on the way, evenly spaced; 0 for never.
    """

    lr: float
    decay: float = 0.0
    seed: int = 0
    horizon: float = 1.0
    part: Part = "valid"
    points: int = 0


@dataclass(frozen=True)
class Trained:
    """What became of a training.

    Attributes:
        status: "ok"; "invalid" where a weight or a loss is not finite.
        loss: on the part that scores, natural logarithms or squared error; that of the untrained network where invalid.
        accuracy: share on the part that scores; None for a regression.
        train_loss: mean over the last tenth of the steps.
        curve: (step, loss on "valid"), where it was asked for.
        weights: number of them.
        seconds: wall clock of the steps, without evaluations.
    """

    status: Literal["ok", "invalid"]
    loss: float
    accuracy: float | None
    train_loss: float
    curve: tuple[tuple[int, float], ...] = ()
    weights: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data, with None for what is not finite."""
        finite = {name: value for name, value in vars(self).items() if name != "curve"}
        for name, value in finite.items():
            if isinstance(value, float) and not math.isfinite(value):
                finite[name] = None
        return {**finite, "curve": [[step, loss if math.isfinite(loss) else None] for step, loss in self.curve]}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Trained:
        """From what `to_json` returned; None becomes infinity where a number is needed."""
        numbers = {name: math.inf if plain[name] is None else float(plain[name]) for name in ("loss", "train_loss", "seconds")}
        curve = tuple((int(step), math.inf if loss is None else float(loss)) for step, loss in plain["curve"])
        return cls(plain["status"], accuracy=plain["accuracy"], curve=curve, weights=int(plain["weights"]), **numbers)


class Problem(Interface):
    """A network, its data and its schedule."""

    @property
    def name(self) -> str:
        """Unique in its suite."""

    @property
    def steps(self) -> int:
        """At horizon 1."""

    def check(self) -> None:
        """TaskError where its data is missing or damaged, with the remedy."""

    def train_rule(self, rule: Program, setting: Setting) -> Trained:
        """Train from scratch; a function of its arguments, on the same machine and libraries bit for bit."""


@dataclass(frozen=True)
class Baseline:
    """A known optimizer that others are compared with.

    Attributes:
        rule: its text.
        decay: value of the constant that is its weight decay.
        shapes: values of its shape constants, such as betas; constants of one value are one.
    """

    name: str
    rule: str
    decay: float
    shapes: tuple[float, ...]


@dataclass(frozen=True)
class Level:
    """How thorough an assessment is.

    Attributes:
        trials: of each contender on each problem.
        seeds: of the final comparison.
        horizon: factor on the steps.
    """

    name: str
    trials: int
    seeds: int
    horizon: float = 1.0


@dataclass(frozen=True)
class Protocol:
    """How contenders are tuned and compared; stands in the suite's file, so that nobody chooses it afterwards.

    Attributes:
        tuning_seeds: the first is every trial's; the best `finalists` trials see the others too.
        final_seeds: of the comparison, none of them a tuning seed.
        levels: from thorough to coarse.
        spread: decades that the trials' learning rates reach to either side of the best of a sweep.
        decay: (lowest, highest) weight decay.
        shape: factor by which a shape constant, or its distance from 1, goes up and down.
        extensions: how often an optimum at an edge extends the range of learning rates by a decade.
        margin: of non-inferiority, as a share of the loss.
        points: of the curves that time to target is read from.
    """

    tuning_seeds: tuple[int, ...]
    final_seeds: tuple[int, ...]
    levels: tuple[Level, ...]
    spread: float = 1.0
    decay: tuple[float, float] = (1e-4, 10.0)
    shape: float = 10.0
    finalists: int = 3
    extensions: int = 2
    margin: float = 0.02
    points: int = 25

    def __post_init__(self) -> None:
        if not (self.tuning_seeds and self.final_seeds and self.levels):
            raise ConfigError("a protocol needs tuning_seeds, final_seeds and levels")
        if set(self.tuning_seeds) & set(self.final_seeds):
            raise ConfigError("a seed stands in tuning_seeds and in final_seeds; the final seeds must be fresh")
        most = max(level.seeds for level in self.levels)
        if most > len(self.final_seeds):
            raise ConfigError(f"a level asks for {most} final seeds, final_seeds has {len(self.final_seeds)}")


@dataclass(frozen=True)
class Suite:
    """Problems, the baselines of every comparison on them, and the protocol of their use.

    Attributes:
        digest: of the file that defines it, to know it again.
    """

    problems: tuple[Problem, ...]
    baselines: tuple[Baseline, ...]
    protocol: Protocol
    digest: str = ""

    def __post_init__(self) -> None:
        names = [problem.name for problem in self.problems]
        if len(set(names)) != len(names):
            raise ConfigError(f"two problems of a suite have the same name, of {', '.join(names)}; give each its own")

    def __getitem__(self, name: str) -> Problem:
        """The problem called `name`; TaskError with the nearest known name where there is none."""
        for problem in self.problems:
            if problem.name == name:
                return problem
        raise TaskError(f"unknown problem '{name}'.{nearest(name, (problem.name for problem in self.problems))}")


def clipped(ratio: float) -> float:
    """A log-ratio from -1 to 1, as fitness clips it; 1 where it is no number."""
    return max(-1.0, min(1.0, ratio)) if math.isfinite(ratio) else 1.0


def validation_score(losses: Mapping[str, float], baselines: Sequence[Mapping[str, float]]) -> float:
    """Mean clipped log-ratio to the best baseline, from log-losses by problem; below 0 is better than all of them."""
    ratios = [clipped(loss - min(known[name] for known in baselines)) for name, loss in losses.items()]
    return sum(ratios) / len(ratios)
