"""The Hard Maze's walls, start and goal (uber-research/deep-neuroevolution, hard_maze.txt)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

START = (36.0, 184.0)
GOAL = (31.0, 20.0)
WALLS = (
    (41, 5, 3, 8),
    (3, 8, 4, 49),
    (4, 49, 57, 53),
    (4, 49, 7, 202),
    (7, 202, 195, 198),
    (195, 198, 186, 8),
    (186, 8, 39, 5),
    (56, 54, 56, 157),
    (57, 106, 158, 162),
    (77, 201, 108, 164),
    (6, 80, 33, 121),
    (192, 146, 87, 91),
    (56, 55, 133, 30),
)
"""x1, y1, x2, y2 of each."""


def wall_rows() -> NDArray[np.float64]:
    """As the kernel wants them: (5, walls), rows x1, y1, x2 - x1, y2 - y1 and 1 / length^2."""
    x1, y1, x2, y2 = np.array(WALLS, np.float64).T
    dx, dy = x2 - x1, y2 - y1
    return np.array([x1, y1, dx, dy, 1.0 / (dx * dx + dy * dy)])


def drawn_field(edge: float, units: int, width: float) -> NDArray[np.float32]:
    """The maze as a picture of one unit a pixel: (units, units), by x and y from `edge` on.

    1 on a wall, fading to 0 at `width` from it; -1 at the goal, fading to 0 at twice that. Products,
    sums and square roots only: the same bits on every machine.
    """
    x, y = np.meshgrid(edge + np.arange(units), edge + np.arange(units), indexing="ij")
    nearest = np.full((units, units), np.inf)
    for x1, y1, dx, dy, inverse in wall_rows().T.tolist():
        px, py = x - x1, y - y1
        t = np.clip((px * dx + py * dy) * inverse, 0.0, 1.0)
        nearest = np.minimum(nearest, (px - t * dx) ** 2 + (py - t * dy) ** 2)
    walls = np.maximum(0.0, 1.0 - np.sqrt(nearest) / width)
    goal = np.maximum(0.0, 1.0 - np.sqrt((x - GOAL[0]) ** 2 + (y - GOAL[1]) ** 2) / (2.0 * width))
    drawn: NDArray[np.float32] = (walls - goal).astype(np.float32)
    return drawn
