"""From a program to what every source target prints: core ops, float64 constants, nothing dead or constant."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evosearch.backends.arrays import plain
from evosearch.backends.emit import fill
from evosearch.errors import ExportError
from evosearch.language.infer import expand, without_dead_code
from evosearch.language.op import ARGUMENTS, Op
from evosearch.language.program import Const, Instruction, Operand, Program
from evosearch.language.types import Type

INPUT = "x"
"""The input's name in every exported file, whatever the program calls it."""


@dataclass(frozen=True)
class Body:
    """A function body.

    Attributes:
        statements: (name, expression) of every instruction but the last, in order.
        result: the expression that the function returns.
        constant: whether the result does not depend on the input.
        ops: names of the ops in use.
    """

    statements: tuple[tuple[str, str], ...]
    result: str
    constant: bool
    ops: frozenset[str]


def lowered(program: Program) -> Program:
    """The program as exporters print it, of the same value in float64: composites expanded, constants rounded and folded.

    Raises:
        ExportError: where the program is not a function of one real input.
    """
    check_function(program)
    return without_dead_code(_folded(expand(program.rounded())))


def check_function(program: Program) -> None:
    """ExportError where the program is not a function of one real input."""
    signature = program.signature
    types = [variable.type for variable in (*signature.inputs, *signature.outputs)]
    if types != [Type.REAL, Type.REAL]:
        raise ExportError(
            f"'{signature.name}' has {len(signature.inputs)} inputs and {len(signature.outputs)} outputs; "
            "this target takes functions of one real input and one real output"
        )


def body(program: Program, template: Callable[[Op], str], literal: Callable[[float], str]) -> Body:
    """The expressions of a lowered program.

    Args:
        template: an op's expression over a, b, c; it raises ExportError for an op that the target lacks.
        literal: a float64 as the target writes it.
    """
    names = [INPUT, *(f"t{number}" for number in range(1, len(program.instructions) + 1))]

    def show(operand: Operand) -> str:
        return names[operand] if isinstance(operand, int) else _in_parentheses(literal(operand.hi))

    def expression(instruction: Instruction) -> str:
        arguments = [show(arg) for arg in _ordered(instruction)]
        return plain(fill(template(instruction.op), dict(zip(ARGUMENTS, arguments, strict=False))))

    expressions = [expression(instruction) for instruction in program.instructions]
    (output,) = program.outputs
    result = expressions.pop() if expressions else plain(show(output))  # nothing is dead: the last value is the output
    return Body(
        statements=tuple(zip(names[1:], expressions, strict=False)),
        result=result,
        constant=isinstance(output, Const),
        ops=frozenset(instruction.op.name for instruction in program.instructions),
    )


def required(op: Op, template: str, target: str) -> str:
    """An op's template; ExportError where the target has none."""
    if not template:
        raise ExportError(f"{target} has no form of the op '{op.name}'; choose another program or another target")
    return template


def _in_parentheses(literal: str) -> str:
    return f"({literal})" if literal.startswith("-") else literal


def _ordered(instruction: Instruction) -> tuple[Operand, ...]:
    """A sum ends with its negative constant, so that it is written as a difference."""
    first, *rest = instruction.args
    if instruction.op.commutative and isinstance(first, Const) and math.copysign(1.0, first.hi) < 0:
        return (rest[0], first, *rest[1:])
    return instruction.args


def _folded(program: Program) -> Program:
    """Values that no input reaches become constants, computed by the ops' reference meaning."""
    known: dict[int, Const] = {}
    instructions: list[Instruction] = []

    def fold(operand: Operand) -> Operand:
        return operand if isinstance(operand, Const) else known.get(operand, operand)

    for position, instruction in enumerate(program.instructions):
        args = tuple(fold(arg) for arg in instruction.args)
        constants = [np.array([arg.hi]) for arg in args if isinstance(arg, Const)]
        if len(constants) == len(args):
            with np.errstate(all="ignore"):
                known[program.n_inputs + position] = Const(float(instruction.op.reference(*constants)[0]))
        instructions.append(Instruction(instruction.op, args))
    return Program(program.signature, tuple(instructions), tuple(fold(out) for out in program.outputs))
