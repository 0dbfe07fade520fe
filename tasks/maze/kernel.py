"""The Hard Maze with range finders as a kernel: the robot, its sensors, and a small network that steers it.

Geometry and dynamics are those of the reference (Lehman and Stanley 2011, and uber-research/deep-neuroevolution, which
copies it): 13 walls, a robot of radius 8, speed and turning rate within 3, a step that would hit a wall is skipped; an episode
ends at the goal. The network has 11 inputs (1, six range finders over 100 units, four radar slices towards the goal) and two
outputs in (0, 1) that change the turning rate and the speed by at most 1/2. Sine, cosine and tanh are polynomials: no libm, so
that an episode ends in the same place on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel

INPUTS = 11
OUTPUTS = 2
FINDERS = 6
RANGE = 100.0
RADIUS = 8.0
LIMIT = 3.0
REACHED = 10.0


@kernel
def sine(turns: float) -> float:
    """sin(2 pi turns) to 1e-9: a Taylor polynomial on a quarter turn about 0."""
    t: float = turns - np.floor(turns + 0.5)
    if t > 0.25:
        t = 0.5 - t
    elif t < -0.25:
        t = -0.5 - t
    x = t * 6.283185307179586
    z = x * x
    p = 1.0 + z * (-1 / 6 + z * (1 / 120 + z * (-1 / 5040 + z * (1 / 362880 + z * (-1 / 39916800 + z / 6227020800)))))
    return x * p


@kernel
def squash(x: NDArray[np.float64], first: int, stop: int, steepness: float) -> None:
    """Replace x[first:stop] by tanh(steepness x) to 1e-9; one loop without branches, which LLVM vectorises."""
    for j in range(first, stop):
        a = steepness * x[j]
        y = min(abs(a), 20.0) * 2.8853900817779268  # 2 |a| log2(e)
        whole = np.floor(y + 0.5)
        r = (y - whole) * 0.6931471805599453
        p = 1.0 + r * (
            1.0 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * (1 / 5040 + r / 40320))))))
        )
        t = 1.0 - 2.0 / (p * float(np.int64(1) << np.int64(whole)) + 1.0)
        x[j] = t if a >= 0.0 else -t


@kernel
def blocked(x: float, y: float, walls: NDArray[np.float64]) -> bool:
    """Whether a robot at (x, y) would touch a wall; walls: (5, n), rows x1, y1, x2 - x1, y2 - y1 and 1 / length^2."""
    hit = False
    for k in range(walls.shape[1]):
        px, py = x - walls[0, k], y - walls[1, k]
        dx, dy = walls[2, k], walls[3, k]
        t = min(max((px * dx + py * dy) * walls[4, k], 0.0), 1.0)
        ex, ey = px - t * dx, py - t * dy
        hit |= ex * ex + ey * ey < RADIUS * RADIUS
    return hit


@kernel
def look(x: float, y: float, rays: NDArray[np.float64], walls: NDArray[np.float64]) -> None:
    """Set rays[2] to the distances from (x, y) to the nearest wall, at most `RANGE`.

    rays: (3, 8), rows are the directions' x and y, and the result; eight, since the loop over them is one vector.
    """
    for f in range(8):
        rays[2, f] = RANGE
    for k in range(walls.shape[1]):
        px, py = walls[0, k] - x, walls[1, k] - y
        dx, dy = walls[2, k], walls[3, k]
        side = px * dy - py * dx
        for f in range(8):
            cx, cy = rays[0, f], rays[1, f]
            inverse = 1.0 / (cx * dy - cy * dx)  # infinite where the ray is parallel, and then no comparison holds
            along, across = side * inverse, (px * cy - py * cx) * inverse
            seen = (along >= 0.0) & (across >= 0.0) & (across <= 1.0) & (along < rays[2, f])
            rays[2, f] = along if seen else rays[2, f]


@kernel
def sense(
    x: float,
    y: float,
    c: float,
    s: float,
    walls: NDArray[np.float64],
    goal: NDArray[np.float64],
    rays: NDArray[np.float64],
    seen: NDArray[np.float64],
) -> None:
    """Fill seen (11,): 1, range finders at -90, -45, 0, 45, 90 and 180 degrees, radar ahead, left, behind, right.

    c, s: cosine and sine of the heading.
    """
    h = 0.7071067811865476
    rays[0, 0], rays[1, 0] = s, -c
    rays[0, 1], rays[1, 1] = h * (c + s), h * (s - c)
    rays[0, 2], rays[1, 2] = c, s
    rays[0, 3], rays[1, 3] = h * (c - s), h * (s + c)
    rays[0, 4], rays[1, 4] = -s, c
    rays[0, 5], rays[1, 5] = -c, -s
    look(x, y, rays, walls)
    seen[0] = 1.0
    for f in range(FINDERS):
        seen[1 + f] = rays[2, f] * (1.0 / RANGE)
    gx, gy = goal[0] - x, goal[1] - y
    ahead, left = gx * c + gy * s, gy * c - gx * s
    lengthwise = abs(ahead) > abs(left)
    seen[7] = 1.0 if lengthwise and ahead > 0.0 else 0.0
    seen[8] = 1.0 if not lengthwise and left > 0.0 else 0.0
    seen[9] = 1.0 if lengthwise and ahead <= 0.0 else 0.0
    seen[10] = 1.0 if not lengthwise and left <= 0.0 else 0.0


@kernel
def network(weights: NDArray[np.float64], hidden: int, seen: NDArray[np.float64], inner: NDArray[np.float64]) -> None:
    """One hidden layer of tanh; inner (hidden + 2,): its last two are the outputs in (0, 1)."""
    for j in range(hidden):
        inner[j] = weights[INPUTS * hidden + j]
    for i in range(INPUTS):
        value = seen[i]
        for j in range(hidden):
            inner[j] += value * weights[i * hidden + j]
    squash(inner, 0, hidden, 1.0)
    first = (INPUTS + 1) * hidden
    total0, total1 = weights[first + 2 * hidden], weights[first + 2 * hidden + 1]
    for j in range(hidden):
        total0 += inner[j] * weights[first + j]
        total1 += inner[j] * weights[first + hidden + j]
    inner[hidden], inner[hidden + 1] = total0, total1
    squash(inner, hidden, hidden + OUTPUTS, 0.5)
    inner[hidden] = 0.5 + 0.5 * inner[hidden]
    inner[hidden + 1] = 0.5 + 0.5 * inner[hidden + 1]


@kernel
def move(robot: NDArray[np.float64], c: float, s: float, turn: float, push: float, walls: NDArray[np.float64]) -> None:
    """One step of robot (5,): its place, heading in turns, speed and turning rate in degrees; outputs are in (0, 1)."""
    robot[4] = min(max(robot[4] + turn - 0.5, -LIMIT), LIMIT)
    robot[3] = min(max(robot[3] + push - 0.5, -LIMIT), LIMIT)
    x, y = robot[0] + c * robot[3], robot[1] + s * robot[3]
    heading = robot[2] + robot[4] / 360.0
    robot[2] = heading - np.floor(heading)
    if not blocked(x, y, walls):
        robot[0], robot[1] = x, y


@kernel
def at_goal(x: float, y: float, goal: NDArray[np.float64]) -> bool:
    """Whether (x, y) is within `REACHED` of the goal."""
    return bool((x - goal[0]) ** 2 + (y - goal[1]) ** 2 <= REACHED * REACHED)


@kernel
def episode(
    weights: NDArray[np.float64],
    hidden: int,
    steps: int,
    walls: NDArray[np.float64],
    start: NDArray[np.float64],
    goal: NDArray[np.float64],
    path: NDArray[np.float64],
) -> int:
    """Steer one robot until it is at the goal, or for `steps`; how many it took. path (steps + 1, 2) takes its places."""
    seen, inner, rays = np.empty(INPUTS), np.empty(hidden + OUTPUTS), np.ones((3, 8))
    robot = np.zeros(5)
    robot[0], robot[1] = start[0], start[1]
    path[0, 0], path[0, 1] = start[0], start[1]
    for step in range(steps):
        c, s = sine(robot[2] + 0.25), sine(robot[2])
        sense(robot[0], robot[1], c, s, walls, goal, rays, seen)
        network(weights, hidden, seen, inner)
        move(robot, c, s, inner[hidden], inner[hidden + 1], walls)
        path[step + 1, 0], path[step + 1, 1] = robot[0], robot[1]
        if at_goal(robot[0], robot[1], goal):
            return step + 1
    return steps


@kernel
def episodes(
    weights: NDArray[np.float64],
    hidden: int,
    steps: int,
    walls: NDArray[np.float64],
    start: NDArray[np.float64],
    goal: NDArray[np.float64],
    ends: NDArray[np.float64],
) -> None:
    """Steer one robot a row of weights (n, size); ends (n, 3) takes its last place and the steps that it took."""
    path = np.empty((steps + 1, 2))
    for n in range(weights.shape[0]):
        done = episode(weights[n], hidden, steps, walls, start, goal, path)
        ends[n, 0], ends[n, 1], ends[n, 2] = path[done, 0], path[done, 1], done
