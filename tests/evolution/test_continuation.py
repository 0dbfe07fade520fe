"""Structural steps that carry the fit: what does nothing goes at unchanged error, and a step leaves its bench as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from engine import ROWS, Fit, Genome, K, task_bench

from evosearch.evolution.fit import NOTHING, PINNED, TARGET, TARGET_LO, WEIGHT, Bench, C
from evosearch.evolution.genome import INVALID

X_ROW = 0


class Carried:
    """A fitted program under a structural step."""

    def __init__(self, text: str, bench: Bench | None = None) -> None:
        self.bench = bench or task_bench(function="exp2")
        self.genome = Genome.of(text)
        self.loss = self.fitted()

    def fitted(self, steps: int = 200) -> float:
        fit = Fit(self.bench, self.genome.program)
        loss = K.levenberg_marquardt(*fit.arguments, steps, 1e-3, 1e-9)
        K.take_constants(self.genome.g, self.genome.c, self.genome.n, self.bench.m)
        return float(loss)

    def now(self) -> float:
        """The loss of the constants that the genome carries."""
        return float(K.loss(*Fit(self.bench, self.genome.program).arguments, C))

    def step(self, kernel: Any, *arguments: Any, rng: Any = None) -> int:
        """Apply a step; the length that it returns."""
        g, c, n = self.genome.g, self.genome.c, self.genome.n
        first = () if rng is None else (rng,)
        made = int(kernel(*first, self.bench, g, c, n, np.zeros((ROWS, 4), np.int16), *arguments))
        if made != INVALID:
            self.genome.n = made
        return made


# k only scales the variable of a rational function, whose constants can take the scale over.
SCALED = """def f(x):
    y = mul(x, 3.0)
    a = add(y, 30.0)
    b = div(100.0, a)
    r = add(b, -2.0)
    return r
"""
# s only shifts the variable of a cubic.
SHIFTED = """def f(x):
    y = add(x, 0.75)
    a = mul(y, 0.08)
    b = add(a, 0.12)
    c = mul(b, y)
    d = add(c, 0.5)
    e = mul(d, y)
    r = add(e, 0.6)
    return r
"""


@pytest.mark.parametrize("text", [SCALED, SHIFTED])
def test_a_gauge_is_removed_at_unchanged_error(text: str) -> None:
    carried = Carried(text)
    rows = carried.genome.n
    assert carried.step(K.absorb, 0) == rows - 1
    assert carried.now() == pytest.approx(carried.loss, rel=1e-3)
    assert carried.genome.settle().n == rows - 1


CUBIC = SHIFTED.replace("    y = add(x, 0.75)\n", "").replace("(y", "(x").replace(", y", ", x")


def test_what_matters_is_absorbed_at_the_error_of_the_best_program_without_it() -> None:
    carried = Carried(CUBIC)
    count = K.absorbable(carried.genome.g, carried.genome.n)
    assert count == 4
    assert carried.step(K.absorb, count - 1) == carried.genome.n == 5
    followed = carried.now()
    assert followed > 10 * carried.loss
    assert followed < 3 * carried.fitted() + 1e-12


def test_a_negated_constant_minus_x_goes_into_its_readers() -> None:
    carried = Carried("def f(x):\n    a = sub(2.0, x)\n    b = div(3.0, a)\n    r = add(b, -0.5)\n    return r\n")
    assert carried.step(K.absorb, 0) == 2
    assert np.isfinite(carried.now())
    rows = carried.genome.rows
    assert rows[0][2] == 0 and rows[0][1][0] != 0.0  # c / x, the sign in the constant


def test_only_rows_with_one_constant_that_can_be_made_to_do_nothing_are_absorbable() -> None:
    rows = {"mul(x, x)": 0, "mul(x, 2.0)": 1, "div(2.0, x)": 0, "sub(2.0, x)": 1, "add(x, 1.0)": 1}
    for row, count in rows.items():
        genome = Genome.of(f"def f(x):\n    a = {row}\n    b = mul(a, x)\n    return b\n")
        assert K.absorbable(genome.g, 2) == count, row
        assert K.absorbable(genome.g, 1) == 0  # nothing would be left


QUADRATIC = """def f(x):
    a = mul(x, 0.3)
    b = add(a, 0.7)
    c = mul(b, x)
    r = add(c, 1.0)
    return r
"""


def test_lifting_by_a_square_fits_the_program_to_the_root() -> None:
    rng = np.array([4], np.uint64)
    squared = []
    for _ in range(400):
        carried = Carried(QUADRATIC)
        if carried.step(K.lift, 12, rng=rng) == INVALID:
            continue
        assert carried.genome.n == 5 and 4 in carried.genome.rows[-1][1:]
        if carried.genome.rows[-1] == [2, 4, 4]:
            squared.append(carried.now() / carried.loss)
            break
    assert squared and squared[0] < 0.1  # 2^(x/2) is flatter: less than a third of the error


def test_a_program_of_x_becomes_one_of_another_value_with_its_fit_carried() -> None:
    rng = np.array([6], np.uint64)
    shifted = []
    for _ in range(400):
        carried = Carried(QUADRATIC)
        if carried.step(K.morph, 12, rng=rng) == INVALID:
            continue
        genome = carried.genome = carried.genome.settle()
        if genome.n == 5 and genome.rows[0][0] == 0 and all(0 not in row[1:] for row in genome.rows[1:]):  # of x + c alone
            shifted.append(carried.now() / carried.loss)
    assert shifted and min(shifted) < 1.001  # the same parabola


@pytest.mark.parametrize("name", ["lift", "absorb", "lower", "morph"])
def test_a_step_leaves_target_weight_and_pin_as_they_were(name: str) -> None:
    rng = np.array([8], np.uint64)
    outcomes = set()
    for seed in range(150):
        genome = Genome.random(seed, rows=6).settle()
        bench = task_bench(function="exp2")
        if genome.n <= 1:
            continue
        before = bench.m[[X_ROW, TARGET, TARGET_LO, WEIGHT]].copy()
        count = K.absorbable(genome.g, genome.n)
        if name == "absorb" and count == 0:
            continue
        code = np.zeros((ROWS, 4), np.int16)
        arguments = {
            "absorb": (bench, genome.g, genome.c, genome.n, code, seed % max(count, 1)),
            "lift": (rng, bench, genome.g, genome.c, genome.n, code, 12),
            "lower": (rng, bench, genome.g, genome.c, genome.n, code),
            "morph": (rng, bench, genome.g, genome.c, genome.n, code, 12),
        }[name]
        made = getattr(K, name)(*arguments)
        outcomes.add(made != INVALID)
        np.testing.assert_array_equal(bench.m[[X_ROW, TARGET, TARGET_LO, WEIGHT]], before)
        assert bench.k[PINNED] == NOTHING
        if made > 0:
            genome.n = made
            assert genome.settle().n in (INVALID, *range(1, made + 1))
    assert outcomes == {True, False}


def test_lowering_fits_what_the_last_row_reads_to_the_target() -> None:
    rng = np.array([1], np.uint64)
    carried = Carried(QUADRATIC.replace("return r", "s = mul(r, r)\n    return s"))
    root = carried.loss
    assert carried.step(K.lower, rng=rng) == 4
    assert root < carried.now() < 3 * Carried(QUADRATIC).loss
