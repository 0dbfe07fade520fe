"""Fitting: constants are found again, the Jacobian is the derivative, and minimax errors are those of Remez."""

from __future__ import annotations

from fractions import Fraction
from math import log

import numpy as np
import pytest
from engine import Fit, Genome, K, bench_of, problem_of, task_bench
from flint import ctx
from numpy.typing import NDArray

from evosearch.backends.encode import TEMP_BASE
from evosearch.evaluation.target import ErrorMeasure
from evosearch.evolution.fit import C_LO, JACOBIAN, LO, NOTHING, PINNED, RESIDUAL, TRIAL, C
from evosearch.language.program import Const, Program
from evosearch.language.text import parse
from evosearch.search import work
from evosearch.search.work import Problem
from evosearch.winners.families import sample
from evosearch.winners.remez import PRECISION, minimax
from primitives.arithmetic import FIELD
from tasks.approximation import Approximation

X = np.cos(np.pi * (np.arange(32) + 0.5) / 32) * 0.5 + 1.0


def planted(seed: int) -> Fit | None:
    """A random program whose own values are the target; None where it has no constants or is not tame."""
    form = Genome.random(seed).settle()
    if form.n <= 0:
        return None
    values = form.values(X)
    fit = Fit(bench_of(values[-1], X, weight=1 / np.max(np.abs(values[-1])) * np.ones_like(X)), form.program)
    tame = np.isfinite(values).all() and np.max(np.abs(values)) < 50 and np.ptp(values[-1]) > 1e-3
    return fit if tame and 1 <= fit.p <= 5 else None


PLANTED = [seed for seed in range(120) if planted(seed)]


def test_planted_constants_fit_again_from_nearby() -> None:
    found = []
    for seed in PLANTED:
        fit = planted(seed)
        assert fit is not None
        rng = np.random.default_rng(seed)
        fit.set(fit.constants * (1 + 0.02 * rng.standard_normal(fit.p)))
        start = K.loss(*fit.arguments, C)
        end = K.levenberg_marquardt(*fit.arguments, 200, 1e-3, 1e-12)
        assert end <= start and end == pytest.approx(K.loss(*fit.arguments, C), rel=1e-12, abs=1e-300)
        found.append(end < 1e-20)
    assert len(found) > 20 and np.mean(found) > 0.9


def test_the_jacobian_is_the_difference_quotient_of_the_residuals() -> None:
    for seed in PLANTED:
        fit = planted(seed)
        assert fit is not None
        K.loss(*fit.arguments, C)
        assert K.differentiate(*fit.arguments)
        constants = fit.constants
        for k in range(fit.p):
            sides = []
            for sign in (-1, 1):
                h = 1e-6 * max(abs(constants[k]), 0.1)
                fit.bench.m[TRIAL, : fit.p] = constants
                fit.bench.m[TRIAL, k] += sign * h
                K.loss(*fit.arguments, TRIAL)
                sides.append(fit.row(RESIDUAL))
            slope = (sides[1] - sides[0]) / (2 * h)
            np.testing.assert_allclose(fit.row(JACOBIAN + k), slope, rtol=1e-4, atol=1e-5 * (1 + np.max(np.abs(slope))))


def test_a_pinned_constant_stays_and_the_others_follow() -> None:
    fit = Fit(task_bench(function="exp2"), Genome.of(CUBIC).program)
    free = K.levenberg_marquardt(*fit.arguments, 100, 1e-3, 1e-10)
    pinned, fit.bench.m[C, 1] = 1, 0.25
    before = K.loss(*fit.arguments, C)
    fit.bench.k[PINNED] = pinned
    held = K.levenberg_marquardt(*fit.arguments, 100, 1e-3, 1e-10)
    fit.bench.k[PINNED] = NOTHING
    assert fit.constants[pinned] == 0.25
    assert free < held < before


def test_an_undefined_program_has_an_infinite_loss_and_keeps_its_constants() -> None:
    fit = Fit(bench_of(X, X), parse("def f(x):\n    a = sub(x, x)\n    b = div(2.0, a)\n    return b\n", FIELD))
    assert K.levenberg_marquardt(*fit.arguments, 20, 1e-3, 1e-3) == np.inf
    assert K.refine(*fit.arguments) == np.inf
    assert fit.constants.tolist() == [2.0]


CUBIC = """def f(x):
    a = mul(x, 0.1)
    b = add(a, 0.2)
    c = mul(b, x)
    d = add(c, 0.7)
    e = mul(d, x)
    r = add(e, 1.0)
    return r
"""


PAIRS = [0.1, 0.2, 0.7, 1.0], [1e-19, -1e-18, 1e-17, 3e-17]


def test_double_double_values_are_those_of_exact_arithmetic() -> None:
    fit = Fit(bench_of(np.zeros_like(X), X), Genome.of(CUBIC).program)
    fit.set(*PAIRS)
    K.loss_dd(*fit.arguments, C)
    out = TEMP_BASE + fit.n - 1
    a, b, c, d = (Fraction(hi) + Fraction(lo) for hi, lo in zip(*PAIRS, strict=True))
    for x, hi, lo in zip(X, fit.row(out), fit.row(LO + out), strict=True):
        a, b, c, d = (
            Fraction(h) + Fraction(t) for h, t in zip([0.1, 0.2, 0.7, 1.0], [1e-19, -1e-18, 1e-17, 3e-17], strict=True)
        )
        exact = ((a * Fraction(x) + b) * Fraction(x) + c) * Fraction(x) + d
        assert abs(Fraction(hi) + Fraction(lo) - exact) < exact / 2**98


# 2^x as the fourth power of (1 + t) / (1 - t), t five levels of the continued fraction of tanh: its minimax error is 1e-21.
S = 8 / log(2)
LADDER = f"""def f(x):
    u = mul(x, x)
    a = mul(u, {1 / (9 * S) * 1.001:.7g})
    b = add(a, {7 * S:.7g})
    c = div(u, b)
    d = add(c, {5 * S:.7g})
    e = div(u, d)
    g = add(e, {3 * S:.7g})
    h = div(u, g)
    i = add(h, {S:.7g})
    t = div(x, i)
    j = sub(1.0, t)
    k = div(2.0, j)
    l = add(k, -1.0)
    m = mul(l, l)
    r = mul(m, m)
    return r
"""


# Half the angle's cotangent by a doubling and a free term: a valley in which a monotone fit makes no way.
VALLEY = """def f(x):
    a = div(-90.5, x)
    b = sub(a, x)
    c = div(237.4, b)
    d = add(b, c)
    e = div(0.0, d)
    f = add(e, 31.36)
    g = add(f, d)
    h = div(-62.73, g)
    r = add(h, 1.0)
    return r
"""


def test_leaps_reach_the_end_of_a_curved_valley_where_monotone_steps_crawl() -> None:
    def ends(fit: Fit, leaping: bool) -> float:
        loss = K.levenberg_marquardt(*fit.arguments, 8, 1e-2, 1e-2)
        loss = K.leap(*fit.arguments, False) if leaping else K.levenberg_marquardt(*fit.arguments, 500, 1e-6, 1e-6)
        return float(np.sqrt(loss / 32))

    crawled, leapt = (ends(Fit(task_bench(function="exp2"), parse(VALLEY, FIELD)), leaping) for leaping in (False, True))
    assert leapt < 1e-11 < 1e-10 < crawled


@pytest.mark.parametrize("exact", [False, True])
def test_leaps_never_end_higher_than_they_began(exact: bool) -> None:
    for seed in PLANTED:
        fit = planted(seed)
        assert fit is not None
        rng = np.random.default_rng(seed)
        fit.set(fit.constants * (1 + 0.3 * rng.standard_normal(fit.p)))
        measure = K.loss_dd if exact else K.loss
        start = measure(*fit.arguments, C)
        end = K.leap(*fit.arguments, exact)
        if start < 1e300:
            assert end <= start and end == measure(*fit.arguments, C)


def test_refinement_goes_on_to_the_structure_s_own_error() -> None:
    fit = Fit(task_bench(function="exp2"), parse(LADDER, FIELD))
    coarse = K.levenberg_marquardt(*fit.arguments, 100, 1e-3, 1e-6)
    fine = K.refine(*fit.arguments)
    assert np.sqrt(fine / 32) < 1e-18
    assert fine < coarse
    assert np.any(fit.bench.m[C_LO, : fit.p] != 0)
    assert np.sqrt(K.loss(*fit.arguments, C) / 32) > np.sqrt(fine / 32)  # which float64 alone cannot show


def test_refinement_finds_planted_pairs_of_doubles() -> None:
    fit = Fit(bench_of(np.zeros_like(X), X), Genome.of(CUBIC).program)
    fit.set(*PAIRS)
    K.loss_dd(*fit.arguments, C)
    out = TEMP_BASE + fit.n - 1
    again = Fit(bench_of(fit.row(out), X, fit.row(LO + out)), Genome.of(CUBIC).program)
    again.set([0.1001, 0.1999, 0.7001, 0.9999])
    assert K.refine(*again.arguments) < 1e-55
    np.testing.assert_array_equal(again.constants, fit.constants)
    np.testing.assert_allclose(again.bench.m[C_LO, :4], fit.bench.m[C_LO, :4], atol=1e-26)


def polynomial(degree: int) -> str:
    """Horner's form, with rough constants of 2^x."""
    lines, last = ["def f(x):"], f"{0.7**degree:.3g}"
    for k in range(degree - 1, -1, -1):
        lines += [f"    m{k} = mul(x, {last})", f"    a{k} = add(m{k}, {0.7**k:.3g})"]
        last = f"a{k}"
    return "\n".join([*lines, f"    return {last}", ""])


@pytest.mark.parametrize(("degree", "error"), [(1, "relative"), (3, "absolute"), (4, "relative"), (7, "relative")])
def test_polished_polynomials_have_the_minimax_error_and_its_ripples(degree: int, error: str) -> None:
    problem, target = problem_of(error=error), Approximation("exp2", error=ErrorMeasure(error)).target()
    polished, reached = work.polished(problem, fitted(problem, polynomial(degree)))
    with ctx.workprec(PRECISION):
        best = minimax(sample(target).whole, degree, 0)
    assert best is not None
    assert 0.98 * best.error < reached < 1.01 * best.error
    signs = np.sign(errors(problem, polished))
    peaks = np.abs(errors(problem, polished)) > 0.95 * reached
    alternating = signs[peaks]
    assert 1 + np.count_nonzero(alternating[1:] != alternating[:-1]) == degree + 2


def fitted(problem: Problem, text: str) -> Program:
    """The program with least-squares constants."""
    program = parse(text, FIELD)
    fit = Fit(problem.bench(problem.fit), program)
    K.levenberg_marquardt(*fit.arguments, 100, 1e-3, 1e-6)
    return program.with_constants(tuple(map(Const, fit.constants.tolist())))


def errors(problem: Problem, program: Program) -> NDArray[np.float64]:
    """Weighted errors at the dense points, in double-double."""
    fit = Fit(problem.bench(problem.dense), program)
    K.loss_dd(*fit.arguments, C)
    return fit.row(RESIDUAL)


def test_polishing_reports_the_largest_error_of_the_constants_that_it_gives() -> None:
    problem = problem_of()
    program = fitted(problem, LADDER)
    polished, reached = work.polished(problem, program)
    assert np.max(np.abs(errors(problem, polished))) == pytest.approx(reached, rel=1e-3)
    assert reached < 1e-17 < np.max(np.abs(errors(problem, program)))


def test_polishing_never_makes_it_worse() -> None:
    problem = problem_of()
    for seed in range(40):
        form = Genome.random(seed).settle()
        if form.n <= 0 or not 1 <= Fit(problem.bench(problem.fit), form.program).p <= 6:
            continue
        program = fitted(problem, str(form.program))
        before = np.max(np.abs(errors(problem, program)))
        if np.isfinite(before):
            _, reached = work.polished(problem, program)
            assert reached <= before * (1 + 1e-9)
