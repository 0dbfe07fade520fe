"""`HardMaze`: a robot with range finders in a maze whose straight way to the goal is a dead end; `ImageMaze`: one that sees."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
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
from evosearch.search.policies.portable import Portable
from evosearch.search.policies.task import Episode, Traits, Use, Weights
from tasks.maze.geometry import GOAL, START, drawn_field, wall_rows
from tasks.maze.image import EDGE, FILTERS1, FILTERS2, PIXEL, PLACES2, SIZE1, SIZE2, UNITS, VIEW
from tasks.maze.kernel import INPUTS, OUTPUTS, REACHED
from tasks.maze.picture import draw_maze
from tasks.maze.portable import image_portable, maze_portable

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Maze(ABC):
    """What both mazes share: the score is minus the last distance to the goal, and a robot within 10 of it is there and stops.

    Behaviour is the last place. Nothing is drawn at random: every episode of a network is the same.

    Attributes:
        steps: of an episode.
        hidden: units of the network's only layer of tanh.
    """

    steps: int = 400
    hidden: int = 16

    def check(self, ops: OpSet) -> None:  # noqa: ARG002
        """TaskError for sizes that make no episode or no network."""
        for name in ("steps", "hidden"):
            if not 1 <= getattr(self, name) <= 100_000:
                raise TaskError(f"task.{name} must be from 1 to 100000, got {getattr(self, name)}")

    def traits(self) -> Traits:
        """Solved within 10 of the goal."""
        return Traits(noisy=False, threshold=-REACHED, behaviour="the last place (x, y)")

    @abstractmethod
    def layout(self) -> Layout:
        """The network's tensors, in the order in which the kernel reads them."""

    def warm(self, progress: Callable[[str], None]) -> None:
        """Compile the maze."""
        progress("compiling the maze (once, about 10 s)")
        self.episodes([np.zeros(self.layout().size, np.float32)], [(0,)], "training")

    def episodes(self, weights: Iterable[Weights], seeds: Sequence[Sequence[int]], use: Use) -> list[list[Episode]]:  # noqa: ARG002
        """See `PolicyTask`; the seeds change nothing."""
        ends = np.empty((len(seeds), 3))
        batch = weights if isinstance(weights, np.ndarray) else np.array([flat.copy() for flat in weights])
        self._steer(batch, ends)
        return [[_episode(*row)] * len(own) for row, own in zip(ends.tolist(), seeds, strict=True)]

    def draw(
        self, axes: Any, places: Floats, generation: NDArray[np.int64], memory: NDArray[np.bool_], weights: Weights
    ) -> None:
        """The map with all last places of a run, its archive, and the way of one network; see `draw_maze`."""
        draw_maze(axes, places, generation, memory, self.path(weights))

    def path(self, weights: Weights) -> Floats:
        """The robot's places: (steps done + 1, 2)."""
        path = np.empty((self.steps + 1, 2))
        done = self._walk(weights, path)
        return path[: done + 1]

    @abstractmethod
    def _steer(self, batch: NDArray[np.float32], ends: Floats) -> None:
        """Steer one robot a row of weights; ends (n, 3) takes its last place and its steps."""

    @abstractmethod
    def _walk(self, weights: Weights, path: Floats) -> int:
        """Steer one robot along `path`; how many steps it took."""


@dataclass(frozen=True)
class HardMaze(Maze):
    """The Hard Maze of Lehman and Stanley (2011), in the geometry of "Deep Neuroevolution" (Such et al. 2017); see `Maze`."""

    def describe(self, ops: OpSet | None = None) -> str:  # noqa: ARG002
        """One line."""
        return f"Hard Maze, {INPUTS} inputs, {self.hidden} hidden units, {self.steps} steps"

    def layout(self) -> Layout:
        """One hidden layer."""
        return Layout(
            (
                Layer("hidden.weight", (INPUTS, self.hidden), 1.0 / math.sqrt(INPUTS)),
                Layer("hidden.bias", (self.hidden,), 0.0),
                *_outputs(self.hidden),
            )
        )

    def portable(self, weights: Weights) -> Portable:
        """See `evosearch.search.policies.portable`."""
        return maze_portable(self.hidden, self.steps, kernels().network, weights)

    def _steer(self, batch: NDArray[np.float32], ends: Floats) -> None:
        kernels().episodes(batch.astype(np.float64), self.hidden, self.steps, *maze(), ends)

    def _walk(self, weights: Weights, path: Floats) -> int:
        done: int = kernels().episode(weights.astype(np.float64), self.hidden, self.steps, *maze(), path)
        return done


@dataclass(frozen=True)
class ImageMaze(Maze):
    """The Hard Maze for a robot that sees a picture of what is around it, steered by "maze-conv"; see `tasks.maze.image`."""

    def describe(self, ops: OpSet | None = None) -> str:  # noqa: ARG002
        """One line."""
        weights = f"network maze-conv of {self.layout().size:,} weights"
        return f"Hard Maze in pictures of {VIEW} x {VIEW} pixels, {weights}, {self.steps} steps"

    def layout(self) -> Layout:
        """Two convolutions and a hidden layer."""
        taps1, taps2, dense = SIZE1 * SIZE1, FILTERS1 * SIZE2 * SIZE2, FILTERS2 * PLACES2 * PLACES2
        return Layout(
            (
                Layer("first.weight", (FILTERS1, 1, SIZE1, SIZE1), 1.0 / math.sqrt(taps1)),
                Layer("first.bias", (FILTERS1,), 0.0),
                Layer("second.weight", (FILTERS2, FILTERS1, SIZE2, SIZE2), 1.0 / math.sqrt(taps2)),
                Layer("second.bias", (FILTERS2,), 0.0),
                Layer("hidden.weight", (dense, self.hidden), 1.0 / math.sqrt(dense)),
                Layer("hidden.bias", (self.hidden,), 0.0),
                *_outputs(self.hidden),
            )
        )

    def portable(self, weights: Weights) -> Portable:
        """See `evosearch.search.policies.portable`."""
        return image_portable(self.hidden, self.steps, kernels_of_pictures().steer, weights)

    def _steer(self, batch: NDArray[np.float32], ends: Floats) -> None:
        kernels_of_pictures().image_episodes(batch, self.hidden, self.steps, *maze(), field(), ends)

    def _walk(self, weights: Weights, path: Floats) -> int:
        done: int = kernels_of_pictures().image_episode(weights.copy(), self.hidden, self.steps, *maze(), field(), path)
        return done


def _outputs(hidden: int) -> tuple[Layer, Layer]:
    return Layer("output.weight", (OUTPUTS, hidden), 1.0 / math.sqrt(hidden)), Layer("output.bias", (OUTPUTS,), 0.0)


def _episode(x: float, y: float, steps: float) -> Episode:
    dx, dy = x - GOAL[0], y - GOAL[1]  # Python's `** 2` is libm's, whose last bit is not everywhere the same
    return Episode(-math.sqrt(dx * dx + dy * dy), int(steps), (x, y))


@functools.cache
def maze() -> tuple[Floats, Floats, Floats]:
    """Walls, start and goal as the kernels want them."""
    return wall_rows(), np.array(START), np.array(GOAL)


@functools.cache
def field() -> NDArray[np.float32]:
    """What robots that see look at; see `drawn_field`."""
    return drawn_field(EDGE, UNITS, PIXEL)


def kernels() -> ModuleType:
    """The compiled maze."""
    return compile_modules(("tasks.maze.kernel",), "maze")


def kernels_of_pictures() -> ModuleType:
    """The compiled maze of robots that see."""
    return compile_modules(("tasks.maze.kernel", "tasks.maze.image"), "maze-image")
