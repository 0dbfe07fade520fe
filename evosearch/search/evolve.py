"""One slice of an island's evolution as a kernel: choose, vary, fit, remember.

Every child is settled, fitted and takes the place of its level's oldest member (regularized evolution: Real et al. 2019); one
that is good and new for its cost and number of constants is fitted for long, looked at between the points, and becomes an
elite.
"""

from __future__ import annotations

import numpy as np

from evosearch.backends.kernels import kernel
from evosearch.evolution.continuation import absorb, absorbable, lift, lower, morph
from evosearch.evolution.fit import C_LO, Bench, C
from evosearch.evolution.genome import INVALID, MAX_CONSTANTS, MAX_INSTRUCTIONS
from evosearch.evolution.mutate import ABSORB, COPY, GRAFT, LIFT, LOWER, MORPH, SHAKE, copy_cone, graft, mutate, shake_constants
from evosearch.evolution.random import below, uniform
from evosearch.search.fitting import behaves, fit, fit_elite, note, tried
from evosearch.search.island import (
    COLUMNS,
    COUNT,
    ELITES,
    ELITES_OF,
    ERROR,
    EVALUATIONS,
    HEAD,
    KEY,
    N_COUNTERS,
    NICHES,
    WORK,
    Child,
    Island,
    Rules,
    move,
    read_genome,
    write_genome,
)

GAIN = 0.8
"""An elite's error is at most so large a share of the best one's that is a level cheaper and has no more freedom."""


@kernel
def choose(s: Island, rules: Rules, level: int) -> int:
    """Place of a parent of a level that is not empty: an elite, or the best of a tournament among the members."""
    if uniform(s.rng) < rules.elitism:
        niches = 0
        for niche in range(NICHES):
            niches += min(s.sizes[level, ELITES_OF + niche], 1)
        chosen = below(s.rng, max(niches, 1))
        for niche in range(NICHES):
            count = s.sizes[level, ELITES_OF + niche]
            if count > 0:
                if chosen == 0:
                    return niche * rules.elites + min(below(s.rng, count), below(s.rng, count))
                chosen -= 1
    first = NICHES * rules.elites
    count = s.sizes[level, COUNT]
    best = first + below(s.rng, count)
    for _ in range(rules.tournament - 1):
        rival = first + below(s.rng, count)
        if s.values[level, rival, ERROR] < s.values[level, best, ERROR]:
            best = rival
    return best


@kernel
def take_parent(s: Island, t: Child, rules: Rules) -> int:
    """Read a parent to t.g, t.c; return its length, 0 for the identity. Higher costs are drawn more often: they have more to
    find."""
    for k in range(COLUMNS):
        t.notes[k] = 0
    level = max(below(s.rng, len(s.sizes)), below(s.rng, len(s.sizes)))
    if level == 0 or s.sizes[level, COUNT] == 0:
        return 0
    place = choose(s, rules, level)
    for k in range(COLUMNS):
        t.notes[k] = s.notes[level, place, k]
    return read_genome(s, level, place, t.g, t.c)


@kernel
def vary(s: Island, b: Bench, t: Child, rules: Rules) -> tuple[int, bool]:
    """Make a child of a parent in t.g, t.c; return its length (INVALID where that failed) and whether it carries its fit."""
    n = take_parent(s, t, rules)
    u = uniform(s.rng)
    if u < rules.continuation:
        count = absorbable(t.g, n)
        if count > 0:
            note(t, ABSORB)
            return absorb(b, t.g, t.c, n, t.code, below(s.rng, count)), True
    elif u < 2.0 * rules.continuation and n > 0:
        if uniform(s.rng) < 0.3:
            note(t, LOWER)
            return lower(s.rng, b, t.g, t.c, n, t.code), True
        note(t, LIFT)
        return lift(s.rng, b, t.g, t.c, n, t.code, rules.limit), True
    elif u < 4.0 * rules.continuation and n > 0:
        note(t, GRAFT)
        return graft(s.rng, t.g, t.c, n, rules.limit), True
    elif u < 5.0 * rules.continuation and n > 0:
        note(t, SHAKE)
        shake_constants(s.rng, t.g, t.c, n)
        return n, True
    elif u < 6.0 * rules.continuation and n > 0:
        note(t, MORPH)
        return morph(s.rng, b, t.g, t.c, n, t.code, rules.limit), True
    elif u < 6.0 * rules.continuation + rules.copying and n > 0:
        level = below(s.rng, len(s.sizes))
        if level > 0 and s.sizes[level, COUNT] > 0:
            note(t, COPY)
            other = read_genome(s, level, choose(s, rules, level), t.other, t.other_c)
            return copy_cone(s.rng, t.g, t.c, n, t.other, t.other_c, other, rules.limit, t.uses), False
    steps = 1
    while steps < 4 and uniform(s.rng) < 0.4:
        steps += 1
    if uniform(s.rng) < rules.scratch:
        for k in range(COLUMNS):
            t.notes[k] = 0
        n = n * 0
        steps = 1 + below(s.rng, 2 * rules.limit)
    for _ in range(steps):
        n, operator = mutate(s.rng, t.g, t.c, n, rules.limit)
        note(t, operator)
        if n == 0:
            break
    return n, False


@kernel
def hurdle_of(s: Island, level: int, p: int, size: int) -> float:
    """The error below which a program becomes an elite of its niche: the worst one's, where there is no place left; and it
    must gain something on the best that is one level cheaper with as many constants, or one less."""
    hurdle = s.values[level, p * size + size - 1, ERROR] if s.sizes[level, ELITES_OF + p] == size else np.inf
    for niche in range(max(p - 1, 0), p + 1):
        if s.sizes[level - 1, ELITES_OF + niche] > 0:
            hurdle = min(hurdle, GAIN * s.values[level - 1, niche * size, ERROR])
    return hurdle


@kernel
def remember(s: Island, b: Bench, t: Child, n: int, p: int, level: int, size: int, error: float) -> int:
    """Put a program among the elites of its niche, if it is new there; return its rank, or INVALID.

    Two programs of the same error are taken for the same function in other words; the newer one may take the place, so that
    the words drift. Of a structure, only its best fit stays.
    """
    count = s.sizes[level, ELITES_OF + p]
    first = p * size
    for place in range(first, first + count):
        known = s.values[level, place, ERROR]
        if abs(known - error) < 1e-3 * error:
            if error < known or uniform(s.rng) < 0.3:
                write_genome(s, level, place, b, t, n, error)
            return INVALID
    rank = min(count, size - 1)
    for place in range(count):
        if s.notes[level, first + place, KEY] == t.notes[KEY]:
            if s.values[level, first + place, ERROR] < error:
                return INVALID
            rank = place
    s.sizes[level, ELITES_OF + p] = max(count, rank + 1)
    while rank > 0 and s.values[level, first + rank - 1, ERROR] > error:
        move(s, level, first + rank - 1, first + rank)
        rank -= 1
    write_genome(s, level, first + rank, b, t, n, error)
    return rank


@kernel
def consider(s: Island, b: Bench, probe: Bench, t: Child, rules: Rules, made: int, carried: bool) -> int:
    """Settle, fit and record the child in t.g, t.c of `made` rows; return the niche of which it is the best, or INVALID."""
    n, p, level = tried(s, b, t, rules, made, len(s.sizes), carried)
    if n < 0:
        return INVALID
    hurdle = hurdle_of(s, level, p, rules.elites)
    error = fit(s, b, t, n, p, hurdle, rules.floor)
    s.counters[EVALUATIONS] += 1.0
    if not error < 1e300:
        return INVALID
    join(s, b, t, rules, n, level, error)
    if not error < hurdle:
        return INVALID
    if p > 0:
        error = fit_elite(b, t, n, p, rules.floor)
    if not behaves(probe, b, t, n, p, error, rules.floor):
        return INVALID
    rank = remember(s, b, t, n, p, level, rules.elites, error)
    s.counters[ELITES] += 1.0 if rank >= 0 else 0.0
    return level * NICHES + p if rank == 0 else INVALID


@kernel
def join(s: Island, b: Bench, t: Child, rules: Rules, n: int, level: int, error: float) -> None:
    """Let the program take the place of its level's oldest member."""
    first = NICHES * rules.elites
    members = s.values.shape[1] - first
    at = s.sizes[level, HEAD]
    s.sizes[level, HEAD] = (at + 1) % members
    s.sizes[level, COUNT] = min(s.sizes[level, COUNT] + 1, members)
    write_genome(s, level, first + at, b, t, n, error)


@kernel
def reduce_best(s: Island, b: Bench, probe: Bench, t: Child, rules: Rules, niche: int) -> None:
    """Try to take every constant's row out of a new best program: what was a mere scale or shift becomes cheaper."""
    while niche >= 0:
        level, place = niche // NICHES, niche % NICHES * rules.elites
        niche = INVALID
        for chosen in range(MAX_INSTRUCTIONS):
            n = read_genome(s, level, place, t.g, t.c)
            for k in range(COLUMNS):
                t.notes[k] = s.notes[level, place, k]
            if chosen >= absorbable(t.g, n):
                break
            note(t, ABSORB)
            made = absorb(b, t.g, t.c, n, t.code, chosen)
            carried = made > 0
            found = consider(s, b, probe, t, rules, made, carried)
            if found >= 0 and found // NICHES < level:
                niche = found


@kernel
def evolve(s: Island, b: Bench, probe: Bench, t: Child, rules: Rules) -> None:
    """One slice: evolve until the fuel is used up."""
    for k in range(N_COUNTERS):
        s.counters[k] = 0.0
    for k in range(len(t.seen)):
        t.seen[k, 0] = 0
    b.work[0] = 0.0
    probe.work[0] = 0.0
    while b.work[0] + probe.work[0] < rules.fuel:
        made, carried = vary(s, b, t, rules)
        if made <= 0:
            b.work[0] += 1.0  # so that a slice ends whatever happens
            continue
        niche = consider(s, b, probe, t, rules, made, carried)
        if niche >= 0 and rules.continuation > 0.0:  # random search and hill climbing make no such children
            reduce_best(s, b, probe, t, rules, niche)
    s.counters[WORK] = b.work[0] + probe.work[0]


@kernel
def immigrate(s: Island, other: Island, b: Bench, t: Child, rules: Rules) -> None:
    """Take over the best elite of each of another island's niches, where it would be one here."""
    for level in range(1, len(s.sizes)):
        for p in range(NICHES):
            if other.sizes[level, ELITES_OF + p] == 0:
                continue
            place = p * rules.elites
            error = other.values[level, place, ERROR]
            if not error < hurdle_of(s, level, p, rules.elites):
                continue
            n = read_genome(other, level, place, t.g, t.c)
            for k in range(COLUMNS):
                t.notes[k] = other.notes[level, place, k]
            for k in range(MAX_CONSTANTS):
                b.m[C, k] = other.values[level, place, k]
                b.m[C_LO, k] = other.values[level, place, MAX_CONSTANTS + k]
            remember(s, b, t, n, p, level, rules.elites, error)
