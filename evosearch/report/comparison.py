"""Runs side by side, as lines: what each spent, and what its family tells of the best that it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evosearch.report.table import aligned
from evosearch.report.views import VIEWS


def compared(comparison: Mapping[str, Any]) -> list[str]:
    """The table of `evosearch.winners.compare.Comparison.to_json`."""
    columns, counted = VIEWS[comparison["family"]].compared, VIEWS[comparison["family"]].counted
    rows = [["run", "algorithm", "seed", "minutes", counted, *columns, ""]]
    for row in comparison["runs"]:
        spent = [f"{row['seconds'] / 60:.1f}", f"{row['evaluations']:,}"]
        found = [cell(row) for cell in columns.values()]
        alike = "" if row["alike"] else "(other compute)"
        rows.append([row["run"], row["algorithm"], str(row["seed"]), *spent, *found, alike])
    lines = aligned(rows, left=(0, 1, len(rows[0]) - 1))
    lines.append(f"runs of this task here: {comparison['counted']}, shown: {len(comparison['runs'])}")
    if comparison["absent"]:
        lines.append(f"not shown: {', '.join(comparison['absent'])}")
    return lines
