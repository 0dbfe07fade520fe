"""Seed-list genomes: true normals, the same bits everywhere, and a text that cannot be cut or edited unnoticed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evosearch.errors import ProgramError
from evosearch.evolution.noise import BLOCK, add_noise, load, quantiles
from evosearch.evolution.seeds import Gene, Genome, Layer, Layout, weights_hash

LAYOUT = Layout((Layer("w", (30, 40), 0.2), Layer("b", (40,), 0.0), Layer("v", (40, 100), 0.1)))


def noise(seed: int, n: int, start: int = 0) -> np.ndarray:
    drawn = np.zeros(n, dtype=np.float32)
    add_noise(drawn, seed, 1.0, start)
    return drawn


def test_words_are_threefry() -> None:
    """Known answers of Random123's kat_vectors for threefry2x32 with 13 rounds."""
    first, second = np.empty(1, np.uint32), np.empty(1, np.uint32)
    load().words(np.uint32(0), np.uint32(0), 0, first, second)
    assert (int(first[0]), int(second[0])) == (0x9D1C5EC6, 0x8BD50731)


def test_words_that_float32_rounds_up_are_0() -> None:
    """Their row stands behind all octaves: one of 2^25 words, and a network of millions of weights draws many."""
    largest = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFC0], np.uint32)
    row = largest[:1].astype(np.float32).view(np.int32)[0] >> 18
    assert row == quantiles().shape[1] - 1 and not quantiles()[:, row].any()
    value, drawn = np.empty(3, np.float32), np.zeros(3, np.float32)
    load().normals(largest, value, value.view(np.int32), quantiles(), np.float32(1.0), drawn)
    assert not drawn.any()


def test_noise_is_normal() -> None:
    drawn = np.sort(noise(7, 1 << 20).astype(np.float64))
    n = len(drawn)
    distribution = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in drawn[::64]])
    ks = np.abs(distribution - np.arange(0, n, 64) / n).max() * math.sqrt(n)
    assert ks < 1.63  # Kolmogorov-Smirnov at 1%
    assert abs((drawn**4).mean() - 3.0) < 4 * math.sqrt(96 / n)  # kurtosis; a sum of four uniforms has 2.7
    assert abs(drawn.mean()) < 4 / math.sqrt(n)
    assert drawn[-1] > 4.5 and drawn[0] < -4.5


def test_seeds_and_slices_are_independent() -> None:
    drawn = np.array([noise(seed, 1 << 15) for seed in (*range(8), 1 << 27, 1 << 40)]).reshape(40, -1)
    correlations = np.corrcoef(drawn)[np.triu_indices(40, 1)] * math.sqrt(drawn.shape[1])
    assert np.abs(correlations).max() < 5.0
    assert 0.8 < correlations.std() < 1.2


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 3 * BLOCK), st.integers(0, 3 * BLOCK))
def test_any_slice_is_the_same(seed: int, start: int, n: int) -> None:
    assert noise(seed, n, start).tobytes() == noise(seed, start + n)[start:].tobytes()


def test_weights_are_pinned() -> None:
    genome = Genome(0.05, (Gene(3), Gene(1 << 27), Gene(5, 9)))
    weights = genome.weights(LAYOUT)
    assert weights_hash(weights) == "c1fa8333579747d98ead8468f601f641733b7337d1fcae360c74f3fc2896b4a2"
    parts = LAYOUT.split(genome.child(Gene(1)).weights(LAYOUT))
    assert abs(parts["w"].std() - 0.2) < 0.03
    assert abs(Genome(0.05, (Gene(3),)).weights(LAYOUT)[1200:1240]).max() == 0.0


def test_round_trips_and_size() -> None:
    genome = Genome(0.002, tuple(Gene(seed * 888_887, seed % 16) for seed in range(300)))
    data = genome.to_bytes(LAYOUT)
    assert len(data) == 32 + 4 * 300
    assert Genome.from_bytes(data, LAYOUT) == genome == Genome.from_text(genome.to_text(LAYOUT), LAYOUT)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:-6], "cut short|base64"),
        (lambda text: text[:60] + ("A" if text[60] != "A" else "B") + text[61:], "edited"),
        (lambda text: "x" + text, "no genome|base64"),
        (lambda text: text + "!", "base64"),
    ],
)
def test_damaged_text_is_refused(damage, message) -> None:  # type: ignore[no-untyped-def]
    text = Genome(0.002, tuple(Gene(n) for n in range(21))).to_text(LAYOUT)
    with pytest.raises(ProgramError, match=message):
        Genome.from_text(damage(text), LAYOUT)


def test_genome_of_another_network_is_refused() -> None:
    other = Layout((Layer("w", (30, 41), 0.2),))
    with pytest.raises(ProgramError, match="another network"):
        Genome.from_text(Genome(0.002, (Gene(1),)).to_text(LAYOUT), other)


@pytest.mark.parametrize(
    "bad", [lambda: Gene(1 << 28), lambda: Gene(1, 16), lambda: Genome(0.0, (Gene(1),)), lambda: Genome(1.0, ())]
)
def test_values_out_of_range_are_refused(bad) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ProgramError):
        bad()
