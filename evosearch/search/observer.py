"""Who is told how a run goes on: a display, a notebook, a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evosearch.evaluation.problems import Level
from evosearch.search.config import RunConfig
from evosearch.search.loop import Progress


class Observer:
    """Override what you want to know; every method does nothing by itself. All are called in the caller's thread."""

    def started(self, folder: Path, config: RunConfig, task: str, workers: int) -> None:
        """The run's folder exists and the workers are about to start; `task` is one line for people."""

    def warming(self, line: str) -> None:
        """What the workers prepare, such as "compiling the interpreter kernel"."""

    def warmed(self, seconds: float) -> None:
        """The workers are ready after so many seconds; the search's clock starts."""

    def baseline(self, classical: tuple[tuple[float, float, str], ...]) -> None:
        """(cost, error, form) of the best classical programs, before the workers start."""

    def progress(self, progress: Progress) -> None:
        """After every told result."""

    def stopped(self) -> None:
        """The search has ended, however it ended."""

    def selection(self) -> AssessmentObserver:
        """Who is told how the winner of a search for update rules is chosen, after it has stopped."""
        return AssessmentObserver()


class AssessmentObserver:
    """Is told how it goes; this one says nothing, and others override what they want to know."""

    def selecting(self, entrants: int) -> None:
        """The funnel starts with so many programs."""

    def simplifying(self, id: int) -> None:
        """The winner is simplified."""

    def planned(self, winner: str, levels: Sequence[Level], level: Level, seconds: float) -> None:
        """The assessment starts, at a level of these and with an estimate of what is left to do."""

    def trained(self, problem: str, loss: float) -> None:
        """A training is done and kept."""
