"""What an exported policy takes along of an environment of Gymnasium and of the small network that plays it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.search.policies.portable import Carried, Portable
from evosearch.search.policies.task import Weights
from tasks.environments.mlp import load
from tasks.environments.scaling import LIMIT, Scaling
from tasks.environments.spaces import Acting, Reading

Floats = NDArray[np.float64]


def gym_portable(
    env: str,
    options: Mapping[str, Any],
    read: Reading,
    scaling: Scaling | None,
    acts: Acting,
    sizes: Sequence[int],
    weights: Weights,
) -> Portable:
    """Of a fully connected network between an environment's spaces; `options` are those of `gymnasium.make`."""
    layers, values, kernels = np.array(sizes), np.empty((2, max(sizes))), load()

    def decide(observation: Any) -> tuple[Floats, Any]:
        read.fill(observation, values[0])
        if scaling is not None:
            scaling.apply(values[0, : read.size])
        best = kernels.mlp(weights, layers, values)
        if acts.squash:
            kernels.tanh_all(values, acts.size)
        return values[0, : acts.size].copy(), acts.action(best, values[0])

    inputs = Carried(flat) if read.first is None else Carried(one_hot, {"size": read.size, "first": read.first})
    if scaling is not None:
        inputs = Carried(scaled, {"shift": scaling.shift, "factor": scaling.factor, "limit": LIMIT, **inputs.keywords})
    return Portable(
        network=_modules(sizes, acts.squash),
        turned={f"{n}.weight": (shape, (1, 0)) for n, shape in enumerate(pairwise(sizes))},
        precision="float64",
        inputs=inputs,
        action=_action(acts),
        episode=Carried(episode, {"env": env, "options": dict(options)}),
        decide=decide,
        helpers=() if scaling is None else (flat, one_hot),
        needs=_needs(env),
    )


def _modules(sizes: Sequence[int], squash: bool) -> dict[str, str]:
    """The network of `mlp_layout` in torch's words."""
    modules: dict[str, str] = {}
    for n, (inside, outside) in enumerate(pairwise(sizes)):
        modules[str(n)] = f"Linear({inside}, {outside})"
        modules[f"tanh{n}"] = "Tanh()"
    if not squash:
        modules.popitem()
    return modules


def _action(acts: Acting) -> Carried:
    if acts.first is not None:
        return Carried(largest, {"first": acts.first})
    assert acts.low is not None
    if acts.choices:
        return Carried(choices, {"counts": acts.choices, "low": acts.low})
    assert acts.high is not None
    low, high = (float(side.flat[0]) if (side == side.flat[0]).all() else side for side in (acts.low, acts.high))
    kind = {"shape": acts.low.shape, "dtype": acts.low.dtype.name}
    return Carried(spread if acts.squash else bounded, {"low": low, "high": high, **kind})


def _needs(env: str) -> str:
    import gymnasium

    parts = {"classic_control": "[classic-control]", "mujoco": "[mujoco]", "box2d": "[box2d]", "toy_text": "[toy-text]"}
    entry = str(gymnasium.spec(env.rpartition(":")[2]).entry_point)  # without the package, which is imported by now
    part = next((name for place, name in parts.items() if f"envs.{place}" in entry), "")
    return f"pip install 'gymnasium{part}' imageio"


# The rest stands in exported files


def flat(observation: Any) -> Floats:
    """Its numbers, one after another."""
    return np.asarray(observation, np.float64).ravel()


def one_hot(observation: Any, size: int, first: int) -> Floats:
    """One of `size` as that many numbers 0 and 1."""
    values = np.zeros(size)
    values[int(observation) - first] = 1.0
    return values


def scaled(observation: Any, shift: Floats, factor: Floats, limit: float, size: int = 0, first: int = 0) -> Floats:
    """Its numbers on the scale of those that a random player sees."""
    values = one_hot(observation, size, first) if size else flat(observation)
    return np.clip((values - shift) * factor, -limit, limit)


def largest(outputs: Floats, first: int) -> int:
    """The number of the largest output."""
    return first + int(np.argmax(outputs))


def choices(outputs: Floats, counts: Sequence[int], low: NDArray[Any]) -> NDArray[Any]:
    """The number of the largest output of each choice."""
    parts = np.split(outputs, np.cumsum(counts)[:-1])
    best: NDArray[Any] = low + np.array([part.argmax() for part in parts]).reshape(low.shape).astype(low.dtype)
    return best


def bounded(outputs: Floats, low: Any, high: Any, shape: Sequence[int], dtype: str) -> NDArray[Any]:
    """The outputs, cut at their bounds."""
    given: NDArray[Any] = np.clip(outputs.reshape(shape), low, high).astype(dtype)
    return given


def spread(outputs: Floats, low: Any, high: Any, shape: Sequence[int], dtype: str) -> NDArray[Any]:
    """Outputs from -1 to 1, spread over the bounds."""
    given: NDArray[Any] = np.clip(low + (outputs.reshape(shape) + 1.0) * 0.5 * (high - low), low, high).astype(dtype)
    return given


def episode(
    act: Callable[[Any], Any], seed: int, show: Callable[[Any], Any] | None, env: str, options: Mapping[str, Any]
) -> float:
    """The sum of rewards of one episode."""
    import gymnasium

    drawn: dict[str, Any] = {"render_mode": "rgb_array"} if show else {}
    total, done = 0.0, False
    try:
        played = gymnasium.make(env, disable_env_checker=True, **drawn, **options)
        observation, _info = played.reset(seed=seed)
        while not done:
            if show:
                show(played.render())
            observation, reward, ended, cut, _info = played.step(act(observation))
            total, done = total + float(reward), ended or cut
    except gymnasium.error.DependencyNotInstalled as error:
        raise ImportError(str(error)) from None
    played.close()
    return total
