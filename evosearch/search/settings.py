"""What the [search] table of every run file has, whatever is searched for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evosearch.errors import ConfigError, nearest
from evosearch.search.budget import Budget, Goal


@dataclass(frozen=True)
class Settings:
    """The keys of [search] that all families of search share.

    Attributes:
        algorithm: one of the family's `algorithms`.
        seed: of every random draw of the run.
        budget: evaluations ("20M") or time ("120s"); see `Budget`.
        until: goal that stops the run early, such as "cost<=8, error<1e-9"; "" for none.
        start: text of the program that the search starts from; "" for the family's own start.
    """

    algorithms: ClassVar[tuple[str, ...]] = ()
    has_frames: ClassVar[bool] = False

    algorithm: str = ""
    seed: int = 1
    budget: str | int = "60s"
    until: str = ""
    start: str = ""

    def __post_init__(self) -> None:
        if self.algorithm not in self.algorithms:
            raise ConfigError(f"unknown algorithm '{self.algorithm}'.{nearest(self.algorithm, self.algorithms)}")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"search.seed must be a whole number from 0 to 2^63 - 1, got {self.seed}")
        if Budget.parse(self.budget).frames is not None and not self.has_frames:
            raise ConfigError(f"budget '{self.budget}': only searches for policies count frames; give evaluations or a time")
        self.goal()

    def at_least_one(self, *names: str) -> None:
        """ConfigError where one of these settings is below 1."""
        for name in names:
            if getattr(self, name) < 1:
                raise ConfigError(f"search.{name} must be at least 1, got {getattr(self, name)}")

    def shares(self, *names: str) -> None:
        """ConfigError where one of these settings is no share."""
        for name in names:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"search.{name} is a share, from 0 to 1, got {getattr(self, name)}")

    def breadth(self) -> str:
        """What the search spreads its work over, for people."""
        return self.algorithm

    def goal(self) -> Goal | None:
        """The goal of `until`, if there is one."""
        return Goal.parse(self.until) if self.until.strip() else None
