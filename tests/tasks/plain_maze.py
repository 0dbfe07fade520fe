"""The geometry of the Hard Maze from its definition, for tests of both kinds of robots."""

from __future__ import annotations

import math

from tasks.maze.geometry import WALLS


def distance_to_wall(x: float, y: float) -> float:
    """By the definition of a segment's distance."""
    best = math.inf
    for x1, y1, x2, y2 in WALLS:
        t = ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / ((x2 - x1) ** 2 + (y2 - y1) ** 2)
        t = min(max(t, 0.0), 1.0)
        best = min(best, math.hypot(x - x1 - t * (x2 - x1), y - y1 - t * (y2 - y1)))
    return best
