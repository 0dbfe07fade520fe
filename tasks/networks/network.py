"""`Network`: one of the networks with weights loaded, and the memory that it works in."""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import compile_modules
from evosearch.backends.tiles import CHANNELS
from evosearch.evolution.seeds import Layout
from tasks.networks.architecture import IMAGES, Architecture, Stage
from tasks.networks.kernel import (
    B0,
    FIELDS,
    FILTERS,
    LENGTH,
    OUT0,
    OUT_ROW,
    REACHED,
    ROW_STEP,
    RUNS,
    STEP,
    W0,
    X0,
    Floats,
    Ints,
)

BLOCKS = (11, 10, 9, 7)
"""Places that `tasks.networks.kernel.places_of` computes at a time."""


def load() -> ModuleType:
    """The compiled kernels."""
    return compile_modules(("tasks.networks.kernel",), "networks")


class Network:
    """A network in this process; not to be shared by threads.

    Attributes:
        side: of a plane with its padding; an image starts `before` rows and columns into it.
        features: float32 (observations, features) what the convolutions found.
        outputs: float32 (observations, actions) of the last decision.
    """

    def __init__(self, architecture: Architecture, actions: int, observations: int) -> None:
        stages = architecture.stages()
        self.layout: Layout = architecture.layout(actions)
        self.side, self.before = stages[0].padded, stages[0].before
        self.features: Floats = np.zeros((observations, architecture.features), np.float32)
        self.outputs: Floats = np.zeros((observations, actions), np.float32)
        self._best: Ints = np.zeros(observations, np.int64)
        self._hidden: Floats = np.zeros((observations, architecture.hidden), np.float32)
        self._places: Ints = np.zeros(architecture.features, np.int64)
        self._stages = stages
        self._table, size = _table(stages)
        self._memory: Floats = np.zeros(size, np.float32)
        self._counts: Ints = np.array([next(b for b in BLOCKS if s.reached % b == 0) for s in stages])
        self._first = np.array([_image_runs(stages[0], oldest) for oldest in range(IMAGES)])
        self._later = np.zeros((len(stages), max(stage.size for stage in stages)), np.int64)
        for n, stage in enumerate(stages[1:], start=1):
            self._later[n, : stage.size] = np.arange(stage.size) * stage.padded * stage.inputs
        ends = np.cumsum([0, *(layer.size for layer in self.layout.layers)])
        self._starts: Ints = ends[-5:-1].copy()
        self._weights: Floats = np.zeros(self.layout.size, np.float32)
        self._packed: Floats = np.zeros(ends[-5], np.float32)

    def planes(self) -> Floats:
        """Empty images: float32 (images, side, side), padding among them."""
        return np.zeros((IMAGES, self.side, self.side), np.float32)

    def load(self, weights: Floats) -> None:
        """Take the weights, float32 (layout.size,); they are used where they are, so not to be changed meanwhile."""
        self._weights = weights
        tensors = self.layout.split(weights)
        for n, (stage, row) in enumerate(zip(self._stages, self._table, strict=True)):
            order = (1, 2, 3, 0) if n == 0 else (2, 3, 1, 0)
            matrix = tensors[f"conv{n + 1}.weight"].transpose(order).reshape(stage.fan_in, -1, CHANNELS)
            size = stage.fan_in * stage.filters
            self._packed[row[W0] : row[W0] + size] = matrix.transpose(1, 0, 2).ravel()
            self._packed[row[B0] : row[B0] + stage.filters] = tensors[f"conv{n + 1}.bias"]

    def read(self, planes: Floats, oldest: int, place: int) -> None:
        """Run the convolutions on images, of which number `oldest` comes first; the result is row `place` of `features`."""
        load().read(
            planes.reshape(-1), self._first[oldest], self._later, self._packed, self._table, self._counts, self._memory,
            self.features, place,
        )  # fmt: skip

    def decide(self, count: int) -> list[int]:
        """The actions for the first `count` rows of `features`; -1 where an output is not finite."""
        load().decide(self.features, count, self._weights, self._starts, self._hidden, self._places, self.outputs, self._best)
        actions: list[int] = self._best[:count].tolist()
        return actions


def _image_runs(stage: Stage, oldest: int) -> list[int]:
    """Starts of the runs of a patch in the planes: one for each image, oldest first, and row."""
    images = [(oldest + n) % IMAGES for n in range(IMAGES)]
    return [image * stage.padded**2 + row * stage.padded for image in images for row in range(stage.size)]


def _table(stages: tuple[Stage, ...]) -> tuple[NDArray[np.int64], int]:
    """What the kernel knows of the stages, and how much memory the inputs of all but the first need."""
    table = np.zeros((len(stages), FIELDS), np.int64)
    weights, memory = 0, 0
    for n, stage in enumerate(stages):
        images = n == 0
        width = 1 if images else stage.inputs
        row = table[n]
        row[STEP], row[ROW_STEP] = stage.stride * width, stage.stride * stage.padded * width
        row[LENGTH], row[RUNS] = stage.size * width, stage.fan_in // (stage.size * width)
        row[REACHED], row[FILTERS] = stage.reached, stage.filters
        row[X0] = 0 if images else memory
        row[W0], row[B0] = weights, weights + stage.fan_in * stage.filters
        weights += (stage.fan_in + 1) * stage.filters
        memory += 0 if images else stage.padded**2 * stage.inputs
        if n + 1 < len(stages):
            then = stages[n + 1]
            row[OUT0] = memory + then.before * (then.padded + 1) * stage.filters
            row[OUT_ROW] = then.padded * stage.filters
        else:
            row[OUT_ROW] = stage.reached * stage.filters
    return table, memory
