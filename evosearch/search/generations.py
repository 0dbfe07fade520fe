"""What a worker does for NSGA-II: some generations of one population, sorted by DEAP."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from deap import base, tools
from numpy.typing import NDArray

from evosearch.backends.kernels import assemble
from evosearch.language.op import OpSet
from evosearch.search.island import (
    COUNT,
    ERROR,
    KEY,
    LENGTH,
    WORK,
    Island,
    Rules,
    as_arrays,
    from_arrays,
    make_child,
    make_island,
)
from evosearch.search.work import KERNELS, Arrays, Problem, kernels, noise_floor

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

GENERATIONS = 32
"""Most generations of a slice: sorting takes about as long as fitting, and a slice should end within half a second."""
PLACES = 3
"""Places of a population as a multiple of its members: for them, their children, and immigrants."""


class _Fitness(base.Fitness):  # type: ignore[misc]
    """Cost and error, both to be small."""

    weights = (-1.0, -1.0)


class _Member:
    """What DEAP sorts: where a program is stored, and how good it is."""

    def __init__(self, place: int, level: int, error: float) -> None:
        self.place, self.fitness = place, _Fitness((level, error))


def nsga2_kernels(ops: OpSet) -> ModuleType:
    """The compiled kernels for an op set."""
    return assemble(ops, (*KERNELS, "evosearch.search.breed"), "nsga2")


def make_population(seed: int, members: int) -> Island:
    """An empty population; its first children are mutations of the identity."""
    return make_island(seed, 1, 0, PLACES * members)


def warm(problem: Problem, rules: Mapping[str, Any], progress: Callable[[str], None]) -> None:
    """Compile everything that workers call, or load it from the cache."""
    progress("compiling the interpreter and the kernels of NSGA-II (once, about 50 s)")
    arrays = as_arrays(make_population(1, 16))
    run_generations(problem, {**rules, "fuel": 1e5}, arrays, arrays, ())
    compiled, bench, code = kernels(problem.ops), problem.bench(problem.dense), make_child().code
    compiled.polish(bench, code, 1, 0, 1)


def levels_of(s: Island, costs: Ints) -> Ints:
    """Cost level of each stored program; (places,)."""
    live = np.arange(s.code.shape[2]) < s.notes[0, :, LENGTH, None].astype(np.int64)
    return np.asarray((costs[s.code[0, :, :, 0]] * live).sum(axis=1))


def select(levels: Ints, errors: Floats, count: int) -> tuple[Ints, Floats]:
    """NSGA-II's choice (Deb et al. 2002) of at most `count` programs: their places and crowding distances.

    Distances between errors are counted in binary orders of magnitude.
    """
    if len(errors) == 0:
        return np.zeros(0, np.int64), np.zeros(0)
    # piecewise linear between powers of two, since libm's logarithm differs between machines; an error may be 0
    mantissas, exponents = np.frexp(np.maximum(errors, 1e-300))
    sizes = exponents + 2.0 * mantissas
    members = [_Member(*row) for row in zip(range(len(errors)), levels.tolist(), sizes.tolist(), strict=True)]
    chosen = tools.selNSGA2(members, count, nd="log")
    return np.array([m.place for m in chosen], np.int64), np.array([m.fitness.crowding_dist for m in chosen], np.float64)


def candidates(s: Island, count: int, banned: tuple[int, ...]) -> Ints:
    """Places of the programs worth choosing from: the best one of each structure, none that a certificate refused."""
    keys, errors = s.notes[0, :count, KEY], s.values[0, :count, ERROR]
    order = np.lexsort((errors, keys))
    first = np.ones(count, bool)
    first[1:] = keys[order[1:]] != keys[order[:-1]]
    refused = np.isin(keys, np.array(banned, np.uint64))
    return np.asarray([place for place in sorted(order[first].tolist()) if not refused[place]], np.int64)


def _keep(s: Island, places: Ints) -> None:
    """Move the programs at `places` to the front, in this order; the others are gone."""
    for array in (s.code, s.values, s.notes):
        array[0, : len(places)] = array[0, places]
    s.sizes[0, COUNT] = len(places)


def _admit(s: Island, other: Island, costs: Ints) -> None:
    """Append the other population's non-dominated programs, while there is room."""
    count = int(other.sizes[0, COUNT])
    levels, errors = levels_of(other, costs)[:count], other.values[0, :count, ERROR]
    best = [place for place in range(count) if not np.any((levels <= levels[place]) & (errors < errors[place]))]
    start = int(s.sizes[0, COUNT])
    places = np.array(best[: s.values.shape[1] - start], np.int64)
    for mine, theirs in ((s.code, other.code), (s.values, other.values), (s.notes, other.notes)):
        mine[0, start : start + len(places)] = theirs[0, places]
    s.sizes[0, COUNT] = start + len(places)


def _survive(s: Island, problem: Problem, members: int, banned: tuple[int, ...]) -> tuple[Ints, Floats, Floats]:
    """Let the chosen ones survive; return their levels, crowding distances, and the best error at or below each level."""
    places = candidates(s, int(s.sizes[0, COUNT]), banned)
    chosen, crowding = select(levels_of(s, problem.costs)[places], s.values[0, places, ERROR], members)
    _keep(s, places[chosen])
    levels = levels_of(s, problem.costs)[: len(chosen)]
    best = np.full(problem.levels, np.inf)
    np.minimum.at(best, levels, s.values[0, : len(chosen), ERROR])
    return levels, crowding, np.minimum.accumulate(best)


def run_generations(
    problem: Problem, rules: Mapping[str, Any], island: Arrays, migrants: Arrays | None, banned: tuple[int, ...]
) -> dict[str, Any]:
    """One slice: generations of a population until the fuel is used up, at most `GENERATIONS`.

    Arguments and result are those of `evosearch.search.work.run_slice`.
    """
    compiled, state, child = nsga2_kernels(problem.ops), from_arrays(island), make_child()
    bench, probe = problem.bench(problem.fit), problem.bench(problem.probe)
    told = Rules(**rules, floor=noise_floor(bench), costs=problem.costs)
    members = state.values.shape[1] // PLACES
    state.counters[:] = 0.0
    if migrants is not None:
        _admit(state, from_arrays(migrants), problem.costs)
    seconds = 0.0
    for _ in range(GENERATIONS):
        levels, crowding, best = _survive(state, problem, members, banned)
        start = time.perf_counter()
        compiled.breed(state, bench, probe, child, told, levels, crowding, best, members)
        seconds += time.perf_counter() - start
        state.counters[WORK] = bench.work[0] + probe.work[0]
        if state.counters[WORK] >= told.fuel:
            break
    return {"island": as_arrays(state), "seconds": seconds, "work": state.counters[WORK]}

