"""The seed-list genome of "Deep Neuroevolution" (Such et al. 2017, section 3.1): a network as the list of its mutations.

A genome is the seed that drew the initial weights, and one gene a mutation: a seed and a power. Weights are a pure
function of it (see `evosearch.evolution.noise`), so that a network of millions of weights is a few hundred bytes.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import math
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from evosearch.errors import ProgramError
from evosearch.evolution.noise import add_noise

SEED_BITS = 28
LEVELS = 16
MIDDLE = 8
"""The level of a gene whose power is the genome's `sigma`; each level above doubles it, each below halves it."""

Words = TypeVar("Words", int, NDArray[np.int64])

_HEADER = struct.Struct("<4sBxxx8sfI8s")  # magic, version, layout, sigma, genes, checksum: 32 bytes
_MAGIC, _VERSION = b"EVSG", 1


@dataclass(frozen=True)
class Gene:
    """One mutation: add power * N(0, 1) to every weight; power = sigma * 2^(level - MIDDLE)."""

    seed: int
    level: int = MIDDLE

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**SEED_BITS:
            raise ProgramError(f"a gene's seed must be from 0 to 2^{SEED_BITS} - 1, got {self.seed}")
        if not 0 <= self.level < LEVELS:
            raise ProgramError(f"a gene's level must be from 0 to {LEVELS - 1}, got {self.level}")

    @classmethod
    def from_word(cls, word: int) -> Gene:
        """What `pack` made."""
        return cls(seed_of(word), word >> SEED_BITS)


@dataclass(frozen=True)
class Layer:
    """One tensor of a network, in the order of the flat vector of weights.

    Attributes:
        shape: of the tensor.
        scale: standard deviation of its initial weights; 0 for biases.
    """

    name: str
    shape: tuple[int, ...]
    scale: float

    @property
    def size(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Layout:
    """The tensors of a network; its `key` tells a genome's network from others."""

    layers: tuple[Layer, ...]

    @functools.cached_property
    def size(self) -> int:
        """Number of weights."""
        return sum(layer.size for layer in self.layers)

    @property
    def key(self) -> bytes:
        """8 bytes, other for other shapes, orders or initial scales."""
        text = ";".join(f"{layer.name} {layer.shape} {layer.scale!r}" for layer in self.layers)
        return hashlib.sha256(text.encode()).digest()[:8]

    def split(self, weights: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Views of the flat vector by tensor name."""
        ends = np.cumsum([0, *(layer.size for layer in self.layers)])
        bounds = pairwise(int(end) for end in ends)
        return {
            layer.name: weights[low:high].reshape(layer.shape) for layer, (low, high) in zip(self.layers, bounds, strict=True)
        }


@dataclass(frozen=True)
class Genome:
    """A network as the history of its mutations; `genes[0]` drew the initial weights and its level is not used."""

    sigma: float
    genes: tuple[Gene, ...]

    def __post_init__(self) -> None:
        if not self.genes:
            raise ProgramError("a genome needs at least the gene of its initial weights")
        if not (np.isfinite(np.float32(self.sigma)) and self.sigma > 0.0):
            raise ProgramError(f"a genome's sigma must be a positive float32, got {self.sigma}")
        object.__setattr__(self, "sigma", float(np.float32(self.sigma)))

    def child(self, gene: Gene) -> Genome:
        """This genome with one more mutation."""
        return Genome(self.sigma, (*self.genes, gene))

    @classmethod
    def from_words(cls, sigma: float, words: NDArray[np.uint32]) -> Genome:
        """From packed genes."""
        return cls(sigma, tuple(map(Gene.from_word, words.tolist())))

    def words(self) -> NDArray[np.uint32]:
        """Its genes, packed: uint32 (genes,)."""
        return np.array([pack(gene.seed, gene.level) for gene in self.genes], np.uint32)

    def weights(self, layout: Layout) -> NDArray[np.float32]:
        """The network's weights: float32 (layout.size,)."""
        weights = initial_weights(self.genes[0].seed, layout)
        for word in self.words()[1:].tolist():
            add_noise(weights, seed_of(word), power_of(word, self.sigma))
        return weights

    def to_bytes(self, layout: Layout) -> bytes:
        """32 bytes of header and 4 bytes a gene."""
        words = self.words().astype("<u4").tobytes()
        check = _checksum(layout.key, self.sigma, words)
        return _HEADER.pack(_MAGIC, _VERSION, layout.key, self.sigma, len(self.genes), check) + words

    @classmethod
    def from_bytes(cls, data: bytes, layout: Layout) -> Genome:
        """What `to_bytes` wrote; ProgramError where it was cut short, edited, or belongs to another network."""
        if len(data) < _HEADER.size or data[:4] != _MAGIC:
            raise ProgramError("this is no genome: it does not start with the header of one; copy the whole of it")
        _, version, key, sigma, count, check = _HEADER.unpack_from(data)
        words = data[_HEADER.size :]
        if version != _VERSION:
            raise ProgramError(f"the genome has format {version}, this version reads format {_VERSION}; upgrade evosearch")
        if len(words) != 4 * count:
            raise ProgramError(f"the genome was cut short: it has {len(words)} bytes of genes, its header says {4 * count}")
        if check != _checksum(key, sigma, words):
            raise ProgramError("the genome was edited or damaged: its checksum does not fit; copy it again from its source")
        if key != layout.key:
            raise ProgramError(f"the genome is one of another network (layout {key.hex()}, this one is {layout.key.hex()})")
        return cls.from_words(sigma, np.frombuffer(words, dtype="<u4"))

    def to_text(self, layout: Layout) -> str:
        """`to_bytes` as one line of URL-safe base64."""
        return base64.urlsafe_b64encode(self.to_bytes(layout)).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str, layout: Layout) -> Genome:
        """What `to_text` wrote; ProgramError as `from_bytes`."""
        text = "".join(text.split())
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError as error:
            raise ProgramError(f"the genome's text is no base64 ({error}); copy the whole line") from None
        return cls.from_bytes(data, layout)


def pack(seed: Words, level: int = MIDDLE) -> Words:
    """A gene, or an array of them, in 32 bits: seed + level 2^28."""
    return seed | level << SEED_BITS


def seed_of(word: Words) -> Words:
    """The seed of a packed gene."""
    return word & (1 << SEED_BITS) - 1


def power_of(word: int, sigma: float) -> float:
    """The standard deviation of a packed gene's mutation."""
    return sigma * 2.0 ** ((word >> SEED_BITS) - MIDDLE)


def powers_of(words: NDArray[np.int64], sigma: float) -> NDArray[np.float64]:
    """`power_of` many genes."""
    return np.ldexp(sigma, (words >> SEED_BITS) - MIDDLE)


def initial_weights(seed: int, layout: Layout) -> NDArray[np.float32]:
    """N(0, 1) times each layer's scale, biases 0: float32 (layout.size,); the scales are 1/sqrt(fan_in) in the paper."""
    weights = np.zeros(layout.size, dtype=np.float32)
    position = 0
    for layer in layout.layers:
        if layer.scale:
            add_noise(weights[position : position + layer.size], seed | 1 << 63, layer.scale, position)
        position += layer.size
    return weights


def weights_hash(weights: NDArray[np.float32]) -> str:
    """SHA-256 (hex) of the weights' bits; the same on every machine."""
    return hashlib.sha256(np.ascontiguousarray(weights, dtype="<f4").tobytes()).hexdigest()


def _checksum(key: bytes, sigma: Any, words: bytes) -> bytes:
    return hashlib.sha256(key + struct.pack("<f", sigma) + words).digest()[:8]
