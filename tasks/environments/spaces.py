"""What a network reads of an environment and how its outputs become actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.errors import TaskError


@dataclass(frozen=True)
class Reading:
    """How an observation becomes inputs: the numbers of a Box one after another, or one of n as n numbers 0 and 1."""

    size: int
    first: int | None = None  # of a Discrete space

    def fill(self, observation: Any, inputs: NDArray[np.float64]) -> None:
        """Write the first `size` of `inputs`."""
        if self.first is None:
            inputs[: self.size] = observation.ravel() if observation.ndim != 1 else observation
        else:
            inputs[: self.size] = 0.0
            inputs[int(observation) - self.first] = 1.0

    def behaviour(self, observation: Any) -> tuple[float, ...]:
        """What novelty compares."""
        if self.first is not None:
            return (float(observation),)
        return tuple(np.asarray(observation, np.float64).ravel().tolist())


@dataclass(frozen=True, eq=False)
class Acting:
    """How outputs become an action: the largest one's number, or each within its bounds.

    Attributes:
        size: number of outputs.
        first: number of the first action of a Discrete space; None for a Box.
        low, high: bounds of a Box, in its shape and type.
    """

    size: int
    first: int | None = None
    low: NDArray[Any] | None = None
    high: NDArray[Any] | None = None

    def action(self, best: int, outputs: NDArray[np.float64]) -> Any:
        """From the outputs and the place of the largest of them."""
        if self.first is not None:
            return self.first + best
        assert self.low is not None and self.high is not None
        return np.clip(outputs[: self.size].reshape(self.low.shape), self.low, self.high).astype(self.low.dtype)


def reading(space: Any, env: str) -> Reading:
    """TaskError for an observation space that the network cannot read."""
    kind = type(space).__name__
    if kind == "Discrete":
        return Reading(int(space.n), int(space.start))
    if kind == "Box" and np.prod(space.shape) <= 4096:
        return Reading(int(np.prod(space.shape)))
    served = "a Box of at most 4096 numbers, or Discrete"
    raise TaskError(f"the observations of {env} are {space}, which this network cannot read; it reads {served}")


def acting(space: Any, env: str) -> Acting:
    """TaskError for an action space that the network cannot serve."""
    kind = type(space).__name__
    if kind == "Discrete":
        return Acting(int(space.n), int(space.start))
    if kind == "Box" and np.issubdtype(space.dtype, np.floating) and np.prod(space.shape):
        return Acting(int(np.prod(space.shape)), None, space.low, space.high)
    served = "Discrete, or a Box of real numbers"
    raise TaskError(f"the actions of {env} are {space}, which this network cannot give; it gives {served}")
