"""What is on the screen while a run goes on."""

from __future__ import annotations

import io
from pathlib import Path

from toy_search import chain

from evosearch.report.live import PlainDisplay, TerminalDisplay, display_for
from evosearch.search.config import read_config
from evosearch.search.loop import Progress, enter_front
from evosearch.search.protocol import Entrant
from primitives.arithmetic import FIELD

CLASSICAL = ((3.0, 1.5e-2, "linear"),)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def played(display: PlainDisplay) -> str:
    """A search of 30 s with one find, told every second."""
    display.started(Path("runs/exp2-1"), read_config("exp2"), "2^x on [0, 1], relative error, + - * /", 2)
    display.warming("compiling the interpreter kernel (once, about 20 s)")
    display.warmed(21.3)
    display.baseline(CLASSICAL)
    progress = Progress()
    enter_front(progress.front, Entrant("a", chain(FIELD, 3, 0.1), 3.0, 8.67e-4, {"error_real": 8.67e-4}))
    for second in range(31):
        progress.seconds, progress.evaluations = float(second), 57_000 * second
        display.progress(progress)
    display.stopped()
    assert isinstance(display.stream, io.StringIO)
    return display.stream.getvalue()


def test_plain_lines_where_there_is_no_terminal() -> None:
    display = display_for(io.StringIO())
    assert played(display).splitlines() == [
        "run exp2-1 in runs/exp2-1   2^x on [0, 1], relative error, + - * /   seed 1, 8 islands, 2 workers",
        "compiling the interpreter kernel (once, about 20 s) ...",
        "ready after 21.3 s",
        "00:10  570,000 programs fitted, 57,000/s, 00:50 left   best error by cost 3: 8.67e-04",
        "00:20  1,140,000 programs fitted, 57,000/s, 00:40 left   best error by cost 3: 8.67e-04",
        "00:30  1,710,000 programs fitted, 57,000/s, 00:30 left   best error by cost 3: 8.67e-04",
    ]


def test_a_table_that_is_drawn_anew_on_a_terminal() -> None:
    display = display_for(Terminal())
    assert isinstance(display, TerminalDisplay)
    shown = played(display)
    assert shown.count("   3  8.67e-04  certified   1.50e-02   17x") == 31  # 30 drawn, and once more as it is taken away
    assert "00:30  1,710,000 programs fitted, 57,000/s, 00:30 left" in shown


def test_the_rate_of_a_resumed_run_is_that_of_its_last_part() -> None:
    display = PlainDisplay(io.StringIO())
    display.progress(Progress(evaluations=1_000_000, seconds=10.0))
    assert "1,000,500 programs fitted, 500/s" in display.status_line(Progress(evaluations=1_000_500, seconds=11.0))
