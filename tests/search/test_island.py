"""The island: what it keeps is what the program is worth, and nothing that cheats gets in."""

from __future__ import annotations

import numpy as np
import pytest
from engine import OPS, Fit, Genome, K, Slice
from numpy.typing import NDArray

from evosearch.backends.reference import evaluate
from evosearch.evolution.fit import C_LO, C
from evosearch.evolution.genome import INVALID
from evosearch.language.infer import cost
from evosearch.language.program import Program
from evosearch.search.island import (
    ATTEMPTS,
    COUNT,
    ELITES_OF,
    ERROR,
    EVALUATIONS,
    KEY,
    LENGTH,
    NICHES,
    WORK,
    Island,
    as_arrays,
    from_arrays,
)
from evosearch.search.pareto import genome_program
from evosearch.search.work import run_slice
from primitives.arithmetic import FIELD


def elites(s: Slice) -> list[tuple[int, int, int]]:
    """(level, niche, place) of all elites."""
    size = s.rules.elites
    return [
        (level, p, p * size + rank)
        for level in range(s.problem.levels)
        for p in range(NICHES)
        for rank in range(s.island.sizes[level, ELITES_OF + p])
    ]


def members(s: Slice) -> list[tuple[int, int]]:
    first = NICHES * s.rules.elites
    return [(level, first + k) for level in range(s.problem.levels) for k in range(s.island.sizes[level, COUNT])]


def program_at(s: Slice, level: int, place: int) -> Program:
    return genome_program(s.island, (level, place), s.problem)


def weighted(program: Program, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted errors by the NumPy reference."""
    x, hi, _, weight = points
    return np.asarray((evaluate(program, x)[0] - hi) * weight)


@pytest.fixture(scope="module", params=["exp2", "airyai", "log2"])
def evolved(request: pytest.FixtureRequest) -> Slice:
    s = Slice(request.param, max_cost=7, fuel=3e7).evolve()
    assert s.island.counters[EVALUATIONS] > 500
    return s


def test_what_is_stored_is_what_the_programs_are_worth(evolved: Slice) -> None:
    for level, place in [*members(evolved), *((level, place) for level, _, place in elites(evolved))]:
        program = program_at(evolved, level, place)
        rms = float(np.sqrt(np.mean(weighted(program, evolved.problem.fit) ** 2)))
        assert evolved.island.values[level, place, ERROR] == pytest.approx(rms, rel=1e-3, abs=1e-14)


def test_no_error_is_undefined_and_no_elite_hides_a_pole_between_the_points(evolved: Slice) -> None:
    for level, place in members(evolved):
        assert 0.0 <= evolved.island.values[level, place, ERROR] < 1e300
    found = elites(evolved)
    assert found
    for level, _, place in found:
        error = evolved.island.values[level, place, ERROR]
        between = np.abs(weighted(program_at(evolved, level, place), evolved.problem.probe))
        assert between.max() <= 8.0 * error + 1e-13  # NaN fails too


def test_places_belong_to_costs_and_to_numbers_of_constants(evolved: Slice) -> None:
    for level, p, place in elites(evolved):
        program = program_at(evolved, level, place)
        assert cost(program, FIELD) == level * evolved.problem.unit
        assert len(program.constants) == p and len(program.instructions) == evolved.island.notes[level, place, LENGTH]
    for level, place in members(evolved):
        assert cost(program_at(evolved, level, place), FIELD) == level * evolved.problem.unit


def test_elites_of_a_niche_are_different_and_best_first(evolved: Slice) -> None:
    size = evolved.rules.elites
    for level in range(evolved.problem.levels):
        for p in range(NICHES):
            errors = evolved.island.values[level, p * size : (p + 1) * size, ERROR]
            known = errors[: evolved.island.sizes[level, ELITES_OF + p]]
            assert np.all(np.diff(known) > 0)


def test_a_slice_ends_with_its_fuel_and_counts_its_work(evolved: Slice) -> None:
    counters = evolved.island.counters
    assert evolved.rules.fuel <= counters[WORK] < 1.5 * evolved.rules.fuel
    assert counters[EVALUATIONS] <= counters[ATTEMPTS]


def test_the_same_seed_gives_the_same_island_and_another_seed_does_not() -> None:
    one, same, other = (Slice(seed=seed).evolve().island for seed in (1, 1, 2))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.values, other.values, equal_nan=True)


def test_a_job_s_arrays_are_not_changed_and_the_slice_depends_on_them_alone() -> None:
    s = Slice()
    rules = {name: value for name, value in s.rules._asdict().items() if name not in ("floor", "costs")}
    before = {name: array.copy() for name, array in as_arrays(s.island).items()}
    one, two = (run_slice(s.problem, rules, as_arrays(s.island), None, ())["island"] for _ in range(2))
    assert all(np.array_equal(as_arrays(s.island)[name], before[name]) for name in before)
    assert all(np.array_equal(one[name], two[name], equal_nan=True) for name in before)


def best(island: Island, level: int, size: int) -> float:
    places = [p * size for p in range(NICHES) if island.sizes[level, ELITES_OF + p] > 0]
    return min((float(island.values[level, place, ERROR]) for place in places), default=np.inf)


def test_a_slice_of_evolution_finds_the_best_simple_rational() -> None:
    s = Slice(fuel=6e7).evolve()
    assert best(s.island, 3, s.rules.elites) < 8.7e-4 / np.sqrt(2) * 1.001  # a + b / (x + c); the minimax error is 8.67e-4


CONSTANT_TIMES = "def f(x):\n    a = mul(x, 0.9)\n    b = add(a, 1.0)\n    return b\n"


def test_a_pole_between_the_points_is_seen() -> None:
    s = Slice()
    pole = float(s.problem.probe[0, 61])  # no point of the fit
    line = "def f(x):\n    c = add(x, 1.0)\n    return c\n"
    hidden = f"a = add(x, {-pole!r})\n    b = div(1e-9, a)\n    d = add(c, b)\n    return d"
    verdicts = []
    for program in (Genome.of(line.replace("return c", hidden)).program, Genome.of(line).program):
        fit = Fit(s.bench, program)
        s.child.code[: fit.n] = fit.code[: fit.n]
        error = np.sqrt(K.loss(*fit.arguments, C) / 32)
        assert error < 0.1
        verdicts.append(K.behaves(s.probe, s.bench, s.child, fit.n, fit.p, error, s.rules.floor))
    assert verdicts == [False, True]


def test_a_program_that_is_not_finite_enters_nothing() -> None:
    s = Slice()
    nowhere = Genome.of("def f(x):\n    a = sub(x, 0.5)\n    b = sub(a, a)\n    c = div(1.0, b)\n    return c\n")
    huge = Genome.of(
        "def f(x):\n    a = mul(x, 1e200)\n    b = mul(a, a)\n    c = mul(b, a)\n    d = div(c, x)\n    return d\n"
    )
    assert s.put(nowhere) == s.put(huge) == INVALID
    for level, place in [*members(s), *((level, place) for level, _, place in elites(s))]:
        assert s.island.values[level, place, ERROR] < 1e300


def test_what_is_no_better_than_a_cheaper_program_is_no_elite() -> None:
    s = Slice()
    assert s.put(Genome.of(CONSTANT_TIMES)) >= 0
    vain = Genome.of("def f(x):\n    a = mul(x, 0.9)\n    b = add(a, 1.0)\n    c = mul(b, 1.0)\n    return c\n")
    assert s.put(vain) == INVALID
    assert not [found for found in elites(s) if found[0] == 3]


def test_of_a_structure_only_its_best_fit_is_an_elite() -> None:
    s = Slice()
    s.child.g[0], s.child.c[0] = (OPS["add"], 0, -1, 0), (0.0, 1.0, 0.0)
    size = s.rules.elites

    def remember(key: int, error: float) -> int:
        s.child.notes[KEY] = key
        return int(K.remember(s.island, s.bench, s.child, 1, 1, 1, size, error))

    assert [remember(1, 0.5), remember(2, 0.4), remember(1, 0.45), remember(2, 0.6), remember(1, 0.1)] == [0, 0, 1, INVALID, 0]
    assert s.island.sizes[1, ELITES_OF + 1] == 2
    assert s.island.notes[1, size : size + 2, KEY].tolist() == [1, 2]
    assert s.island.values[1, size : size + 2, ERROR].tolist() == [0.1, 0.4]


def test_a_member_leaves_when_it_is_the_oldest() -> None:
    s = Slice()
    capacity = s.island.values.shape[1] - NICHES * s.rules.elites
    genomes = []
    for k in range(capacity + 3):
        s.child.g[0], s.child.c[0] = (OPS["add"], 0, -1, 0), (0.0, 1.0 + k, 0.0)
        s.bench.m[C, 0], s.bench.m[C_LO, 0] = 1.0 + k, 0.0
        s.child.notes[KEY] = k
        K.join(s.island, s.bench, s.child, s.rules, 1, 1, 1.0 / (1 + k))
        genomes.append(k)
    first = NICHES * s.rules.elites
    kept = sorted(s.island.notes[1, first:, KEY].tolist())
    assert s.island.sizes[1, COUNT] == capacity
    assert kept == genomes[3:]  # the best ones are not spared, the newest are


def test_a_neighbour_s_best_immigrate_with_their_constants() -> None:
    giver, taker = Slice(seed=3, fuel=6e6).evolve(), Slice(seed=4, fuel=1e4).evolve()
    K.immigrate(taker.island, giver.island, taker.bench, taker.child, taker.rules)
    size = giver.rules.elites
    for level in range(1, giver.problem.levels):  # what a cheaper one beats need not come
        had, has = (min(best(s.island, cost, size) for cost in range(1, level + 1)) for s in (giver, taker))
        assert has <= had * 1.001
    for level, _, place in elites(taker):
        rms = float(np.sqrt(np.mean(weighted(program_at(taker, level, place), taker.problem.fit) ** 2)))
        assert taker.island.values[level, place, ERROR] == pytest.approx(rms, rel=1e-3, abs=1e-14)


def test_refused_programs_are_dropped_and_stay_out_of_the_slice_that_follows() -> None:
    s = Slice().evolve()
    level, p, place = elites(s)[-1]
    key = int(s.island.notes[level, place, KEY])
    rules = {name: value for name, value in s.rules._asdict().items() if name not in ("floor", "costs")}
    after = from_arrays(run_slice(s.problem, {**rules, "fuel": 1.0}, as_arrays(s.island), None, (key,))["island"])
    assert key in s.island.notes[level, : NICHES * s.rules.elites, KEY]
    size = s.rules.elites
    left = after.notes[level, p * size : p * size + after.sizes[level, ELITES_OF + p], KEY].tolist()
    assert key not in left and len(left) == s.island.sizes[level, ELITES_OF + p] - 1
