"""Winners made simpler at equal error: exact algebra, instructions that do nothing, coefficients with digits to spare."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from evosearch.language import rewrite
from evosearch.language.infer import bypassed, cost, without_dead_code
from evosearch.language.op import OpSet
from evosearch.language.program import Const, Instruction, Operand, Program
from evosearch.winners.fitter import Fitter, one_output
from evosearch.winners.shorten import digits_of

EQUAL = 1e-6
"""An instruction goes where the error rises by less than this, relatively: by nothing but the end of the fit."""

_NEAR = 2.0  # a quick fit this near to the program's own deserves a thorough one
_NOISE = 1e-15  # of the target's size: below it quick fits see rounding errors only
_EXACT = 1e-30  # of the target's size: below it thorough fits see rounding errors only
_STEPS = 100  # of a thorough fit


@dataclass(frozen=True)
class Version:
    """A simpler form of a program.

    Attributes:
        program: over the core's variable.
        error: the largest weighted error at the fitter's points.
        steps: what was done to come here, for people.
    """

    program: Program
    error: float
    steps: tuple[str, ...] = ()


def simplify(program: Program, ops: OpSet, dense: Fitter, sparse: Fitter) -> Version:
    """The cheapest form of a program with minimax constants that exact laws and leaving out instructions lead to.

    Args:
        ops: that it may use, with their costs.
        dense: decides about errors.
        sparse: over fewer points, sieves what is worth a thorough fit.
    """
    now = Version(program, dense.error(program))
    found: Version | None = now
    while found is not None:
        now = found
        found = _by_algebra(now, ops, dense) or _without_an_instruction(now, ops, dense, sparse)
    return now


def shortening(before: Program, after: Program, error: float, error_after: float) -> str:
    """The line that tells how coefficients got shorter."""
    old, new = ([digits_of(constant) for constant in program.constants] for program in (before, after))
    return f"coefficients of {_list(old)} digits cut to {_list(new)}: error {error:.6e} -> {error_after:.6e}"


def _by_algebra(now: Version, ops: OpSet, dense: Fitter) -> Version | None:
    program = rewrite.simplify(now.program, rewrite.EXACT_REAL, ops)
    if not one_output(program) or not cost(program, ops) < cost(now.program, ops):
        return None
    error = dense.error(program)
    return _step(now, Version(program, error), "exact algebra", ops) if error <= _most(now, dense) else None


def _without_an_instruction(now: Version, ops: OpSet, dense: Fitter, sparse: Fitter) -> Version | None:
    _, own = sparse.least_squares(now.program)
    for what, shorter in _shorter(now.program, ops):
        if not cost(shorter, ops) < cost(now.program, ops):
            continue
        fitted, error = sparse.least_squares(shorter)
        if not error <= _NEAR * own + _NOISE * sparse.scale:
            continue
        fitted, largest = dense.minimax(fitted, _STEPS)
        if largest <= _most(now, dense):
            return _step(now, Version(fitted, largest), f"without {what}", ops)
    return None


def _most(now: Version, dense: Fitter) -> float:
    return now.error * (1.0 + EQUAL) + _EXACT * dense.scale


def _step(before: Version, after: Version, what: str, ops: OpSet) -> Version:
    costs = f"cost {cost(before.program, ops):g} -> {cost(after.program, ops):g}"
    return replace(after, steps=(*before.steps, f"{what}: {costs}, error {before.error:.6e} -> {after.error:.6e}"))


def _shorter(program: Program, ops: OpSet) -> Iterator[tuple[str, Program]]:
    """Programs in which one instruction is left out: its readers read one of its arguments, as it is or negated."""
    for position, instruction in enumerate(program.instructions):
        value = program.n_inputs + position
        for arg in dict.fromkeys(instruction.args):
            for source in (program, _negated(program, value, ops)):
                if source is not None and one_output(shorter := without_dead_code(bypassed(source, value, arg))):
                    yield _text(program, position), shorter


def _negated(program: Program, value: int, ops: OpSet) -> Program | None:
    """The program that computes the same from the negative of `value`; None where a reader cannot absorb the sign."""
    if value in program.outputs:
        return None
    instructions = []
    for item in program.instructions:
        absorbed = _with_sign(item, value, ops) if value in item.args else item
        if absorbed is None:
            return None
        instructions.append(absorbed)
    return Program(program.signature, tuple(instructions), program.outputs)


def _with_sign(item: Instruction, value: int, ops: OpSet) -> Instruction | None:
    """The instruction that gives the same result when `value` has the other sign."""
    name, args = item.op.name, item.args
    if args == (value, value):
        return item if name in ("mul", "div") else None
    other = next((arg for arg in args if arg != value), value)
    match name:
        case "square" | "abs":
            return item
        case "add" if "sub" in ops:
            return Instruction(ops["sub"], (other, value))
        case "sub" if args[1] == value and "add" in ops:
            return Instruction(ops["add"], (other, value))
        case "sub" if isinstance(other, Const):
            return Instruction(item.op, (_minus(other), value))
        case "mul" | "div" if isinstance(other, Const):
            return Instruction(item.op, tuple(_minus(arg) if isinstance(arg, Const) else arg for arg in args))
    return None


def _minus(constant: Const) -> Const:
    return Const(-constant.hi, -constant.lo)


def _text(program: Program, position: int) -> str:
    """An instruction for people, constants cut to six digits."""

    def shown(operand: Operand) -> str:
        if isinstance(operand, Const):
            return f"{operand.hi:.6g}"
        inputs = program.signature.inputs
        return inputs[operand].name if operand < len(inputs) else f"t{operand - len(inputs)}"

    item = program.instructions[position]
    return f"t{position} = {item.op.name}({', '.join(map(shown, item.args))})"


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
