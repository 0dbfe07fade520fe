"""Candidates of a search for policies: seed lists, and the weights of an evolution strategy, which has no such list."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.errors import ProgramError
from evosearch.evolution.seeds import Genome, Layout
from evosearch.search.policies.task import Weights
from evosearch.search.protocol import Written

FRESH = -1
"""In place of a base: a child that is drawn from scratch."""


@dataclass(frozen=True, eq=False)
class Member:
    """A candidate.

    Attributes:
        data: its genes, uint32 (genes,), packed; or weights, float32 (size,).
        key: 8 bytes; of a seed list a chain of hashes, so that the keys of ancestors are those of its beginnings.
    """

    data: NDArray[Any]
    key: bytes

    @property
    def is_list(self) -> bool:
        """Whether it is a seed list."""
        return self.data.dtype == np.uint32

    @property
    def sent(self) -> bytes | Weights:
        """What workers are sent of it."""
        return self.data.tobytes() if self.is_list else self.data

    @property
    def size(self) -> int:
        """The number of genes; 1 for weights."""
        return len(self.data) if self.is_list else 1

    @classmethod
    def from_words(cls, words: NDArray[np.uint32]) -> Member:
        """A seed list."""
        return cls(words, chain(words)[-1])

    @classmethod
    def from_weights(cls, weights: Weights) -> Member:
        """Weights of an evolution strategy."""
        return cls(weights, hashlib.blake2b(weights.tobytes(), digest_size=8).digest())

    @classmethod
    def from_data(cls, data: NDArray[Any]) -> Member:
        """From the array alone."""
        return cls.from_words(data) if data.dtype == np.uint32 else cls.from_weights(data)

    def child(self, word: int) -> Member:
        """This seed list with one more gene."""
        return Member(np.append(self.data, np.uint32(word)), child_key(self.key, word))

    def genome(self, power: float) -> Genome:
        """As a genome."""
        return Genome.from_words(power, self.data)

    def written(self, power: float, layout: Layout) -> Written:
        """What a store keeps."""
        if self.is_list:
            text = self.genome(power).to_text(layout)
            return Written(text + "\n", {"genome": text})
        text = base64.b64encode(self.data.astype("<f4").tobytes()).decode()
        return Written(f"{len(self.data)} weights of an evolution strategy\n", {"weights": text})


@dataclass(frozen=True, eq=False)
class Policy:
    """A candidate as read from a store.

    Attributes:
        genome: None where it is no seed list.
        dense: its weights where it is none.
    """

    layout: Layout
    genome: Genome | None
    dense: Weights | None = None

    def weights(self) -> Weights:
        """float32 (layout.size,)."""
        if self.genome is not None:
            return self.genome.weights(self.layout)
        assert self.dense is not None
        return self.dense


def read_policy(data: Mapping[str, Any], layout: Layout) -> Policy:
    """What `Member.written` wrote; ProgramError where it is damaged or belongs to another network."""
    if "genome" in data:
        return Policy(layout, Genome.from_text(data["genome"], layout))
    try:
        dense = np.frombuffer(base64.b64decode(data["weights"], validate=True), "<f4").astype(np.float32)
    except (KeyError, ValueError) as error:
        raise ProgramError(f"the stored policy cannot be read ({error}); restore the run from a copy") from None
    if len(dense) != layout.size:
        raise ProgramError(f"the stored policy has {len(dense)} weights, the task's network {layout.size}; restore its task")
    return Policy(layout, None, dense)


def chain(words: NDArray[np.uint32]) -> list[bytes]:
    """The keys of a seed list and of all its ancestors, oldest first."""
    keys = [b""]
    for word in words.tolist():
        keys.append(child_key(keys[-1], word))
    return keys[1:]


def child_key(key: bytes, word: int) -> bytes:
    """The key of a child by a gene (b"" for no parent)."""
    return hashlib.blake2b(key + word.to_bytes(8, "little"), digest_size=8).digest()
