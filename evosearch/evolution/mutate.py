"""Mutations of genomes: each changes a genome in place and returns its new length.

They know the op table and nothing of any function. A result may hold dead rows or be reducible; `settle` decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from evosearch.evolution.genome import CONSTANT, FIRST, INVALID, MAX_INSTRUCTIONS
from evosearch.evolution.random import bell, below, fresh_constant, power_of_two, uniform

if TYPE_CHECKING:
    from evosearch.backends.assembled import ADD, ARITY, DIV, MUL, N_OPS, NEUTRAL, SUB

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Rng = NDArray[np.uint64]

INSERT, DELETE, REWIRE, CHANGE_OP, COPY, LIFT, ABSORB, GRAFT, LOWER, SHAKE, MORPH = (k + 1 for k in range(11))
"""Names of operators in a lineage: one hexadecimal digit each."""


@kernel
def mutate(rng: Rng, g: Ints, c: Floats, n: int, limit: int) -> tuple[int, int]:
    """Apply one random operator; return the new length and the operator."""
    u = uniform(rng)
    if n == 0 or u < 0.35:
        return insert(rng, g, c, n, limit), INSERT
    if u < 0.5:
        return delete(rng, g, c, n), DELETE
    if u < 0.82:
        return rewire(rng, g, c, n), REWIRE
    return change_op(rng, g, c, n), CHANGE_OP


@kernel
def open_rows(g: Ints, c: Floats, n: int, at: int, count: int) -> None:
    """Make room for `count` rows before row `at`; operands that read later rows follow them."""
    for i in range(n - 1, at - 1, -1):
        for k in range(4):
            g[i + count, k] = g[i, k]
        for k in range(3):
            c[i + count, k] = c[i, k]
            if g[i + count, k + 1] >= FIRST + at:
                g[i + count, k + 1] += count


@kernel
def close_row(g: Ints, c: Floats, n: int, at: int, instead: int) -> int:
    """Remove row `at`; its readers read `instead`. Return the new length (the output may move to an earlier row)."""
    for i in range(at + 1, n):
        for k in range(1, 4):
            if g[i, k] == FIRST + at:
                g[i, k] = instead
            elif g[i, k] > FIRST + at:
                g[i, k] -= 1
        for k in range(4):
            g[i - 1, k] = g[i, k]
        for k in range(3):
            c[i - 1, k] = c[i, k]
    if at == n - 1:
        return instead - FIRST + 1 if instead >= FIRST else 0
    return n - 1


@kernel
def redirect(rng: Rng, g: Ints, value: int, to: int, start: int, n: int) -> None:
    """Let readers of `value` in rows start .. n - 1 read `to`: one, all, all up to one or all from one on; where there is
    none, any operand."""
    readers = 0
    for i in range(start, n):
        for k in range(1, ARITY[g[i, 0]] + 1):
            if g[i, k] == value:
                readers += 1
    if readers == 0:
        i = start + below(rng, n - start)
        g[i, 1 + below(rng, ARITY[g[i, 0]])] = to
        return
    first = last = below(rng, readers)
    u = uniform(rng)
    if u < 0.3:
        first = 0
    if u < 0.15 or u >= 0.9:
        last = readers - 1
    index = 0
    for i in range(start, n):
        for k in range(1, ARITY[g[i, 0]] + 1):
            if g[i, k] == value:
                if first <= index <= last:
                    g[i, k] = to
                index += 1


@kernel
def random_row(rng: Rng, g: Ints, c: Floats, at: int, value: int) -> None:
    """Make row `at` a random op that reads `value`, and else constants or earlier values."""
    op = below(rng, N_OPS)
    g[at, 0] = op
    slot = below(rng, ARITY[op])
    for k in range(ARITY[op]):
        g[at, k + 1] = value
        if k != slot:
            g[at, k + 1] = CONSTANT if uniform(rng) < 0.5 else below(rng, at + 1)
            c[at, k] = fresh_constant(rng)
            if not np.isnan(NEUTRAL[op, k]) and uniform(rng) < 0.5:
                c[at, k] = NEUTRAL[op, k] + 0.05 * c[at, k]


@kernel
def insert(rng: Rng, g: Ints, c: Floats, n: int, limit: int) -> int:
    """Insert one row that reads an earlier value; a reader of that value then reads the row."""
    if n >= limit:
        return n
    at = below(rng, n + 1)
    open_rows(g, c, n, at, 1)
    value = at if uniform(rng) < 0.5 else below(rng, at + 1)  # operand k is row k - 1: `at` is the row before
    random_row(rng, g, c, at, value)
    n += 1
    if at < n - 1:
        redirect(rng, g, value, FIRST + at, at + 1, n)
    return n


@kernel
def graft(rng: Rng, g: Ints, c: Floats, n: int, limit: int) -> int:
    """Insert a row c w or c / w, and a row that adds it to an operand.

    With c = 0 no value changes until c is fitted; with a random c the fit ends in other optima. The operand is one of any
    row, a constant too, or the output: so a constant becomes a function of an earlier value w. It is two insertions, whose
    first has no reader and whose second reads it. Returns INVALID where there is no room.
    """
    if n == 0 or n + 2 > limit or (MUL < 0 and DIV < 0) or (ADD < 0 and SUB < 0):
        return INVALID
    at = below(rng, n + 1)
    operand, constant, slot = FIRST + n - 1, 0.0, 0
    if at < n:
        slot = below(rng, ARITY[g[at, 0]])
        operand, constant = g[at, slot + 1], c[at, slot]
    other = operand if operand != CONSTANT and uniform(rng) < 0.5 else below(rng, at + 1)
    open_rows(g, c, n, at, 2)
    divide = MUL < 0 or (DIV >= 0 and uniform(rng) < 0.5)
    g[at, 0] = DIV if divide else MUL
    g[at, 1] = CONSTANT
    g[at, 2] = other
    c[at, 0] = 0.0 if uniform(rng) < 0.5 else fresh_constant(rng)
    g[at + 1, 0] = ADD if SUB < 0 or (ADD >= 0 and uniform(rng) < 0.5) else SUB
    g[at + 1, 1] = operand
    g[at + 1, 2] = FIRST + at
    c[at + 1, 0] = constant
    n += 2
    if at + 2 < n:
        if operand != CONSTANT and uniform(rng) < 0.3:
            for i in range(at + 2, n):
                for k in range(1, ARITY[g[i, 0]] + 1):
                    if g[i, k] == operand:
                        g[i, k] = FIRST + at + 1
        else:
            g[at + 2, slot + 1] = FIRST + at + 1
    return n


@kernel
def delete(rng: Rng, g: Ints, c: Floats, n: int) -> int:
    """Delete one row; its readers read one of its operands."""
    if n <= 1:
        return n
    at = below(rng, n)
    arity = ARITY[g[at, 0]]
    k = 1 + below(rng, arity)
    instead = g[at, k]
    if instead == CONSTANT:
        instead = g[at, 1 + k % arity]
    return close_row(g, c, n, at, instead) if instead != CONSTANT else n


@kernel
def rewire(rng: Rng, g: Ints, c: Floats, n: int) -> int:
    """Let one operand be another earlier value, or a fresh constant."""
    i = below(rng, n)
    k = below(rng, ARITY[g[i, 0]])
    if uniform(rng) < 0.3:
        g[i, k + 1] = CONSTANT
        c[i, k] = fresh_constant(rng)
    else:
        g[i, k + 1] = below(rng, i + 1)
    return n


@kernel
def shake_constants(rng: Rng, g: Ints, c: Floats, n: int) -> None:
    """Multiply all constants by random factors, near 1 or far: the same structure then ends in other optima."""
    size = 2.0 * uniform(rng)
    for i in range(n):
        for k in range(ARITY[g[i, 0]]):
            if g[i, k + 1] == CONSTANT:
                c[i, k] *= power_of_two(size * bell(rng))


@kernel
def change_op(rng: Rng, g: Ints, c: Floats, n: int) -> int:
    """Give one row another op, or the same with its first two operands in the other order."""
    i = below(rng, n)
    old = g[i, 0]
    op = below(rng, N_OPS)
    for k in range(ARITY[old], ARITY[op]):
        g[i, k + 1] = below(rng, i + 1)
    g[i, 0] = op
    if op == old and ARITY[op] > 1:
        operand, constant = g[i, 1], c[i, 0]
        g[i, 1], c[i, 0] = g[i, 2], c[i, 1]
        g[i, 2], c[i, 1] = operand, constant
    return n


@kernel
def copy_cone(rng: Rng, g: Ints, c: Floats, n: int, other: Ints, other_c: Floats, other_n: int, limit: int, place: Ints) -> int:
    """Copy a row of another genome, with all that it reads, to the front, and let one operand read it.

    Returns INVALID where it would grow beyond `limit`.
    """
    if n == 0 or other_n == 0:
        return INVALID
    top = below(rng, other_n)
    for i in range(other_n):
        place[i] = 0
    place[top] = 1
    count = 0
    for i in range(top, -1, -1):
        if place[i] == 1:
            count += 1
            for k in range(1, ARITY[other[i, 0]] + 1):
                if other[i, k] >= FIRST:
                    place[other[i, k] - FIRST] = 1
    if n + count > min(limit + 2, MAX_INSTRUCTIONS):  # the row that it replaces may die
        return INVALID
    open_rows(g, c, n, 0, count)
    m = 0
    for i in range(top + 1):
        if place[i] == 0:
            continue
        g[m, 0] = other[i, 0]
        for k in range(ARITY[other[i, 0]]):
            operand = other[i, k + 1]
            if operand >= FIRST:
                operand = FIRST + place[operand - FIRST]
            g[m, k + 1] = operand
            c[m, k] = other_c[i, k]
        place[i] = m
        m += 1
    i = m + below(rng, n)
    g[i, 1 + below(rng, ARITY[g[i, 0]])] = FIRST + m - 1
    return n + count
