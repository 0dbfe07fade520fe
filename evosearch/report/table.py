"""The front as lines of text, beside the best classical program of the same cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

Classical = Sequence[tuple[float, float, str]]
"""(cost, error, form), by rising cost."""


class Member(Protocol):
    """What a table shows of a program: an `Entrant` or a `StoredProgram`."""

    @property
    def cost(self) -> float: ...
    @property
    def error(self) -> float: ...
    @property
    def metrics(self) -> Any: ...


def best_classical(classical: Classical, cost: float) -> tuple[float, str] | None:
    """(error, form) of the best classical program of at most that cost."""
    return min(((error, form) for known, error, form in classical if known <= cost), default=None)


def live_table(front: Iterable[Member], classical: Classical) -> list[str]:
    """cost, error, classical, gain; one line a member."""
    rows = [["cost", "error", "", "classical", "gain"]]
    for member in front:
        rows.append([f"{member.cost:g}", scientific(member.error), bound_word(member), *_against(member, classical)[:2]])
    return aligned(rows, left=(2,))


def front_table(front: Iterable[Any], classical: Classical) -> list[str]:
    """id, cost, error and what kind of bound it is, error in float64, classical, gain and the classical form."""
    rows = [["id", "cost", "error", "", "float64", "classical", "gain", "classical form"]]
    for member in front:
        errors = [scientific(member.error), bound_word(member), scientific(member.metrics.get("error_float64"))]
        rows.append([str(member.id), f"{member.cost:g}", *errors, *_against(member, classical)])
    return aligned(rows, left=(3, 7))


def bound_word(member: Member) -> str:
    """ "certified" where the error is a proven bound, else "sampled"."""
    return "sampled" if member.metrics.get("error_real") is None else "certified"


def scientific(value: float | None) -> str:
    """Two digits behind the point, or "-" where unknown."""
    return "-" if value is None else f"{value:.2e}"


def gain(classical: float, error: float) -> str:
    """How many times smaller the error is than the classical one."""
    if error <= 0.0:
        return "exact"
    ratio = classical / error
    if ratio < 9.95:
        return f"{ratio:.2g}x" if ratio < 0.1 else f"{ratio:.1f}x"
    return f"{ratio:.0f}x" if ratio < 99999.5 else f"{ratio:.0e}x"


def _against(member: Member, classical: Classical) -> list[str]:
    best = best_classical(classical, member.cost)
    return [scientific(best[0]), gain(best[0], member.error), best[1]] if best else ["-", "", ""]


def aligned(rows: Sequence[Sequence[str]], left: Sequence[int] = ()) -> list[str]:
    """Columns right-aligned, but those in `left`; two spaces between."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [c.ljust(w) if n in left else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True)) if w]
        lines.append("  ".join(cells).rstrip())
    return lines
