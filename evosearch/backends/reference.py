"""The meaning of the language: NumPy, float64, constants rounded to their high part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evosearch.errors import ProgramError
from evosearch.language.op import Op, OpSet
from evosearch.language.program import Operand, Program
from evosearch.language.text import parse

Array = NDArray[np.float64]


def evaluate(program: Program, *inputs: ArrayLike) -> tuple[Array, ...]:
    """The outputs as float64 arrays of the inputs' common shape; a boolean is 1.0 or 0.0.

    Raises:
        ProgramError: where the number of inputs is not the program's.
    """
    arrays = broadcast(program, inputs)
    values: list[Array] = list(arrays)
    shape = arrays[0].shape if arrays else ()

    def value(operand: Operand) -> Array:
        return values[operand] if isinstance(operand, int) else np.full(shape, operand.hi)

    with np.errstate(all="ignore"):
        for instruction in program.instructions:
            result = instruction.op.reference(*map(value, instruction.args))
            values.append(np.asarray(result, dtype=np.float64))
    return tuple(value(out) for out in program.outputs)


def broadcast(program: Program, inputs: Sequence[ArrayLike]) -> list[Array]:
    """The inputs as contiguous float64 arrays of one shape; ProgramError where their number is wrong."""
    if len(inputs) != program.n_inputs:
        raise ProgramError(f"'{program.signature.name}' takes {program.n_inputs} inputs, got {len(inputs)}")
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in inputs))
    return [np.array(array, dtype=np.float64, order="C") for array in arrays]


def composite(text: str, ops: OpSet, doc: str, *, commutative: bool = False) -> Op:
    """An op that is a program over other ops: `text` defines it and gives it name, arguments and every meaning.

    Its default cost is the number of its core operations.
    """
    program = parse(text, ops)
    cost = sum(instruction.op.cost for instruction in program.instructions)

    def reference(*args: Array) -> Array:
        return evaluate(program, *args)[0]

    return Op(
        program.signature.name, program.n_inputs, reference, composite=program, cost=cost, commutative=commutative, doc=doc
    )
