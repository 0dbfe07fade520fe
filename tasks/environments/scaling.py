"""Observations on one scale: their mean and deviation as a random player sees them, before any search.

A score must be a function of genome and episode alone, so that statistics may not grow with the search. They come from a number
of steps that the task declares, with actions and episodes of a seed that never changes: who makes the same task on the same
machine has the same numbers, and nothing needs to be stored. Values are cut as in OpenAI's evolution strategy (Salimans et al.
2017), for a random player sees less than a good one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.environments.spaces import Reading

SEED = 0
LIMIT = 5.0
"""No input is further from the mean, in deviations."""
LEAST = 1e-3
"""A deviation below it counts as this: a number that hardly moves says nothing."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """What is taken from each input, and what the rest is multiplied by: float64 (inputs,)."""

    shift: NDArray[np.float64]
    factor: NDArray[np.float64]

    def apply(self, inputs: NDArray[np.float64]) -> None:
        """In place, within `LIMIT`."""
        inputs -= self.shift
        inputs *= self.factor
        np.clip(inputs, -LIMIT, LIMIT, out=inputs)


def observe(make: Callable[[], Any], reading: Reading, steps: int) -> Scaling:
    """Play `steps` steps at random and measure the observations; an episode in which the environment raises ends there."""
    env = make()
    env.action_space.seed(SEED)
    count, mean, square, row = 0, np.zeros(reading.size), np.zeros(reading.size), np.zeros(reading.size)
    done, episode = True, 0
    for _ in range(steps):
        try:
            if done:
                observation, _info = env.reset(seed=SEED + episode)
                done, episode = False, episode + 1
            else:
                observation, _reward, ended, cut, _info = env.step(env.action_space.sample())
                done = ended or cut
        except Exception:  # whatever an environment raises ends its episode, as in the search, which counts and shows it
            done = True
            continue
        reading.fill(observation, row)
        if np.isfinite(row).all():
            count += 1
            change = row - mean  # Welford's update: no difference of large sums
            mean += change / count
            square += change * (row - mean)
    with suppress(Exception):
        env.close()
    deviation = np.sqrt(square / max(count, 1))
    return Scaling(mean, 1.0 / np.maximum(deviation, LEAST))
