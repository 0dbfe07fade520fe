"""The JSON form of programs: what stores and other tools read; like the text form, it is data and never code."""

from __future__ import annotations

from typing import Any

from evosearch.errors import ProgramError
from evosearch.language.infer import check_types
from evosearch.language.op import OpSet
from evosearch.language.program import Const, Instruction, Operand, Program, Signature, Variable
from evosearch.language.types import Type

SCHEMA = 1


def to_json(program: Program) -> dict[str, Any]:
    """A JSON-serializable dictionary; operands are numbers of values, constants are decimal strings."""

    def operands(items: tuple[Operand, ...]) -> list[int | str]:
        return [item if isinstance(item, int) else str(item) for item in items]

    def variables(items: tuple[Variable, ...]) -> list[list[str]]:
        return [[item.name, item.type.value] for item in items]

    return {
        "schema_version": SCHEMA,
        "name": program.signature.name,
        "inputs": variables(program.signature.inputs),
        "outputs": variables(program.signature.outputs),
        "instructions": [[instruction.op.name, *operands(instruction.args)] for instruction in program.instructions],
        "results": operands(program.outputs),
        "names": list(program.names),
    }


def from_json(data: Any, ops: OpSet) -> Program:
    """Read what `to_json` wrote; ProgramError where it is damaged or newer."""
    if not isinstance(data, dict) or data.get("schema_version") != SCHEMA:
        raise ProgramError(f"not a program in JSON of schema {SCHEMA}; it was written by another version of evosearch")

    def operands(items: list[Any]) -> tuple[Operand, ...]:
        return tuple(item if type(item) is int else Const.parse(item) for item in items)  # a bool is no number

    def variables(items: list[list[str]]) -> tuple[Variable, ...]:
        return tuple(Variable(name, Type(type_)) for name, type_ in items)

    try:
        signature = Signature(data["name"], variables(data["inputs"]), variables(data["outputs"]))
        instructions = tuple(Instruction(ops[name], operands(args)) for name, *args in data["instructions"])
        program = Program(signature, instructions, operands(data["results"]), tuple(data["names"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProgramError(f"damaged program in JSON: {error!r}") from None
    check_types(program)
    return program
