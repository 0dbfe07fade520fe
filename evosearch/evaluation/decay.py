"""The weight decay of an update rule, where it has an identifiable one: `w` times a constant that `update` adds.

A candidate and a baseline can only be compared where both had their decay tuned; this finds the constant to tune.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from evosearch.language.infer import check_types, live
from evosearch.language.program import Const, Instruction, Operand, Program
from evosearch.language.types import Type

WEIGHTS, UPDATE = "w", "update"
_NEGATING = ("neg", "negative")
_ADDITIVE = {"add": (0, 1), "sub": (0, 1), **dict.fromkeys(_NEGATING, (0,))}
"""By op the arguments that it hands on unchanged, but for the sign."""
_SCALING = {"mul": (0, 1), "div": (0,)}
"""By op the arguments that it multiplies by its other argument, or divides."""


@dataclass(frozen=True)
class Decay:
    """Where a rule's decay constant stands: an argument of an instruction, and its value."""

    instruction: int
    argument: int
    value: float


def find_decay(rule: Program) -> Decay | None:
    """The constant that multiplies `w` and nothing else, in a term that `update` adds, possibly times reals such as lr.

    None where there is no such constant, or where the term also goes elsewhere (into the state, into another function):
    to change the constant would then change more than the decay. Of several terms, the last.
    """
    names = [variable.name for variable in rule.signature.inputs]
    if WEIGHTS not in names:
        return None
    types, readers = check_types(rule), _readers(rule)
    terms: dict[int, Decay | None] = {names.index(WEIGHTS): None}  # values that are w times reals, and their constant
    found = None
    for position, instruction in enumerate(rule.instructions):
        value = rule.n_inputs + position
        if value not in readers:
            continue  # nobody reads it
        scaled = _scaled(rule, position, instruction, terms, types, readers)
        if scaled is not None:
            terms[value] = scaled[0]
            if scaled[0] is not None and _only_added(rule, value, types, readers):
                found = scaled[0]
    return found


def with_decay(rule: Program, decay: Decay, value: float) -> Program:
    """The same rule with another decay constant."""
    old = rule.instructions[decay.instruction]
    args = tuple(Const(value) if k == decay.argument else arg for k, arg in enumerate(old.args))
    changed = Instruction(old.op, args)
    instructions = (*rule.instructions[: decay.instruction], changed, *rule.instructions[decay.instruction + 1 :])
    return replace(rule, instructions=instructions)


Readers = Mapping[int, list[tuple[int, int]]]
"""By value who reads it and lives: (instruction, argument), with instruction -1 - k for output k."""


def _readers(rule: Program) -> Readers:
    readers: dict[int, list[tuple[int, int]]] = {}
    for position, (instruction, alive) in enumerate(zip(rule.instructions, live(rule), strict=True)):
        for k, arg in enumerate(instruction.args):
            if alive and isinstance(arg, int):
                readers.setdefault(arg, []).append((position, k))
    for k, out in enumerate(rule.outputs):
        if isinstance(out, int):
            readers.setdefault(out, []).append((-1 - k, 0))
    return readers


def _scaled(
    rule: Program,
    position: int,
    instruction: Instruction,
    terms: Mapping[int, Decay | None],
    types: tuple[Type, ...],
    readers: Readers,
) -> tuple[Decay | None] | None:
    """Where the instruction multiplies a term by a real: the constant in the product so far; else None."""
    if instruction.op.name in _NEGATING and instruction.args[0] in terms:
        arg = instruction.args[0]
        return (terms[arg] if isinstance(arg, int) and len(readers[arg]) == 1 else None,)
    for k in _SCALING.get(instruction.op.name, ()):
        arg = instruction.args[k]
        other = instruction.args[1 - k]
        if isinstance(arg, int) and arg in terms and _is_real(other, types):
            constant = Decay(position, 1 - k, other.hi) if isinstance(other, Const) else _inside(rule, other, readers)
            if constant is not None and instruction.op.name == "div":
                constant = None  # a divisor grows as the decay falls
            inherited = terms[arg]
            if inherited is not None and len(readers[arg]) > 1:
                inherited = None  # the shorter product goes elsewhere
            return (constant or inherited,)
    return None


def _is_real(operand: Operand, types: tuple[Type, ...]) -> bool:
    return isinstance(operand, Const) or types[operand] is Type.REAL


def _inside(rule: Program, value: int, readers: Readers) -> Decay | None:
    """The constant of a real that is a product, such as lr * 0.01, and has no other reader."""
    position = value - rule.n_inputs
    if position < 0 or len(readers[value]) != 1 or rule.instructions[position].op.name != "mul":
        return None
    for k, arg in enumerate(rule.instructions[position].args):
        if isinstance(arg, Const):
            return Decay(position, k, arg.hi)
    return None


def _only_added(rule: Program, value: int, types: tuple[Type, ...], readers: Readers) -> bool:
    """Whether all that becomes of a value is a summand of `update`, possibly times reals."""
    outputs = [variable.name for variable in rule.signature.outputs]
    pending, reached = [value], False
    while pending:
        current = pending.pop()
        for reader, k in readers.get(current, ()):
            if reader < 0:
                if outputs[-1 - reader] != UPDATE:
                    return False
                reached = True
                continue
            if not _hands_on(rule.instructions[reader], k, types):
                return False
            pending.append(rule.n_inputs + reader)
    return reached


def _hands_on(instruction: Instruction, k: int, types: tuple[Type, ...]) -> bool:
    name = instruction.op.name
    if k in _ADDITIVE.get(name, ()):
        return True
    return k in _SCALING.get(name, ()) and _is_real(instruction.args[1 - k], types)
