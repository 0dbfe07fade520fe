"""Which values of a program are never below zero; what the guards of update rules need not guard."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evosearch.language.infer import without_dead_code
from evosearch.language.program import Const, Instruction, Operand, Program

_ALWAYS = frozenset({"square", "abs", "sqrt", "exp", "exp2", "exp10", "cosh", "norm", "sigmoid", "softplus"})
_FROM_ALL = frozenset({"add", "mul", "div", "max", "min", "reciprocal", "sum", "global_sum", "cbrt", "arctan", "tanh"})
_HYPER = frozenset({"lr", "step", "weight_decay"})


def without_idle_abs(program: Program) -> Program:
    """The program without absolute values of what is never below zero, and without dead code.

    State starts at zero; learning rate, step and weight decay are not negative. A zero may change its sign.
    """
    known = _nonnegative(program)
    values: dict[int, Operand] = {}
    instructions: list[Instruction] = []
    for position, instruction in enumerate(program.instructions):
        args = tuple(values.get(arg, arg) if isinstance(arg, int) else arg for arg in instruction.args)
        (first, *_) = instruction.args
        if instruction.op.name == "abs" and isinstance(first, int) and known[first]:
            values[program.n_inputs + position] = args[0]
        instructions.append(Instruction(instruction.op, args))
    outputs = tuple(values.get(out, out) if isinstance(out, int) else out for out in program.outputs)
    return without_dead_code(Program(program.signature, tuple(instructions), outputs, program.names))


def _nonnegative(program: Program) -> list[bool]:
    """For each value whether it is never below zero (it may be NaN); states by induction over the steps."""
    names = [variable.name for variable in program.signature.inputs]
    states = {variable.name: out for variable, out in zip(program.signature.outputs, program.outputs, strict=True)}
    assumed = set(states) & set(names)
    while True:
        known = [name in _HYPER or name in assumed for name in names]
        for instruction in program.instructions:
            known.append(_result(instruction, known, program))
        kept = {name for name in assumed if _holds(states[name], known)}
        if kept == assumed:
            return known
        assumed = kept


def _holds(operand: Operand, known: list[bool]) -> bool:
    return known[operand] if isinstance(operand, int) else operand.hi >= 0.0


def _result(instruction: Instruction, known: list[bool], program: Program) -> bool:
    name, args = instruction.op.name, instruction.args
    if name in _ALWAYS or (name == "mul" and args[0] == args[1]):
        return True
    rule = _RULES.get(name)
    if rule is not None:
        return rule(instruction, known, program)
    return name in _FROM_ALL and all(_holds(arg, known) for arg in args)


def _interp(instruction: Instruction, known: list[bool], _: Program) -> bool:
    x, y, a = instruction.args
    return isinstance(a, Const) and 0.0 <= a.hi <= 1.0 and _holds(x, known) and _holds(y, known)


def _power(instruction: Instruction, known: list[bool], _: Program) -> bool:
    return _holds(instruction.args[0], known)


def _sub(instruction: Instruction, known: list[bool], program: Program) -> bool:
    """1 - c^n with c in [0, 1], as in bias corrections."""
    one, power = instruction.args
    if not (isinstance(one, Const) and one.hi >= 1.0 and isinstance(power, int) and power >= program.n_inputs):
        return False
    inner = program.instructions[power - program.n_inputs]
    base = inner.args[0]
    falls = inner.op.name == "power" and isinstance(base, Const) and 0.0 <= base.hi <= 1.0
    return falls and _holds(inner.args[1], known)


_RULES: Mapping[str, Callable[[Instruction, list[bool], Program], bool]] = {"interp": _interp, "power": _power, "sub": _sub}
