"""The grid of learning rates, RATIO^k, and what tuning found on it; light, since those who only show a run read it too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RATIO = 10.0**0.25


def rate_of(exponent: int) -> float:
    """The learning rate itself."""
    return float(RATIO**exponent)


@dataclass(frozen=True)
class Tuned:
    """What tuning found: the best rates, as exponents of RATIO, best first; and the decay constant, None for the rule's own."""

    rates: tuple[int, ...]
    decay: float | None = None

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"rates": list(self.rates), "decay": self.decay}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Tuned:
        """From what `to_plain` returned."""
        return cls(tuple(int(rate) for rate in plain["rates"]), plain["decay"])
