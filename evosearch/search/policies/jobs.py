"""What workers do for a search for policies: episodes of children, and of one candidate for validation and test."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from evosearch.evolution.seeds import weights_hash
from evosearch.search.config import RunConfig
from evosearch.search.policies.decode import Decoder
from evosearch.search.policies.novelty import novelty
from evosearch.search.policies.settings import PolicySettings
from evosearch.search.policies.task import Episode, PolicyTask, Use, Weights


@dataclass(frozen=True, eq=False)
class Workshop:
    """What jobs share; see `workshop`."""

    task: PolicyTask
    decoder: Decoder


@functools.cache
def workshop(run: str) -> Workshop:
    """The workshop of a run, from its `RunConfig.to_table` as JSON; one a process."""
    config = RunConfig.from_table("run", json.loads(run))
    task = cast(PolicyTask, config.load_task())
    return Workshop(task, Decoder(task.layout(), cast(PolicySettings, config.search).power))


def warm(run: str, progress: Callable[[str], None]) -> None:
    """Compile what workers and the search call; the search then takes its kernels from the cache."""
    shop = workshop(run)
    shop.decoder.child(bytes(4), 0, 1)
    next(iter(shop.decoder.children([bytes(4)], np.array([[0, 0, 1]]))))
    novelty(np.zeros((2, 2)), np.zeros((0, 2)), 1)
    shop.task.warm(progress)


def run_children(
    run: str, bases: Sequence[bytes | Weights], children: NDArray[np.int64], seeds: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """One job of training episodes.

    Args:
        run: the run's configuration; see `workshop`.
        bases: genes (as bytes) or weights of the parents; see `Member.sent`.
        children: (n, 3) place of the parent in `bases` or `FRESH`, gene, sign of its noise (0: none).
        seeds: of each child's episodes.

    Returns:
        "scores" float64 (n,), mean over episodes; "frames" int64 (n,); "behaviour" float64 (n, k) of the last episode;
        "failures": what environments raised.
    """
    shop = workshop(run)
    return _columns(shop.task.episodes(shop.decoder.children(bases, children), seeds, "training"))


def run_candidate(run: str, data: bytes | Weights, seeds: Sequence[int], use: Use) -> dict[str, Any]:
    """Validation or test episodes of one candidate.

    Returns:
        "scores" float64 (episodes,); "frames" int; "failures"; "hash" of its weights.
    """
    shop = workshop(run)
    weights = shop.decoder.parent(data)
    (episodes,) = shop.task.episodes([weights], [seeds], use)
    return {
        "scores": np.array([episode.score for episode in episodes]),
        "frames": sum(episode.frames for episode in episodes),
        "failures": [episode.failure for episode in episodes if episode.failure],
        "hash": weights_hash(weights),
    }


def _columns(episodes: Sequence[Sequence[Episode]]) -> dict[str, Any]:
    behaviour = [each[-1].behaviour for each in episodes]
    width = max(map(len, behaviour), default=0)
    scores, frames = np.zeros(len(episodes)), np.zeros(len(episodes), np.int64)
    for column in zip(*episodes, strict=True):  # all play equally many episodes: the first of each, the second, ...
        scores += [one.score for one in column]
        frames += [one.frames for one in column]
    return {
        "scores": scores / len(episodes[0]),
        "frames": frames,
        "behaviour": np.array([row or (np.nan,) * width for row in behaviour], np.float64).reshape(len(episodes), width),
        "failures": [one.failure for each in episodes for one in each if one.failure],
    }
