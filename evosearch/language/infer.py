"""What follows from a program's structure: types, liveness, cost, canonical hash, expansion of composites."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from evosearch.errors import ProgramError
from evosearch.language.op import Op, OpSet
from evosearch.language.program import Const, Instruction, Operand, Program
from evosearch.language.types import Type, TypeRule


def check_types(program: Program, lines: Sequence[int] = ()) -> tuple[Type, ...]:
    """The type of every value, inputs first; ProgramError where an argument or an output does not fit."""
    types = [variable.type for variable in program.signature.inputs]

    def type_of(operand: Operand) -> Type:
        return Type.REAL if isinstance(operand, Const) else types[operand]

    for position, instruction in enumerate(program.instructions):
        args = [type_of(arg) for arg in instruction.args]
        result = instruction.op.rule(args)
        if result is None:
            given = ", ".join(arg.value for arg in args)
            line = lines[position] if lines else None
            remedy = "; one argument at least must be an array" if instruction.op.reduces else ""
            raise ProgramError(f"{instruction.op.name} does not take ({given}){remedy}", line)
        types.append(result)
    for variable, operand in zip(program.signature.outputs, program.outputs, strict=True):
        if type_of(operand) is not variable.type and not (variable.type is Type.ARRAY and type_of(operand) is Type.REAL):
            raise ProgramError(f"output '{variable.name}' must be {variable.type.value}, got {type_of(operand).value}")
    return tuple(types)


def inferred_rule(body: Program) -> TypeRule:
    """The type rule of a composite: the type of its result, given those of its arguments."""

    def rule(args: Sequence[Type]) -> Type | None:
        types: list[Type] = list(args)
        for instruction in body.instructions:
            result = instruction.op.rule([Type.REAL if isinstance(arg, Const) else types[arg] for arg in instruction.args])
            if result is None:
                return None
            types.append(result)
        (out,) = body.outputs
        return types[out] if isinstance(out, int) else Type.REAL

    return rule


def live(program: Program) -> tuple[bool, ...]:
    """For each instruction whether an output depends on it."""
    needed = ancestors(program, program.outputs)
    return tuple(program.n_inputs + position in needed for position in range(len(program.instructions)))


def ancestors(program: Program, roots: Iterable[Operand]) -> set[int]:
    """The numbers of the values that `roots` depend on, with their own."""
    needed = {root for root in roots if isinstance(root, int)}
    for position in reversed(range(len(program.instructions))):
        if program.n_inputs + position in needed:
            needed.update(arg for arg in program.instructions[position].args if isinstance(arg, int))
    return needed


def varying(program: Program) -> tuple[bool, ...]:
    """For each instruction whether its value depends on an input."""
    moving = [True] * program.n_inputs
    for instruction in program.instructions:
        moving.append(any(moving[arg] for arg in instruction.args if isinstance(arg, int)))
    return tuple(moving[program.n_inputs :])


def cost(program: Program, ops: OpSet | None = None) -> float:
    """Sum of the costs of live instructions that depend on an input; constants and their folding are free."""
    counted = zip(program.instructions, live(program), varying(program), strict=True)
    return sum(
        (ops.cost(instruction.op) if ops else instruction.op.cost) for instruction, alive, moves in counted if alive and moves
    )


def without_dead_code(program: Program) -> Program:
    """The program with its live instructions only, in their order."""
    keep = live(program)
    return program if all(keep) else _rebuild(program, keep)


def bypassed(program: Program, value: int, by: Operand) -> Program:
    """The program whose instructions and outputs read `by` in place of `value`; its types may not fit."""

    def moved(operand: Operand) -> Operand:
        return by if isinstance(operand, int) and operand == value else operand

    instructions = tuple(Instruction(item.op, tuple(map(moved, item.args))) for item in program.instructions)
    return Program(program.signature, instructions, tuple(map(moved, program.outputs)), program.names)


def _rebuild(program: Program, keep: Sequence[bool]) -> Program:
    numbers: list[int] = list(range(program.n_inputs))
    instructions: list[Instruction] = []
    names: list[str] = []
    for position, instruction in enumerate(program.instructions):
        if not keep[position]:
            numbers.append(-1)
            continue
        args = tuple(numbers[arg] if isinstance(arg, int) else arg for arg in instruction.args)
        numbers.append(program.n_inputs + len(instructions))
        instructions.append(Instruction(instruction.op, args))
        names.append(program.names[position] if position < len(program.names) else "")
    outputs = tuple(numbers[out] if isinstance(out, int) else out for out in program.outputs)
    return Program(program.signature, tuple(instructions), outputs, tuple(names))


def canonical_hash(program: Program, *, constants: bool = True) -> str:
    """SHA-256 (hex) of what the program computes, structurally.

    It ignores names, dead code, the order of independent instructions, repeated sub-expressions and the order of
    commutative arguments; with `constants=False` the values of constants as well.
    """
    digests = [f"input {number}" for number in range(program.n_inputs)]

    def digest(operand: Operand) -> str:
        if isinstance(operand, int):
            return digests[operand]
        return f"const {operand.hi.hex()} {operand.lo.hex()}" if constants else "const"

    for instruction in program.instructions:
        args = [digest(arg) for arg in instruction.args]
        if instruction.op.commutative:
            args[:2] = sorted(args[:2])
        digests.append(_sha("|".join([instruction.op.name, *args])))
    return _sha("|".join(digest(out) for out in program.outputs))


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def expand(program: Program, which: Callable[[Op], bool] | None = None) -> Program:
    """The same program over core ops: every composite (or those that `which` holds for) replaced by its definition."""

    def replaced(op: Op) -> bool:
        return op.composite is not None and (which is None or which(op))

    if not any(replaced(instruction.op) for instruction in program.instructions):
        return program
    instructions: list[Instruction] = []
    values: list[Operand] = list(range(program.n_inputs))

    def place(body: Program, args: Sequence[Operand]) -> list[Operand]:
        local: list[Operand] = list(args)

        def resolve(operand: Operand) -> Operand:
            return local[operand] if isinstance(operand, int) else operand

        for instruction in body.instructions:
            resolved = tuple(resolve(arg) for arg in instruction.args)
            if instruction.op.composite is not None and replaced(instruction.op):
                local.append(place(instruction.op.composite, resolved)[0])
            else:
                instructions.append(Instruction(instruction.op, resolved))
                local.append(program.n_inputs + len(instructions) - 1)
        return [resolve(out) for out in body.outputs]

    outputs = tuple(place(program, values))
    return Program(program.signature, tuple(instructions), outputs)
