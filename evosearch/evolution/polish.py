"""Polish in kernels: from least-squares constants to minimax ones, by Lawson's weights and Remez' exchange.

It works on the bench of `evosearch.evolution.fit`, residuals in double-double.
"""

from __future__ import annotations

import numpy as np

from evosearch.backends.kernels import kernel
from evosearch.backends.simd import LANES
from evosearch.evolution.fit import (
    ASKED,
    BEST,
    BEST_LO,
    C_LO,
    JACOBIAN,
    POINTS,
    RESIDUAL,
    RIGHT,
    SCALE,
    SHARE,
    SMALL,
    SMALL_R,
    SMALL_RIGHT,
    STEP,
    TARGET_LO,
    WEIGHT,
    Bench,
    C,
    Code,
    add_step,
    copy_row,
    damped_step,
    differentiate,
    factor,
    largest,
    loss_dd,
    orthogonalize,
    refine,
)
from evosearch.evolution.genome import MAX_CONSTANTS

EXCHANGES = 20
"""Most steps of Remez' exchange, before and after Lawson's iteration."""


@kernel
def lawson(b: Bench, code: Code, n: int, p: int, steps: int) -> float:
    """Turn the least-squares constants into minimax ones by Lawson's weights; return the largest weighted residual.

    Lawson, "Contributions to the theory of linear least maximum approximation" (1961), on the linearised problem anew in
    each step, residuals in double-double. Rows C and C_LO end as the best constants seen.
    """
    m, points = b.m, b.k[POINTS]
    copy_row(m, C, BEST)
    copy_row(m, C_LO, BEST_LO)
    for j in range(points):
        m[SHARE, j] = 1.0
    loss_dd(b, code, n, p, C)
    best = largest(b)
    damping = 1e-14
    for _ in range(steps):
        size = largest(b)
        if not size < 1e300 or size == 0.0 or not differentiate(b, code, n, p):
            break
        total = 0.0
        for j in range(points):
            m[SHARE, j] *= abs(m[RESIDUAL, j]) / size + 1e-6
            total += m[SHARE, j]
        for j in range(points):
            m[SHARE, j] *= points / total
            root = np.sqrt(m[SHARE, j])
            m[RIGHT, j] = m[RESIDUAL, j] * root
            for k in range(p):
                m[JACOBIAN + k, j] *= root
        factor(b, p)
        if not damped_step(b, p, damping):
            break
        add_step(m, p, C)
        loss_dd(b, code, n, p, C)
        now = largest(b)
        if now < best:
            best = now
            copy_row(m, C, BEST)
            copy_row(m, C_LO, BEST_LO)
        elif not now < 4.0 * best:  # the linear model does not hold so far out: go back, damp
            copy_row(m, BEST, C)
            copy_row(m, BEST_LO, C_LO)
            damping *= 100.0
            if damping > 1.0:
                break
            loss_dd(b, code, n, p, C)
    copy_row(m, BEST, C)
    copy_row(m, BEST_LO, C_LO)
    return best


@kernel
def alternation(b: Bench, p: int) -> bool:
    """Row SHARE = the p + 1 points where the residual's extrema alternate in sign, the largest such run; False if too few."""
    m, points, wanted = b.m, b.k[POINTS], p + 1
    found = 0
    for j in range(points):
        same = found > 0 and (m[RESIDUAL, j] > 0.0) == (m[RESIDUAL, np.int64(m[SHARE, found - 1])] > 0.0)
        if not same:
            m[SHARE, found] = j
            found += 1
        elif abs(m[RESIDUAL, j]) > abs(m[RESIDUAL, np.int64(m[SHARE, found - 1])]):
            m[SHARE, found - 1] = j
    start, highest = 0, -1.0
    for first in range(found - wanted + 1):
        lowest = np.inf
        for i in range(first, first + wanted):
            lowest = min(lowest, abs(m[RESIDUAL, np.int64(m[SHARE, i])]))
        if lowest > highest:
            start, highest = first, lowest
    for i in range(wanted):
        m[SHARE, i] = m[SHARE, start + i]
    return found >= wanted


@kernel
def level_step(b: Bench, p: int) -> bool:
    """Row STEP = the change of the constants that makes the linearised residual equal in size at the points of SHARE."""
    m, size = b.m, p + 1
    padded = (size + LANES - 1) // LANES * LANES
    for i in range(padded):
        j = np.int64(m[SHARE, i]) if i < size else 0
        keep = 1.0 if i < size else 0.0
        for k in range(p):
            m[SMALL + k, i] = keep * m[JACOBIAN + k, j] / m[SCALE, k]
        m[SMALL + p, i] = -keep if m[RESIDUAL, j] > 0.0 else keep
        m[SMALL_RIGHT, i] = -keep * m[RESIDUAL, j]
    orthogonalize(m, SMALL, size, padded, SMALL_RIGHT, SMALL_R, STEP)
    for i in range(p, -1, -1):
        t = m[STEP, i]
        for k in range(i + 1, size):
            t -= m[SMALL_R + i, k] * m[STEP, k]
        if m[SMALL_R + i, i] == 0.0:
            return False
        m[STEP, i] = t / m[SMALL_R + i, i]
    for k in range(p):
        m[STEP, k] /= m[SCALE, k]
    return True


@kernel
def exchange(b: Bench, code: Code, n: int, p: int, steps: int) -> float:
    """Finish the polish by Remez' exchange, where p + 1 extrema alternate in sign; return the largest residual.

    The constants' valley is too curved to go straight to where the linear model levels the extrema. So the residual that the
    model promises is taken for a new target, which `refine` reaches along the valley. Rows C and C_LO change only for the
    better.
    """
    m, points = b.m, b.k[POINTS]
    loss_dd(b, code, n, p, C)
    best = largest(b)
    for _ in range(steps):
        if p + 1 > MAX_CONSTANTS or not 0.0 < best < 1e300 or not differentiate(b, code, n, p):
            break
        if not alternation(b, p) or not level_step(b, p):
            break
        copy_row(m, C, BEST)
        copy_row(m, C_LO, BEST_LO)
        copy_row(m, TARGET_LO, ASKED)
        for j in range(points):
            promised = m[RESIDUAL, j]
            for k in range(p):
                promised += m[JACOBIAN + k, j] * m[STEP, k]
            if m[WEIGHT, j] != 0.0:
                m[TARGET_LO, j] += promised / m[WEIGHT, j]
        refine(b, code, n, p)
        copy_row(m, ASKED, TARGET_LO)
        loss_dd(b, code, n, p, C)
        now = largest(b)
        if not now < best * (1.0 - 1e-7):
            if not now < best:
                copy_row(m, BEST, C)
                copy_row(m, BEST_LO, C_LO)
                loss_dd(b, code, n, p, C)
            break
        best = now
    return best


@kernel
def polish(b: Bench, code: Code, n: int, p: int, steps: int) -> float:
    """Refine the constants in rows C and C_LO, then make their error equi-ripple; return the largest weighted residual."""
    refine(b, code, n, p)
    exchange(b, code, n, p, EXCHANGES)
    lawson(b, code, n, p, steps)
    return exchange(b, code, n, p, EXCHANGES)
