"""An assessment for people: the plan, the verdict, tables beside it, and maps of the tuning as pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evosearch.evaluation.problems import Level
from evosearch.report.plots import drawing


def planned(winner: str, level: Level, full: Level, seconds: float) -> list[str]:
    """What is going to be done, how coarse it is beside the `full` level, and how long it takes."""
    lines = ["winner:", *("    " + line for line in winner.strip().splitlines())]
    lines.append(
        f"level {level.name}: {level.trials} trials a contender and family, {level.seeds} final seeds, "
        f"horizon x {level.horizon:g}; about {duration(seconds)}"
    )
    if level != full:
        lines.append(
            f"coarse: {level.name} has {level.trials} of {full.trials} trials, {level.seeds} of {full.seeds} seeds and "
            f"{level.horizon / full.horizon:.0%} of the steps of {full.name}; give a larger --budget for that"
        )
    return lines


def assessed(result: Mapping[str, Any]) -> list[str]:
    """The verdict and its tables."""
    ratio = result["winner_to_better"]
    lines = [
        f"test loss of the winner / better of AdamW and Lion, geometric mean over {len(result['families'])} families: "
        + interval(ratio)
        + (" better" if ratio["high"] is not None and ratio["high"] < 1.0 else " not shown to be better"),
        "",
        f"{'family':24}{'better':>8}{'ratio':>8}  95% interval (Holm)     p",
    ]
    for name, family in result["families"].items():
        own = family["winner_to_better"]
        lines.append(f"{name:24}{family['better']:>8}{number(own['ratio'], 8)}  {ends(own):22}{number(own['p'], 7)}")
    for name, family in result["families"].items():
        lines += ["", name, *_contenders(family["contenders"])]
    lines.append("")
    own = result["to_adamw_with_own_constants"]
    for name in ("winner with own constants", "tuned winner"):
        outcome = "not inferior" if own[name]["not_inferior"] else "not shown to be not inferior"
        worst = max((each["high"] or math.inf) for each in own[name]["families"].values())
        lines.append(
            f"{name} to AdamW with its own constants, margin {own['margin']:.0%} on each family: {outcome} "
            f"(highest upper end {worst:.3f})"
        )
    return lines


def _contenders(table: Mapping[str, Mapping[str, Any]]) -> list[str]:
    head = f"  {'':22}{'loss':>9}{'accuracy':>9}{'train':>9}{'to target':>10}{'s':>7}{'state kB':>9}{'lr':>10}{'decay':>9}"
    lines = [head + "  shapes"]
    for name, row in table.items():
        shapes = " ".join(f"{value:.4g}" for value in row["tuned"]["shapes"])
        failed = f"  {row['failed']} failed" if row["failed"] else ""
        lines.append(
            f"  {name:22}{number(row['loss'], 9)}{number(row['accuracy'], 9)}{number(row['train_loss'], 9)}"
            f"{share(row['time_to_target']):>10}{row['seconds']:7.1f}{row['state_bytes'] / 1000:9.0f}"
            f"{row['tuned']['lr']:10.2g}{'own' if row['tuned']['decay'] is None else format(row['tuned']['decay'], '.2g'):>9}"
            f"  {shapes}{failed}"
        )
    return lines


def draw_maps(folder: Path) -> list[Path]:
    """One picture a family: log-loss over learning rate and weight decay, a panel for each tuned contender."""
    maps = json.loads((folder / "assessment-trials.json").read_text(encoding="utf-8"))["maps"]
    names = [name for name, families in maps.items() if any(p[1] is not None for p in next(iter(families.values())))]
    files = []
    for family in maps[names[0]]:
        losses = [loss for name in names for _, _, loss in maps[name][family] if loss is not None]
        low = min(losses, default=0.0)
        files.append(folder / f"assessment-{family}.png")
        with drawing(files[-1], (3.2 * len(names), 3.0)) as figure:
            axes = figure.subplots(1, len(names), squeeze=False)[0]
            for axis, name in zip(axes, names, strict=True):
                _panel(axis, maps[name][family], low)
                axis.set_title(name)
            axes[0].set_ylabel("weight decay")
            figure.suptitle(f"{family}: loss over the best one's, log scale to 2x")
    return files


def _panel(axis: Any, points: Sequence[Sequence[float | None]], low: float) -> None:
    good = [(lr, decay, loss) for lr, decay, loss in points if loss is not None]
    bad = [(lr, decay) for lr, decay, loss in points if loss is None]
    if good:
        lr, decay, loss = zip(*good, strict=True)
        axis.scatter(lr, decay, c=[value - low for value in loss], vmin=0.0, vmax=math.log(2.0), cmap="viridis_r", s=40)
    if bad:
        axis.scatter(*zip(*bad, strict=True), marker="x", color="tab:red", s=25)
    axis.set(xscale="log", yscale="log", xlabel="learning rate")
    axis.minorticks_off()


def interval(paired: Mapping[str, float | None]) -> str:
    """Ratio and interval."""
    return f"{number(paired['ratio'], 0)} {ends(paired)}"


def ends(paired: Mapping[str, float | None]) -> str:
    """The interval."""
    return f"[{number(paired['low'], 0)}, {number(paired['high'], 0)}]"


def number(value: float | None, width: int) -> str:
    """Four significant digits, or a dash."""
    return f"{'-' if value is None else f'{value:.4g}':>{width}}"


def share(value: float | None) -> str:
    """Of the horizon."""
    return "never" if value is None else f"{value:.0%}"


def duration(seconds: float) -> str:
    """For people."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
