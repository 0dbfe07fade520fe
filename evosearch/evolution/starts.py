"""Fitting structure after structure of an enumeration, each from several starts, in one kernel.

A start is the best of many guesses, which cost a loss each; of such starts three times as many reach the optimum as of single
guesses. The guesses depend on the seed and the structure alone, so that it does not matter how an enumeration is cut up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from evosearch.evolution.enumerate import Walk, next_structure, row_key
from evosearch.evolution.fit import (
    ASKED,
    C_LO,
    DEEP,
    POINTS,
    Bench,
    C,
    copy_row,
    largest,
    levenberg_marquardt,
    loss,
    loss_dd,
    refine,
    to_code,
)
from evosearch.evolution.genome import MAX_CONSTANTS, MAX_INSTRUCTIONS
from evosearch.evolution.random import next_word, power_of_two, uniform

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GUESSES = 32
GUESS, BEST_START = ASKED, ASKED + 1
"""Rows of the bench: a guess, and the constants of the best start of a structure with their low parts."""
WIDTH = 3.0
"""Constants are guessed from 2^-WIDTH to 2^WIDTH, evenly in the exponent, with either sign."""
SAME = 1e-3
"""Two structures whose errors differ by less than this share are taken for one function in other words."""
NEAR = 8.0
"""How far above the error asked for a fit may be to go on: most of those that reach a rational function's best constants
crawl there along a valley."""
FIT_ERROR = 2 * MAX_CONSTANTS
"""Column of `Found.values` after the constants' high and low parts."""
STRUCTURES, FITS, N_COUNTS = 0, 1, 2
"""Positions in `Found.counts`."""


class Found(NamedTuple):
    """The best structures of a stretch, the first K places by rising error.

    Attributes:
        code: int8 (K, MAX_INSTRUCTIONS, 4).
        values: float64 (K, 2 MAX_CONSTANTS + 1): constants, their low parts, root mean square error.
        lengths: int64 (K,): rows of each; 0 where there is none.
        counts: float64 (N_COUNTS,): structures and fits done.
    """

    code: NDArray[np.int8]
    values: Floats
    lengths: Ints
    counts: Floats


class Scratch(NamedTuple):
    """What the fit of one structure works in: int16 (MAX_INSTRUCTIONS + 1, 4) and uint64 (1,)."""

    code: NDArray[np.int16]
    rng: NDArray[np.uint64]


class StartRules(NamedTuple):
    """What a stretch is told.

    Attributes:
        seed: of all guesses.
        starts: fits of a structure that has constants.
        patience: most steps of a fit that comes near the hurdle.
        hurdle: root mean square error that a structure must be below.
        floor: loss at which float64 residuals are noise; below it constants are refined in double-double.
    """

    seed: int
    starts: int
    patience: int
    hurdle: float
    floor: float


def make_found(places: int) -> Found:
    """Nothing yet, room for `places` structures."""
    return Found(
        code=np.zeros((places, MAX_INSTRUCTIONS, 4), np.int8),
        values=np.full((places, FIT_ERROR + 1), np.inf),
        lengths=np.zeros(places, np.int64),
        counts=np.zeros(N_COUNTS),
    )


def make_scratch() -> Scratch:
    """Scratch of a stretch."""
    return Scratch(np.zeros((MAX_INSTRUCTIONS + 1, 4), np.int16), np.zeros(1, np.uint64))


@kernel
def fit_stretch(w: Walk, b: Bench, probe: Bench, t: Scratch, rules: StartRules, found: Found, count: int) -> None:
    """Fit the next `count` structures of a walk, and keep the best."""
    for _ in range(count):
        n = next_structure(w)
        if n == 0:
            break
        fit_structure(w, n, b, probe, t, rules, found)


@kernel
def fit_structure(w: Walk, n: int, b: Bench, probe: Bench, t: Scratch, rules: StartRules, found: Found) -> None:
    """Fit the structure at hand from all its starts; it is kept where its best error is among the best."""
    p = to_code(w.g, w.c, n, t.code, b.m)
    found.counts[STRUCTURES] += 1.0
    if p < 0:
        return
    seed_guesses(w, n, rules.seed, t.rng)
    limit = min(rules.hurdle, found.values[-1, FIT_ERROR])
    best = limit
    for _ in range(rules.starts if p > 0 else 1):
        guess_start(b, t, n, p)
        found.counts[FITS] += 1.0
        error = fit_start(b, probe, t, n, p, best, rules)
        if error < best:
            best = error
            copy_row(b.m, C, BEST_START)
            copy_row(b.m, C_LO, BEST_START + 1)
    if best < limit:
        keep(w, n, b, found, best)


@kernel
def seed_guesses(w: Walk, n: int, seed: int, rng: NDArray[np.uint64]) -> None:
    """Start the stream of random numbers of a structure."""
    rng[0] = np.uint64(seed)
    for i in range(n):
        rng[0] = next_word(rng) ^ np.uint64(row_key(w.g, i))


@kernel
def guess_start(b: Bench, t: Scratch, n: int, p: int) -> None:
    """Row C = the best of many guesses of the constants."""
    least = np.inf
    for guess in range(GUESSES if p > 0 else 0):
        for k in range(p):
            u = 2.0 * uniform(t.rng) - 1.0
            size = power_of_two(WIDTH * (2.0 * abs(u) - 1.0))
            b.m[GUESS, k] = size if u > 0.0 else -size
        now = loss(b, t.code, n, p, GUESS)
        if now < least or guess == 0:
            least = now if now < least else np.inf
            copy_row(b.m, GUESS, C)


@kernel
def fit_start(b: Bench, probe: Bench, t: Scratch, n: int, p: int, limit: float, rules: StartRules) -> float:
    """Fit row C from where it stands; return the root mean square error, infinite where it is not below `limit` or a pole
    hides between the points."""
    points = b.k[POINTS]
    for k in range(MAX_CONSTANTS):
        b.m[C_LO, k] = 0.0
    now = levenberg_marquardt(b, t.code, n, p, b.k[DEEP], 1e-2, 1e-3) if p > 0 else loss(b, t.code, n, p, C)
    if not np.sqrt(now / points) < NEAR * limit:
        return np.inf
    if p > 0:
        now = levenberg_marquardt(b, t.code, n, p, rules.patience, 1e-6, 1e-6)
    if now < rules.floor:
        now = refine(b, t.code, n, p)
    error = np.sqrt(now / points)
    if not error < limit:
        return np.inf
    for k in range(p):
        probe.m[C, k] = b.m[C, k]
        probe.m[C_LO, k] = b.m[C_LO, k]
    if now < rules.floor:
        loss_dd(probe, t.code, n, p, C)
    else:
        loss(probe, t.code, n, p, C)
    return error if largest(probe) <= 8.0 * error else np.inf


@kernel
def keep(w: Walk, n: int, b: Bench, found: Found, error: float) -> None:
    """Put the structure at hand, with the constants of its best start, in its place among the best."""
    places = len(found.lengths)
    rank = 0
    while rank < places and found.values[rank, FIT_ERROR] < (1.0 - SAME) * error:
        rank += 1
    if rank == places:
        return
    last = places - 1
    if found.values[rank, FIT_ERROR] <= (1.0 + SAME) * error:  # the same function: one of the two stays
        if found.values[rank, FIT_ERROR] <= error:
            return
        last = rank
    for at in range(last, rank, -1):
        found.lengths[at] = found.lengths[at - 1]
        for i in range(MAX_INSTRUCTIONS):
            for k in range(4):
                found.code[at, i, k] = found.code[at - 1, i, k]
        for k in range(FIT_ERROR + 1):
            found.values[at, k] = found.values[at - 1, k]
    found.lengths[rank] = n
    for i in range(n):
        for k in range(4):
            found.code[rank, i, k] = w.g[i, k]
    for k in range(MAX_CONSTANTS):
        found.values[rank, k] = b.m[BEST_START, k]
        found.values[rank, MAX_CONSTANTS + k] = b.m[BEST_START + 1, k]
    found.values[rank, FIT_ERROR] = error
