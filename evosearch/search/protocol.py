"""What the loop knows of a search: it asks for jobs, sends them to a pool, and tells results in ask order.

A search is a function of its file and its seed: it may use nothing but what it was told, in that order. How many
jobs may be open at once (`window`) belongs to the search, never to the pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from evosearch.language.program import Program
from evosearch.search.evaluations import Evaluations

Payload = Mapping[str, Any]
"""Plain data: numbers, text, bytes, NumPy arrays, and programs."""


@dataclass(frozen=True)
class Job:
    """One unit of work for a worker: `function` is "module:name" and takes the payload as keyword arguments."""

    number: int
    function: str
    payload: Payload


@dataclass(frozen=True)
class Written:
    """A candidate that is no program, as a store keeps it: its text, and plain data from which its family reads it."""

    text: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Entrant:
    """A program that enters the archive, with all that the store keeps of it.

    Attributes:
        key: canonical hash; unique within a run.
        program: over the run's op set; of a policy what is written of it.
        cost: by the run's op costs.
        error: what selection uses: the certified real error where there is a certificate, else the sampled maximum.
        metrics: `error_real`, `error_float64`, `error_sampled`, ... (null where unknown); JSON-serializable.
        parent: key of the nearest archived ancestor, or None.
        operators: names of the variation operators on the way from it.
        steps: number of ancestors on the way that were not kept.
    """

    key: str
    program: Program | Written
    cost: float
    error: float
    metrics: Mapping[str, Any]
    parent: str | None = None
    operators: tuple[str, ...] = ()
    steps: int = 0


@dataclass(frozen=True)
class Told:
    """What a told result adds to the run; `note` is one line for people on what all of it is worth, and the last one stays."""

    entrants: tuple[Entrant, ...] = ()
    evaluations: int = 0
    work: int = 0  # instructions x points
    counters: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    evaluated: Evaluations = field(default_factory=Evaluations)  # of a search that keeps them all


class Search(Protocol):
    """A search algorithm as the loop sees it."""

    @property
    def window(self) -> int:
        """How many jobs may be open at once."""

    @property
    def warm(self) -> tuple[str, Payload] | None:
        """The function "module:name" that compiles the kernels, called with the payload once before workers start."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to ask (an enumeration that is complete)."""

    def ask(self) -> Job | None:
        """The next job; None where results must be told first or the search is finished."""

    def tell(self, job: Job, result: Any) -> Told:
        """Take a result, in ask order."""

    def closing(self) -> tuple[Job, ...]:
        """Jobs that only confirm what was found, asked already or not; a run that stops does them after its checkpoint.

        They add no evaluations. Their results are told out of turn, to a search that is not asked again.
        """

    def state(self) -> dict[str, Any]:
        """All that is needed to go on, as plain data; taken between `tell` calls.

        Jobs that were asked and not told are asked again, with the same numbers, after `restore`.
        """

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
