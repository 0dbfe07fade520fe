"""`Environment`: any environment of Gymnasium with vectors for observations, played by a small network."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.errors import TaskError
from evosearch.evolution.seeds import Layout
from evosearch.language.op import OpSet
from evosearch.search.policies.portable import Portable
from evosearch.search.policies.task import Episode, Traits, Use, Weights
from tasks.environments.gym import make
from tasks.environments.mlp import load, mlp_layout
from tasks.environments.portable import gym_portable
from tasks.environments.scaling import Scaling, observe
from tasks.environments.spaces import Acting, Reading, acting, reading


@dataclass(frozen=True)
class Environment:
    """An environment of Gymnasium; the score is the sum of rewards.

    Behaviour is the last place where the environment tells it (MuJoCo's robots), else the last observation, unless that is of
    more than 64 numbers.

    Attributes:
        env: its id, such as "CartPole-v1"; "package:Id-v0" imports a package that registers it.
        hidden: units of the network's hidden layers; () for a linear network.
        steps: most steps of an episode; 0 for the environment's own limit.
        threshold: mean score from which on it is solved; None for the environment's own, if it has one.
        normalise: steps of a random player that observations are scaled by, before the search and always the same
            (see `tasks.environments.scaling`); 0 to leave them as they are.
        squash: whether tanh spreads the outputs over the bounds of real actions; without it they are cut at the bounds.
        options: keyword arguments of the environment.
    """

    env: str = "CartPole-v1"
    hidden: tuple[int, ...] = (16,)
    steps: int = 0
    threshold: float | None = None
    normalise: int = 0
    squash: bool = False
    options: Mapping[str, bool | int | float | str] = field(default_factory=dict)

    def check(self, ops: OpSet) -> None:  # noqa: ARG002
        """TaskError or MissingDependencyError where it cannot be played."""
        if self.steps < 0 or any(not 1 <= units <= 4096 for units in self.hidden):
            raise TaskError(f"task.hidden must be from 1 to 4096 units, task.steps at least 0; got {self.hidden}, {self.steps}")
        if not 0 <= self.normalise <= 1_000_000:
            raise TaskError(f"task.normalise must be from 0 to 1000000 steps, got {self.normalise}")
        if not self.steps and self.player.limit is None:
            raise TaskError(f"the environment {self.env} has no limit of steps; give one, as in --set task.steps=1000")

    def describe(self, ops: OpSet | None = None) -> str:  # noqa: ARG002
        """One line."""
        network = f"{'-'.join(map(str, self.hidden))} hidden units" if self.hidden else "linear"
        scaled = f", observations scaled by {self.normalise:,} random steps" if self.normalise else ""
        return f"{self.env}, {network}{scaled}"

    def traits(self) -> Traits:
        """Episodes differ by their seeds."""
        threshold = self.player.threshold if self.threshold is None else self.threshold
        return Traits(noisy=True, threshold=threshold, behaviour=self.player.behaves)

    def layout(self) -> Layout:
        """A fully connected network between the environment's spaces."""
        return mlp_layout(self.player.reading.size, self.hidden, self.player.acting.size)

    def warm(self, progress: Callable[[str], None]) -> None:
        """Compile the network; import the environment, and measure its observations."""
        measured = f", and measuring it for {self.normalise:,} steps" if self.normalise else ""
        progress(f"compiling the network (once, about 5 s) and making {self.env}{measured}")
        self.episodes([np.zeros(self.layout().size, np.float32)], [(0,)], "training")

    def episodes(self, weights: Iterable[Weights], seeds: Sequence[Sequence[int]], use: Use) -> list[list[Episode]]:  # noqa: ARG002
        """See `PolicyTask`."""
        player, sizes = self.player, np.array((self.player.reading.size, *self.hidden, self.player.acting.size))
        return [[player.play(flat, sizes, seed) for seed in own] for flat, own in zip(weights, seeds, strict=True)]

    def portable(self, weights: Weights) -> Portable:
        """See `evosearch.search.policies.portable`."""
        player = self.player
        sizes = (player.reading.size, *self.hidden, player.acting.size)
        options = {**self.options, **({"max_episode_steps": self.steps} if self.steps else {})}
        return gym_portable(self.env, options, player.reading, player.scaling, player.acting, sizes, weights)

    @property
    def player(self) -> Player:
        """The environment of this process."""
        return _player(self.env, self.steps or None, tuple(sorted(self.options.items())), self.normalise, self.squash)


WIDEST = 64
"""Numbers of an observation that novelty compares, and that a run keeps of every episode."""


class Player:
    """An environment of this process; made anew after it has failed.

    Attributes:
        limit: steps of an episode.
        threshold: mean score from which on the environment counts as solved, if it says so.
        behaves: what behaviour is, for people; "" where there is none.
    """

    def __init__(self, env: str, steps: int | None, options: Mapping[str, Any], normalise: int, squash: bool) -> None:
        self._make: Callable[[], Any] = functools.partial(make, env, steps, options)
        self._env = self._make()
        self._normalise = normalise
        self.reading: Reading = reading(self._env.observation_space, env)
        self.acting: Acting = acting(self._env.action_space, env, squash)
        spec: Any = self._env.spec
        self.limit: int | None = spec.max_episode_steps
        self.threshold: float | None = spec.reward_threshold
        self._place = _place(self._env)
        seen = "the last observation" if self.reading.size <= WIDEST else ""
        self.behaves: str = f"the last {', '.join(self._place)}" if self._place else seen

    @functools.cached_property
    def scaling(self) -> Scaling | None:
        """Of the observations; measured when it is first asked for."""
        return observe(self._make, self.reading, self._normalise) if self._normalise else None

    def play(self, weights: Weights, sizes: NDArray[np.int64], seed: int) -> Episode:
        """One episode; an environment that raises fails it.

        Args:
            sizes: of the network's layers: inputs, hidden units, ..., outputs.
        """
        kernels, values, scaling = load(), np.empty((2, sizes.max())), self.scaling
        inputs, seen, total, frames = values[0], values[0, : self.reading.size], 0.0, 0
        network, fill, action, squash = kernels.mlp, self.reading.fill, self.acting.action, self.acting.squash
        try:
            step = self._env.step
            observation, info = self._env.reset(seed=seed)
            done = False
            while not done:
                fill(observation, inputs)
                if scaling is not None:
                    scaling.apply(seen)
                best = network(weights, sizes, values)
                if best < 0:
                    return Episode(float("nan"), frames, (), "the network's outputs are not finite")
                if squash:
                    kernels.tanh_all(values, self.acting.size)
                observation, reward, ended, cut, info = step(action(best, inputs))
                total += float(reward)
                frames += 1
                done = ended or cut
        except (Exception, SystemExit) as error:  # some environments exit where they should raise
            self._renew()
            return Episode(float("nan"), frames, (), f"{type(error).__name__}: {error}")
        if not np.isfinite(total):
            return Episode(float("nan"), frames, (), f"the sum of rewards is {total}")
        return Episode(total, frames, self._behaviour(observation, info))

    def _behaviour(self, observation: Any, info: Mapping[str, Any]) -> tuple[float, ...]:
        if self._place:
            return tuple(float(info.get(name, np.nan)) for name in self._place)
        return self.reading.behaviour(observation) if self.behaves else ()

    def _renew(self) -> None:
        with suppress(Exception):
            self._env.close()
        self._env = self._make()


def _place(env: Any) -> tuple[str, ...]:
    """The coordinates that the environment tells beside its observations."""
    try:
        _observation, info = env.reset(seed=0)
    except Exception:  # an episode says what is wrong
        return ()
    return tuple(name for name in ("x_position", "y_position") if name in info)


@functools.cache
def _player(env: str, steps: int | None, options: tuple[tuple[str, Any], ...], normalise: int, squash: bool) -> Player:
    return Player(env, steps, dict(options), normalise, squash)
