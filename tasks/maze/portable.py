"""What exported policies of the Hard Maze take along: the maze in plain Python, from the source of its kernels."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.search.policies.portable import Carried, Portable
from evosearch.search.policies.task import Weights
from tasks.maze.geometry import GOAL, START, WALLS, drawn_field, wall_rows
from tasks.maze.image import (
    EDGE,
    FILTERS1,
    FILTERS2,
    PIXEL,
    PLACES1,
    PLACES2,
    SIZE1,
    SIZE2,
    STRIDE1,
    STRIDE2,
    UNITS,
    VIEW,
    view,
)
from tasks.maze.kernel import (
    FINDERS,
    INPUTS,
    LIMIT,
    OUTPUTS,
    RADIUS,
    RANGE,
    REACHED,
    at_goal,
    blocked,
    look,
    move,
    sense,
    sine,
)

Floats = NDArray[np.float64]
Act = Callable[[Any], Any]
Show = Callable[[Any], Any] | None



def maze_portable(hidden: int, steps: int, network: Callable[..., None], weights: Weights) -> Portable:
    """Of a robot with range finders and so many hidden units, by the compiled kernel `network`."""
    exact, inner = weights.astype(np.float64), np.empty(hidden + OUTPUTS)

    def decide(observation: Any) -> tuple[Floats, Any]:
        network(exact, hidden, observation, inner)
        return inner[hidden:].copy(), inner[hidden:].copy()

    return Portable(
        network=_dense(INPUTS, hidden),
        turned={"hidden.weight": ((INPUTS, hidden), (1, 0))},
        precision="float64",
        inputs=Carried(inputs),
        action=Carried(action),
        episode=Carried(episode, {"steps": steps}),
        decide=decide,
        helpers=(*_maze_functions(), look, sense, feel),
        constants={**_maze_constants(), "INPUTS": INPUTS, "FINDERS": FINDERS, "RANGE": RANGE},
    )


def image_portable(hidden: int, steps: int, steer: Callable[..., None], weights: Weights) -> Portable:
    """Of a robot that sees, with so many units of tanh, by the compiled kernel `steer`."""
    columns1, seen1 = np.empty((SIZE1**2, PLACES1**2), np.float32), np.empty((FILTERS1, PLACES1**2), np.float32)
    columns2, seen2 = np.empty((FILTERS1 * SIZE2**2, PLACES2**2), np.float32), np.empty((FILTERS2, PLACES2**2), np.float32)
    units, inner, flat = np.empty(hidden, np.float32), np.empty(hidden + OUTPUTS), weights.copy()

    def decide(observation: Any) -> tuple[Floats, Any]:
        steer(flat, hidden, observation, columns1, seen1, columns2, seen2, units, inner)
        return inner[hidden:].copy(), inner[hidden:].copy()

    return Portable(
        network={
            "first": f"Conv2d(1, {FILTERS1}, {SIZE1}, {STRIDE1})",
            "relu1": "ReLU()",
            "second": f"Conv2d({FILTERS1}, {FILTERS2}, {SIZE2}, {STRIDE2})",
            "relu2": "ReLU()",
            "flatten": "Flatten()",
            **_dense(seen2.size, hidden),
        },
        turned={"hidden.weight": ((seen2.size, hidden), (1, 0))},
        precision="float32",
        inputs=Carried(picture),
        action=Carried(action),
        episode=Carried(image_episode, {"steps": steps}),
        decide=decide,
        helpers=(*_maze_functions(), drawn_field, scene, view, watch),
        constants={**_maze_constants(), "VIEW": VIEW, "PIXEL": PIXEL, "EDGE": EDGE, "UNITS": UNITS},
    )


def _dense(inside: int, hidden: int) -> dict[str, str]:
    layers = {"hidden": f"Linear({inside}, {hidden})", "tanh": "Tanh()", "output": f"Linear({hidden}, {OUTPUTS})"}
    return {**layers, "sigmoid": "Sigmoid()"}


def _maze_functions() -> tuple[Callable[..., Any], ...]:
    return (wall_rows, sine, blocked, move, at_goal, line, drawn, walk)


def _maze_constants() -> dict[str, Any]:
    return {"START": START, "GOAL": GOAL, "WALLS": WALLS, "RADIUS": RADIUS, "LIMIT": LIMIT, "REACHED": REACHED}


# The rest stands in exported files


def inputs(observation: Floats) -> Floats:
    """1, six range finders from the right over the front to the left and the back, four radar slices towards the goal."""
    return observation


def action(outputs: Floats) -> Floats:
    """Turning rate and speed change by these less 1/2."""
    return outputs


def episode(act: Act, seed: int, show: Show, steps: int) -> float:  # noqa: ARG001
    """Steer the robot until it is at the goal, or for so many steps: minus the last distance. The seed changes nothing."""
    return walk(act, feel, show, steps)


def feel(robot: Floats, c: float, s: float, walls: Floats) -> Floats:
    """What its range finders and its radar say."""
    seen, rays = np.empty(INPUTS), np.ones((3, 8))
    with np.errstate(divide="ignore", invalid="ignore"):  # rays that are parallel to a wall
        sense(robot[0], robot[1], c, s, walls, np.array(GOAL), rays, seen)
    return seen


def picture(observation: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is around the robot from above, its heading upwards, as the only channel; walls are 1, the goal is -1."""
    return observation[None]


def image_episode(act: Act, seed: int, show: Show, steps: int) -> float:  # noqa: ARG001
    """Steer the robot until it is at the goal, or for so many steps: minus the last distance. The seed changes nothing."""
    return walk(act, watch, show, steps)


@functools.cache
def scene() -> NDArray[np.float32]:
    """The map that it looks at."""
    return drawn_field(EDGE, UNITS, PIXEL)


def watch(robot: Floats, c: float, s: float, walls: Floats) -> NDArray[np.float32]:  # noqa: ARG001
    """What it sees."""
    seen = np.empty((VIEW, VIEW), np.float32)
    view(robot[0], robot[1], c, s, scene(), seen)
    return seen


def walk(act: Act, observe: Callable[[Floats, float, float, Floats], Any], show: Show, steps: int) -> float:
    """An episode of a robot with any sensors."""
    walls, goal, robot, path = wall_rows(), np.array(GOAL), np.array([*START, 0.0, 0.0, 0.0]), [START]
    for _ in range(steps):
        c, s = sine(robot[2] + 0.25), sine(robot[2])
        turn, push = act(observe(robot, c, s, walls))
        move(robot, c, s, turn, push, walls)
        path.append((float(robot[0]), float(robot[1])))
        if show is not None:
            show(drawn(path))
        if at_goal(robot[0], robot[1], goal):
            break
    return -float(((robot[0] - GOAL[0]) ** 2 + (robot[1] - GOAL[1]) ** 2) ** 0.5)


def drawn(path: list[tuple[float, float]]) -> NDArray[np.uint8]:
    """The map with the robot's way so far, two points a unit: uint8 (height, width, 3)."""
    image = np.full((424, 408, 3), 255, np.uint8)
    angle = np.linspace(0.0, 2.0 * np.pi, 100)
    for (x, y), radius, colour in ((GOAL, REACHED, (44, 160, 44)), (path[-1], RADIUS, (214, 39, 40))):
        line(image, np.column_stack([x + radius * np.cos(angle), y + radius * np.sin(angle)]), colour)
    for x1, y1, x2, y2 in WALLS:
        line(image, ((x1, y1), (x2, y2)), (0, 0, 0))
    line(image, path, (11, 110, 153))
    return image[::-1]


def line(image: NDArray[np.uint8], points: Any, colour: tuple[int, int, int]) -> None:
    """A line through points, two pixels wide, in place."""
    x, y = 2.0 * np.array(points, np.float64).T
    along = np.append(0.0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
    at = np.linspace(0.0, along[-1], 2 + int(2.0 * along[-1]))
    column, row = np.interp(at, along, x).astype(int), np.interp(at, along, y).astype(int)
    for right, up in ((0, 0), (1, 0), (0, 1), (1, 1)):
        image[row + up, column + right] = colour
