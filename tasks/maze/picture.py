"""The maze as a picture: last places by generation, the archive, the way of one robot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.maze.geometry import GOAL, START, WALLS
from tasks.maze.kernel import REACHED

MOST = 60_000
"""More places than these are thinned out evenly: a picture shows no more."""


def draw_maze(
    axes: Any,
    places: NDArray[np.float64],
    generation: NDArray[np.int64],
    memory: NDArray[np.bool_],
    path: NDArray[np.float64],
) -> None:
    """Draw on matplotlib axes.

    Args:
        places: (n, 2) last places; generation (n,) of each; memory (n,) whether the archive of novelty took it.
        path: (steps, 2) of one robot.
    """
    thin = slice(None, None, 1 + len(places) // MOST)
    style = {"s": 5.0, "cmap": "viridis", "alpha": 0.7, "linewidths": 0}
    shown = axes.scatter(*places[thin].T, c=generation[thin], **style)
    axes.figure.colorbar(shown, ax=axes, label="last places by generation", fraction=0.04, pad=0.02).solids.set_alpha(1.0)
    if memory.any():
        axes.plot(*places[memory].T, "x", color="#c0561a", markersize=3.0, markeredgewidth=0.7, label="archive")
    for x1, y1, x2, y2 in WALLS:
        axes.plot([x1, x2], [y1, y2], color="black", linewidth=1.8)
    axes.plot(*path.T, color="#d62728", linewidth=1.6, label="this policy")
    axes.plot(*START, "o", color="black", markersize=6.0, label="start")
    angle = np.linspace(0.0, 2.0 * np.pi, 60)
    axes.fill(GOAL[0] + REACHED * np.cos(angle), GOAL[1] + REACHED * np.sin(angle), color="#2ca02c", alpha=0.5, label="goal")
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncol=4)
