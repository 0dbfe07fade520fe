"""What the values of an update rule are when torch runs it, and sums that torch does in one pass."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

import numpy as np

from evosearch.backends.arrays import Lowered, Row
from evosearch.backends.reference import Array
from evosearch.language.infer import check_types, without_dead_code
from evosearch.language.op import Op
from evosearch.language.program import Const, Instruction, Operand, Program
from evosearch.language.types import Type


class Kind(Enum):
    """What a value is at run time."""

    NUMBER = "number"  # follows from lr, step and constants: a float, or a tensor without dimensions
    SCALAR = "scalar"  # a tensor without dimensions, one for all parameters
    EACH = "each"  # a tensor without dimensions for each parameter
    ARRAY = "array"


ADD_SCALED = Op("add_scaled", 3, lambda a, b, c: a + c * b, doc="a + c b")
SUB_SCALED = Op("sub_scaled", 3, lambda a, b, c: a - c * b, doc="a - c b")
_SCALED = {
    "add_scaled": Row(ADD_SCALED.reference, "", "a.add(b, alpha=c)", "a.add_(b, alpha=c)", "add"),
    "sub_scaled": Row(SUB_SCALED.reference, "", "a.sub(b, alpha=c)", "a.sub_(b, alpha=c)", "sub"),
}
ON_FLOATS = {
    "add": "a + b", "sub": "a - b", "mul": "a * b", "div": "a / b", "neg": "-a", "negative": "-a", "abs": "abs(a)",
    "square": "a * a", "reciprocal": "1.0 / a", "power": "a ** b",
    "sqrt": "a ** 0.5",
}  # fmt: skip
"""What floats and tensors write alike."""

_TRIED = [(rate, count) for rate in (1e-8, 1e-3, 0.1, 10.0) for count in (1.0, 2.0, 3.0, 7.0, 10.0, 1e2, 1e4, 1e6)]


def kinds_of(lowered: Lowered) -> list[Kind]:
    """The kind of every value."""
    program = lowered.program
    kinds = [Kind.ARRAY if variable.type is Type.ARRAY else Kind.NUMBER for variable in program.signature.inputs]
    tame = _tame(lowered)
    for position, instruction in enumerate(program.instructions):
        given = {kinds[arg] for arg in instruction.args if isinstance(arg, int)}
        number = program.n_inputs + position
        if instruction.op.reduction is not None or instruction.op.name == "norm":
            kinds.append(Kind.SCALAR if instruction.op.reduction == "all" else Kind.EACH)
        elif Kind.ARRAY in given:
            kinds.append(Kind.ARRAY)
        elif Kind.EACH in given:
            kinds.append(Kind.EACH)
        else:
            floats = given <= {Kind.NUMBER} and instruction.op.name in ON_FLOATS and number in tame
            kinds.append(Kind.NUMBER if floats else Kind.SCALAR)
    return kinds


def _tame(lowered: Lowered) -> set[int]:
    """The reals that are finite whatever lr and step are, so that plain floats compute them without an exception."""
    program = lowered.program
    grid = np.array(_TRIED).T
    known: dict[int, Array] = {}
    for number, variable in enumerate(program.signature.inputs):
        if variable.type is Type.REAL:
            known[number] = {"lr": grid[0], "step": grid[1]}.get(variable.name, np.full_like(grid[0], 0.01))
    for position, instruction in enumerate(program.instructions):
        if all(isinstance(arg, Const) or arg in known for arg in instruction.args):
            args = [known[arg] if isinstance(arg, int) else np.full_like(grid[0], arg.hi) for arg in instruction.args]
            with np.errstate(all="ignore"):
                result = np.asarray(instruction.op.reference(*args))
            if np.isfinite(result).all():
                known[program.n_inputs + position] = result
    return set(known)


def last_reads(program: Program) -> dict[int, int]:
    """For each value the position of its last reader; outputs are read after the end, other values that nobody reads never."""
    last = dict.fromkeys(range(program.n_inputs + len(program.instructions)), -1)
    for position, instruction in enumerate(program.instructions):
        last.update({arg: position for arg in instruction.args if isinstance(arg, int)})
    last.update({out: len(program.instructions) for out in program.outputs if isinstance(out, int)})
    return last


def with_scaled_sums(lowered: Lowered) -> Lowered:
    """u + c w in one pass: a product with a constant that only a sum reads becomes part of the sum."""
    program = lowered.program
    readers: dict[int, int] = {}
    for operand in [*program.outputs, *(arg for i in program.instructions for arg in i.args)]:
        if isinstance(operand, int):
            readers[operand] = readers.get(operand, 0) + 1

    def product(operand: Operand) -> tuple[Operand, Operand] | None:
        if not isinstance(operand, int) or operand < program.n_inputs or readers[operand] > 1:
            return None
        inner = program.instructions[operand - program.n_inputs]
        for k in (0, 1):
            if inner.op.name == "mul" and _constant(inner.args[1 - k], program) and _array(inner.args[k], lowered):
                return inner.args[k], inner.args[1 - k]
        return None

    instructions = []
    for instruction in program.instructions:
        found = None
        if instruction.op.name in ("add", "sub") and all(_array(arg, lowered) for arg in instruction.args):
            a, b = instruction.args
            if (parts := product(b)) is not None:
                found = Instruction(ADD_SCALED if instruction.op.name == "add" else SUB_SCALED, (a, *parts))
            elif instruction.op.name == "add" and (parts := product(a)) is not None:
                found = Instruction(ADD_SCALED, (b, *parts))
        instructions.append(found or instruction)
    changed = without_dead_code(replace(program, instructions=tuple(instructions)))
    plain_rows = dict(zip((id(i.op) for i in program.instructions), lowered.rows, strict=True))
    rows = tuple(_SCALED.get(i.op.name) or plain_rows[id(i.op)] for i in changed.instructions)
    return Lowered(changed, rows, check_types(changed))


def _constant(operand: Operand, program: Program) -> bool:
    """Whether an operand is a plain number at run time: a constant, or the weight decay."""
    if isinstance(operand, Const):
        return True
    return operand < program.n_inputs and program.signature.inputs[operand].name == "weight_decay"


def _array(operand: Operand, lowered: Lowered) -> bool:
    return isinstance(operand, int) and lowered.types[operand] is Type.ARRAY
