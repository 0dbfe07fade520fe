"""The [search] table of a run that looks for policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evosearch.errors import ConfigError
from evosearch.search.settings import Settings

MOST = 1_000_000
"""Children of a generation; a run keeps each of them."""


@dataclass(frozen=True)
class PolicySettings(Settings):
    """The [search] table of a run that looks for policies.

    Attributes:
        algorithm: "ga" (truncation selection by score), "novelty" (by novelty of behaviour), "blend" (by ranks of both),
            "random" (every candidate from scratch) or "es" (OpenAI's evolution strategy, antithetic and ranked).
        population: children of a generation.
        parents: how many of them have children in turn (the truncation size T of the paper).
        power: standard deviation of a mutation's noise.
        chunk: most children of one job; the last jobs of a generation have fewer.
        candidates: how many compete to be the elite of a noisy task, the last elite among them; at least 2.
        validation: episodes that choose the elite, of each candidate.
        test: episodes that a new elite is reported with; they choose nothing.
        batch: most episodes of one job of validation or test; 0 for all that a validation has.
        neighbours: how many of the nearest behaviours novelty is the mean distance to.
        archive: share of the children whose behaviour novelty remembers.
        novelty: weight of novelty in a blend, beside the score.
        rate: step of the evolution strategy (Adam).
        decay: of its weights, as a share of them in each step's gradient.
    """

    algorithms: ClassVar[tuple[str, ...]] = ("ga", "novelty", "blend", "random", "es")
    has_frames: ClassVar[bool] = True

    algorithm: str = "ga"
    population: int = 250
    parents: int = 20
    power: float = 0.05
    chunk: int = 25
    candidates: int = 10
    validation: int = 30
    test: int = 200
    batch: int = 0
    neighbours: int = 25
    archive: float = 0.01
    novelty: float = 0.5
    rate: float = 0.02
    decay: float = 0.005

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least_one("population", "parents", "chunk", "validation", "test", "neighbours")
        self.shares("archive", "novelty", "decay")
        if self.population > MOST:
            raise ConfigError(f"search.population must be at most {MOST}, got {self.population}")
        if self.candidates < 2:
            raise ConfigError(f"search.candidates must be at least 2, the last elite and another, got {self.candidates}")
        if self.batch < 0:
            raise ConfigError(f"search.batch must be at least 0, got {self.batch}")
        for name in ("power", "rate"):
            if not 0.0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"search.{name} must be a positive number, got {getattr(self, name)}")
        if self.parents > self.population:
            raise ConfigError(f"search.parents = {self.parents} is more than search.population = {self.population}; lower it")
        if self.algorithm == "es" and self.population % 2:
            raise ConfigError(f"search.population must be even for antithetic pairs, got {self.population}")

    def breadth(self) -> str:
        """The population."""
        return f"population {self.population}"
