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
    """How outputs become an action: the largest one's number, that of each of several choices, or each within its bounds.

    Attributes:
        size: number of outputs.
        first: number of the first action of a Discrete space; None for other spaces.
        choices: of a MultiDiscrete space, how many each has; its outputs stand one choice after another.
        low, high: bounds of a Box, in its shape and type; the lowest numbers of a MultiDiscrete space.
        squash: whether outputs are from -1 to 1 and stand for the whole of the bounds; else they are cut at the bounds.
    """

    size: int
    first: int | None = None
    choices: tuple[int, ...] = ()
    low: NDArray[Any] | None = None
    high: NDArray[Any] | None = None
    squash: bool = False

    def action(self, best: int, outputs: NDArray[np.float64]) -> Any:
        """From the outputs and the place of the largest of them."""
        if self.first is not None:
            return self.first + best
        low, high = self.low, self.high
        assert low is not None
        if self.choices:
            parts = np.split(outputs[: self.size], np.cumsum(self.choices)[:-1])
            return low + np.array([part.argmax() for part in parts]).reshape(low.shape).astype(low.dtype)
        assert high is not None
        given = outputs[: self.size].reshape(low.shape)
        if self.squash:
            given = low + (given + 1.0) * 0.5 * (high - low)
        return np.minimum(np.maximum(given, low), high).astype(low.dtype)


MOST = 4096
"""Numbers of an observation."""


def reading(space: Any, env: str) -> Reading:
    """TaskError for an observation space that the network cannot read, with the way out."""
    kind = type(space).__name__
    if kind == "Discrete":
        return Reading(int(space.n), int(space.start))
    size = int(np.prod(space.shape)) if kind in ("Box", "MultiBinary") else 0
    if kind == "Box" and len(space.shape) == 3:
        way = "an image needs a convolutional network; Atari games are tasks.environments:Atari, and others can be wrapped"
    elif 0 < size <= MOST:
        return Reading(size)
    elif kind in ("Dict", "Tuple", "MultiDiscrete"):
        way = "register it with gymnasium.wrappers.FlattenObservation around it, which makes one vector of its parts"
    else:
        way = "register it with a wrapper around it that gives such a vector"
    served = f"a Box of at most {MOST} numbers, MultiBinary or Discrete"
    raise TaskError(f"the observations of {env} are {_short(space)}, which this network cannot read; it reads {served}: {way}")


def acting(space: Any, env: str, squash: bool = False) -> Acting:
    """TaskError for an action space that the network cannot serve, or whose bounds `squash` cannot spread outputs over."""
    kind = type(space).__name__
    if kind == "Discrete":
        return Acting(int(space.n), int(space.start))
    if kind == "MultiDiscrete":
        choices = tuple(np.ravel(space.nvec).tolist())
        return Acting(sum(choices), choices=choices, low=np.zeros(space.nvec.shape, space.dtype) + space.start)
    if kind == "Box" and np.issubdtype(space.dtype, np.floating) and np.prod(space.shape):
        if squash and not space.is_bounded("both"):
            raise TaskError(f"task.squash spreads actions over their bounds, and {env} has none: {_short(space)}; leave it out")
        return Acting(int(np.prod(space.shape)), low=space.low, high=space.high, squash=squash)
    served = "Discrete, MultiDiscrete, or a Box of real numbers"
    way = "register the environment with a wrapper around it that takes such actions"
    raise TaskError(f"the actions of {env} are {_short(space)}, which this network cannot give; it gives {served}: {way}")


def _short(space: Any) -> str:
    """A space for people: the bounds of a large one fill a screen."""
    text = " ".join(str(space).split())
    return text if len(text) <= 120 else f"{type(space).__name__} of shape {space.shape}"
