"""Fitting the constants of one program, in kernels: Levenberg-Marquardt, leaps, refinement in double-double.

Everything works in a `Bench`: one matrix whose rows are registers, targets, columns of the Jacobian and small vectors. Numba
passes every array of a tuple as some ten arguments, so that many arrays would cost more than the arithmetic. Sums are folded
in a fixed order and nothing calls libm or LAPACK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.encode import CONST_BASE, INPUT_BASE, TEMP_BASE
from evosearch.backends.kernels import kernel
from evosearch.backends.simd import LANES, dot
from evosearch.evolution.genome import CONSTANT, FIRST, INVALID, MAX_CONSTANTS, MAX_INSTRUCTIONS

if TYPE_CHECKING:
    from evosearch.backends.assembled import ARITY, backward, forward, forward_dd

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Code = NDArray[np.int16]

REGISTERS = TEMP_BASE + MAX_INSTRUCTIONS
HI, LO, ADJOINT = 0, REGISTERS, 2 * REGISTERS
"""First rows of the register files: values, their low parts, adjoints."""
TARGET, TARGET_LO, WEIGHT, RESIDUAL, RIGHT, SHARE = (3 * REGISTERS + k for k in range(6))
"""Rows over the points."""
ASKED = 3 * REGISTERS + 6
"""First of three rows over the points that belong to the caller."""
JACOBIAN = 3 * REGISTERS + 9
"""First column of the Jacobian, a row each; orthonormal once factored."""
COORDINATES, SCALE, SMALL_RIGHT, STEP, C, C_LO, TRIAL, TRIAL_LO, BEST, BEST_LO, AHEAD, AHEAD_LO = (
    JACOBIAN + MAX_CONSTANTS + k for k in range(12)
)
"""Rows over the constants: of the right-hand side, column norms, ..., the constants as pairs, a trial, the best so far, the
best of `leap`."""
R, SMALL, SMALL_R = (JACOBIAN + (k + 1) * MAX_CONSTANTS + 12 for k in range(3))
"""First rows of the triangular factor, of the columns of the small damped problem, and of its factor."""
ROWS = JACOBIAN + 4 * MAX_CONSTANTS + 12

POINTS, PINNED, QUICK, FULL, DEEP, FOLLOW, APPROACH, REFINE, LONG, LEAP = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
"""Positions in `Bench.k`: how many points, which constant must not move, and the most steps of each kind of fit."""
NOTHING = -1
SCHEDULE = (3, 32, 100, 6, 8, 60, 500, 12)
WATCH = 3
"""Steps of `leap` in a row without a gain after which it ends."""


class Bench(NamedTuple):
    """Target, registers and scratch of one kernel.

    Attributes:
        m: float64 (ROWS, width); points and constants are along the rows.
        k: int64 (10,); numbers that kernels are called with, since Numba compiles a kernel anew for each literal argument.
        work: float64 (1,): instructions x points done so far.
    """

    m: Floats
    k: Ints
    work: Floats


def make_bench(x: Floats, target_hi: Floats, target_lo: Floats, weight: Floats) -> Bench:
    """A bench for programs of one input; all arguments (n,), n a multiple of `simd.LANES`."""
    n = len(x)
    m = np.zeros((ROWS, max(n, 2 * MAX_CONSTANTS)))
    for row, values in ((INPUT_BASE, x), (TARGET, target_hi), (TARGET_LO, target_lo), (WEIGHT, weight)):
        m[row, :n] = values
    return Bench(m, np.array([n, NOTHING, *SCHEDULE]), np.zeros(1))


@kernel
def to_code(g: Ints, c: Floats, n: int, code: NDArray[np.int16], m: Floats) -> int:
    """Write the interpreter's code and row C of a bench's matrix; return how many constants there are, or INVALID."""
    p = 0
    for i in range(n):
        code[i, 0] = g[i, 0]
        for k in range(ARITY[g[i, 0]]):
            operand = g[i, k + 1]
            if operand == CONSTANT:
                if p >= MAX_CONSTANTS:
                    return INVALID
                code[i, k + 1] = CONST_BASE + p
                m[C, p] = c[i, k]
                p += 1
            elif operand >= FIRST:
                code[i, k + 1] = TEMP_BASE + operand - FIRST
            else:
                code[i, k + 1] = operand
    return p


@kernel
def take_constants(g: Ints, c: Floats, n: int, m: Floats) -> None:
    """Write row C of a bench's matrix back to the operands."""
    p = 0
    for i in range(n):
        for k in range(ARITY[g[i, 0]]):
            if g[i, k + 1] == CONSTANT:
                c[i, k] = m[C, p]
                p += 1


@kernel
def copy_row(m: Floats, source: int, to: int) -> None:
    """Copy a row."""
    for j in range(m.shape[1]):
        m[to, j] = m[source, j]


@kernel
def loss(b: Bench, code: Code, n: int, p: int, constants: int) -> float:
    """Sum of squared weighted residuals, with the float64 constants of a row; NaN or infinite where not defined."""
    m, points = b.m, b.k[POINTS]
    for k in range(p):
        value = m[constants, k]
        for j in range(points):
            m[CONST_BASE + k, j] = value
    forward(code, n, m, points)
    b.work[0] += n * points
    out = TEMP_BASE + n - 1
    for j in range(points):
        m[RESIDUAL, j] = (m[out, j] - m[TARGET, j]) * m[WEIGHT, j]
    return dot(m, RESIDUAL, m, RESIDUAL, points)


@kernel
def loss_dd(b: Bench, code: Code, n: int, p: int, constants: int) -> float:
    """As `loss`, with values and constants in double-double; the next row holds the constants' low parts."""
    m, points = b.m, b.k[POINTS]
    for k in range(p):
        value, low = m[constants, k], m[constants + 1, k]
        for j in range(points):
            m[CONST_BASE + k, j] = value
            m[LO + CONST_BASE + k, j] = low
    forward_dd(code, n, m, m[LO:ADJOINT], points)
    b.work[0] += n * points
    out = TEMP_BASE + n - 1
    for j in range(points):
        difference = (m[out, j] - m[TARGET, j]) + (m[LO + out, j] - m[TARGET_LO, j])
        m[RESIDUAL, j] = difference * m[WEIGHT, j]
    return dot(m, RESIDUAL, m, RESIDUAL, points)


@kernel
def differentiate(b: Bench, code: Code, n: int, p: int) -> bool:
    """The weighted Jacobian by constants, after `loss`; a pinned column is 0. False where it is not finite."""
    m, points = b.m, b.k[POINTS]
    for row in range(ADJOINT + CONST_BASE, ADJOINT + CONST_BASE + p):
        for j in range(points):
            m[row, j] = 0.0
    last = ADJOINT + TEMP_BASE + n - 1
    for row in range(ADJOINT + TEMP_BASE, last):
        for j in range(points):
            m[row, j] = 0.0
    for j in range(points):
        m[last, j] = m[WEIGHT, j]
    backward(code, n, m, m[ADJOINT:TARGET], points)
    b.work[0] += n * points
    for k in range(p):
        keep = 0.0 if k == b.k[PINNED] else 1.0
        for j in range(points):
            m[JACOBIAN + k, j] = m[ADJOINT + CONST_BASE + k, j] * keep
        square = dot(m, JACOBIAN + k, m, JACOBIAN + k, points)
        if not square < 1e300:
            return False
        m[SCALE, k] = np.sqrt(square) if square > 0.0 else 1.0
    return True


@kernel
def orthogonalize(m: Floats, columns: int, p: int, n: int, right: int, r: int, coordinates: int) -> None:
    """Modified Gram-Schmidt, in place; all arguments after m name rows, n is the length of the vectors.

    The p columns become orthonormal and r triangular; `coordinates` are those of `right` in the new columns, which are taken
    out of it. A column that depends on earlier ones has r[k, k] near 0.
    """
    for k in range(p):
        column = columns + k
        norm = np.sqrt(dot(m, column, m, column, n))
        m[r + k, k] = norm
        scale = 1.0 / norm if norm > 0.0 else 1.0
        for j in range(n):
            m[column, j] *= scale
        for i in range(k + 1, p):
            t = dot(m, column, m, columns + i, n)
            m[r + k, i] = t
            for j in range(n):
                m[columns + i, j] -= t * m[column, j]
        t = dot(m, column, m, right, n)
        m[coordinates, k] = t
        for j in range(n):
            m[right, j] -= t * m[column, j]


@kernel
def factor(b: Bench, p: int) -> None:
    """Prepare `damped_step` from the Jacobian and the right-hand side, both of which it uses up."""
    orthogonalize(b.m, JACOBIAN, p, b.k[POINTS], RIGHT, R, COORDINATES)


@kernel
def damped_step(b: Bench, p: int, damping: float) -> bool:
    """Row STEP = the d that minimises |R d + coordinates|^2 + damping |SCALE d|^2; False where there is none."""
    m = b.m
    size = (2 * p + LANES - 1) // LANES * LANES
    root = np.sqrt(damping)
    for k in range(p):
        for i in range(k + 1):
            m[SMALL + k, i] = m[R + i, k]
        for i in range(k + 1, size):
            m[SMALL + k, i] = 0.0
        m[SMALL + k, p + k] = root * m[SCALE, k]
        m[SMALL_RIGHT, k] = -m[COORDINATES, k]
    for k in range(p, size):
        m[SMALL_RIGHT, k] = 0.0
    orthogonalize(m, SMALL, p, size, SMALL_RIGHT, SMALL_R, STEP)
    for i in range(p - 1, -1, -1):
        t = m[STEP, i]
        for k in range(i + 1, p):
            t -= m[SMALL_R + i, k] * m[STEP, k]
        if m[SMALL_R + i, i] == 0.0:
            return False
        m[STEP, i] = t / m[SMALL_R + i, i]
    return True


@kernel
def levenberg_marquardt(b: Bench, code: Code, n: int, p: int, steps: int, damping: float, tolerance: float) -> float:
    """Minimise `loss` over row C from where it stands, in at most `steps` trial steps; return the loss.

    Marquardt's scaling by the current column norms follows curved valleys far better here than Moré's running maximum.
    Stops after two accepted steps in a row with a relative gain below `tolerance`.
    """
    m = b.m
    best = loss(b, code, n, p, C)
    if not best < 1e300:
        return np.inf
    now = best
    small = 0
    taken = 0
    while taken < steps and small < 2:
        if not differentiate(b, code, n, p):
            break
        copy_row(m, RESIDUAL, RIGHT)
        factor(b, p)
        accepted = False
        while taken < steps and damping < 1e12:
            taken += 1
            if damped_step(b, p, damping):
                for k in range(p):
                    m[TRIAL, k] = m[C, k] + m[STEP, k]
                now = loss(b, code, n, p, TRIAL)
                if now < best:
                    accepted = True
                    break
            damping *= 8.0
        if not accepted:
            break
        copy_row(m, TRIAL, C)
        damping = max(damping * 0.1, 1e-15)
        small = small + 1 if best - now < tolerance * best else 0
        best = now
    return best


@kernel
def leap(b: Bench, code: Code, n: int, p: int, exact: bool) -> float:
    """Gauss-Newton steps that may go uphill for a while; row C ends as the best constants seen. Return their loss.

    Near a good fit the loss has a floor as narrow as the residual is small, and curved: whoever must go down in every step
    crawls along it. A full step leaves the floor, the next one falls back on it far ahead (the watchdog technique of
    Chamberlain, Powell, Lemarechal, Pedersen 1982). With `exact`, residuals are in double-double and C_LO goes along.
    """
    m = b.m
    best = loss_dd(b, code, n, p, C) if exact else loss(b, code, n, p, C)
    copy_row(m, C, AHEAD)
    copy_row(m, C_LO, AHEAD_LO)
    since = 0
    for _ in range(b.k[LEAP]):
        if not differentiate(b, code, n, p):
            break
        copy_row(m, RESIDUAL, RIGHT)
        factor(b, p)
        if not damped_step(b, p, 1e-20):
            break
        add_step(m, p, C)
        if not exact:
            copy_row(m, AHEAD_LO, C_LO)
        now = loss_dd(b, code, n, p, C) if exact else loss(b, code, n, p, C)
        if not now < 1e300:
            break
        since += 1
        if now < best:
            if now < 0.999 * best:
                since = 0
            best = now
            copy_row(m, C, AHEAD)
            copy_row(m, C_LO, AHEAD_LO)
        if since == WATCH:
            break
    copy_row(m, AHEAD, C)
    copy_row(m, AHEAD_LO, C_LO)
    return best


@kernel
def refine(b: Bench, code: Code, n: int, p: int) -> float:
    """Gauss-Newton on `loss_dd` over rows C and C_LO: residuals in double-double, the Jacobian in float64; return the loss."""
    m = b.m
    if not leap(b, code, n, p, True) < 1e300:
        return np.inf
    best = loss_dd(b, code, n, p, C)
    now = best
    damping = 1e-20
    taken = 0
    small = 0
    while taken < b.k[REFINE] and small < 2:
        if not differentiate(b, code, n, p):
            break
        copy_row(m, RESIDUAL, RIGHT)
        factor(b, p)
        accepted = False
        while taken < b.k[REFINE] and damping < 1e6:
            taken += 1
            if damped_step(b, p, damping):
                add_step(m, p, TRIAL)
                now = loss_dd(b, code, n, p, TRIAL)
                if now < best:
                    accepted = True
                    break
            damping = damping * 30.0
        if not accepted:
            break
        copy_row(m, TRIAL, C)
        copy_row(m, TRIAL_LO, C_LO)
        damping = max(damping * 0.01, 1e-24)
        small = small + 1 if best - now < 1e-3 * best else 0
        best = now
    return best


@kernel
def add_step(m: Floats, p: int, to: int) -> None:
    """Rows `to` and `to` + 1 = the constants as pairs plus the step, normalised."""
    for k in range(p):
        hi, step = m[C, k], m[STEP, k]
        s = hi + step
        v = s - hi
        e = (hi - (s - v)) + (step - v) + m[C_LO, k]
        m[to, k] = s + e
        m[to + 1, k] = e - (m[to, k] - s)


@kernel
def largest(b: Bench) -> float:
    """Largest weighted residual; infinite where any is not finite."""
    top = 0.0
    for j in range(b.k[POINTS]):
        size = abs(b.m[RESIDUAL, j])
        if not size <= 1e300:
            return np.inf
        top = max(top, size)
    return top
