"""One Atari 2600 that plays one episode at a time, through `ale-py`; it needs the `rl` extra.

`ale_py.AtariVectorEnv` is not used: it draws 0 to 29 no-ops where 30 are asked for, hands every step to a thread of its own, which
costs more than it saves where each core has a worker, and spends a step on each reset.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from evosearch.errors import MissingDependencyError, TaskError, nearest

if TYPE_CHECKING:
    from pathlib import Path

INSTALL = "pip install 'evosearch[rl]'"
SKIP = 4
"""Frames that an action lasts; the last two of them are seen."""


class Emulator:
    """An emulator with a game.

    Attributes:
        screens: the last two screens of the last step, grey: uint8 (height, width).
    """

    def __init__(self, game: str, sticky: float, all_actions: bool) -> None:
        """`sticky` is the probability, frame by frame, that the last action goes on."""
        self._rom = rom(game)
        self._ale = make_interface()
        self._ale.setFloat("repeat_action_probability", sticky)
        self._ale.setInt("random_seed", 0)
        self._ale.loadROM(self._rom)
        self._actions: Sequence[Any] = self._ale.getLegalActionSet() if all_actions else self._ale.getMinimalActionSet()
        self.screens = [np.zeros(self._ale.getScreenDims(), np.uint8) for _ in range(2)]

    @property
    def actions(self) -> int:
        """How many there are."""
        return len(self._actions)

    @property
    def over(self) -> bool:
        """Whether the game has ended."""
        return bool(self._ale.game_over())

    def start(self, seed: int, noops: int) -> None:
        """Switch the machine on, with memory as random as that of a real one, and let 1 to `noops` frames pass.

        Everything that follows is a function of the seed and the actions.
        """
        self._ale.setInt("random_seed", seed)
        self._ale.loadROM(self._rom)
        wait = self._actions[0]
        for _ in range(1 + Random(seed).getrandbits(32) % noops if noops else 0):
            self._ale.act(wait)
            if self._ale.game_over():
                self._ale.reset_game()
        self._ale.getScreenGrayscale(self.screens[0])
        self.screens[1][:] = 0

    def step(self, action: int) -> int:
        """Repeat the action for `SKIP` frames; the sum of rewards."""
        act, pressed = self._ale.act, self._actions[action]
        reward = 0
        for _ in range(SKIP - 1):
            reward += act(pressed)
        self._ale.getScreenGrayscale(self.screens[0])
        reward += act(pressed)  # after the end of a game nothing happens and nothing is rewarded
        self._ale.getScreenGrayscale(self.screens[1])
        return int(reward)


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
        raise TaskError(f"there is no Atari game '{game}'.{nearest(title(name), names)} {INSTALL} brings {len(names)} games")
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
