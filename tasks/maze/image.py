"""The Hard Maze seen as a picture: what is around the robot from above, and a small convolutional network that steers it.

The picture is egocentric: 18 x 18 pixels of 6 units each, the robot in the centre, its heading upwards; walls are light and two
pixels wide, the goal is a dark disc. (The paper's version shows the whole maze in 84 x 84 pixels and uses the Atari network, at
a hundred times the cost.) The network "maze-conv" has two convolutions without padding (8 filters of 4 x 4 every second pixel,
16 of 2 x 2 every second place, rectified), one layer of tanh units and two outputs in (0, 1). Sums run in float32, in the order
of the weights; the picture is looked up in a map that is drawn once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from tasks.maze.kernel import OUTPUTS, at_goal, move, sine, squash

VIEW = 18
PIXEL = 6.0
SIZE1, STRIDE1, FILTERS1, PLACES1 = 4, 2, 8, 8
SIZE2, STRIDE2, FILTERS2, PLACES2 = 2, 2, 16, 4
EDGE = -80.0
"""Of the map, in both coordinates; its pixels are one unit."""
UNITS = 380

Singles = NDArray[np.float32]
Floats = NDArray[np.float64]


@kernel
def view(x: float, y: float, c: float, s: float, field: Singles, picture: Singles) -> None:
    """Fill picture (VIEW, VIEW) from the map (UNITS, UNITS): rows from far ahead to behind, columns from left to right.

    c, s: cosine and sine of the heading.
    """
    half = 0.5 * VIEW - 0.5
    for row in range(VIEW):
        ahead = (half - row) * PIXEL
        for column in range(VIEW):
            left = (half - column) * PIXEL
            i = int(x + ahead * c - left * s - EDGE + 0.5)
            j = int(y + ahead * s + left * c - EDGE + 0.5)
            picture[row, column] = field[min(max(i, 0), UNITS - 1), min(max(j, 0), UNITS - 1)]


@kernel
def patches(channels: Singles, width: int, size: int, stride: int, places: int, columns: Singles) -> None:
    """Lay out what filters see: columns (channels * size^2, places^2) from channels (channels, width^2)."""
    tap = 0
    for channel in range(channels.shape[0]):
        for dy in range(size):
            for dx in range(size):
                for row in range(places):
                    first = (row * stride + dy) * width + dx
                    for column in range(places):
                        columns[tap, row * places + column] = channels[channel, first + column * stride]
                tap += 1


@kernel
def convolve(weights: Singles, first: int, columns: Singles, out: Singles) -> int:
    """Rectified filters: out (filters, places); weights from `first` on, those of a filter together, then biases.

    Returns:
        the place after the last weight that was used.
    """
    filters, places = out.shape
    taps = columns.shape[0]
    bias: int = first + filters * taps
    for f in range(filters):
        for p in range(places):
            out[f, p] = weights[bias + f]
        for t in range(taps):
            w = weights[first + f * taps + t]
            for p in range(places):
                out[f, p] += w * columns[t, p]
        for p in range(places):
            out[f, p] = out[f, p] if out[f, p] > np.float32(0.0) else np.float32(0.0)
    end: int = bias + filters
    return end


@kernel
def steer(
    weights: Singles,
    hidden: int,
    picture: Singles,
    columns1: Singles,
    seen1: Singles,
    columns2: Singles,
    seen2: Singles,
    units: Singles,
    inner: Floats,
) -> None:
    """The network: inner (hidden + 2,), its last two are the outputs; what is between is scratch."""
    patches(picture.reshape(1, VIEW * VIEW), VIEW, SIZE1, STRIDE1, PLACES1, columns1)
    first = convolve(weights, 0, columns1, seen1)
    patches(seen1, PLACES1, SIZE2, STRIDE2, PLACES2, columns2)
    first = convolve(weights, first, columns2, seen2)
    bias = first + seen2.size * hidden
    for j in range(hidden):
        units[j] = weights[bias + j]
    for f in range(seen2.shape[0]):
        for p in range(seen2.shape[1]):
            value = seen2[f, p]
            if value != np.float32(0.0):
                row = first + (f * seen2.shape[1] + p) * hidden
                for j in range(hidden):
                    units[j] += value * weights[row + j]
    for j in range(hidden):
        inner[j] = units[j]
    squash(inner, 0, hidden, 1.0)
    outer = bias + hidden
    for k in range(OUTPUTS):
        total = float(weights[outer + OUTPUTS * hidden + k])
        for j in range(hidden):
            total += inner[j] * weights[outer + k * hidden + j]
        inner[hidden + k] = total
    squash(inner, hidden, hidden + OUTPUTS, 0.5)
    for k in range(OUTPUTS):
        inner[hidden + k] = 0.5 + 0.5 * inner[hidden + k]


@kernel
def image_episode(
    weights: Singles, hidden: int, steps: int, walls: Floats, start: Floats, goal: Floats, field: Singles, path: Floats
) -> int:
    """As `tasks.maze.kernel.episode`, with the picture for the sensors."""
    picture = np.zeros((VIEW, VIEW), np.float32)
    columns1 = np.empty((SIZE1 * SIZE1, PLACES1 * PLACES1), np.float32)
    seen1 = np.empty((FILTERS1, PLACES1 * PLACES1), np.float32)
    columns2 = np.empty((FILTERS1 * SIZE2 * SIZE2, PLACES2 * PLACES2), np.float32)
    seen2 = np.empty((FILTERS2, PLACES2 * PLACES2), np.float32)
    units, inner = np.empty(hidden, np.float32), np.empty(hidden + OUTPUTS)
    robot = np.zeros(5)
    robot[0], robot[1] = start[0], start[1]
    path[0, 0], path[0, 1] = start[0], start[1]
    for step in range(steps):
        c, s = sine(robot[2] + 0.25), sine(robot[2])
        view(robot[0], robot[1], c, s, field, picture)
        steer(weights, hidden, picture, columns1, seen1, columns2, seen2, units, inner)
        move(robot, c, s, inner[hidden], inner[hidden + 1], walls)
        path[step + 1, 0], path[step + 1, 1] = robot[0], robot[1]
        if at_goal(robot[0], robot[1], goal):
            return step + 1
    return steps


@kernel
def image_episodes(
    weights: Singles, hidden: int, steps: int, walls: Floats, start: Floats, goal: Floats, field: Singles, ends: Floats
) -> None:
    """As `tasks.maze.kernel.episodes`."""
    path = np.empty((steps + 1, 2))
    for n in range(weights.shape[0]):
        done = image_episode(weights[n], hidden, steps, walls, start, goal, field, path)
        ends[n, 0], ends[n, 1], ends[n, 2] = path[done, 0], path[done, 1], done
