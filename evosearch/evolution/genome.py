"""Genomes: programs as the search kernels vary them.

A genome is `g`, int64 (MAX_INSTRUCTIONS, 4): rows (op code, operands), with `c`, float64 (MAX_INSTRUCTIONS, 3): the constant
of each operand that is one. An operand is CONSTANT, INPUT, or FIRST + k for the value of row k; the last row is the output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel

if TYPE_CHECKING:
    from evosearch.backends.assembled import ADD, ARITY, COMMUTES, DIV, FAMILY, MUL, SUB

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MAX_INSTRUCTIONS = 16
MAX_CONSTANTS = 16
CONSTANT = -1
INPUT = 0
FIRST = 1
"""Operand of row 0's value."""
INVALID = -1


@kernel
def settle(g: Ints, c: Floats, n: int, uses: Ints) -> int:
    """Bring a genome of n rows to canonical form in place: no dead rows, one way to write a thing; return its new length.

    INVALID where the program has a cheaper equal: a constant sub-expression, x - x, x / x, two constants in a chain.
    """
    mark_uses(g, n, uses)
    m = 0
    for i in range(n):
        if uses[i] == 0:
            continue
        op = g[i, 0]
        constants = 0
        for k in range(ARITY[op]):
            operand = g[i, k + 1]
            if operand == CONSTANT:
                constants += 1
            elif operand >= FIRST:
                operand = uses[operand - FIRST] + FIRST  # where that row went, see below
            g[m, k + 1] = operand
            c[m, k] = c[i, k]
        g[m, 0] = op
        if constants == ARITY[op]:
            return INVALID
        if ARITY[op] > 1:
            if op in (SUB, DIV) and g[m, 1] == g[m, 2]:
                return INVALID
            _one_way(g, c, m)
        uses[i] = m
        m += 1
    mark_uses(g, m, uses)
    return INVALID if _has_chain(g, m, uses) else m


@kernel
def mark_uses(g: Ints, n: int, uses: Ints) -> None:
    """How often each row's value is read by live rows; the output counts as one use, so that dead rows have 0."""
    for i in range(n):
        uses[i] = 0
    uses[n - 1] = 1
    for i in range(n - 1, -1, -1):
        if uses[i] > 0:
            for k in range(1, ARITY[g[i, 0]] + 1):
                if g[i, k] >= FIRST:
                    uses[g[i, k] - FIRST] += 1


@kernel
def _one_way(g: Ints, c: Floats, i: int) -> None:
    """x - c is x + (-c), x / c is x * (1/c), and commutative operands are in falling order."""
    op = g[i, 0]
    if op == SUB and g[i, 2] == CONSTANT and ADD >= 0:
        g[i, 0] = ADD
        c[i, 1] = -c[i, 1]
    elif op == DIV and g[i, 2] == CONSTANT and MUL >= 0:
        g[i, 0] = MUL
        c[i, 1] = 1.0 / c[i, 1] if c[i, 1] != 0.0 else 1.0
    if COMMUTES[g[i, 0]] == 1 and g[i, 1] < g[i, 2]:
        operand, constant = g[i, 1], c[i, 0]
        g[i, 1], c[i, 0] = g[i, 2], c[i, 1]
        g[i, 2], c[i, 1] = operand, constant


@kernel
def _has_chain(g: Ints, n: int, uses: Ints) -> bool:
    """Whether a row with a constant reads, alone, a row of the same family with a constant: the two constants are one."""
    for i in range(n):
        family = FAMILY[g[i, 0]]
        if family == 0 or not (g[i, 1] == CONSTANT or g[i, 2] == CONSTANT):
            continue
        inner = g[i, 1] if g[i, 2] == CONSTANT else g[i, 2]
        if inner < FIRST:
            continue
        row = inner - FIRST
        if FAMILY[g[row, 0]] == family and uses[row] == 1 and (g[row, 1] == CONSTANT or g[row, 2] == CONSTANT):
            return True
    return False


@kernel
def structure_hash(g: Ints, n: int, digests: NDArray[np.uint64]) -> np.uint64:
    """Hash of a settled genome without the values of its constants: equal for equal expression graphs.

    The number of rows counts, since a row that is read twice has one constant where two equal rows have two.
    """
    for i in range(n):
        z = np.uint64(g[i, 0] + 1) * np.uint64(0xD6E8FEB86659FD93)
        first, second = np.uint64(0), np.uint64(0)
        for k in range(ARITY[g[i, 0]]):
            operand = g[i, k + 1]
            d = np.uint64(0x9E3779B97F4A7C15) * np.uint64(operand + 7)
            if operand >= FIRST:
                d = digests[operand - FIRST]
            if k == 0:
                first = d
            elif k == 1:
                second = d
            else:
                z = (z ^ d) * np.uint64(0xA0761D6478BD642F)
        if COMMUTES[g[i, 0]] == 1 and first < second:
            first, second = second, first
        z = (z ^ first ^ (z >> np.uint64(32))) * np.uint64(0xE7037ED1A0B428DB)
        z = (z ^ second ^ (z >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        digests[i] = z ^ (z >> np.uint64(32))
    return np.uint64(digests[n - 1]) ^ (np.uint64(n) * np.uint64(0x9E3779B97F4A7C15))
