"""Genomes: one canonical form, of the same meaning; one hash for one graph."""

from __future__ import annotations

import numpy as np
import pytest
from engine import OPS, ROWS, Fit, Genome, K, bench_of
from hypothesis import assume, given
from hypothesis import strategies as st

from evosearch.backends.encode import TEMP_BASE
from evosearch.backends.reference import evaluate
from evosearch.evolution.fit import C as C_ROW
from evosearch.evolution.genome import CONSTANT, INVALID, MAX_CONSTANTS

X = np.linspace(0.25, 2.0, 16)
SEEDS = st.integers(0, 10**6)


def settled(seed: int, digits: bool = True) -> tuple[Genome, Genome]:
    """A random genome and its canonical form, where it has one."""
    genome = Genome.random(seed, digits=digits)
    form = genome.settle()
    assume(form.n > 0)
    return genome, form


@given(SEEDS)
def test_the_canonical_form_means_the_same(seed: int) -> None:
    genome, form = settled(seed)
    before, after = genome.values(X)[-1], form.values(X)[-1]
    np.testing.assert_array_equal(np.where(np.isnan(before), np.nan, before), np.where(np.isnan(after), np.nan, after))


@given(SEEDS)
def test_the_canonical_form_has_no_dead_row_and_one_way_to_write_a_thing(seed: int) -> None:
    _, form = settled(seed)
    read = {operand for row in form.rows for operand in row[1:] if isinstance(operand, int)}
    assert set(range(1, form.n)) <= read  # but for the output
    for i, (op, a, b) in enumerate(form.rows):
        assert not (isinstance(a, tuple) and isinstance(b, tuple))
        assert all(operand <= i for operand in (a, b) if isinstance(operand, int))
        if op in (OPS["add"], OPS["mul"]):
            assert form.g[i, 1] >= form.g[i, 2]
        else:
            assert not isinstance(b, tuple) and a != b


@given(SEEDS)
def test_settling_again_changes_nothing(seed: int) -> None:
    _, form = settled(seed)
    assert form.settle().rows == form.rows


@given(SEEDS, SEEDS)
def test_dead_rows_change_neither_form_nor_hash(seed: int, other: int) -> None:
    genome, form = settled(seed)
    at = other % (genome.n + 1)
    longer = genome.copy()
    K.open_rows(longer.g, longer.c, longer.n, at, 1)
    longer.g[at] = [other % len(OPS), other % (at + 1), CONSTANT, 0]
    longer.n += 1
    if at == genome.n:  # it would be the output
        return
    again = longer.settle()
    assert again.rows == form.rows and again.hash == form.hash


@given(SEEDS, st.integers(0, 2**10 - 1))
def test_the_order_of_commutative_operands_changes_neither_form_nor_hash(seed: int, which: int) -> None:
    genome, form = settled(seed)
    for i in range(genome.n):
        if which >> i & 1 and genome.g[i, 0] in (OPS["add"], OPS["mul"]):
            genome.g[i, 1:3] = genome.g[i, 2:0:-1].copy()
            genome.c[i, :2] = genome.c[i, 1::-1].copy()
    again = genome.settle()
    assert again.rows == form.rows and again.hash == form.hash


def f(*lines: str) -> Genome:
    return Genome.of("\n    ".join(["def f(x):", *lines]) + "\n")


def test_the_order_of_independent_rows_changes_no_hash() -> None:
    one = f("a = add(x, 2.0)", "b = mul(x, x)", "c = div(a, b)", "return c")
    other = f("b = mul(x, x)", "a = add(x, 2.0)", "c = div(a, b)", "return c")
    assert one.settle().hash == other.settle().hash


def test_constants_do_not_count_but_where_they_are_read_does() -> None:
    one, same, swapped = (f(f"a = {row}", "return a") for row in ("div(2.0, x)", "div(3.0, x)", "add(x, 2.0)"))
    assert one.settle().hash == same.settle().hash != swapped.settle().hash


def test_a_shared_row_is_not_the_same_as_two_rows_with_constants_of_their_own() -> None:
    shared = f("a = add(x, 2.0)", "b = mul(a, a)", "return b")
    apart = f("a = add(x, 2.0)", "b = add(x, 3.0)", "c = mul(a, b)", "return c")
    assert shared.settle().hash != apart.settle().hash


def test_different_structures_have_different_hashes() -> None:
    forms: dict[int, set[str]] = {}
    for seed in range(4000):
        form = Genome.random(seed, rows=4).settle()
        if form.n > 0:
            shape = str([[CONSTANT if isinstance(cell, tuple) else cell for cell in row] for row in form.rows])
            forms.setdefault(form.hash, set()).add(shape)
    assert len(forms) > 800
    assert np.mean([len(shapes) for shapes in forms.values()]) < 1.05  # some are one graph, its rows in another order


REDUCIBLE = {
    "constant sub-expression": ("a = add(1.0, 2.0)", "b = mul(x, a)", "return b"),
    "difference of a thing and itself": ("a = sub(x, x)", "b = add(a, x)", "return b"),
    "quotient of a thing and itself": ("a = mul(x, x)", "b = div(a, a)", "return b"),
    "two constants in a sum": ("a = add(x, 1.0)", "b = sub(a, 2.0)", "return b"),
    "two constants in a product": ("a = div(3.0, x)", "b = mul(a, 2.0)", "return b"),
}


@pytest.mark.parametrize("case", REDUCIBLE)
def test_what_has_a_cheaper_equal_is_invalid(case: str) -> None:
    assert f(*REDUCIBLE[case]).settle().n == INVALID


def test_a_chain_whose_middle_is_read_elsewhere_is_kept() -> None:
    kept = f("a = add(x, 1.0)", "b = add(a, 2.0)", "c = mul(a, b)", "return c")
    assert kept.settle().n == 3


@given(SEEDS)
def test_interpreter_code_and_program_mean_what_the_genome_means(seed: int) -> None:
    _, form = settled(seed, digits=False)
    bench = bench_of(np.zeros_like(X), X)
    fit = Fit(bench, form.program)
    code = np.zeros((ROWS, 4), np.int16)
    p = K.to_code(form.g, form.c, form.n, code, bench.m)
    assert p == fit.p and p <= MAX_CONSTANTS
    K.loss(bench, code, form.n, p, C_ROW)
    expected = form.values(X)[-1]
    np.testing.assert_array_equal(fit.row(TEMP_BASE + form.n - 1), expected)
    np.testing.assert_array_equal(evaluate(form.program, X)[0], expected)


@given(SEEDS)
def test_constants_go_to_the_bench_and_back(seed: int) -> None:
    _, form = settled(seed, digits=False)
    bench, code = bench_of(np.zeros_like(X), X), np.zeros((ROWS, 4), np.int16)
    K.to_code(form.g, form.c, form.n, code, bench.m)
    before = form.rows
    bench.m[C_ROW] *= 2.0
    K.take_constants(form.g, form.c, form.n, bench.m)
    doubled = [[(2 * cell[0],) if isinstance(cell, tuple) else cell for cell in row] for row in before]
    assert form.rows == doubled


def test_too_many_constants_are_refused() -> None:
    genome = Genome.random(0, rows=1)
    for i in range(MAX_CONSTANTS + 1):
        genome.g[i] = [OPS["div"] if i % 2 else OPS["add"], i, CONSTANT, 0]
        if i % 2:
            genome.g[i, 1:3] = CONSTANT, i
    bench, code = bench_of(np.zeros_like(X), X), np.zeros((ROWS, 4), np.int16)
    assert K.to_code(genome.g, genome.c, MAX_CONSTANTS, code, bench.m) == MAX_CONSTANTS
    assert K.to_code(genome.g, genome.c, MAX_CONSTANTS + 1, code, bench.m) == INVALID
