"""Enumeration writes every expression graph of a cost once, as brute force over all genomes finds them."""

from itertools import permutations, product

import numpy as np
import pytest

from evosearch.backends.kernels import assemble
from evosearch.evolution.enumerate import make_walk
from evosearch.evolution.genome import CONSTANT, FIRST, MAX_INSTRUCTIONS
from primitives.arithmetic import CORE, FIELD

KERNELS = ("evosearch.evolution.genome", "evosearch.evolution.enumerate")
Rows = tuple[tuple[int, ...], ...]


def enumerated(ops, costs, level):
    kernels, walk = assemble(ops, KERNELS, "structures"), make_walk(np.array(costs), level)
    found = []
    while n := kernels.next_structure(walk):
        found.append(tuple(map(tuple, walk.g[:n].tolist())))
    return found


def all_genomes(ops, n):
    """Every genome of n rows of binary ops, one row after the other in all ways."""
    rows = [
        [(op, a, b, CONSTANT) for op, _ in enumerate(ops) for a, b in product(range(-1, i + 1), repeat=2)] for i in range(n)
    ]
    return product(*rows)


def least_order(ops, genome: Rows) -> Rows:
    """A name for the expression graph: the smallest way to write it, over all orders of its rows and operands."""
    n = len(genome)
    best = None
    for order in permutations(range(n)):
        place = {FIRST + old: FIRST + new for new, old in enumerate(order)}
        written = []
        for new, old in enumerate(order):
            op, *operands = genome[old]
            a, b, c = (place.get(operand, operand) for operand in operands)
            if max(a, b) > new:
                break
            written.append((op, max(a, b), min(a, b), c) if list(ops)[op].commutative else (op, a, b, c))
        else:
            best = min(best or written, written)
    return tuple(best)


def brute_force(ops, n):
    settle = assemble(ops, KERNELS, "structures").settle
    rows, names = MAX_INSTRUCTIONS, set()
    for genome in all_genomes(ops, n):
        g = np.zeros((rows, 4), np.int64)
        g[:n] = genome
        if settle(g, np.ones((rows, 3)), n, np.zeros(rows, np.int64)) != n:
            continue
        settled = tuple(map(tuple, g[:n].tolist()))
        pure = [row for row in least_order(ops, settled) if CONSTANT not in row[1:3]]
        if len(set(pure)) == len(pure):  # else one value is computed twice
            names.add(least_order(ops, settled))
    return names


@pytest.mark.parametrize("cost", [1, 2, 3])
def test_every_graph_of_a_cost_appears_once(cost):
    found = enumerated(FIELD, [1, 1, 1, 1], cost)
    assert len(set(found)) == len(found)
    assert set(found) == brute_force(FIELD, cost)


def test_counts_of_field_structures():
    assert [len(enumerated(FIELD, [1, 1, 1, 1], cost)) for cost in (1, 2, 3, 4)] == [6, 64, 1274, 35384]


def test_costs_decide_which_structures_belong_to_a_level():
    found = enumerated(FIELD, [1, 1, 1, 3], 4)
    division = [op.name for op in FIELD].index("div")
    assert {len(rows) for rows in found} == {2, 4}
    assert all(sum(3 if row[0] == division else 1 for row in rows) == 4 for rows in found)


def test_ops_of_one_and_three_arguments():
    ops = CORE.subset(["sqrt", "fma"])
    one, two = enumerated(ops, [1, 1], 1), enumerated(ops, [1, 1], 2)
    root, fma, c = 0, 1, CONSTANT
    assert one == [((op, *operands),) for op, *operands in [
        (root, 0, c, c), (fma, c, c, 0), (fma, 0, c, c), (fma, 0, c, 0), (fma, 0, 0, c), (fma, 0, 0, 0)
    ]]  # fmt: skip
    assert len(set(two)) == len(two)
    assert ((root, 0, c, c), (root, 1, c, c)) in two
    assert ((root, 0, c, c), (fma, 1, 0, c)) in two


def test_a_walk_goes_on_from_where_it_stands():
    whole = enumerated(FIELD, [1, 1, 1, 1], 3)
    kernels, walk = assemble(FIELD, KERNELS, "structures"), make_walk(np.ones(4, np.int64), 3)
    assert kernels.skip(walk, 500) == 500
    again = make_walk(np.ones(4, np.int64), 3, walk.g[: walk.size[0]])
    n = kernels.next_structure(again)
    assert tuple(map(tuple, again.g[:n].tolist())) == whole[500]
    assert kernels.skip(again, 10_000) == len(whole) - 501
