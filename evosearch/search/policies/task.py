"""What a run file's [task] becomes where policies are searched: episodes of a network in an environment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from evosearch.language.op import OpSet

if TYPE_CHECKING:
    from evosearch.evolution.seeds import Layout

Use = Literal["training", "validation", "test"]
Weights = NDArray[np.float32]


class Episode(NamedTuple):
    """What became of one episode; a tuple, since there may be thousands a second.

    Attributes:
        score: the return, higher is better; NaN where the environment failed.
        frames: of the environment that it took (an action repeated four times is four).
        behaviour: what novelty is measured on, such as the last place; () where the task has no such thing.
        failure: what the environment raised; "" where nothing went wrong.
    """

    score: float
    frames: int
    behaviour: tuple[float, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class Traits:
    """What a search knows of its task.

    Attributes:
        noisy: whether episodes of one network differ, so that an elite must be chosen by validation episodes.
        threshold: mean score from which on the task counts as solved; None where there is no such score.
        behaviour: what `Episode.behaviour` is, for people, such as "the last place"; "" for a task without it.
        human: scores of a random player and of a human, between which scores are normalised; None where unknown.
    """

    noisy: bool = True
    threshold: float | None = None
    behaviour: str = ""
    human: tuple[float, float] | None = None


@runtime_checkable
class PolicyTask(Protocol):
    """A task whose candidates are networks that act in an environment.

    It may also have `draw(axes, places, generation, memory, weights)` for a picture of behaviours of two numbers, `published()`
    for scores of others by frames, and `portable(weights)` for exports; see `tasks.maze`, `tasks.environments`.
    """

    def check(self, ops: OpSet) -> None:
        """TaskError or MissingDependencyError where the environment cannot be used."""

    def describe(self, ops: OpSet | None = None) -> str:
        """One line for people; it may not need the environment's package."""

    def traits(self) -> Traits:
        """What the search must know."""

    def layout(self) -> Layout:
        """The network's tensors, with the scales of their initial weights."""

    def warm(self, progress: Callable[[str], None]) -> None:
        """Compile what `episodes` needs; called once, in the process that workers are forked from."""

    def episodes(self, weights: Iterable[Weights], seeds: Sequence[Sequence[int]], use: Use) -> list[list[Episode]]:
        """Run episodes; a pure function of its arguments, whatever ran before in the process.

        Args:
            weights: flat weights of one network after another, float32 (layout().size,); each is valid until the next one is
                taken.
            seeds: of each network's episodes, from 0 to 2^31 - 1.
            use: what for; batch shapes may depend on it, scores may not depend on workers.

        Returns:
            For each network its episodes. An environment that raises fails its episode only.
        """
