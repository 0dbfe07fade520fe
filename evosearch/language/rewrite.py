"""Simplification: exact laws, folding of constants and sharing of equal sub-expressions, to a fixed point."""

from __future__ import annotations

from collections.abc import Mapping
from math import copysign

from evosearch.language.infer import without_dead_code
from evosearch.language.laws import EXACT_FLOAT, EXACT_REAL, Call, Law, Pattern, Rules
from evosearch.language.op import Op, OpSet
from evosearch.language.program import Const, Instruction, Operand, Program
from evosearch.language.types import Type

__all__ = ["EXACT_FLOAT", "EXACT_REAL", "Rules", "simplify"]


def simplify(program: Program, rules: Rules, ops: OpSet | None = None) -> Program:
    """The program rewritten by `rules` until nothing changes, without dead code and repeated sub-expressions.

    Args:
        program: any; its signature is kept, names are dropped.
        rules: EXACT_FLOAT or EXACT_REAL.
        ops: ops that a law may bring in; without it those that the program already uses.
    """
    known = (
        {op.name: op for op in ops} if ops else {instruction.op.name: instruction.op for instruction in program.instructions}
    )
    while True:
        builder = _Builder(program.n_inputs, rules, known)
        values: list[Operand] = list(range(program.n_inputs))
        for instruction in program.instructions:
            args = tuple(values[arg] if isinstance(arg, int) else arg for arg in instruction.args)
            values.append(builder.make(instruction.op, args))
        outputs = tuple(values[out] if isinstance(out, int) else out for out in program.outputs)
        after = without_dead_code(Program(program.signature, tuple(builder.instructions), outputs))
        if _key(after) == _key(program):
            return after
        program = after


class _Builder:
    """Appends instructions; folds, applies laws and shares before it does."""

    def __init__(self, n_inputs: int, rules: Rules, known: Mapping[str, Op]) -> None:
        self.n_inputs = n_inputs
        self.rules = rules
        self.known = known
        self.instructions: list[Instruction] = []
        self._shared: dict[tuple[object, ...], int] = {}

    def make(self, op: Op, args: tuple[Operand, ...]) -> Operand:
        """The operand that holds op(args)."""
        constants = tuple(arg for arg in args if isinstance(arg, Const))
        if len(constants) == len(args) and op.rule([Type.REAL] * op.arity) is Type.REAL:
            folded = self.rules.fold(op, constants)
            if folded is not None:
                return folded
        for law in self.rules.laws:
            found = self._apply(law, op, args)
            if found is not None:
                return found
        key = _call_key(op, args)
        if key not in self._shared:
            self.instructions.append(Instruction(op, args))
            self._shared[key] = self.n_inputs + len(self.instructions) - 1
        return self._shared[key]

    def _apply(self, law: Law, op: Op, args: tuple[Operand, ...]) -> Operand | None:
        if law.left.op != op.name:
            return None
        for order in _orders(op, args):
            bound: dict[str, Operand] = {}
            if all(self._match(pattern, arg, bound) for pattern, arg in zip(law.left.args, order, strict=True)):
                return self._build(law.right, bound)
        return None

    def _match(self, pattern: Pattern, operand: Operand, bound: dict[str, Operand]) -> bool:
        match pattern:
            case Const():
                return isinstance(operand, Const) and _is_the_number(operand, pattern)
            case str():
                if pattern in "cd" and not isinstance(operand, Const):
                    return False
                return _operand_key(bound.setdefault(pattern, operand)) == _operand_key(operand)
            case Call():
                if isinstance(operand, Const) or operand < self.n_inputs:
                    return False
                instruction = self.instructions[operand - self.n_inputs]
                if instruction.op.name != pattern.op:
                    return False
                for order in _orders(instruction.op, instruction.args):
                    attempt = dict(bound)
                    if all(self._match(p, arg, attempt) for p, arg in zip(pattern.args, order, strict=True)):
                        bound.update(attempt)
                        return True
                return False

    def _build(self, pattern: Pattern, bound: Mapping[str, Operand]) -> Operand | None:
        """The right-hand side; None where it needs an op that may not be used or a constant that does not fold."""
        match pattern:
            case Const():
                return pattern
            case str():
                return bound[pattern]
        op = self.known.get(pattern.op)
        args = [self._build(arg, bound) for arg in pattern.args]
        if op is None or any(arg is None for arg in args):
            return None
        given = tuple(arg for arg in args if arg is not None)
        if all(isinstance(name, str) and name in "cd" for name in pattern.args):
            return self.rules.fold(op, tuple(arg for arg in given if isinstance(arg, Const)))
        return self.make(op, given)


def _orders(op: Op, args: tuple[Operand, ...]) -> tuple[tuple[Operand, ...], ...]:
    return (args, (args[1], args[0], *args[2:])) if op.commutative else (args,)


def _is_the_number(constant: Const, number: Const) -> bool:
    if number.hi == 0.0 and copysign(1.0, number.hi) < 0.0:  # -0.0 in a law means just that
        return _operand_key(constant) == _operand_key(number)
    return constant.hi == number.hi and constant.lo == number.lo


def _operand_key(operand: Operand) -> object:
    """Tells constants apart by their bits: 0.0 == -0.0 for Python, not here."""
    return operand if isinstance(operand, int) else (operand.hi.hex(), operand.lo.hex())


def _call_key(op: Op, args: tuple[Operand, ...]) -> tuple[object, ...]:
    keys = [_operand_key(arg) for arg in args]
    if op.commutative:
        keys[:2] = sorted(keys[:2], key=str)
    return (op.name, *keys)


def _key(program: Program) -> object:
    calls = [(i.op.name, *map(_operand_key, i.args)) for i in program.instructions]
    return calls, [_operand_key(out) for out in program.outputs]
