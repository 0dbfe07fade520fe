"""What an exported policy takes along of an Atari game: its protocol in plain Python, the network in torch's words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.search.policies.portable import Carried, Portable
from evosearch.search.policies.task import Weights
from tasks.networks.architecture import IMAGES, SIDE, Architecture
from tasks.networks.network import Network

Bytes = NDArray[np.uint8]


def atari_portable(shape: Architecture, actions: int, weights: Weights, **protocol: Any) -> Portable:
    """Of a network with so many outputs; `protocol` are the keywords of `episode`."""
    network = Network(shape, actions, 1)
    network.load(weights)
    planes, inside = network.planes(), slice(network.before, network.before + SIDE)

    def decide(observation: Any) -> tuple[NDArray[np.float32], Any]:
        planes[:, inside, inside] = inputs(observation)
        network.read(planes, 0, 0)
        (best,) = network.decide(1)
        return network.outputs[0].copy(), best

    last = shape.stages()[-1]
    hidden = (last.reached, last.reached, last.filters, shape.hidden)
    return Portable(
        network=_modules(shape, actions),
        turned={"hidden.weight": (hidden, (3, 2, 0, 1)), "output.weight": ((shape.hidden, actions), (1, 0))},
        precision="float32",
        inputs=Carried(inputs),
        action=Carried(action),
        episode=Carried(episode, protocol),
        decide=decide,
        helpers=(overlaps, shrunk),
        constants={"SIDE": SIDE, "IMAGES": IMAGES},
        needs="pip install ale-py imageio",
    )


def _modules(shape: Architecture, actions: int) -> dict[str, str]:
    modules: dict[str, str] = {}
    for n, stage in enumerate(shape.stages(), start=1):
        after = stage.padded - stage.side - stage.before
        if stage.before or after:
            modules[f"pad{n}"] = f"ZeroPad2d({(stage.before, after, stage.before, after)})"
        modules[f"conv{n}"] = f"Conv2d({stage.inputs}, {stage.filters}, {stage.size}, {stage.stride})"
        modules[f"relu{n}"] = "ReLU()"
    dense = {"hidden": f"Linear({shape.features}, {shape.hidden})", "relu": "ReLU()"}
    return {**modules, "flatten": "Flatten()", **dense, "output": f"Linear({shape.hidden}, {actions})"}


# The rest stands in exported files


def inputs(observation: Bytes) -> NDArray[np.float32]:
    """The last four images, oldest first, (4, 84, 84), as numbers from 0 to 1."""
    return observation.astype(np.float32) / np.float32(255.0)


def action(outputs: NDArray[np.float32]) -> int:
    """The number of the largest output."""
    return int(np.argmax(outputs))


@functools.cache
def overlaps(length: int, size: int) -> NDArray[np.float64]:
    """How much of each old row is in each new one, in whole numbers: (size, length)."""
    ends = np.arange(1, size + 1)[:, None] * length, np.arange(1, length + 1) * size
    inside = np.minimum(*ends) - np.maximum(ends[0] - length, ends[1] - size)
    parts: NDArray[np.float64] = np.maximum(0, inside) / np.gcd(length, size)
    return parts


def shrunk(one: Bytes, two: Bytes) -> Bytes:
    """The brighter of two screens, averaged over areas to 84 x 84; a half is rounded to the even grey."""
    down, across = (overlaps(length, SIDE) for length in one.shape)
    total = int(down[0].sum() * across[0].sum())
    found = (down @ np.maximum(one, two) @ across.T).astype(np.int64) + total // 2
    grey = found // total
    grey -= (grey * total == found) & (grey % 2 == 1)
    return grey.astype(np.uint8)


def episode(
    act: Callable[[Any], Any],
    seed: int,
    show: Callable[[Any], Any] | None,
    game: str,
    sticky: float,
    noops: int,
    steps: int,
    all_actions: bool,
) -> float:
    """The game's own score of one episode: 1 to `noops` frames of waiting, then each action for four frames."""
    from random import Random

    import ale_py
    from ale_py import roms

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    ale.setFloat("repeat_action_probability", 0.0)  # the sticky actions below are drawn by the seed
    ale.setInt("random_seed", 0)
    path: Any = roms.get_rom_path(game)
    ale.loadROM(path)
    ale.reset_game()
    begun = ale.cloneState(include_rng=True)
    known = [ale_py.Action(n) for n in range(18)] if all_actions else ale.getMinimalActionSet()
    random, pressed, score = Random(seed), known[0], 0
    for _ in range(1 + Random(seed).getrandbits(32) % noops if noops else 0):
        ale.act(pressed)
        if ale.game_over():
            ale.restoreState(begun)
    screens = np.zeros((2, *ale.getScreenDims()), np.uint8)
    ale.getScreenGrayscale(screens[0])
    images = np.zeros((IMAGES, SIDE, SIDE), np.uint8)
    for _ in range(steps):
        images = np.concatenate([images[1:], shrunk(*screens)[None]])
        chosen = act(images)
        for frame in range(4):
            if not sticky or random.random() >= sticky:
                pressed = known[chosen]
            score += ale.act(pressed)
            if frame >= 2:
                ale.getScreenGrayscale(screens[frame - 2])
        if show is not None:
            show(ale.getScreenRGB())
        if ale.game_over():
            break
    return float(score)
