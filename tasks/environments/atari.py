"""`Atari`: a game of the Atari 2600, played from its screen by one of the networks of `tasks.networks`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from evosearch.backends.kernels import compile_modules
from evosearch.errors import TaskError
from evosearch.evolution.seeds import Layout
from evosearch.language.op import OpSet
from evosearch.search.policies.portable import Portable
from evosearch.search.policies.task import Episode, Traits, Use, Weights
from tasks.environments.atari_portable import atari_portable
from tasks.environments.atari_scores import SCORES
from tasks.environments.emulator import SKIP, Emulator, Start, rom_name, title
from tasks.environments.published import published
from tasks.environments.screen import TAPS, Areas
from tasks.networks.architecture import IMAGES, SIDE, architecture
from tasks.networks.network import Network

STICKY = 0.25
"""Probability, frame by frame, that the last action goes on (Machado et al. 2018)."""

ALL = 18
"""Actions of the machine."""

TOGETHER = 30
"""Episodes of one network that are played side by side, so that its weights are fetched once for all of them."""


@dataclass(frozen=True)
class Atari:
    """A game by the protocol of "Deep Neuroevolution" (Such et al. 2017): the score is the game's own, to its end.

    An action lasts 4 frames, of which the brighter of the last two is seen, grey and 84 x 84, with the three images before it.

    Attributes:
        env: the game, such as "Frostbite" or "ALE/Frostbite-v5".
        network: "deep-ga" or "nature".
        sticky: whether each frame repeats the last action with probability 0.25.
        noops: an episode starts after 1 to so many frames of waiting, drawn by its seed; without sticky actions nothing else
            makes one episode of a network differ from another.
        steps: most actions of an episode.
        all_actions: all 18 of the machine, whatever the game uses; else only those of the game.
    """

    env: str = "Frostbite"
    network: str = "deep-ga"
    sticky: bool = False
    noops: int = 30
    steps: int = 5000
    all_actions: bool = True

    def check(self, ops: OpSet) -> None:  # noqa: ARG002
        """TaskError or MissingDependencyError where it cannot be played."""
        if not 0 <= self.noops <= 1000 or self.steps < 1:
            raise TaskError(f"task.noops must be from 0 to 1000, task.steps at least 1; got {self.noops}, {self.steps}")
        architecture(self.network)
        self._arcade.console(0)

    def describe(self, ops: OpSet | None = None) -> str:  # noqa: ARG002
        """One line."""
        return f"Atari {title(rom_name(self.env))}{' with sticky actions' if self.sticky else ''}, network {self.network}"

    def traits(self) -> Traits:
        """Episodes differ by their seeds; no score counts as solved."""
        return Traits(noisy=True, human=SCORES.get(title(rom_name(self.env))))

    def published(self) -> dict[str, list[tuple[float, float]]]:
        """What others have reached in the game, by frames."""
        return published(title(rom_name(self.env)))

    def layout(self) -> Layout:
        """The network's."""
        return architecture(self.network).layout(ALL if self.all_actions else self._arcade.network.outputs.shape[1])

    def warm(self, progress: Callable[[str], None]) -> None:
        """Compile the network."""
        progress(f"compiling the network (once, about 20 s) and making {self.env}")
        self._arcade.play(np.zeros(self.layout().size, np.float32), (0,), 1)

    def episodes(self, weights: Iterable[Weights], seeds: Sequence[Sequence[int]], use: Use) -> list[list[Episode]]:  # noqa: ARG002
        """See `PolicyTask`; neither the kernels nor the emulator know of other episodes, so that batches change nothing."""
        return [self._arcade.play(flat, own, self.steps) for flat, own in zip(weights, seeds, strict=True)]

    def portable(self, weights: Weights) -> Portable:
        """See `evosearch.search.policies.portable`."""
        shape, actions = architecture(self.network), self.layout().layers[-1].size
        protocol = {"game": rom_name(self.env), "noops": self.noops, "steps": self.steps, "all_actions": self.all_actions}
        return atari_portable(shape, actions, weights, sticky=STICKY if self.sticky else 0.0, **protocol)

    @property
    def _arcade(self) -> Arcade:
        return _arcade(self.env, self.network, STICKY if self.sticky else 0.0, self.noops, self.all_actions)


class Console:
    """An emulator, and the images that the network is shown of it."""

    def __init__(self, emulator: Emulator, planes: Weights, before: int) -> None:
        self.emulator, self.planes, self._before = emulator, planes, before
        height, width = emulator.screens[0].shape
        down, across = Areas.shrink(height, SIDE), Areas.shrink(width, SIDE)
        assert across.weights.shape[1] == TAPS
        areas = (down.first, down.weights, across.first, across.weights, down.total * across.total)
        line, levels = np.zeros(width + 2, np.int32), np.arange(256, dtype=np.float32) / np.float32(255.0)
        self._see = functools.partial(kernels().shrink, *emulator.screens, *areas, line, levels)
        self.oldest = self.frames = self.score = 0
        self.failure = ""

    def start(self, start: Start) -> None:
        """Begin an episode."""
        self.planes[:] = 0.0
        self.oldest = self.frames = self.score = 0
        self.failure = ""
        self.emulator.start(start)
        self.see()

    def see(self) -> None:
        """Put the newest image in the place of the oldest one."""
        self._see(self.planes[self.oldest], self._before)
        self.oldest = (self.oldest + 1) % IMAGES

    def step(self, action: int) -> bool:
        """Act and look; whether the game goes on."""
        if action < 0:
            self.failure = "the network's outputs are not finite"
            return False
        self.frames += SKIP
        try:
            self.score += self.emulator.step(action)
            over = self.emulator.over
        except Exception as error:
            self.failure, over = f"{type(error).__name__}: {error}", True
        if not over:
            self.see()
        return not over

    def episode(self) -> Episode:
        """What became of it."""
        return Episode(float("nan") if self.failure else float(self.score), self.frames, (), self.failure)


class Arcade:
    """The consoles of this process, which play the same game, and the network that plays it."""

    def __init__(self, env: str, network: str, sticky: float, noops: int, all_actions: bool) -> None:
        self._make = functools.partial(Emulator, env, sticky, all_actions)
        self._noops = noops
        first = self._make()
        self.network = Network(architecture(network), first.actions, TOGETHER)
        self._consoles = [self._new(first)]

    def _new(self, emulator: Emulator | None = None) -> Console:
        return Console(emulator or self._make(), self.network.planes(), self.network.before)

    def console(self, number: int) -> Console:
        """The console of that number."""
        while number >= len(self._consoles):
            self._consoles.append(self._new())
        return self._consoles[number]

    def play(self, weights: Weights, seeds: Sequence[int], steps: int) -> list[Episode]:
        """Episodes of one network; those that start alike end alike, and are played once though all of their frames count."""
        self.network.load(weights)
        starts = [self._consoles[0].emulator.begin(seed, self._noops) for seed in seeds]
        different = list(dict.fromkeys(starts))
        found: dict[Start, Episode] = {}
        for low in range(0, len(different), TOGETHER):
            found |= self._together(different[low : low + TOGETHER], steps)
        return [found[start] for start in starts]

    def _together(self, starts: Sequence[Start], steps: int) -> dict[Start, Episode]:
        """Episodes side by side; those that are over leave."""
        consoles = [self.console(place) for place in range(len(starts))]
        for console, start in zip(consoles, starts, strict=True):
            console.start(start)
        playing = consoles
        for _ in range(steps):
            for row, console in enumerate(playing):
                self.network.read(console.planes, console.oldest, row)
            actions = self.network.decide(len(playing))
            playing = [console for console, action in zip(playing, actions, strict=True) if console.step(action)]
            if not playing:
                break
        self._consoles = [console for console in self._consoles if not console.failure] or [self._new()]
        return {start: console.episode() for console, start in zip(consoles, starts, strict=True)}


def kernels() -> ModuleType:
    """The compiled image processing."""
    return compile_modules(("tasks.environments.screen",), "screen")


@functools.cache
def _arcade(env: str, network: str, sticky: float, noops: int, all_actions: bool) -> Arcade:
    return Arcade(env, network, sticky, noops, all_actions)
