"""Random numbers in kernels: SplitMix64 (Steele, Lea, Flood 2014), whose whole state is one 64-bit word that is saved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel


@kernel
def next_word(state: NDArray[np.uint64]) -> np.uint64:
    """The next 64 random bits; state: (1,)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.uint64(z ^ (z >> np.uint64(31)))


@kernel
def uniform(state: NDArray[np.uint64]) -> float:
    """Uniform in [0, 1), 53 bits."""
    return float(next_word(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@kernel
def below(state: NDArray[np.uint64], n: int) -> int:
    """Uniform in 0 .. n - 1."""
    return int(uniform(state) * n)


@kernel
def bell(state: NDArray[np.uint64]) -> float:
    """Nearly normal, mean 0 and variance 1: a sum of 12 uniforms, since libm's logarithm differs between machines."""
    total = -6.0
    for _ in range(12):
        total += uniform(state)
    return total


@kernel
def power_of_two(x: float) -> float:
    """2^x to about 1e-15, without libm; x in [-1000, 1000]."""
    whole = np.floor(x)
    y = (x - whole) * 0.34657359027997264  # half of ln 2, so that the series is short; squared at the end
    series = 1.0
    for k in range(13, 0, -1):
        series = 1.0 + series * y / k
    result = series * series
    for _ in range(int(abs(whole))):
        result = result * 2.0 if whole > 0.0 else result * 0.5
    return result


@kernel
def fresh_constant(state: NDArray[np.uint64]) -> float:
    """A new constant: normal, times a power of two of standard deviation 2."""
    return bell(state) * power_of_two(2.0 * bell(state))
