"""`HardMaze`: a robot with range finders in a maze whose straight way to the goal is a dead end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import compile_modules
from evosearch.errors import TaskError
from evosearch.evolution.seeds import Layer, Layout
from evosearch.language.op import OpSet
from evosearch.search.policies.task import Episode, Traits, Use, Weights
from tasks.maze.geometry import GOAL, START, wall_rows
from tasks.maze.kernel import INPUTS, OUTPUTS, REACHED
from tasks.maze.picture import draw_maze

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HardMaze:
    """The Hard Maze of Lehman and Stanley (2011), in the geometry of "Deep Neuroevolution" (Such et al. 2017).

    The score is minus the last distance to the goal; the robot that comes within 10 of it is there and stops. Behaviour is the
    last place. Nothing is drawn at random: every episode of a network is the same.

    Attributes:
        steps: of an episode.
        hidden: units of the network's only hidden layer.
    """

    steps: int = 400
    hidden: int = 16

    def check(self, ops: OpSet) -> None:  # noqa: ARG002
        """TaskError for sizes that make no episode or no network."""
        for name in ("steps", "hidden"):
            if not 1 <= getattr(self, name) <= 100_000:
                raise TaskError(f"task.{name} must be from 1 to 100000, got {getattr(self, name)}")

    def describe(self, ops: OpSet | None = None) -> str:  # noqa: ARG002
        """One line."""
        return f"Hard Maze, {INPUTS} inputs, {self.hidden} hidden units, {self.steps} steps"

    def traits(self) -> Traits:
        """Solved within 10 of the goal."""
        return Traits(noisy=False, threshold=-REACHED, behaviour="the last place (x, y)")

    def layout(self) -> Layout:
        """One hidden layer; weights in the order in which the kernel reads them."""
        outer = 1.0 / math.sqrt(self.hidden)
        return Layout(
            (
                Layer("hidden.weight", (INPUTS, self.hidden), 1.0 / math.sqrt(INPUTS)),
                Layer("hidden.bias", (self.hidden,), 0.0),
                Layer("output.weight", (OUTPUTS, self.hidden), outer),
                Layer("output.bias", (OUTPUTS,), 0.0),
            )
        )

    def warm(self, progress: Callable[[str], None]) -> None:
        """Compile the maze."""
        progress("compiling the maze (once, about 10 s)")
        self.episodes([np.zeros(self.layout().size, np.float32)], [(0,)], "training")

    def episodes(self, weights: Iterable[Weights], seeds: Sequence[Sequence[int]], use: Use) -> list[list[Episode]]:  # noqa: ARG002
        """See `PolicyTask`; the seeds change nothing."""
        ends = np.empty((len(seeds), 3))
        rows, start, goal = wall_rows(), np.array(START), np.array(GOAL)
        batch = np.empty((len(seeds), self.layout().size))
        for place, flat in enumerate(weights):
            batch[place] = flat
        kernels().episodes(batch, self.hidden, self.steps, rows, start, goal, ends)
        return [[self._episode(*row)] * len(own) for row, own in zip(ends.tolist(), seeds, strict=True)]

    def _episode(self, x: float, y: float, steps: float) -> Episode:
        return Episode(-math.sqrt((x - GOAL[0]) ** 2 + (y - GOAL[1]) ** 2), int(steps), (x, y))

    def draw(
        self, axes: Any, places: Floats, generation: NDArray[np.int64], memory: NDArray[np.bool_], weights: Weights
    ) -> None:
        """The map with all last places of a run, its archive, and the way of one network; see `draw_maze`."""
        draw_maze(axes, places, generation, memory, self.path(weights))

    def path(self, weights: Weights) -> Floats:
        """The robot's places: (steps done + 1, 2)."""
        path = np.empty((self.steps + 1, 2))
        args = (self.hidden, self.steps, wall_rows(), np.array(START), np.array(GOAL))
        done = kernels().episode(weights.astype(np.float64), *args, path)
        return path[: done + 1]


def kernels() -> ModuleType:
    """The compiled maze."""
    return compile_modules(("tasks.maze.kernel",), "maze")
