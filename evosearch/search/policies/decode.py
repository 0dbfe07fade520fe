"""Weights of seed lists, with those of recent parents kept: a child then costs one draw of noise."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from evosearch.evolution.noise import add_noise, add_noises
from evosearch.evolution.seeds import Layout, initial_weights, power_of, powers_of, seed_of
from evosearch.search.policies.member import FRESH
from evosearch.search.policies.task import Weights

ROOM = 640 << 20
"""Bytes of parents that a process keeps, weights and genes: 40 networks of four million weights."""
BATCH = 1 << 20
"""Bytes of children's weights that are made at once; one of a large network is made after another is played."""


class Decoder:
    """Decodes seed lists of one network and one power; bit for bit what `Genome.weights` gives."""

    def __init__(self, layout: Layout, power: float, room: int = ROOM) -> None:
        self.layout = layout
        self._power = float(np.float32(power))
        self._room, self._held, self._size = room, 0, 4 * layout.size
        self._kept: OrderedDict[bytes, Weights] = OrderedDict()
        self._buffer = np.empty(layout.size, np.float32)

    def parent(self, data: bytes | Weights) -> Weights:
        """Weights of a parent (its genes, or weights as they are); kept, so not to be written to."""
        if not isinstance(data, bytes):
            return data
        found = self._kept.get(data)
        if found is None:
            found = self._kept[data] = self._decode(data)
            self._held += len(data) + found.nbytes
            while self._held > self._room and len(self._kept) > 1:
                name, dropped = self._kept.popitem(last=False)
                self._held -= len(name) + dropped.nbytes
        self._kept.move_to_end(data)
        return found

    def _decode(self, name: bytes) -> Weights:
        """From the nearest ancestor that is kept."""
        words = np.frombuffer(name, np.uint32)
        known = next((n for n in range(len(words) - 1, 0, -1) if name[: 4 * n] in self._kept), 0)
        if known:
            weights, rest = self._kept[name[: 4 * known]].copy(), words[known:]
        else:
            weights, rest = initial_weights(seed_of(int(words[0])), self.layout), words[1:]
        for word in rest.tolist():
            self.mutate(weights, word, 1)
        return weights

    def child(self, parent: bytes | Weights | None, word: int, sign: int) -> Weights:
        """Weights of a child: of a parent, or from scratch; valid until the next call."""
        if parent is None:
            return initial_weights(seed_of(word), self.layout)
        self._buffer[:] = self.parent(parent)
        if sign:
            self.mutate(self._buffer, word, sign)
        return self._buffer

    def children(self, parents: Sequence[bytes | Weights], rows: NDArray[np.int64]) -> Iterable[Weights]:
        """Weights of children one after another, each valid until the next; of small networks all are made at once.

        Args:
            rows: (n, 3) place of the parent or `FRESH`, gene, sign of its noise (0: none).
        """
        if self._size * len(rows) > BATCH or (rows[:, 0] == FRESH).any():
            return (self.child(None if place == FRESH else parents[place], *rest) for place, *rest in rows.tolist())
        weights = np.array([self.parent(one) for one in parents])[rows[:, 0]]
        words, signs = rows[:, 1], rows[:, 2]
        add_noises(weights, seed_of(words), signs * powers_of(words, self._power))
        return weights

    def mutate(self, weights: Weights, word: int, sign: int) -> None:
        """Add a gene's noise, or take it away, in place."""
        add_noise(weights, seed_of(word), sign * power_of(word, self._power))
