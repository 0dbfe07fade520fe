"""What is shown of functions beyond their tables: what `show --json` says, what to type next, remarks on the front."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evosearch.report.table import Member, bound_word, scientific
from evosearch.search.store import StoredProgram


def short(member: Member) -> str:
    """The worth of a program in a word."""
    return scientific(member.error)


def line(program: StoredProgram) -> str:
    """A program in a line."""
    return f"program {program.id}, cost {program.cost:g}, error {short(program)} ({bound_word(program)})"


def json_row(program: StoredProgram) -> dict[str, Any]:
    """What `show --json` says of a program."""
    return {
        "id": program.id,
        "cost": program.cost,
        "error": _finite(program.error),
        "error_float64": _finite(program.metrics.get("error_float64")),
        "certified_error": _finite(program.certified_error),
        "program": program.text,
    }


def remarks(front: Sequence[StoredProgram], _counters: Mapping[str, float], _seconds: float) -> list[str]:
    """How many errors are not proven."""
    sampled = sum(program.certified_error is None for program in front)
    if not sampled:
        return []
    return [f"sampled: {sampled} of {len(front)} errors are largest values at sampled points, without a proof"]


def next_line(name: str, run_file: str, front: Sequence[StoredProgram], best: int) -> str:
    """What to type next."""
    middle = front[len(front) // 2]
    return (
        f"next: evosearch show {name} · evosearch inspect {name} {best} · "
        f"evosearch export {name} --cost {middle.cost:g} --to c -o {run_file}.h"
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


COMPARED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "least error": lambda row: scientific(row["error"]),
    "": lambda row: "" if row["certified"] is None else "certified" if row["certified"] else "sampled",
    "at cost": lambda row: "-" if row["cost"] is None else f"{row['cost']:g}",
}
"""Columns of a comparison of runs."""
