"""A simplified update rule for people: how it came about, and what each of its statements is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def taken(step: Mapping[str, Any]) -> str:
    """One line of what was done, and what all of it so far does to the loss."""
    return f"  {step['statements']:>3} statements   {effect(step):<18}   {step['what']}"


def simplified(found: Mapping[str, Any]) -> list[str]:
    """The rule, and the effects of its statements."""
    statements, margin = found["statements"], found["margin"]
    width = max((len(row["statement"]) for row in statements), default=0)
    lines = ["", *found["program"].rstrip().splitlines(), ""]
    lines.append("what the logarithm of the loss gains where the readers of a statement read one of its arguments instead")
    lines += [f"  {row['statement']:<{width}}   {effect(row)}" for row in statements]
    lines.append(
        f"{len(found['original'].splitlines()) - 2} statements -> {len(statements)}; for each step a paired test at level "
        f"{margin['level']:g} over up to {margin['seeds'][-1]} seeds showed the rule at most {margin['loss']:.0%} worse "
        "than the original"
    )
    return lines


def effect(row: Mapping[str, Any]) -> str:
    """Mean and standard error of the differences."""
    if row["effect"] is None:
        return "invalid"
    return f"{row['effect']:+.4f}" + ("" if row["error"] is None else f" ± {row['error']:.4f}")
