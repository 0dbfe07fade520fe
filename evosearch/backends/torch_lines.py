"""Functions of real inputs as torch source, which needs no torch to be written."""

from __future__ import annotations

from collections.abc import Sequence

from evosearch.backends.arrays import Lowered, literal, plain
from evosearch.backends.emit import fill
from evosearch.errors import ProgramError
from evosearch.language.op import ARGUMENTS
from evosearch.language.program import Operand


def function_lines(lowered: Lowered, names: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """The program as torch statements without side effects, and its outputs as expressions.

    Args:
        names: of the inputs, where they are not to be the program's own.
    """
    program = lowered.program
    values = list(names or (variable.name for variable in program.signature.inputs))
    lines: list[str] = []

    def show(operand: Operand) -> str:
        return values[operand] if isinstance(operand, int) else literal(operand.hi)

    for position, (instruction, row) in enumerate(zip(program.instructions, lowered.rows, strict=True)):
        if row is None:
            raise ProgramError(f"'{instruction.op.name}' sums over a tensor; functions work element by element")
        args = instruction.args
        if instruction.op.commutative and not isinstance(args[0], int):
            args = (args[1], args[0], *args[2:])
        shown = dict(zip(ARGUMENTS, map(show, args), strict=False))
        constants = [name for name, arg in zip(ARGUMENTS, args, strict=False) if not isinstance(arg, int)]
        template = _with_numbers(instruction.op.name, row.torch, constants).replace("LIKE", values[0])
        lines.append(f"t{position + 1} = {plain(fill(template, shown))}")
        values.append(f"t{position + 1}")
    like = values[0]
    outputs = [show(out) if isinstance(out, int) else f"torch.full_like({like}, {show(out)})" for out in program.outputs]
    return lines, outputs


def _with_numbers(name: str, template: str, constants: Sequence[str]) -> str:
    """The template where some arguments are numbers: torch's functions of two tensors want another form then."""
    if name in ("max", "min") and constants:
        end = {"max": "min", "min": "max"}[name]
        return f"b.clamp({end}=a)" if constants == ["a"] else f"a.clamp({end}=b)"
    if name == "scale2" and constants:
        return "a * 2.0 ** round(b)" if constants == ["b"] else "a * b.round().exp2()"
    if name == "select" and len(constants) == 2:
        return "torch.where(a, torch.full_like(LIKE, b), c)"
    return template
