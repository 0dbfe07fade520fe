"""The order in which an update rule runs: reals once a tensor, arrays element by element, sums once all elements are seen.

A rule's depth is the number of sums on a path of it, so many passes over the data go before the last one. A pass works out
again what earlier ones did element by element: that is cheaper than to keep it.
"""

from __future__ import annotations

from dataclasses import dataclass

from evosearch.language.infer import ancestors
from evosearch.language.program import Instruction, Operand, Program
from evosearch.language.types import Type


@dataclass(frozen=True)
class Stages:
    """A rule in running order.

    Attributes:
        rule: the same program, its instructions sorted by depth and kind: reals, the arrays that any sum needs, other
            arrays, sums.
        bounds: (depths, 5): first positions of these four kinds, and the end.
        array: for each value (inputs first) whether it varies over a tensor's elements.
    """

    rule: Program
    bounds: tuple[tuple[int, ...], ...]
    array: tuple[bool, ...]


REALS, NEEDED, OTHERS, SUMS = range(4)


def stages(rule: Program) -> Stages:
    """The running order of a rule without composites that reduce (see `language.infer.expand`)."""
    n = rule.n_inputs
    array, depth = _array_and_depth(rule)
    needed = _needed(rule)
    kind = [
        (SUMS if instruction.op.reduction else REALS if not array[n + k] else NEEDED if needed[k] else OTHERS)
        for k, instruction in enumerate(rule.instructions)
    ]
    order = sorted(range(len(kind)), key=lambda k: (depth[n + k], kind[k]))
    place = list(range(n)) + [0] * len(order)
    for position, k in enumerate(order):
        place[n + k] = n + position

    def moved(operand: Operand) -> Operand:
        return place[operand] if isinstance(operand, int) else operand

    body = tuple(Instruction(rule.instructions[k].op, tuple(map(moved, rule.instructions[k].args))) for k in order)
    keys = [(depth[n + k], kind[k]) for k in order]
    last = max((depth[n + k] + (kind[k] == SUMS) for k in order), default=0)
    bounds = tuple(
        (*(sum(key < (d, k) for key in keys) for k in range(4)), sum(key < (d + 1, 0) for key in keys)) for d in range(last + 1)
    )
    names = tuple(rule.names[k] for k in order) if rule.names else ()
    sorted_rule = Program(rule.signature, body, tuple(map(moved, rule.outputs)), names)
    return Stages(sorted_rule, bounds, (*array[:n], *(array[n + k] for k in order)))


def _array_and_depth(rule: Program) -> tuple[list[bool], list[int]]:
    """Per value: whether it varies over elements, and how many sums go before it; what reads a sum is one deeper."""
    array = [variable.type is Type.ARRAY for variable in rule.signature.inputs]
    depth = [0] * rule.n_inputs
    summed = [False] * rule.n_inputs
    for instruction in rule.instructions:
        args = [arg for arg in instruction.args if isinstance(arg, int)]
        summed.append(instruction.op.reduction is not None)
        array.append(not summed[-1] and any(array[arg] for arg in args))
        depth.append(max((depth[arg] + summed[arg] for arg in args), default=0))
    return array, depth


def _needed(rule: Program) -> list[bool]:
    """Per instruction whether a sum depends on it."""
    needed = ancestors(rule, (arg for item in rule.instructions if item.op.reduction for arg in item.args))
    return [rule.n_inputs + position in needed for position in range(len(rule.instructions))]
