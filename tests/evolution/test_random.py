"""Random numbers in kernels: the published generator, its distributions, the same wherever they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine import K

# Reference output of SplitMix64 (S. Vigna, https://prng.di.unimi.it/splitmix64.c) from seed 1234567.
PUBLISHED = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]


def state(seed: int = 1) -> Any:
    return np.array([seed], np.uint64)


def draws(kernel: Any, count: int, *arguments: Any) -> Any:
    rng = state()
    return np.array([kernel(rng, *arguments) for _ in range(count)])


def test_words_are_those_of_splitmix64() -> None:
    rng = state(1234567)
    assert [int(K.next_word(rng)) for _ in PUBLISHED] == PUBLISHED


def test_the_state_is_one_word_that_resumes_the_stream() -> None:
    rng = state()
    K.next_word(rng)
    saved = rng.copy()
    assert [K.uniform(rng) for _ in range(5)] == [K.uniform(saved) for _ in range(5)]


def test_uniform_fills_the_unit_interval_evenly() -> None:
    u = draws(K.uniform, 20000)
    assert u.min() >= 0.0 and u.max() < 1.0
    assert np.histogram(u, 10, (0, 1))[0] == pytest.approx(2000, rel=0.1)
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.03


def test_below_gives_each_number_alike() -> None:
    counts = np.bincount(draws(K.below, 21000, 7))
    assert len(counts) == 7 and counts == pytest.approx(3000, rel=0.1)
    assert draws(K.below, 10, 1).tolist() == [0] * 10


def test_bell_has_the_moments_of_a_normal() -> None:
    z = draws(K.bell, 20000)
    assert z.mean() == pytest.approx(0, abs=0.03) and z.var() == pytest.approx(1, abs=0.04)
    assert (z**3).mean() == pytest.approx(0, abs=0.1) and np.mean(np.abs(z) < 1) == pytest.approx(0.6827, abs=0.015)


def test_power_of_two_and_the_logarithm_are_close_without_libm() -> None:
    x = np.concatenate([np.linspace(-12, 12, 2001), [-1000.0, 1000.0, 0.0, 1.0, 52.5]])
    powers = np.array([K.power_of_two(value) for value in x])
    np.testing.assert_allclose(powers, np.exp2(x), rtol=1e-14)
    assert K.power_of_two(0.0) == 1.0 and K.power_of_two(10.0) == 1024.0
    np.testing.assert_allclose([K.binary_logarithm(value) for value in np.exp2(x)], x, atol=1e-13, rtol=1e-13)


def test_fresh_constants_have_either_sign_and_many_magnitudes() -> None:
    c = draws(K.fresh_constant, 5000)
    assert np.isfinite(c).all() and np.mean(c > 0) == pytest.approx(0.5, abs=0.03)
    assert np.percentile(np.abs(c), 5) < 0.1 and np.percentile(np.abs(c), 95) > 5
