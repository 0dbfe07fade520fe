"""`Environment`: any environment of Gymnasium with vectors for observations, played by a small network."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evosearch.errors import TaskError
from evosearch.evolution.seeds import Layout
from evosearch.language.op import OpSet
from evosearch.search.policies.task import Episode, Traits, Use, Weights
from tasks.environments.gym import make
from tasks.environments.mlp import load, mlp_layout
from tasks.environments.spaces import Acting, Reading, acting, reading


@dataclass(frozen=True)
class Environment:
    """An environment of Gymnasium; the score is the sum of rewards, behaviour is the last observation.

    Attributes:
        env: its id, such as "CartPole-v1"; "package:Id-v0" imports a package that registers it.
        hidden: units of the network's hidden layers; () for a linear network.
        steps: most steps of an episode; 0 for the environment's own limit.
        threshold: mean score from which on it is solved; None for the environment's own, if it has one.
        options: keyword arguments of the environment.
    """

    env: str = "CartPole-v1"
    hidden: tuple[int, ...] = (16,)
    steps: int = 0
    threshold: float | None = None
    options: Mapping[str, bool | int | float | str] = field(default_factory=dict)

    def check(self, ops: OpSet) -> None:  # noqa: ARG002
        """TaskError or MissingDependencyError where it cannot be played."""
        if self.steps < 0 or any(not 1 <= units <= 4096 for units in self.hidden):
            raise TaskError(f"task.hidden must be from 1 to 4096 units, task.steps at least 0; got {self.hidden}, {self.steps}")
        if not self.steps and self._player.limit is None:
            raise TaskError(f"the environment {self.env} has no limit of steps; give one, as in --set task.steps=1000")

    def describe(self, ops: OpSet | None = None) -> str:  # noqa: ARG002
        """One line."""
        network = f"{'-'.join(map(str, self.hidden))} hidden units" if self.hidden else "linear"
        return f"{self.env}, {network}"

    def traits(self) -> Traits:
        """Episodes differ by their seeds."""
        threshold = self._player.threshold if self.threshold is None else self.threshold
        return Traits(noisy=True, threshold=threshold, behaviour="the last observation")

    def layout(self) -> Layout:
        """A fully connected network between the environment's spaces."""
        return mlp_layout(self._player.reading.size, self.hidden, self._player.acting.size)

    def warm(self, progress: Callable[[str], None]) -> None:
        """Compile the network; import the environment."""
        progress(f"compiling the network (once, about 5 s) and making {self.env}")
        self.episodes([np.zeros(self.layout().size, np.float32)], [(0,)], "training")

    def episodes(self, weights: Iterable[Weights], seeds: Sequence[Sequence[int]], use: Use) -> list[list[Episode]]:  # noqa: ARG002
        """See `PolicyTask`."""
        player, sizes = self._player, (self._player.reading.size, *self.hidden, self._player.acting.size)
        return [[player.play(flat, sizes, seed) for seed in own] for flat, own in zip(weights, seeds, strict=True)]

    @property
    def _player(self) -> Player:
        return _player(self.env, self.steps or None, tuple(sorted(self.options.items())))


class Player:
    """An environment of this process; made anew after it has failed."""

    def __init__(self, env: str, steps: int | None, options: Mapping[str, Any]) -> None:
        self._make: Callable[[], Any] = functools.partial(make, env, steps, options)
        self._env = self._make()
        self.reading: Reading = reading(self._env.observation_space, env)
        self.acting: Acting = acting(self._env.action_space, env)
        spec: Any = self._env.spec
        self.limit: int | None = spec.max_episode_steps
        self.threshold: float | None = spec.reward_threshold

    def play(self, weights: Weights, sizes: tuple[int, ...], seed: int) -> Episode:
        """One episode; an environment that raises fails it."""
        frames = 0
        kernel, values, layers = load().mlp, np.empty((2, max(sizes))), np.array(sizes)
        inputs, total = values[0], 0.0
        try:
            observation, _info = self._env.reset(seed=seed)
            done = False
            while not done:
                self.reading.fill(observation, inputs)
                best = kernel(weights, layers, values)
                if best < 0:
                    return Episode(float("nan"), frames, (), "the network's outputs are not finite")
                observation, reward, ended, cut, _info = self._env.step(self.acting.action(best, inputs))
                total += float(reward)
                frames += 1
                done = ended or cut
        except Exception as error:
            self._env = self._make()
            return Episode(float("nan"), frames, (), f"{type(error).__name__}: {error}")
        if not np.isfinite(total):
            return Episode(float("nan"), frames, (), f"the sum of rewards is {total}")
        return Episode(total, frames, self.reading.behaviour(observation))


@functools.cache
def _player(env: str, steps: int | None, options: tuple[tuple[str, Any], ...]) -> Player:
    return Player(env, steps, dict(options))
