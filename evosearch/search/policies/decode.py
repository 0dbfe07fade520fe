"""Weights of seed lists, with those of recent parents kept: a child then costs one draw of noise."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from evosearch.evolution.noise import add_noise
from evosearch.evolution.seeds import Layout, initial_weights, power_of, seed_of
from evosearch.search.policies.task import Weights

ROOM = 640 << 20
"""Bytes of parents' weights that a process keeps: 40 networks of four million weights."""


class Decoder:
    """Decodes seed lists of one network and one power; bit for bit what `Genome.weights` gives."""

    def __init__(self, layout: Layout, power: float, room: int = ROOM) -> None:
        self.layout = layout
        self._power = float(np.float32(power))
        self._most = max(1, room // (4 * layout.size))
        self._kept: OrderedDict[bytes, Weights] = OrderedDict()
        self._buffer = np.empty(layout.size, np.float32)

    def parent(self, data: bytes | Weights) -> Weights:
        """Weights of a parent (its genes, or weights as they are); kept, so not to be written to."""
        if not isinstance(data, bytes):
            return data
        found = self._kept.get(data)
        if found is None:
            found = self._kept[data] = self._decode(data)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
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

    def mutate(self, weights: Weights, word: int, sign: int) -> None:
        """Add a gene's noise, or take it away, in place."""
        add_noise(weights, seed_of(word), sign * power_of(word, self._power))
