"""Reference steps: what an exported optimizer must reproduce, computed by the reference backend and stored in the file."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from evosearch.backends.arrays import Row, lower
from evosearch.backends.reference import Array, step
from evosearch.errors import ExportError
from evosearch.export.rules.runtime import problem
from evosearch.language.infer import without_dead_code
from evosearch.language.op import Op
from evosearch.language.optimizer import live_states, state_names
from evosearch.language.program import Const, Program

SHAPES = ((5, 4), (7,), ())
RATE = 0.01
TOLERANCE = 1e-9
"""Relative to the largest number of a row; libraries' functions differ from the language's by some ULP, which rules amplify."""

_LENGTHS = (12, 24)
_SIZES = tuple(prod(shape) for shape in SHAPES)
COUNT = sum(_SIZES)


@dataclass(frozen=True)
class ReferenceSteps:
    """A run of a rule on made-up gradients with lr = RATE.

    Attributes:
        steps: how many.
        rows: flat weights after the first and after the last step, then each living state after the last.
    """

    steps: int
    rows: tuple[tuple[float, ...], ...]


@functools.lru_cache(maxsize=32)
def reference_steps(rule: Program) -> ReferenceSteps:
    """A run that is long enough to show a change of 3% in any constant, or the longest one.

    Raises:
        ExportError: where the rule does not stay finite.
    """
    quick = _by_library(rule)
    others = _neighbours(quick)
    for steps in _LENGTHS:
        rows = _run(quick, steps)
        if not np.isfinite(rows).all():
            raise ExportError("the rule does not stay finite over a dozen made-up gradients with lr = 0.01; choose another one")
        others = [other for other in others if not _differ(rows, _run(other, steps))]
        if not others:
            break
    rows = _run(without_dead_code(rule.rounded()), steps)
    return ReferenceSteps(steps, tuple(tuple(row) for row in rows.tolist()))


def _by_library(rule: Program) -> Program:
    """The rule with NumPy's functions in the place of composites, which take a hundred times as long."""
    lowered = lower(rule)
    instructions = []
    for instruction, row in zip(lowered.program.instructions, lowered.rows, strict=True):
        op = instruction.op
        slow = row is not None and op.composite is not None and not op.reduces
        instructions.append(replace(instruction, op=_library_op(op, row)) if slow and row else instruction)
    return replace(lowered.program, instructions=tuple(instructions))


def _library_op(op: Op, row: Row) -> Op:
    return replace(op, reference=row.meaning, composite=None)


def _neighbours(rule: Program) -> list[Program]:
    """The rule with one constant 3% larger, for each but those like epsilon."""
    constants = rule.constants
    found = []
    for k, constant in enumerate(constants):
        if abs(constant.hi) > 1e-6:
            found.append(rule.with_constants((*constants[:k], Const(constant.hi * 1.03), *constants[k + 1 :])))
    return found


def _differ(rows: Array, other: Array) -> bool:
    if not np.isfinite(other).all():
        return True
    sizes = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-300)
    return bool((np.abs(rows - other) > 100 * TOLERANCE * sizes).any())


def _run(rule: Program, steps: int) -> Array:
    w = split(problem(0, COUNT))
    state = [[np.zeros(shape) for shape in SHAPES] for _ in state_names(rule)]
    rows = []
    for number in range(1, steps + 1):
        update, state = step(rule, w, split(problem(number, COUNT)), state, RATE, float(number))
        w = [weight - change for weight, change in zip(w, update, strict=True)]
        if number in (1, steps):
            rows.append(flat(w))
    return np.array(rows + [flat(one) for one, alive in zip(state, live_states(rule), strict=True) if alive])


def split(numbers: Sequence[float]) -> list[Array]:
    """COUNT numbers as arrays of SHAPES."""
    parts = np.split(np.array(numbers), np.cumsum(_SIZES)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, SHAPES, strict=True)]


def flat(arrays: Sequence[Array]) -> Array:
    """The reverse of `split`."""
    return np.concatenate([array.ravel() for array in arrays])
