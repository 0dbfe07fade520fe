"""The state of an island: for each cost a population, and elites that do not age, all different in error.

It is a few plain arrays, which kernels work on (`evosearch.search.evolve`), workers send, and stores keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from evosearch.evolution.fit import C_LO, Bench, C
from evosearch.evolution.genome import CONSTANT, MAX_CONSTANTS, MAX_INSTRUCTIONS

if TYPE_CHECKING:
    from evosearch.backends.assembled import ARITY

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

LENGTH, KEY, ANCESTOR, PATH, STEPS_SINCE, COLUMNS = 0, 1, 2, 3, 4, 5
"""Columns of `Island.notes`: rows of the program, structure hash, hash of the nearest reported ancestor, operators since
then (a hexadecimal digit each, the last one lowest), their number."""
EVALUATIONS, WORK, ATTEMPTS, REPEATS, ELITES, DEEP_FITS, N_COUNTERS = 0, 1, 2, 3, 4, 5, 6
"""Positions in `Island.counters`."""
COUNT, HEAD, ELITES_OF = 0, 1, 2
"""Columns of `Island.sizes`: members, where the next one goes, and from ELITES_OF on the elites by number of constants."""
NICHES = MAX_CONSTANTS + 1
ERROR = 2 * MAX_CONSTANTS
"""Column of `Island.values` after the constants' high and low parts."""
TABLE_BITS = 16
"""Size of the table of structures that a slice has seen."""


class Island(NamedTuple):
    """The state of an island; L cost levels with S = NICHES E + P places each.

    The first places are elites: E for each number of constants, best first. Then come the P members of the population. A
    niche for each number of constants keeps what is cheap for its error today (x^2 of a cheaper program, say) from driving
    out what has more freedom and pays tomorrow.

    Attributes:
        rng: uint64 (1,).
        code: int8 (L, S, MAX_INSTRUCTIONS, 4).
        values: float64 (L, S, 2 MAX_CONSTANTS + 1): constants, their low parts, root mean square error.
        notes: uint64 (L, S, COLUMNS).
        sizes: int64 (L, ELITES_OF + NICHES).
        counters: float64 (N_COUNTERS,), of the last slice.
    """

    rng: Words
    code: NDArray[np.int8]
    values: Floats
    notes: Words
    sizes: Ints
    counters: Floats


class Rules(NamedTuple):
    """What a slice is told beside the island's state.

    Attributes:
        fuel: work (instructions x points) after which the slice ends.
        limit: most instructions.
        elites: E, the number of elites a niche.
        tournament: size.
        elitism: share of parents that are elites.
        continuation: share of children made by each of `absorb`, `lift` or `lower`, `shake_constants` and `morph`; `graft` has
            two such shares.
        copying: share of children that copy from another program.
        scratch: share of children that start from the empty program with several insertions (1 for random search).
        floor: loss at which float64 residuals are noise; below it constants are refined in double-double.
        costs: int64 (ops,) cost of each op in levels.
    """

    fuel: float
    limit: int
    elites: int
    tournament: int
    elitism: float
    continuation: float
    copying: float
    scratch: float
    floor: float
    costs: Ints


class Child(NamedTuple):
    """Scratch of the program in the making (g, c), and of the one it copies from (other, other_c)."""

    g: Ints
    c: Floats
    other: Ints
    other_c: Floats
    code: NDArray[np.int16]
    uses: Ints
    digests: Words
    notes: Words
    seen: Words


def make_island(seed: int, levels: int, elites: int, members: int) -> Island:
    """An empty island; its first children are mutations of the identity."""
    shape = (levels, NICHES * elites + members)
    return Island(
        rng=np.array([seed], np.uint64),
        code=np.zeros((*shape, MAX_INSTRUCTIONS, 4), np.int8),
        values=np.zeros((*shape, ERROR + 1)),
        notes=np.zeros((*shape, COLUMNS), np.uint64),
        sizes=np.zeros((levels, ELITES_OF + NICHES), np.int64),
        counters=np.zeros(N_COUNTERS),
    )


def as_arrays(island: Island) -> dict[str, NDArray[Any]]:
    """The island as plain data."""
    return dict(island._asdict())


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Island:
    """An island of its own memory from plain data."""
    return Island(**{name: np.array(arrays[name]) for name in Island._fields})


def make_child() -> Child:
    """Scratch of a slice."""
    rows = MAX_INSTRUCTIONS + 4
    return Child(
        g=np.zeros((rows, 4), np.int64),
        c=np.zeros((rows, 3)),
        other=np.zeros((rows, 4), np.int64),
        other_c=np.zeros((rows, 3)),
        code=np.zeros((rows, 4), np.int16),
        uses=np.zeros(rows, np.int64),
        digests=np.zeros(rows, np.uint64),
        notes=np.zeros(COLUMNS, np.uint64),
        seen=np.zeros((1 << TABLE_BITS, 2), np.uint64),
    )


@kernel
def read_genome(s: Island, level: int, place: int, g: Ints, c: Floats) -> Any:
    """Unpack a stored program; return its length."""
    n = np.int64(s.notes[level, place, LENGTH])  # int() keeps the sign away, and mixed signs become floats
    p = 0
    for i in range(n):
        for k in range(4):
            g[i, k] = s.code[level, place, i, k]
        for k in range(ARITY[g[i, 0]]):
            if g[i, k + 1] == CONSTANT:
                c[i, k] = s.values[level, place, p]
                p += 1
    return n


@kernel
def write_genome(s: Island, level: int, place: int, b: Bench, t: Child, n: int, error: float) -> None:
    """Store the program at hand, with the constants of the bench."""
    for i in range(n):
        for k in range(4):
            s.code[level, place, i, k] = t.g[i, k]
    for k in range(MAX_CONSTANTS):
        s.values[level, place, k] = b.m[C, k]
        s.values[level, place, MAX_CONSTANTS + k] = b.m[C_LO, k]
    s.values[level, place, ERROR] = error
    for k in range(1, COLUMNS):
        s.notes[level, place, k] = t.notes[k]
    s.notes[level, place, LENGTH] = n


@kernel
def move(s: Island, level: int, source: int, to: int) -> None:
    """Copy a stored program to another place of its level."""
    for i in range(MAX_INSTRUCTIONS):
        for k in range(4):
            s.code[level, to, i, k] = s.code[level, source, i, k]
    for k in range(ERROR + 1):
        s.values[level, to, k] = s.values[level, source, k]
    for k in range(COLUMNS):
        s.notes[level, to, k] = s.notes[level, source, k]
