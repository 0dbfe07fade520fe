"""One Atari 2600 that plays one episode at a time, through `ale-py`; it needs the `rl` extra.

`ale_py.AtariVectorEnv` is not used: it draws 0 to 29 no-ops where 30 are asked for, loads the game anew for every seed, which
takes as long as a hundred steps, and hands every step to a thread, which costs more than it saves where each core has a worker.
What its seed sets, the memory and the timer of a machine that is switched on, games overwrite before they start.
"""

from __future__ import annotations

import functools
import re
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evosearch.errors import MissingDependencyError, TaskError
from tasks.environments.gym import INSTALL, nearest_known

if TYPE_CHECKING:
    from pathlib import Path

SKIP = 4
"""Frames that an action lasts; the last two of them are seen."""


class Start(NamedTuple):
    """What an episode depends on beside the actions: frames of waiting, and a seed for actions that stick."""

    wait: int
    seed: int


class Emulator:
    """An emulator with a game.

    Attributes:
        screens: the last two screens of the last step, grey: uint8 (height, width).
    """

    def __init__(self, game: str, sticky: float, all_actions: bool) -> None:
        """`sticky` is the probability, frame by frame, that the last action goes on."""
        self._ale = make_interface()
        self._ale.setFloat("repeat_action_probability", 0.0)
        self._ale.setInt("random_seed", 0)
        self._ale.loadROM(rom(game))
        self._ale.reset_game()
        self._begun = self._ale.cloneState(include_rng=True)
        self._actions = every_action() if all_actions else list(self._ale.getMinimalActionSet())
        self._sticky, self._random, self._pressed = sticky, Random(0), self._actions[0]
        self.screens = [np.zeros(self._ale.getScreenDims(), np.uint8) for _ in range(2)]

    @property
    def actions(self) -> int:
        """How many there are."""
        return len(self._actions)

    @property
    def over(self) -> bool:
        """Whether the game has ended."""
        return bool(self._ale.game_over())

    def begin(self, seed: int, noops: int) -> Start:
        """What the episode of a seed depends on: 1 to `noops` frames of waiting (none where that is 0)."""
        return Start(1 + Random(seed).getrandbits(32) % noops if noops else 0, seed if self._sticky else 0)

    def start(self, start: Start) -> None:
        """Begin the game and wait."""
        self._ale.restoreState(self._begun)
        self._random, self._pressed = Random(start.seed), self._actions[0]
        for _ in range(start.wait):
            self._ale.act(self._pressed)
            if self._ale.game_over():
                self._ale.restoreState(self._begun)
        self._ale.getScreenGrayscale(self.screens[0])
        self.screens[1][:] = 0

    def step(self, action: int) -> int:
        """Repeat the action for `SKIP` frames; the sum of rewards."""
        reward = 0
        for frame in range(SKIP):
            if not self._sticky or self._random.random() >= self._sticky:
                self._pressed = self._actions[action]
            reward += self._ale.act(self._pressed)  # after the end of a game nothing happens and nothing is rewarded
            if frame >= SKIP - 2:
                self._ale.getScreenGrayscale(self.screens[frame - SKIP + 2])
        return int(reward)


def every_action() -> list[Any]:
    """The 18 actions of the machine, by number; one that the game does not know waits."""
    return [_ale().Action(number) for number in range(18)]


def make_interface() -> Any:
    """An emulator without a game; MissingDependencyError where there is none to be had."""
    ale = _ale()
    ale.ALEInterface.setLoggerMode(ale.LoggerMode.Error)
    return ale.ALEInterface()


def rom(game: str) -> Path:
    """The game's file; TaskError with the nearest names where there is no such game."""
    _ale()
    from ale_py import roms

    name = rom_name(game)
    known = roms.get_all_rom_ids()
    if name not in known:
        names = [title(one) for one in known]
        said = f"there is no Atari game '{game}'; {nearest_known(title(name), names)}"
        raise TaskError(f"{said}. {INSTALL} brings {len(names)} games")
    path: Path | None = roms.get_rom_path(name)
    assert path is not None
    return path


def rom_name(game: str) -> str:
    """ "ms_pacman" from "MsPacman", "ALE/MsPacman-v5", "MsPacmanNoFrameskip-v4" or itself."""
    bare = re.sub(r"(NoFrameskip|Deterministic)?(-v\d+)?$", "", game.removeprefix("ALE/"))
    return re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "_", bare).lower()


def title(name: str) -> str:
    """ "MsPacman" from "ms_pacman"."""
    return "".join(part.capitalize() for part in name.split("_"))


@functools.cache
def _ale() -> Any:
    try:
        import ale_py
    except ImportError:
        raise MissingDependencyError(f"Atari games need ale-py, which is not installed: {INSTALL}") from None
    return ale_py
