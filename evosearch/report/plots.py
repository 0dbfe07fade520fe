"""Pictures: the error curve of a program, and a front beside the classical one. matplotlib without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evosearch.errors import EvosearchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evosearch.report.curve import Curve

_FOUND, _CLASSICAL, _QUIET = "#0b6e99", "#c0561a", "#9a9a9a"
_OTHERS = ("#5a8f3c", "#8a5a9c", "#b08d2e")


@contextmanager
def drawing(path: Path, size: tuple[float, float]) -> Iterator[Any]:
    """A figure that is written to `path` in the end; EvosearchError where that cannot be written."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    yield figure
    try:
        figure.savefig(path, dpi=140, metadata={"Software": "evosearch"})
    except (OSError, ValueError) as error:
        raise EvosearchError(f"cannot write the picture {path}: {error}; give a .png file with -o") from None


@contextmanager
def picture(path: Path, size: tuple[float, float]) -> Iterator[Any]:
    """Axes that are written to `path` in the end; see `drawing`."""
    with drawing(path, size) as figure:
        axes = figure.add_subplot()
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        yield axes


def plot_curve(curve: Curve, path: Path, *, title: str, measure: str, bound: float | None = None) -> None:
    """The signed error along the interval, with the certified bound as a band where there is one."""
    with picture(path, (7.0, 3.6)) as axes:
        if bound is not None:
            axes.axhspan(-bound, bound, color=_FOUND, alpha=0.08, linewidth=0)
            for edge in (-bound, bound):
                axes.axhline(edge, color=_FOUND, linewidth=0.8, linestyle=":", label="certified bound" if edge > 0 else None)
        axes.plot(curve.x, curve.float64, ".", color=_QUIET, markersize=2.0, label="in float64")
        if np.isfinite(curve.real).any():
            axes.plot(curve.x, curve.real, color=_FOUND, linewidth=1.4, label="in exact arithmetic")
        axes.axhline(0.0, color="black", linewidth=0.6)
        axes.set_xlabel("x")
        axes.set_ylabel(f"{measure} error")
        axes.set_title(title, fontsize=10)
        axes.legend(fontsize=8, frameon=False, loc="best")


def plot_front(
    found: Sequence[tuple[float, float]],
    classical: Sequence[tuple[float, float]],
    path: Path,
    *,
    title: str,
    label: str,
) -> None:
    """Error (`label` says which) against cost, (cost, error) pairs: what was found and the best classical programs."""
    with picture(path, (7.0, 4.2)) as axes:
        for points, colour, marker, name in (
            (classical, _CLASSICAL, "s", "best classical program"),
            (found, _FOUND, "o", "found by evosearch"),
        ):
            if points:
                costs, errors = zip(*sorted(points), strict=True)
                axes.step(costs, errors, where="post", color=colour, linewidth=1.2, alpha=0.5)
                axes.plot(costs, errors, marker, color=colour, markersize=5.5, label=name)
        axes.set_yscale("log")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("cost (operations)")
        axes.set_ylabel(label)
        axes.set_title(title, fontsize=10)
        axes.grid(axis="y", alpha=0.25, linewidth=0.6)
        if axes.lines:
            axes.legend(fontsize=9, frameon=False)


def plot_records(lines: Mapping[str, Sequence[tuple[float, float]]], path: Path, *, title: str) -> None:
    """Ratios of losses of record holders in the order of entry, one line a kind of measurement."""
    with picture(path, (7.0, 3.6)) as axes:
        for (name, points), colour in zip(lines.items(), (_QUIET, _FOUND, _CLASSICAL), strict=False):
            if points:
                ids, ratios = zip(*points, strict=True)
                axes.plot(ids, ratios, "o-", color=colour, markersize=4.0, linewidth=1.2, label=name)
        axes.axhline(1.0, color="black", linewidth=0.6)
        axes.set_xlabel("program")
        axes.set_ylabel("loss over the better baseline's")
        axes.set_title(title, fontsize=10)
        if axes.lines:
            axes.legend(fontsize=8, frameon=False, loc="best")


@dataclass(frozen=True)
class Scores:
    """Scores of a run by frames: generations as lines, tests of elites (mean, half of the interval) as points, to the `end`."""

    label: str
    end: float
    lines: Mapping[str, Sequence[tuple[float, float]]]
    tests: Sequence[tuple[float, float, float]]


def plot_scores(
    run: Scores,
    beside: Sequence[Scores],
    published: Mapping[str, Sequence[tuple[float, float]]],
    path: Path,
    *,
    title: str,
    threshold: float | None = None,
) -> None:
    """Scores of a run by frames, beside the elites of others and what has been published for as many frames."""
    from matplotlib.ticker import EngFormatter

    with picture(path, (7.0, 4.8)) as axes:
        for (name, points), colour in zip(run.lines.items(), (_QUIET, "#c9c9c9"), strict=False):
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.0, label=name)
        for one, colour in zip((run, *beside), (_FOUND, *_OTHERS), strict=False):
            if one.tests:
                at, means, half = (list(column) for column in zip(*one.tests, strict=True))
                axes.step([*at, one.end], [*means, means[-1]], where="post", color=colour, linewidth=0.8)
                label = f"{one.label}: test means of its elites{', 95%' if any(half) else ''}"
                axes.errorbar(at, means, yerr=half, fmt="o", color=colour, markersize=4.0, linewidth=0.8, label=label)
        last = max(one.end for one in (run, *beside))
        for (name, points), marker in zip(published.items(), "sD^v", strict=False):
            shown = [point for point in points if point[0] <= 1.2 * last]
            if shown:
                style = {"color": _CLASSICAL, "markersize": 5.0, "linestyle": "", "markerfacecolor": "none"}
                axes.plot(*zip(*shown, strict=True), marker, label=name, **style)
        if threshold is not None:
            axes.axhline(threshold, color="black", linewidth=0.6, linestyle=":", label="solved")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_xlabel("frames of training and validation")
        axes.set_ylabel("score")
        axes.set_title(title, fontsize=10)
        if axes.lines:
            axes.figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=2)
