"""What workers do for the searches over functions: compile the kernels once, run slices, polish candidates."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.encode import encode
from evosearch.backends.kernels import assemble
from evosearch.evolution.fit import C_LO, TARGET, WEIGHT, Bench, C, make_bench
from evosearch.language.op import OpSet
from evosearch.language.program import Const, Program
from evosearch.search.island import (
    ELITES_OF,
    KEY,
    NICHES,
    Rules,
    as_arrays,
    from_arrays,
    make_child,
    make_island,
)

Arrays = Mapping[str, NDArray[Any]]

KERNELS = (
    "evosearch.evolution.random",
    "evosearch.evolution.genome",
    "evosearch.evolution.mutate",
    "evosearch.evolution.fit",
    "evosearch.evolution.polish",
    "evosearch.evolution.continuation",
    "evosearch.search.island",
    "evosearch.search.fitting",
    "evosearch.search.evolve",
)
NOISE = 1e-7
"""Root mean square error, relative to the target's size, below which constants are refined in double-double: rounding errors of
1e-16 then already hide the small gains by which Levenberg-Marquardt follows a flat valley."""
LAWSON_STEPS = 100


@dataclass(frozen=True)
class Problem:
    """What a search needs of a task: the ops, and the core's target at three sets of points.

    Attributes:
        ops: that programs may use.
        fit: (4, n) x, target (high and low parts) and weight where constants are fitted: Chebyshev roots.
        probe: (4, m) the same where a fitted program is looked at between those points: Chebyshev extrema.
        dense: (4, k) the same where errors are made equi-ripple: roots, since a program may divide by x at an end.
        costs: int64 (ops,) cost of each op in levels.
        unit: cost of a level.
        levels: number of cost levels, 0 included.
    """

    ops: OpSet
    fit: NDArray[np.float64]
    probe: NDArray[np.float64]
    dense: NDArray[np.float64]
    costs: NDArray[np.int64]
    unit: float
    levels: int

    def bench(self, points: NDArray[np.float64]) -> Bench:
        """A bench over one of the sets of points."""
        return make_bench(*points)


def kernels(ops: OpSet) -> ModuleType:
    """The compiled kernels for an op set."""
    return assemble(ops, KERNELS, "search")


def noise_floor(b: Bench) -> float:
    """Loss below which constants are refined in double-double; see `NOISE`."""
    n = b.k[0]
    return float(n * (NOISE * np.max(np.abs(b.m[TARGET, :n] * b.m[WEIGHT, :n]))) ** 2)


def warm(problem: Problem, rules: Mapping[str, Any], progress: Callable[[str], None]) -> None:
    """Compile everything that workers call, or load it from the cache."""
    progress("compiling the interpreter and the search kernels (once, about 50 s)")
    arrays = as_arrays(make_island(1, problem.levels, rules["elites"], 16))
    run_slice(problem, {**rules, "fuel": 1e5}, arrays, arrays, ())
    compiled, bench, code = kernels(problem.ops), problem.bench(problem.dense), make_child().code
    compiled.polish(bench, code, 1, 0, 1)


def run_slice(
    problem: Problem, rules: Mapping[str, Any], island: Arrays, migrants: Arrays | None, banned: tuple[int, ...]
) -> dict[str, Any]:
    """One slice of an island's evolution.

    Args:
        rules: fields of `Rules` but `floor` and `costs`.
        island: the state of the island; unchanged.
        migrants: the state of the island that sends its best, or None.
        banned: structure hashes of programs that a certificate refused.

    Returns:
        The island's new state under "island", and the seconds in kernels under "seconds".
    """
    compiled, state, child = kernels(problem.ops), from_arrays(island), make_child()
    bench, probe = problem.bench(problem.fit), problem.bench(problem.probe)
    told = Rules(**rules, floor=noise_floor(bench), costs=problem.costs)
    _drop(state, banned, told.elites)
    start = time.perf_counter()
    if migrants is not None:
        compiled.immigrate(state, from_arrays(migrants), bench, child, told)
    compiled.evolve(state, bench, probe, child, told)
    return {"island": as_arrays(state), "seconds": time.perf_counter() - start}


def _drop(island: Any, banned: tuple[int, ...], elites: int) -> None:
    """Take refused programs out of the elites."""
    for key in banned:
        for level, place in np.argwhere(island.notes[:, : NICHES * elites, KEY] == np.uint64(key)):
            p, rank = divmod(int(place), elites)
            count = island.sizes[level, ELITES_OF + p]
            if rank < count:
                for array in (island.code, island.values, island.notes):
                    array[level, place : p * elites + count - 1] = array[level, place + 1 : p * elites + count].copy()
                island.sizes[level, ELITES_OF + p] -= 1


def polished(problem: Problem, program: Program) -> tuple[Program, float]:
    """The program over the core's variable with minimax constants (as pairs), and its largest error at the dense points."""
    compiled, bench = kernels(problem.ops), problem.bench(problem.dense)
    encoded = encode(program, problem.ops)
    p = len(encoded.hi)
    bench.m[C, :p], bench.m[C_LO, :p] = encoded.hi, encoded.lo
    error = compiled.polish(bench, encoded.code, len(encoded.code), p, LAWSON_STEPS)
    constants = zip(bench.m[C, :p].tolist(), bench.m[C_LO, :p].tolist(), strict=True)
    return program.with_constants(tuple(Const(hi, lo) for hi, lo in constants)), float(error)
