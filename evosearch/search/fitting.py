"""What every child goes through, whoever made it: settled, fitted as far as it deserves, looked at between the points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from evosearch.evolution.fit import (
    C_LO,
    DEEP,
    FULL,
    LONG,
    POINTS,
    QUICK,
    Bench,
    C,
    largest,
    leap,
    levenberg_marquardt,
    loss,
    loss_dd,
    refine,
    to_code,
)
from evosearch.evolution.genome import INVALID, MAX_CONSTANTS, settle, structure_hash
from evosearch.evolution.random import bell, fresh_constant, power_of_two, uniform
from evosearch.search.island import ATTEMPTS, DEEP_FITS, KEY, PATH, REPEATS, STEPS_SINCE, Child, Island, Rules

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

HOPELESS = 1e5
"""How far above an elite's error a program may be after its first few steps; of those that become elites, one in ten is farther
off."""


@kernel
def level_of(g: Ints, n: int, costs: Ints) -> int:
    """Cost of a settled program, in levels."""
    total = 0
    for i in range(n):
        total += costs[g[i, 0]]
    return total


@kernel
def note(t: Child, operator: int) -> None:
    """Add an operator to the lineage."""
    t.notes[PATH] = (t.notes[PATH] << np.uint64(4)) | np.uint64(operator)
    t.notes[STEPS_SINCE] += np.uint64(1)


@kernel
def restart_constants(rng: Words, m: Floats, p: int) -> None:
    """Start a repeated structure elsewhere: new constants, or the old ones shaken by a random amount."""
    if uniform(rng) < 0.4:
        for k in range(p):
            m[C, k] = fresh_constant(rng)
    else:
        size = power_of_two(-6.0 * uniform(rng))
        for k in range(p):
            m[C, k] *= 1.0 + size * bell(rng)


@kernel
def tried(s: Island, b: Bench, t: Child, rules: Rules, made: int, levels: int, carried: bool) -> tuple[int, int, int]:
    """Settle the child in t.g, t.c of `made` rows and put it on the bench: its rows, constants and level; or INVALID thrice.

    A structure that was tried often is tried less often, each time from other constants, unless they were carried.
    """
    n = settle(t.g, t.c, made, t.uses) if made > 0 else INVALID
    if n <= 0:
        return INVALID, INVALID, INVALID
    level = level_of(t.g, n, rules.costs)
    if level >= levels or level == 0:
        return INVALID, INVALID, INVALID
    key = structure_hash(t.g, n, t.digests)
    t.notes[KEY] = key
    slot = key & np.uint64(len(t.seen) - 1)
    if t.seen[slot, 0] != key:
        t.seen[slot, 0] = key
        t.seen[slot, 1] = 0
    t.seen[slot, 1] += np.uint64(1)
    tries = t.seen[slot, 1]
    s.counters[ATTEMPTS] += 1.0
    if not carried and tries > 2 and uniform(s.rng) * tries > 2.0:
        s.counters[REPEATS] += 1.0
        return INVALID, INVALID, INVALID
    p = to_code(t.g, t.c, n, t.code, b.m)
    if p < 0:
        return INVALID, INVALID, INVALID
    if not carried and tries > 1:
        restart_constants(s.rng, b.m, p)
    return n, p, level


@kernel
def fit(s: Island, b: Bench, t: Child, n: int, p: int, hurdle: float, floor: float) -> float:
    """Fit the constants; a program that cannot be an elite is left after few steps. Return the root mean square error."""
    points = b.k[POINTS]
    for k in range(MAX_CONSTANTS):
        b.m[C_LO, k] = 0.0
    if p == 0:
        return np.sqrt(loss(b, t.code, n, p, C) / points)
    now = levenberg_marquardt(b, t.code, n, p, b.k[QUICK], 1e-2, 1e-2)
    if not np.sqrt(now / points) < HOPELESS * hurdle:
        return np.sqrt(now / points)
    now = leap(b, t.code, n, p, False)
    if not np.sqrt(now / points) < 3.0 * hurdle:
        return np.sqrt(now / points)
    now = levenberg_marquardt(b, t.code, n, p, b.k[FULL], 1e-3, 1e-2)
    if not np.sqrt(now / points) < 1.5 * hurdle:
        return np.sqrt(now / points)
    s.counters[DEEP_FITS] += 1.0
    leap(b, t.code, n, p, False)
    now = levenberg_marquardt(b, t.code, n, p, b.k[DEEP], 1e-4, 1e-4)
    if now < floor:
        now = refine(b, t.code, n, p)
    return np.sqrt(now / points)


@kernel
def fit_elite(b: Bench, t: Child, n: int, p: int, floor: float) -> float:
    """Go on fitting an elite to be, with many steps and little damping: flat valleys are long. Return the error."""
    leap(b, t.code, n, p, False)
    now = levenberg_marquardt(b, t.code, n, p, b.k[LONG], 1e-7, 1e-7)
    if now < floor:
        now = refine(b, t.code, n, p)
    return np.sqrt(now / b.k[POINTS])


@kernel
def behaves(probe: Bench, b: Bench, t: Child, n: int, p: int, error: float, floor: float) -> bool:
    """Whether the error between the points is like that at the points, so that no pole hides there."""
    for k in range(p):
        probe.m[C, k] = b.m[C, k]
        probe.m[C_LO, k] = b.m[C_LO, k]
    if error * error * b.k[POINTS] < floor:
        loss_dd(probe, t.code, n, p, C)
    else:
        loss(probe, t.code, n, p, C)
    return largest(probe) <= 8.0 * error
