"""One slice of an island's evolution as a kernel: choose, vary, fit, remember.

Every child is settled, fitted and takes the place of its level's oldest member (regularized evolution: Real et al. 2019); one
that is good and new for its cost and number of constants is fitted for long, looked at between the points, and becomes an
elite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from evosearch.evolution.continuation import absorb, absorbable, lift, lower, morph
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
from evosearch.evolution.genome import (
    INVALID,
    MAX_CONSTANTS,
    MAX_INSTRUCTIONS,
    settle,
    structure_hash,
)
from evosearch.evolution.mutate import ABSORB, COPY, GRAFT, LIFT, LOWER, MORPH, SHAKE, copy_cone, graft, mutate, shake_constants
from evosearch.evolution.random import bell, below, fresh_constant, power_of_two, uniform
from evosearch.search.island import (
    ATTEMPTS,
    COLUMNS,
    COUNT,
    DEEP_FITS,
    ELITES,
    ELITES_OF,
    ERROR,
    EVALUATIONS,
    HEAD,
    KEY,
    N_COUNTERS,
    NICHES,
    PATH,
    REPEATS,
    STEPS_SINCE,
    WORK,
    Child,
    Island,
    Rules,
    move,
    read_genome,
    write_genome,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

HOPELESS = 1e5
"""How far above an elite's error a program may be after its first few steps; of those that become elites, one in ten is farther
off."""
GAIN = 0.8
"""An elite's error is at most so large a share of the best one's that is a level cheaper and has no more freedom."""


@kernel
def level_of(g: Ints, n: int, costs: Ints) -> int:
    """Cost of a settled program, in levels."""
    total = 0
    for i in range(n):
        total += costs[g[i, 0]]
    return total


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
def note(t: Child, operator: int) -> None:
    """Add an operator to the lineage."""
    t.notes[PATH] = (t.notes[PATH] << np.uint64(4)) | np.uint64(operator)
    t.notes[STEPS_SINCE] += np.uint64(1)


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
def hurdle_of(s: Island, level: int, p: int, size: int) -> float:
    """The error below which a program becomes an elite of its niche: the worst one's, where there is no place left; and it
    must gain something on the best that is one level cheaper with as many constants, or one less."""
    hurdle = s.values[level, p * size + size - 1, ERROR] if s.sizes[level, ELITES_OF + p] == size else np.inf
    for niche in range(max(p - 1, 0), p + 1):
        if s.sizes[level - 1, ELITES_OF + niche] > 0:
            hurdle = min(hurdle, GAIN * s.values[level - 1, niche * size, ERROR])
    return hurdle


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
