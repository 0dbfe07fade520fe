"""What is on the screen while a run goes on: a table that is drawn anew on a terminal, plain lines elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from evosearch.report.progress import AssessmentDisplay
from evosearch.report.table import Classical
from evosearch.report.views import VIEWS
from evosearch.search.budget import Budget
from evosearch.search.config import RunConfig
from evosearch.search.loop import Progress
from evosearch.search.observer import AssessmentObserver, Observer

if TYPE_CHECKING:
    from rich.live import Live

REDRAW_SECONDS = 0.25
LINE_SECONDS = 10.0
MOST = 12
"""Programs of the front on a line."""


class PlainDisplay(Observer):
    """One line every ten seconds."""

    every = LINE_SECONDS

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.classical: Classical = ()
        self.budget, self.view = Budget(), VIEWS["function"]
        self._due = self.every
        self._since: tuple[float, int] | None = None

    def write(self, line: str) -> None:
        """Print a line at once."""
        print(line, file=self.stream, flush=True)

    def started(self, folder: Path, config: RunConfig, task: str, workers: int) -> None:
        """Say what runs where."""
        self.budget, self.view = Budget.parse(config.search.budget), VIEWS[config.family]
        search, what = config.search, f"{workers} workers" if workers != 1 else "1 worker"
        where = f"seed {search.seed}, {search.breadth()}, {what}"
        self.write(f"run {folder.resolve().name} in {folder}   {task}   {where}")

    def warming(self, line: str) -> None:
        """Say what takes so long."""
        self.write(f"{line} ...")

    def warmed(self, seconds: float) -> None:
        """Say how long it took, where that was worth a line."""
        if seconds >= 1.0:
            self.write(f"ready after {seconds:.1f} s")

    def baseline(self, classical: Classical) -> None:
        """Keep it for the table."""
        self.classical = classical

    def selection(self) -> AssessmentObserver:
        """The display of an assessment."""
        return AssessmentDisplay(self.stream)

    def progress(self, progress: Progress) -> None:
        """Print or draw when it is due."""
        if self._since is None:  # a resumed run: the rate is that of this part
            self._since = (progress.seconds, progress.evaluations)
            self._due = progress.seconds + self.every
        if progress.seconds >= self._due:
            self._due = progress.seconds + self.every
            self.draw(progress)

    def draw(self, progress: Progress) -> None:
        """The line of now."""
        latest = sorted(progress.front.items())[-MOST:]
        best = ", ".join(f"{cost:g}: {self.view.short(member)}" for cost, member in latest)
        self.write(f"{self.status_line(progress)}   best {self.view.worth} by {self.view.axis} {best or '-'}")

    def status_line(self, progress: Progress) -> str:
        """Time, programs, rate and what is left of the budget."""
        start_seconds, start_evaluations = self._since or (0.0, 0)
        rate = (progress.evaluations - start_evaluations) / max(progress.seconds - start_seconds, 1e-9)
        return f"{totals_line(progress.seconds, progress.evaluations, rate, self.view.counted)}{self._left(progress, rate)}"

    def _left(self, progress: Progress, rate: float) -> str:
        left = self.budget.left(progress)
        if self.budget.seconds is not None:
            return f", {clock(left)} left"
        if self.budget.frames is not None:
            return f", {left:,} frames left"
        if self.budget.evaluations is not None and rate > 0:
            return f", about {clock(left / rate)} left"
        return ""


class TerminalDisplay(PlainDisplay):
    """The table of the front, drawn anew four times a second, and gone when the search ends."""

    every = REDRAW_SECONDS
    _live: Live | None = None

    def warmed(self, seconds: float) -> None:
        """Start drawing."""
        super().warmed(seconds)
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(file=self.stream), auto_refresh=False, transient=True)
        self._live.start()

    def draw(self, progress: Progress) -> None:
        """The table of now."""
        if self._live is not None:
            lines = self.view.live_table([progress.front[cost] for cost in sorted(progress.front)], self.classical)
            self._live.update(_plain("\n".join([*lines, self.status_line(progress)])), refresh=True)

    def stopped(self) -> None:
        """Give the terminal back."""
        if self._live is not None:
            self._live.stop()


def display_for(stream: TextIO) -> PlainDisplay:
    """The display that fits the stream."""
    return TerminalDisplay(stream) if stream.isatty() else PlainDisplay(stream)


def totals_line(
    seconds: float, evaluations: int, rate: float | None = None, counted: str = "programs fitted"
) -> str:
    """As in "01:00  3,412,000 programs fitted, 57,000/s"."""
    rate = evaluations / seconds if rate is None and seconds > 0 else rate or 0.0
    return f"{clock(seconds)}  {evaluations:,} {counted}, {float(f'{rate:.2g}'):,.0f}/s"


def clock(seconds: float) -> str:
    """As in "01:00" or "2:00:00"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes:02d}:{rest:02d}"


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)
