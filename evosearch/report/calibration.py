"""What `evosearch calibrate-proxy` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def calibrated(result: Mapping[str, Any]) -> list[str]:
    """The result of `evosearch.winners.calibrate.calibrate` for people."""
    low, high = (_number(end) for end in result["interval"])
    runs, programs = result["runs"], result["programs"]
    lines = [
        f"rank correlation of fitness with validation: {_number(result['spearman'])}   (95%: {low} to {high}, Spearman)",
        f"{programs} programs of {len(runs)} runs, all within 20% of AdamW on the proxies{_left_out(result['left_out'])}",
    ]
    for title, numbers in (
        ("by run", {name: row["spearman"] for name, row in runs.items()}),
        ("by validation problem", result["by_problem"]),
        ("by proxy", result["by_proxy"]),
    ):
        shown = "   ".join(f"{name} {_number(value)}" for name, value in numbers.items())
        lines.append(f"{title}: {shown or 'none'}")
    return [*lines, _verdict(result)]


def _verdict(result: Mapping[str, Any]) -> str:
    gate = result["gate"]
    if result["met"] is None:
        return f"gate of {gate}: not judged; it takes 100 programs of 5 runs. Make more runs, or let these go on"
    if result["met"]:
        return f"gate of {gate}: met"
    return f"gate of {gate}: not met; change the proxies, or how thoroughly they are run, before long runs"


def _left_out(counts: Mapping[str, int]) -> str:
    parts = [f"{count} {reason}" for reason, count in counts.items() if count]
    return f" (left out: {', '.join(parts)})" if parts else ""


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
