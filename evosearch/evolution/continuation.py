"""Variation by continuation: structural steps along which the fitted constants are carried.

A child whose constants start at random is rarely fitted well. These operators change the structure and follow its optimum
there: `absorb` drives a constant to where its row does nothing and deletes the row; `lift` drives a program to the target
that a new last row asks of it (semantic backpropagation: Pawlak, Wieloch, Krawiec 2015), then appends the row, and `lower`
does the opposite; `morph` leads readers of one value to another value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.encode import CONST_BASE, TEMP_BASE
from evosearch.backends.kernels import kernel
from evosearch.evolution.fit import (
    APPROACH,
    ASKED,
    FOLLOW,
    JACOBIAN,
    NOTHING,
    PINNED,
    POINTS,
    RIGHT,
    SCALE,
    STEP,
    TARGET,
    TRIAL,
    Bench,
    C,
    copy_row,
    damped_step,
    differentiate,
    factor,
    levenberg_marquardt,
    loss,
    take_constants,
    to_code,
)
from evosearch.evolution.genome import CONSTANT, FIRST, INVALID, MAX_INSTRUCTIONS
from evosearch.evolution.mutate import close_row, open_rows, random_row, redirect
from evosearch.evolution.random import bell, below, power_of_two, uniform

if TYPE_CHECKING:
    from evosearch.backends.assembled import ADD, ARITY, DIV, MUL, N_OPS, NEUTRAL, SUB, inverse

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Rng = NDArray[np.uint64]
Code = NDArray[np.int16]

STEPS = 4


@kernel
def binary_logarithm(x: float) -> float:
    """log2 of a positive number to about 1e-15, without libm."""
    whole = 0.0
    while x >= 1.5:
        x *= 0.5
        whole += 1.0
    while x < 0.75:
        x *= 2.0
        whole -= 1.0
    s = (x - 1.0) / (x + 1.0)
    series = 0.0
    for k in range(21, 0, -2):
        series = 1.0 / k + series * s * s
    return whole + 2.8853900817779268 * s * series


@kernel
def predict(b: Bench, code: Code, n: int, p: int, pinned: int, to: float, relative: bool) -> bool:
    """Move constant `pinned` to `to` and the others with it, along the direction that changes the values least.

    With `relative` the constants move on multiplicative paths, on which a scale that two constants share is a straight
    line. Row TRIAL holds the result.
    """
    m, points = b.m, b.k[POINTS]
    loss(b, code, n, p, C)
    if not differentiate(b, code, n, p):
        return False
    move = to - m[C, pinned]
    if relative:
        if m[C, pinned] * to <= 0.0:
            return False
        move = binary_logarithm(to / m[C, pinned])
    for k in range(p):
        unit = m[C, k] if relative else 1.0
        for j in range(points):
            m[JACOBIAN + k, j] *= unit
        m[SCALE, k] = max(m[SCALE, k] * abs(unit), 1e-300)
    for j in range(points):
        m[RIGHT, j] = m[JACOBIAN + pinned, j] * move
        m[JACOBIAN + pinned, j] = 0.0
    factor(b, p)
    if not damped_step(b, p, 1e-20):
        return False
    for k in range(p):
        step = m[STEP, k]
        if k == pinned:
            m[TRIAL, k] = to
        elif relative:
            if not abs(step) < 200.0:
                return False
            m[TRIAL, k] = m[C, k] * power_of_two(step)
        else:
            m[TRIAL, k] = m[C, k] + step
    return True


@kernel
def follow(b: Bench, code: Code, n: int, p: int, pinned: int, to: float, relative: bool) -> float:
    """Drive a constant to `to` while the others keep the loss low; return the loss there.

    One step where the constant is a gauge (the values do not change), else `STEPS` steps, each corrected.
    """
    now = loss(b, code, n, p, C)
    origin = b.m[C, pinned]
    step = 0
    if predict(b, code, n, p, pinned, to, relative) and loss(b, code, n, p, TRIAL) < 1e4 * now + 1e-20:
        copy_row(b.m, TRIAL, C)
        step = STEPS - 1
    while step < STEPS:
        step += 1
        share = step / STEPS
        here = origin + (to - origin) * share
        if relative and origin * to > 0.0:
            here = to * power_of_two(-(1.0 - share) * binary_logarithm(to / origin))
        if step == STEPS:
            here = to
        if predict(b, code, n, p, pinned, here, relative):
            copy_row(b.m, TRIAL, C)
        b.m[C, pinned] = here
        b.k[PINNED] = pinned
        now = levenberg_marquardt(b, code, n, p, b.k[FOLLOW], 1e-7, 1e-2)
        b.k[PINNED] = NOTHING
        if not now < 1e300:
            break
    return now


@kernel
def shake(rng: Rng, b: Bench, p: int) -> None:
    """Move the constants by random factors, more or less: the same step from the same program then ends in other optima."""
    size = power_of_two(-5.0 * uniform(rng))
    for k in range(p):
        b.m[C, k] *= power_of_two(size * bell(rng))


@kernel
def absorbable(g: Ints, n: int) -> int:
    """How many rows have one constant that can be driven to where the row does nothing."""
    count = 0
    for i in range(n):
        if _slot(g, i) >= 0:
            count += 1
    return count if n > 1 else 0


@kernel
def absorb(b: Bench, g: Ints, c: Floats, n: int, code: Code, chosen: int) -> int:
    """Delete a row with one constant, the `chosen`th of the absorbable ones, after driving that constant to where the row
    does nothing. Returns the new length, or INVALID where the row cannot go."""
    at = 0
    for i in range(n):
        if _slot(g, i) >= 0:
            if chosen == 0:
                at = i
            chosen -= 1
    slot = _slot(g, at)
    p = to_code(g, c, n, code, b.m)
    pinned = code[at, slot + 1] - CONST_BASE
    op = g[at, 0]
    neutral = NEUTRAL[op, slot]
    negated = False
    if np.isnan(neutral):  # c - x, driven to -x
        neutral = 0.0
        negated = True
    elif neutral == 1.0 and b.m[C, pinned] < 0.0:
        neutral = -1.0
        negated = True
    instead = g[at, 2 - slot]
    if at == n - 1 and (negated or instead < FIRST):
        return INVALID
    if negated and not _negate_readers(g, c, n, at, False):
        return INVALID
    if not follow(b, code, n, p, pinned, neutral, neutral != 0.0) < 1e300:
        return INVALID
    take_constants(g, c, n, b.m)
    if negated:
        _negate_readers(g, c, n, at, True)
    return close_row(g, c, n, at, instead)


@kernel
def _slot(g: Ints, i: int) -> int:
    """Which operand of row i is its only constant and can be made to do nothing; -1 where none is."""
    op = g[i, 0]
    if ARITY[op] != 2:
        return -1
    for k in range(2):
        if g[i, k + 1] == CONSTANT and (not np.isnan(NEUTRAL[op, k]) or (op == SUB and k == 0)):
            return k
    return -1


@kernel
def _negate_readers(g: Ints, c: Floats, n: int, at: int, apply: bool) -> bool:
    """Let every reader of row `at` read it as if it had the other sign; False where one of them cannot."""
    value = FIRST + at
    for i in range(at + 1, n):
        first, second = g[i, 1] == value, ARITY[g[i, 0]] > 1 and g[i, 2] == value
        if not (first or second):
            continue
        op = g[i, 0]
        if first and second:
            if op != MUL and op != DIV:
                return False
        elif op == ADD and SUB >= 0:
            if apply:
                if first:
                    g[i, 1], g[i, 2] = g[i, 2], g[i, 1]
                    c[i, 0], c[i, 1] = c[i, 1], c[i, 0]
                g[i, 0] = SUB
        elif op == SUB and second and ADD >= 0:
            if apply:
                g[i, 0] = ADD
        elif op in (MUL, DIV) and (g[i, 1] == CONSTANT or g[i, 2] == CONSTANT):
            if apply:
                c[i, 0] = -c[i, 0]
                c[i, 1] = -c[i, 1]
        else:
            return False
    return True


@kernel
def lift(rng: Rng, b: Bench, g: Ints, c: Floats, n: int, code: Code, limit: int) -> int:
    """Append a row that reads the output, after fitting the program to what that row asks of it.

    Returns the new length, or INVALID where the row cannot be solved for its argument.
    """
    op = below(rng, N_OPS)
    u = uniform(rng)
    slot = 0 if uniform(rng) < 0.5 else 1
    if n >= limit or ARITY[op] != 2:
        return INVALID
    output = FIRST + n - 1
    other = output
    if u < 0.4:
        other = 0
    elif u < 0.6:
        other = below(rng, n)
    p = to_code(g, c, n, code, b.m)
    if p <= 0:
        return INVALID
    m, points = b.m, b.k[POINTS]
    shake(rng, b, p)
    loss(b, code, n, p, C)
    row = TEMP_BASE + other - FIRST if other >= FIRST else other
    known = 2 if other == output else slot
    goal, asked = ASKED, ASKED + 1
    for j in range(points):
        m[goal, j] = m[TARGET, j]
        m[asked, j] = inverse(op, known, m[TARGET, j], m[row, j])
        if not abs(m[asked, j]) < 1e9:
            return INVALID
    reached = approach(b, code, n, p, goal, asked)
    copy_row(m, goal, TARGET)
    if not reached:
        return INVALID
    take_constants(g, c, n, b.m)
    g[n, 0] = op
    g[n, 1 + slot] = output
    g[n, 2 - slot] = other
    return n + 1


@kernel
def approach(b: Bench, code: Code, n: int, p: int, start: int, end: int) -> bool:
    """Fit along targets that lead from row `start` to row `end`; the target is left at the end. False where that failed."""
    for step in range(1, STEPS + 1):
        share = step / STEPS
        for j in range(b.k[POINTS]):
            b.m[TARGET, j] = b.m[start, j] + share * (b.m[end, j] - b.m[start, j])
        if not levenberg_marquardt(b, code, n, p, b.k[APPROACH], 1e-6, 1e-2) < 1e300:
            return False
    return True


@kernel
def lower(rng: Rng, b: Bench, g: Ints, c: Floats, n: int, code: Code) -> int:
    """Delete the last row, after fitting what it reads to the target itself: the inverse of `lift`.

    Returns the new length, or INVALID where the last row reads no other one.
    """
    inner = g[n - 1, 1 + below(rng, ARITY[g[n - 1, 0]])]
    if inner < FIRST or n < 2:
        return INVALID
    m = b.m
    p = to_code(g, c, n, code, m)
    loss(b, code, n, p, C)
    n = inner - FIRST + 1
    p = to_code(g, c, n, code, m)
    if p <= 0:
        return INVALID
    start, goal = ASKED, ASKED + 1
    copy_row(m, TARGET, goal)
    copy_row(m, TEMP_BASE + n - 1, start)
    reached = approach(b, code, n, p, start, goal)
    copy_row(m, goal, TARGET)
    if not reached:
        return INVALID
    take_constants(g, c, n, b.m)
    return n


@kernel
def morph(rng: Rng, b: Bench, g: Ints, c: Floats, n: int, code: Code, limit: int) -> int:
    """Let readers of a value v read another value w, an earlier one or a new row's, along v + s (w - v) with s from 0 to 1.

    So a program of x becomes one of x^2 or of x + c, say, and takes its constants along. Returns the new length (with dead
    rows), or INVALID where nothing can be replaced.
    """
    if ADD < 0 or SUB < 0 or MUL < 0 or n == 0 or n + 4 > MAX_INSTRUCTIONS:
        return INVALID
    at = below(rng, n)
    v = g[at, 1 + below(rng, ARITY[g[at, 0]])]
    if v == CONSTANT:
        return INVALID
    w = below(rng, at + 1)
    if n < limit and (w == v or uniform(rng) < 0.7):
        open_rows(g, c, n, at, 1)
        random_row(rng, g, c, at, v)
        at += 1
        n += 1
        w = at  # operand k is row k - 1
    if w == v:
        return INVALID
    open_rows(g, c, n, at, 3)
    n += 3
    g[at, 0], g[at, 1], g[at, 2] = SUB, w, v
    g[at + 1, 0], g[at + 1, 1], g[at + 1, 2] = MUL, CONSTANT, FIRST + at
    g[at + 2, 0], g[at + 2, 1], g[at + 2, 2] = ADD, v, FIRST + at + 1
    c[at + 1, 0] = 0.0
    redirect(rng, g, v, FIRST + at + 2, at + 3, n)
    p = to_code(g, c, n, code, b.m)
    if p < 0 or not follow(b, code, n, p, code[at + 1, 1] - CONST_BASE, 1.0, False) < 1e300:
        return INVALID
    take_constants(g, c, n, b.m)
    return close_row(g, c, n, at + 2, w)
