"""Benchmarks: `pytest tests/benchmarks` prints tables of ratios and asserts nothing about time.

`--seconds N` sets how long each competitor runs; goals in the tables are those that the project set itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from evosearch.search.machine import describe_machine

Show = Callable[[str, Sequence[str], Sequence[Sequence[object]]], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seconds", type=float, default=6.0, help="how long each competitor of a benchmark runs (default 6)")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """One after another: what is timed side by side must not run beside something else."""
    config.option.numprocesses = 0


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """The default test run ignores this folder; who names it wants it."""
    return False if collection_path.is_relative_to(Path(__file__).parent) else None


def pytest_report_header() -> str:
    return f"benchmarks on {describe_machine()}"


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    """How long each competitor runs."""
    return float(request.config.getoption("--seconds"))


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Iterator[Show]:
    """Print a table to the terminal: title, columns, rows."""

    def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        shown = Table(*columns, title=title, title_justify="left", title_style="bold")
        for row in rows:
            shown.add_row(*(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row))
        with capsys.disabled():
            Console(width=132).print("\n", shown, sep="")

    yield table
