"""What an exported policy says about itself, and what it is checked against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.errors import EvosearchError, ExportError
from evosearch.export.policies.runtime import thinned
from evosearch.search.policies.portable import Portable

STEPS = 32
"""Most steps of an episode that are stored."""

MOST_BYTES = 1 << 18
"""Of their observations: of large ones fewer are stored."""

TOLERANCES = {"float64": 1e-6, "float32": 1e-4}
"""How far outputs may be from the search's, relative to the largest one, by the network's precision."""


@dataclass(frozen=True, eq=False)
class PolicyInfo:
    """The origin of a policy that is exported.

    Attributes:
        run: name of the run.
        program_id: of the policy in the run.
        seed: of the run.
        version: of evosearch.
        command: the command line or call that made the run.
        task: what the run was for, in a line.
        rows: (label, text) of what was measured of it, for people.
        portable: what it takes along from its task.
        played: seed of the episode whose steps are stored.
        episodes: how many `--play` plays: one where all are the same.
        known: the run's own test in a few words, which `--play` prints beside its mean.
        weights_file: name of the .safetensors file beside the module that has its weights; None for its genome inside.
    """

    run: str
    program_id: int
    seed: int
    version: str
    command: str
    task: str
    rows: tuple[tuple[str, str], ...]
    portable: Portable
    played: int = 0
    episodes: int = 10
    known: str = ""
    weights_file: str | None = None

    def summary(self) -> list[tuple[str, str]]:
        """(label, text) rows that the file opens with."""
        origin = f"run {self.run}, policy {self.program_id}, seed {self.seed}, evosearch {self.version}"
        return [*self.rows, ("origin", origin), ("command", " ".join(self.command.split()))]


@dataclass(frozen=True, eq=False)
class Steps:
    """Some steps of an episode, as the search's own network took them: arrays (steps, ...)."""

    observations: NDArray[Any]
    outputs: NDArray[Any]
    actions: NDArray[Any]


def recorded(portable: Portable, seed: int) -> Steps:
    """Play an episode by the search's own network.

    Raises:
        ExportError: where the environment fails, or no step has outputs that are told apart.
    """
    tolerance, keep = TOLERANCES[portable.precision], thinned(4 * STEPS)

    def act(observation: Any) -> Any:
        outputs, action = portable.decide(observation)
        seen = np.array(observation)
        if np.issubdtype(np.asarray(action).dtype, np.floating) or _clear(outputs, 10 * tolerance):
            keep.send((seen, np.array(outputs), np.array(action)))
        return action

    try:
        portable.episode(act, seed, None)
    except EvosearchError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise ExportError(f"the episode that the file is checked on failed ({said}); export another policy") from None
    rows = keep.send(None)
    if not rows:
        raise ExportError("no step of the policy has outputs that are told apart; export another one")
    count = max(2, min(STEPS, MOST_BYTES // max(1, rows[0][0].nbytes)))
    rows = rows[:: -(-len(rows) // count)]
    return Steps(*(np.array(column) for column in zip(*rows, strict=True)))


def _clear(outputs: NDArray[Any], margin: float) -> bool:
    """Whether the largest output is so by more than `margin`, so that every machine agrees on it."""
    if len(outputs) < 2:
        return True
    second, first = np.sort(outputs)[-2:].tolist()
    return bool(first - second > margin * max(abs(first), abs(second)))

