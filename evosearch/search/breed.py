"""The kernel of NSGA-II: children of one population of programs of all costs, varied and fitted as on the islands.

A population is an `Island` of one row of places: its members first, then their children. Selection is not done here but by
DEAP, between two calls.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from evosearch.evolution.fit import Bench
from evosearch.evolution.mutate import mutate
from evosearch.evolution.random import below, uniform
from evosearch.search.fitting import behaves, fit, note, tried
from evosearch.search.island import (
    COLUMNS,
    COUNT,
    ELITES,
    ERROR,
    EVALUATIONS,
    Child,
    Island,
    Rules,
    read_genome,
    write_genome,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@kernel
def crowded_choice(s: Island, levels: Ints, crowding: Floats, count: int) -> int:
    """The better of two random members: the one that dominates, else the one in the emptier place (Deb et al. 2002)."""
    a, b = below(s.rng, count), below(s.rng, count)
    gain = s.values[0, a, ERROR] - s.values[0, b, ERROR]
    if levels[a] <= levels[b] and gain <= 0.0:
        return a
    if levels[b] <= levels[a] and gain >= 0.0:
        return b
    return a if crowding[a] >= crowding[b] else b


@kernel
def vary_member(s: Island, t: Child, rules: Rules, place: int) -> int:
    """Mutate a member one to four times in t.g, t.c, or the identity where `place` is negative; return the length."""
    n = 0
    for k in range(COLUMNS):
        t.notes[k] = s.notes[0, place, k] if place >= 0 else np.uint64(0)
    if place >= 0:
        n = read_genome(s, 0, place, t.g, t.c)
    steps = 1
    while steps < 4 and uniform(s.rng) < 0.4:
        steps += 1
    for _ in range(steps):
        n, operator = mutate(s.rng, t.g, t.c, n, rules.limit)
        note(t, operator)
        if n == 0:
            break
    return n


@kernel
def raise_child(s: Island, b: Bench, probe: Bench, t: Child, rules: Rules, made: int, best: Floats) -> bool:
    """Settle and fit the child in t.g, t.c, and store it after the last member; False where it is none."""
    n, p, level = tried(s, b, t, rules, made, len(best), False)
    if n < 0:
        return False
    error = fit(s, b, t, n, p, best[level], rules.floor)
    s.counters[EVALUATIONS] += 1.0
    if not error < 1e300 or not behaves(probe, b, t, n, p, error, rules.floor):
        return False
    if error < best[level]:
        s.counters[ELITES] += 1.0
    write_genome(s, 0, s.sizes[0, COUNT], b, t, n, error)
    s.sizes[0, COUNT] += 1
    return True


@kernel
def breed(
    s: Island, b: Bench, probe: Bench, t: Child, rules: Rules, levels: Ints, crowding: Floats, best: Floats, children: int
) -> None:
    """Make `children` attempts at a child of the members.

    Args:
        levels, crowding: cost level and crowding distance of each member.
        best: smallest error of a member of at most that cost level, for each level; the fit of a child far from it is left
            after few steps.
    """
    members = int(s.sizes[0, COUNT])
    for _ in range(children):
        place = crowded_choice(s, levels, crowding, members) if members > 0 else -1
        made = vary_member(s, t, rules, place)
        if made <= 0 or not raise_child(s, b, probe, t, rules, made, best):
            b.work[0] += 1.0  # so that a slice ends whatever happens
