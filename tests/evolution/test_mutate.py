"""Mutations: whatever they draw, the result settles to a valid genome or to none; each does what its name says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from engine import OPS, ROWS, Genome, K

from evosearch.evolution.genome import CONSTANT, INVALID
from evosearch.evolution.mutate import CHANGE_OP, DELETE, INSERT, REWIRE

LIMIT = 12
X = np.linspace(0.25, 2.0, 8)


def check(genome: Genome) -> None:
    """Its rows read constants, the input and earlier rows, and its ops exist."""
    for i in range(genome.n):
        assert 0 <= genome.g[i, 0] < len(OPS)
        assert all(CONSTANT <= operand <= i for operand in genome.g[i, 1:3])
    assert np.isfinite(genome.c[: genome.n]).all()


def test_long_chains_of_mutations_stay_valid() -> None:
    rng = np.array([7], np.uint64)
    seen: Counter[int] = Counter()
    genome = Genome(np.zeros((ROWS, 4), np.int64), np.zeros((ROWS, 3)), 0)
    for _ in range(6000):
        child = genome.copy()
        child.n, operator = K.mutate(rng, child.g, child.c, child.n, LIMIT)
        assert 0 <= child.n <= LIMIT and abs(child.n - genome.n) <= genome.n + 1
        seen[operator] += 1
        check(child)
        if child.n == 0:
            genome = child
            continue
        form = child.settle()
        if form.n != INVALID:
            assert 1 <= form.n <= child.n
            check(form)
            genome = form
    assert set(seen) >= {INSERT, DELETE, REWIRE, CHANGE_OP}


def test_mutations_reach_every_op_every_length_and_fresh_constants() -> None:
    rng = np.array([1], np.uint64)
    lengths, ops, constants = set(), set(), set()
    for _ in range(300):
        genome = Genome(np.zeros((ROWS, 4), np.int64), np.zeros((ROWS, 3)), 0)
        for _ in range(20):
            genome.n, _ = K.mutate(rng, genome.g, genome.c, genome.n, LIMIT)
        lengths.add(genome.n)
        ops |= set(genome.g[: genome.n, 0].tolist())
        constants |= {cell for row in genome.rows for cell in row[1:] if isinstance(cell, tuple)}
    assert ops == set(OPS.values()) and max(lengths) >= 8 and len(constants) > 300


@pytest.mark.parametrize("name", ["insert", "delete", "rewire", "change_op"])
def test_an_operator_of_mutation_changes_genomes_in_place(name: str) -> None:
    rng = np.array([5], np.uint64)
    changed = 0
    for seed in range(200):
        before = Genome.random(seed, rows=5)
        after = before.copy()
        arguments = (LIMIT,) if name == "insert" else ()
        after.n = getattr(K, name)(rng, after.g, after.c, after.n, *arguments)
        check(after)
        lengths = {"insert": {6}, "delete": set(range(6))}.get(name, {5})
        assert after.n in lengths
        changed += after.rows != before.rows
    assert changed > 120


def test_insert_keeps_within_the_limit() -> None:
    genome = Genome.random(3, rows=LIMIT)
    assert K.insert(np.array([1], np.uint64), genome.g, genome.c, LIMIT, LIMIT) == LIMIT


def test_readers_of_a_value_are_redirected_one_all_or_in_a_stretch() -> None:
    rng = np.array([2], np.uint64)
    seen = set()
    for _ in range(300):
        genome = Genome.of(
            "def f(x):\n    a = mul(x, x)\n    b = add(x, 1.0)\n    c = mul(x, b)\n    r = add(c, a)\n    return r\n"
        )
        K.redirect(rng, genome.g, 0, 1, 1, 4)
        seen.add(tuple(int(genome.g[i, 1 + (i > 2)]) for i in (1, 2)))
    assert seen == {(1, 0), (0, 1), (1, 1)}


def test_shaken_constants_stay_constants_and_rows_stay() -> None:
    rng = np.array([3], np.uint64)
    for seed in range(50):
        before = Genome.random(seed, rows=6)
        after = before.copy()
        K.shake_constants(rng, after.g, after.c, after.n)
        check(after)
        np.testing.assert_array_equal(after.g, before.g)
        constants = before.g[:6, 1:3] == CONSTANT
        np.testing.assert_array_equal(after.c[:6, :2][~constants], before.c[:6, :2][~constants])
        if constants.any():
            assert np.all(after.c[:6, :2][constants] / before.c[:6, :2][constants] > 0.0)
            assert np.any(after.c[:6, :2][constants] != before.c[:6, :2][constants])


def test_opening_and_closing_a_row_restores_the_genome() -> None:
    for seed in range(100):
        genome = Genome.random(seed, rows=6)
        at = seed % 6
        other = genome.copy()
        K.open_rows(other.g, other.c, 6, at, 1)
        other.g[at], other.c[at] = (OPS["add"], 0, 0, 0), 0.0
        assert K.close_row(other.g, other.c, 7, at, 0) == 6
        assert other.rows == genome.rows


def test_copying_brings_a_row_of_another_program_with_all_it_reads() -> None:
    rng = np.array([9], np.uint64)
    copied = refused = 0
    for seed in range(300):
        genome, other = Genome.random(seed), Genome.random(seed + 1000)
        before = other.copy()
        made = genome.copy()
        place = np.zeros(ROWS, np.int64)
        made.n = K.copy_cone(rng, made.g, made.c, genome.n, other.g, other.c, other.n, LIMIT, place)
        assert other.rows == before.rows
        if made.n == INVALID:
            refused += 1
            continue
        check(made)
        count = made.n - genome.n
        top = made.values(X)[count]
        assert any(np.array_equal(top, value, equal_nan=True) for value in other.values(X)[1:])
        readers = [cell for row in made.rows[count:] for cell in row[1:]]
        assert count in readers
        copied += 1
    assert copied > 200 and refused > 0


def test_a_genome_is_not_grown_beyond_its_arrays() -> None:
    long = Genome.random(1, rows=LIMIT)
    long.g[:LIMIT, 1] = np.arange(LIMIT)  # each row reads the one before
    rng, place = np.array([1], np.uint64), np.zeros(ROWS, np.int64)
    for _ in range(50):
        target = long.copy()
        n = K.copy_cone(rng, target.g, target.c, LIMIT, long.g, long.c, LIMIT, LIMIT, place)
        assert n == INVALID or n <= LIMIT + 2


def test_a_graft_is_two_rows_and_half_of_them_change_no_value_until_their_constant_is_fitted() -> None:
    rng = np.array([3], np.uint64)
    grafted = unchanged = 0
    for seed in range(200):
        form = Genome.random(seed, digits=True).settle()
        values = form.values(X) if form.n > 0 else []
        if not values or not np.isfinite(values).all() or np.any(np.array(values) == 0):
            continue
        made = form.copy()
        made.n = K.graft(rng, made.g, made.c, form.n, LIMIT)
        if made.n == INVALID:
            continue
        check(made)
        unchanged += np.array_equal(made.values(X)[-1], values[-1])
        assert made.n == form.n + 2
        grafted += made.settle().n == form.n + 2
    assert grafted > 30 and 0.3 * grafted < unchanged < grafted
