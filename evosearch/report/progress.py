"""The display of an assessment: its plan, and a line that counts trainings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TextIO

from evosearch.evaluation.problems import Level
from evosearch.report.assessment import duration, planned
from evosearch.search.observer import AssessmentObserver

PERIOD = 1.0  # seconds between two lines on a terminal
PLAIN_PERIOD = 60.0  # where the output is no terminal


class AssessmentDisplay(AssessmentObserver):
    """Writes to a terminal or a file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._terminal = stream, stream.isatty()
        self._start = self._last = time.monotonic()
        self._done = 0

    def selecting(self, entrants: int) -> None:
        """See `AssessmentObserver`."""
        self._write(f"choosing the winner among {entrants} programs on validation problems")

    def simplifying(self, id: int) -> None:
        """See `AssessmentObserver`."""
        self._write(f"simplifying program {id}")

    def planned(self, winner: str, levels: Sequence[Level], level: Level, seconds: float) -> None:
        """See `AssessmentObserver`."""
        for line in planned(winner, level, levels[0], seconds):
            self._write(line)

    def trained(self, problem: str, loss: float) -> None:
        """See `AssessmentObserver`."""
        self._done += 1
        now = time.monotonic()
        if now - self._last >= (PERIOD if self._terminal else PLAIN_PERIOD):
            self._last = now
            line = f"{duration(now - self._start)}, {self._done} trainings, last: {problem}, loss {loss:.4g}"
            self._write(line, end="" if self._terminal else "\n")

    def _write(self, text: str, end: str = "\n") -> None:
        print(f"\r\x1b[K{text}" if self._terminal else text, end=end, file=self._stream, flush=True)
