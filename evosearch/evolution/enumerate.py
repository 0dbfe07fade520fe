"""All structures of a cost, each once: orderly generation of expression graphs (Read 1978), row by row, in kernels.

A structure is a genome without the values of its constants. Of all orders of its rows in which operands come first, the one
with the smallest keys, compared from row 0 on, is written; a prefix of such an order is one itself, so that rows are appended
and whatever is not least is cut off at once. Left out is what `settle` rejects and what computes a value twice: both have a
cheaper equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import kernel
from evosearch.evolution.genome import CONSTANT, FIRST, MAX_INSTRUCTIONS, settle

if TYPE_CHECKING:
    from evosearch.backends.assembled import ADD, ARITY, COMMUTES, DIV, MUL, N_OPS, SUB

Ints = NDArray[np.int64]

BASE = MAX_INSTRUCTIONS + 2
"""Of the numbers that rows are compared by: digits are the op and the operands plus 1."""
PLACE, ORDER, NEXT, TOTAL, USES = 0, 1, 2, 3, 4
"""Rows of `Walk.notes`: where a row went in another order, which row stands where, which to try next there; the cost up to each
row; scratch of `settle`."""


class Walk(NamedTuple):
    """Where an enumeration stands.

    Attributes:
        g: int64 (MAX_INSTRUCTIONS + 1, 4): the structure at hand.
        size: int64 (2,): its number of rows, 0 before the first one; and the cost whose structures are walked, in levels.
        costs: int64 (ops,): cost of each op in levels.
        notes: int64 (5, MAX_INSTRUCTIONS + 1): scratch.
        copy: int64 (MAX_INSTRUCTIONS + 1, 4): scratch.
        c: float64 (MAX_INSTRUCTIONS + 1, 3): scratch.
    """

    g: Ints
    size: Ints
    costs: Ints
    notes: Ints
    copy: Ints
    c: NDArray[np.float64]


def make_walk(costs: Ints, level: int, rows: Ints | None = None) -> Walk:
    """A walk over the structures of a cost: from the start, or from the structure `rows` (n, 4) on."""
    size = MAX_INSTRUCTIONS + 1
    walk = Walk(
        g=np.zeros((size, 4), np.int64),
        size=np.array([0, level], np.int64),
        costs=costs,
        notes=np.zeros((5, size), np.int64),
        copy=np.zeros((size, 4), np.int64),
        c=np.ones((size, 3)),
    )
    if rows is not None:
        walk.g[: len(rows)] = rows
        walk.size[0] = len(rows)
    return walk


@kernel
def next_structure(w: Walk) -> int:
    """Go on to the next structure in w.g; return its number of rows, 0 after the last one."""
    g, level = w.g, w.size[1]
    i = w.size[0] - 1
    total = 0
    for k in range(i + 1):
        total += w.costs[g[k, 0]]
        w.notes[TOTAL, k] = total
    if i < 0:
        i = 0
        clear_row(g, i)
    while i >= 0:
        if not next_row(g, i):
            i -= 1
            continue
        total = w.costs[g[i, 0]] + (w.notes[TOTAL, i - 1] if i > 0 else 0)
        if total > level or not sensible_row(g, i) or not could_end(w, i + 1, level - total) or not is_least(w, i + 1):
            continue
        w.notes[TOTAL, i] = total
        if total < level and i + 1 < MAX_INSTRUCTIONS:
            i += 1
            clear_row(g, i)
        elif total == level and is_settled(w, i + 1):
            w.size[0] = i + 1
            return i + 1
    w.size[0] = 0
    return 0


@kernel
def clear_row(g: Ints, i: int) -> None:
    """Set row i before the first one that `next_row` makes."""
    g[i, 0] = -1


@kernel
def next_row(g: Ints, i: int) -> bool:
    """Make row i the next one by op, then by operands; False after the last one."""
    op = g[i, 0]
    if op >= 0:
        for k in range(ARITY[op], 0, -1):
            g[i, k] += 1
            if g[i, k] <= i:  # operand i is the row before
                return True
            g[i, k] = CONSTANT
    g[i, 0] = op + 1
    for k in range(1, 4):
        g[i, k] = CONSTANT
    return g[i, 0] < N_OPS


@kernel
def row_key(g: Ints, i: int) -> int:
    """Row i as one number, in the order of `next_row`."""
    key = g[i, 0]
    for k in range(1, 4):
        key = key * BASE + g[i, k] + 1
    return key


@kernel
def sensible_row(g: Ints, i: int) -> bool:
    """Whether row i, after the rows before it, is written the one way there is and computes something new."""
    op, first, second = g[i, 0], g[i, 1], g[i, 2]
    constants, recent = 0, False
    for k in range(1, ARITY[op] + 1):
        constants += 1 if g[i, k] == CONSTANT else 0
        recent = recent or g[i, k] == i
    if constants == ARITY[op]:
        return False
    if COMMUTES[op] == 1 and first < second:
        return False
    if op in (SUB, DIV) and (first == second or (second == CONSTANT and (ADD if op == SUB else MUL) >= 0)):
        return False
    key = row_key(g, i)
    if i > 0 and not recent and key < row_key(g, i - 1):
        return False
    if constants == 0:
        for k in range(i):
            if row_key(g, k) == key:
                return False
    return True


@kernel
def could_end(w: Walk, n: int, left: int) -> bool:
    """Whether `left` levels of cost suffice to read all values of the first n rows but the output."""
    g, uses = w.g, w.notes[USES]
    for i in range(n):
        uses[i] = 0
        for k in range(1, ARITY[g[i, 0]] + 1):
            if g[i, k] >= FIRST:
                uses[g[i, k] - FIRST] = 1
    unread = 0
    for i in range(n):
        unread += 1 - uses[i]
    return unread - 1 <= left // w.costs.min() * (ARITY.max() - 1)


@kernel
def key_elsewhere(g: Ints, i: int, place: Ints) -> int:
    """Key of row i where earlier rows stand in other places; -1 where one that it reads has no place yet."""
    op, first, second, third = g[i, 0], g[i, 1], g[i, 2], g[i, 3]
    arity = ARITY[op]
    if first >= FIRST:
        first = place[first - FIRST] + FIRST
        if first < FIRST:
            return -1
    if arity > 1 and second >= FIRST:
        second = place[second - FIRST] + FIRST
        if second < FIRST:
            return -1
    if arity > 2 and third >= FIRST:
        third = place[third - FIRST] + FIRST
        if third < FIRST:
            return -1
    if COMMUTES[op] == 1 and first < second:
        first, second = second, first
    return ((op * BASE + first + 1) * BASE + second + 1) * BASE + third + 1


@kernel
def is_least(w: Walk, n: int) -> bool:
    """Whether no other order of the first n rows has smaller keys.

    Walks all orders that are equal so far; there is more than one only where rows are twins (x + c and x + d).
    """
    g, place, order, after = w.g, w.notes[PLACE], w.notes[ORDER], w.notes[NEXT]
    for i in range(n):
        place[i] = -1
    at = 0
    after[0] = 0
    while at >= 0:
        found = False
        if at < n:
            key = row_key(g, at)
            for i in range(after[at], n):
                if place[i] >= 0:
                    continue
                other = key_elsewhere(g, i, place)
                if other < 0 or other > key:
                    continue
                if other < key:
                    return False
                place[i] = at
                order[at] = i
                after[at] = i + 1
                found = True
                break
        if found:
            at += 1
            after[at] = 0
        else:
            at -= 1
            if at >= 0:
                place[order[at]] = -1
    return True


@kernel
def is_settled(w: Walk, n: int) -> bool:
    """Whether all of the first n rows live and `settle` finds no cheaper equal."""
    for i in range(n):
        for k in range(4):
            w.copy[i, k] = w.g[i, k]
    return settle(w.copy, w.c, n, w.notes[USES]) == n


@kernel
def skip(w: Walk, count: int) -> int:
    """Go on by up to `count` structures; return how many there were."""
    done = 0
    while done < count and next_structure(w) > 0:
        done += 1
    return done
