"""When a run stops: its budget in evaluations or in time, and its goal."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from evosearch.errors import ConfigError, nearest

_EVALUATIONS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600}
_QUANTITY = re.compile(r"([0-9][0-9_]*(?:\.[0-9]*)?(?:[eE]\+?[0-9]+)?)\s*([A-Za-z]*?)(\s*frames)?")
_BUDGET_HELP = 'use evaluations ("20M", "500k", "3412000"), frames of policies ("27.5M frames") or time ("120s", "10m", "2h")'


class Spending(Protocol):
    """What budgets count of a run."""

    @property
    def evaluations(self) -> int: ...
    @property
    def work(self) -> int: ...
    @property
    def seconds(self) -> float: ...


@dataclass(frozen=True)
class Budget:
    """How long a run goes on, in total; one of these is set at most.

    Attributes:
        evaluations: distinct programs whose fit has finished.
        seconds: search time, after the kernels are warm.
        frames: of environments, those of validation among them, those of tests not; the work of such a run.
    """

    evaluations: int | None = None
    seconds: float | None = None
    frames: int | None = None

    @classmethod
    def parse(cls, value: str | int) -> Budget:
        """Read "20M", "3412000", "120s", "10m", "2h", "27.5M frames"; ConfigError where it is no positive amount of either."""
        match = _QUANTITY.fullmatch(str(value).strip())
        amount = float(match[1]) if match else 0.0
        unit = match[2] if match else ""
        if match is None or not 0 < amount < float("inf") or unit not in {**_EVALUATIONS, **_SECONDS}:
            raise ConfigError(f"budget '{value}' is not an amount of work: {_BUDGET_HELP}")
        if match[3]:
            if unit in _SECONDS:
                raise ConfigError(f"budget '{value}' is not an amount of work: {_BUDGET_HELP}")
            return cls(frames=max(1, round(amount * _EVALUATIONS[unit])))
        if unit in _SECONDS:
            return cls(seconds=amount * _SECONDS[unit])
        if unit == "" and match[1].isdigit():
            return cls(evaluations=int(match[1]))  # exact beyond 2^53
        return cls(evaluations=max(1, round(amount * _EVALUATIONS[unit])))

    def left(self, spending: Spending) -> float:
        """What is left in its own unit, 0 where it is spent; infinite where nothing is set."""
        if self.evaluations is not None:
            return max(0, self.evaluations - spending.evaluations)
        if self.frames is not None:
            return max(0, self.frames - spending.work)
        return max(0.0, self.seconds - spending.seconds) if self.seconds is not None else math.inf

    def __str__(self) -> str:
        if self.frames is not None:
            return f"{self.frames} frames"
        return str(self.evaluations) if self.evaluations is not None else f"{self.seconds:g}s"


GOAL_FIELDS = ("cost", "error", "error_float64", "certified_error", "score", "solved")


@dataclass(frozen=True)
class Condition:
    """`field comparison value`, as in error<1e-9."""

    field: str
    comparison: str
    value: float

    def holds(self, fields: Mapping[str, float | None]) -> bool:
        """Whether it holds for a program's fields; an unknown (null) field never satisfies it."""
        found = fields.get(self.field)
        if found is None:
            return False
        match self.comparison:
            case "<=":
                return found <= self.value
            case "<":
                return found < self.value
            case ">=":
                return found >= self.value
            case _:
                return found > self.value


@dataclass(frozen=True)
class Goal:
    """What one program must satisfy for the run to stop early: all `conditions` at once."""

    conditions: tuple[Condition, ...]
    text: str

    @classmethod
    def parse(cls, text: str) -> Goal:
        """Read "cost<=8, error<1e-9"; ConfigError with what is allowed."""
        return cls(tuple(_condition(part.strip(), text) for part in text.split(",")), text)

    def met(self, fields: Mapping[str, float | None]) -> bool:
        """Whether a program with these fields (see `GOAL_FIELDS`) satisfies every condition."""
        return all(condition.holds(fields) for condition in self.conditions)


def _condition(part: str, text: str) -> Condition:
    match = re.fullmatch(r"([A-Za-z_0-9]+)\s*(<=|>=|<|>)\s*(\S+)", part)
    try:
        value = float(match[3]) if match else None
    except ValueError:
        value = None
    if match is None or value is None:
        raise ConfigError(f"goal '{text}' cannot be read at '{part}'; write it as \"cost<=8, error<1e-9\"")
    if match[1] not in GOAL_FIELDS:
        raise ConfigError(f"goal '{text}': unknown field '{match[1]}'.{nearest(match[1], GOAL_FIELDS)}")
    return Condition(match[1], match[2], value)
