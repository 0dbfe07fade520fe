"""Programs as small integer matrices, for the interpreter kernels.

A row is (op code, a, b, c). Operands are register numbers in one flat file: inputs, constants, then one register an
instruction, in order, so that a row needs no destination. A bank holds the registers of one kind of storage and takes
`BANK_SIZE` numbers: number = bank * BANK_SIZE + register. Booleans are 1.0 or 0.0 in the bank of reals; the scalar kernels
know that bank alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosearch.errors import ProgramError
from evosearch.language.infer import check_types
from evosearch.language.op import OpSet
from evosearch.language.program import Const, Instruction, Operand, Program, Signature
from evosearch.language.types import Type

INPUT_BASE = 0
CONST_BASE = 16
TEMP_BASE = 80
BANK_SIZE = 4096
BANKS = {Type.REAL: 0, Type.BOOLEAN: 0, Type.ARRAY: 1, Type.INTEGER: 2}


@dataclass(frozen=True, eq=False)
class Encoded:
    """A program as arrays.

    Attributes:
        code: int16 (instructions, 4).
        hi, lo: float64 (constants,); the constant of register CONST_BASE + k is hi[k] + lo[k].
        outputs: int16 (outputs,): register numbers.
    """

    code: NDArray[np.int16]
    hi: NDArray[np.float64]
    lo: NDArray[np.float64]
    outputs: NDArray[np.int16]


def encode(program: Program, ops: OpSet) -> Encoded:
    """Encode a program; constants keep the order of `Program.constants`.

    Raises:
        ProgramError: for an op that is not in `ops`, or a program too large for the registers.
    """
    _check_size(program)
    types = check_types(program)
    codes = {op.name: number for number, op in enumerate(ops)}
    constants: list[Const] = []

    def register(operand: Operand) -> int:
        if isinstance(operand, Const):
            constants.append(operand)
            return CONST_BASE + len(constants) - 1
        inner = INPUT_BASE + operand if operand < program.n_inputs else TEMP_BASE + operand - program.n_inputs
        return BANKS[types[operand]] * BANK_SIZE + inner

    code = np.zeros((len(program.instructions), 4), dtype=np.int16)
    for row, instruction in zip(code, program.instructions, strict=True):
        row[0] = codes[instruction.op.name] if instruction.op.name in codes else ops.code(instruction.op.name)
        row[1 : 1 + instruction.op.arity] = [register(arg) for arg in instruction.args]
    outputs = np.array([register(out) for out in program.outputs], dtype=np.int16)
    hi, lo = (np.array([getattr(constant, part) for constant in constants], dtype=np.float64) for part in ("hi", "lo"))
    return Encoded(code, hi, lo, outputs)


def _check_size(program: Program) -> None:
    limits = (
        ("inputs", program.n_inputs, CONST_BASE - INPUT_BASE),
        ("constants", len(program.constants), TEMP_BASE - CONST_BASE),
        ("instructions", len(program.instructions), BANK_SIZE - TEMP_BASE),
    )
    for what, count, limit in limits:
        if count > limit:
            raise ProgramError(f"a program to encode may have {limit} {what}, this one has {count}")


def decode(encoded: Encoded, ops: OpSet, signature: Signature) -> Program:
    """The program that `encode` was given, without names."""
    table = ops.ops
    constants = [Const(float(hi), float(lo)) for hi, lo in zip(encoded.hi, encoded.lo, strict=True)]
    n_inputs = len(signature.inputs)

    def operand(number: int) -> Operand:
        register = number % BANK_SIZE
        if register >= TEMP_BASE:
            return n_inputs + register - TEMP_BASE
        return constants[register - CONST_BASE] if register >= CONST_BASE else register - INPUT_BASE

    def instruction(row: Sequence[int]) -> Instruction:
        op = table[row[0]]
        return Instruction(op, tuple(operand(number) for number in row[1 : 1 + op.arity]))

    instructions = tuple(instruction(row) for row in encoded.code.tolist())
    return Program(signature, instructions, tuple(operand(number) for number in encoded.outputs.tolist()))
