"""Update rules in fewer passes over memory, for torch run op by op with numbers that are floats.

Products with a number are not computed where they arise: the number moves on, through products, quotients, square roots and
sums, until one pass that is needed anyway takes it up (`add(x, y, alpha=c)`). Squares enter averages by `addcmul`. All of
it is the same rule up to rounding; what divides by a number has one between 1e-6 and 1e6 that follows from the step alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from evosearch.backends.arrays import Lowered, Row, row_of
from evosearch.backends.reference import Array
from evosearch.backends.torch_kinds import Kind, grid_of, kinds_of
from evosearch.language.infer import check_types, without_dead_code
from evosearch.language.op import Op
from evosearch.language.program import Const, Instruction, Operand, Program, Variable

ADD_SCALED = Op("add_scaled", 3, lambda a, b, c: a + c * b, doc="a + c b")
SUB_SCALED = Op("sub_scaled", 3, lambda a, b, c: a - c * b, doc="a - c b")
ADD_SQUARE = Op("add_square", 3, lambda a, b, c: a + c * (b * b), doc="a + c b^2")
_ROWS = {
    "add_scaled": Row(ADD_SCALED.reference, "", "a.add(b, alpha=c)", "a.add_(b, alpha=c)", "add"),
    "sub_scaled": Row(SUB_SCALED.reference, "", "a.sub(b, alpha=c)", "a.sub_(b, alpha=c)", "sub"),
    "add_square": Row(ADD_SQUARE.reference, "", "a.addcmul(b, b, value=c)", "a.addcmul_(b, b, value=c)", "addcmul"),
}
_ADD, _SUB = Op("add", 2, np.add, commutative=True), Op("sub", 2, np.subtract)
_MUL, _DIV, _SQRT = Op("mul", 2, np.multiply, commutative=True), Op("div", 2, np.divide), Op("sqrt", 1, np.sqrt)
_SMALLEST, _LARGEST = 1e-6, 1e6

SCALE = "_scale"
"""What the name of a factor ends with."""


def stepped(lowered: Lowered, decay: str = "") -> Lowered:
    """The rule with the weights after the step as its first output, called `w`, in place of the update.

    Args:
        decay: name of a further input by which the weights decay beside the rule: lr * decay * w.
    """
    program = lowered.program
    if decay:
        program = _with_input(program, Variable(decay))
    names = [variable.name for variable in program.signature.inputs]
    instructions, w = list(program.instructions), 0
    if decay:
        rate = program.n_inputs + len(instructions)
        instructions += [Instruction(_MUL, (names.index("lr"), names.index(decay))), Instruction(_MUL, (w, rate))]
        instructions.append(Instruction(_SUB, (w, rate + 1)))
        w = rate + 2
    instructions.append(Instruction(_SUB, (w, program.outputs[0])))
    outputs = (program.n_inputs + len(instructions) - 1, *program.outputs[1:])
    signature = replace(program.signature, outputs=(program.signature.inputs[0], *program.signature.outputs[1:]))
    known = len(lowered.program.instructions)
    given = [*program.names, *[""] * (known - len(program.names)), *([f"decay{SCALE}", "", ""] if decay else []), ""]
    return _annotated(Program(signature, tuple(instructions), outputs, tuple(given)))


def _with_input(program: Program, variable: Variable) -> Program:
    """The program with a further input, which it does not read."""

    def moved(operand: Operand) -> Operand:
        return operand + 1 if isinstance(operand, int) and operand >= program.n_inputs else operand

    instructions = tuple(Instruction(i.op, tuple(map(moved, i.args))) for i in program.instructions)
    signature = replace(program.signature, inputs=(*program.signature.inputs, variable))
    return Program(signature, instructions, tuple(map(moved, program.outputs)), program.names)


def fused(lowered: Lowered) -> Lowered:
    """The rule in fewer passes."""
    return _Fusion(lowered).run()


def _annotated(program: Program) -> Lowered:
    rows = tuple(_ROWS.get(i.op.name) or (None if i.op.reduction else row_of(i.op)) for i in program.instructions)
    return Lowered(program, rows, check_types(program))


@dataclass(frozen=True)
class _Value:
    """A value that is `base` times `factor`, a number; None stands for 1."""

    base: Operand
    factor: Operand | None = None


class _Fusion:
    def __init__(self, lowered: Lowered) -> None:
        self.given = lowered.program
        self.kinds = kinds_of(lowered)
        self.instructions: list[Instruction] = []
        self.names: list[str] = []
        inputs = self.given.signature.inputs
        self.values = [_Value(k) for k in range(len(inputs))]
        self.numbers = grid_of(self.given)  # of numbers, at some rates and steps
        self.steady = {k for k, variable in enumerate(inputs) if variable.name == "step"}  # numbers that no rate changes
        self.squares: dict[int, Operand] = {}
        self.computed: dict[int, Operand] = {}
        self.readers: dict[int, list[Instruction | None]] = {}
        for instruction in self.given.instructions:
            for arg in instruction.args:
                if isinstance(arg, int):
                    self.readers.setdefault(arg, []).append(instruction)
        for out in self.given.outputs:
            if isinstance(out, int):
                self.readers.setdefault(out, []).append(None)

    def run(self) -> Lowered:
        for position, instruction in enumerate(self.given.instructions):
            self.name = self.given.names[position] if position < len(self.given.names) else ""
            self.number = self.given.n_inputs + position
            kind = self.kinds[self.number]
            self.values.append(self._fused(instruction) if kind is Kind.ARRAY else self._kept(instruction))
        outputs = tuple(self._whole(out) for out in self.given.outputs)
        program = Program(self.given.signature, tuple(self.instructions), outputs, tuple(self.names))
        return _annotated(without_dead_code(program))

    def _emit(self, op: Op, *args: Operand, name: str = "") -> int:
        self.instructions.append(Instruction(op, args))
        self.names.append(name)
        result = self.given.n_inputs + len(self.instructions) - 1
        if all(isinstance(arg, Const) or arg in self.numbers for arg in args) and not op.reduces:
            with np.errstate(all="ignore"):
                self.numbers[result] = np.asarray(op.reference(*map(self._tried, args)))
            if all(isinstance(arg, Const) or arg in self.steady for arg in args):
                self.steady.add(result)
        return result

    def _tried(self, operand: Operand) -> Array:
        return np.asarray(operand.hi) if isinstance(operand, Const) else self.numbers[operand]

    def _value(self, operand: Operand) -> _Value:
        if isinstance(operand, int):
            return _Value(self.computed[operand]) if operand in self.computed else self.values[operand]
        return _Value(operand)

    def _whole(self, operand: Operand) -> Operand:
        """The value itself, its factor multiplied in."""
        if not isinstance(operand, int):
            return operand
        value = self.values[operand]
        if value.factor is None:
            return value.base
        if operand not in self.computed:
            position = operand - self.given.n_inputs
            name = self.given.names[position] if position < len(self.given.names) else ""
            self.computed[operand] = self._emit(_MUL, value.base, value.factor, name=name)
        return self.computed[operand]

    def _kept(self, instruction: Instruction) -> _Value:
        return _Value(self._emit(instruction.op, *map(self._whole, instruction.args), name=self.name))

    def _is(self, operand: Operand, kind: Kind) -> bool:
        return self.kinds[operand] is kind if isinstance(operand, int) else kind is Kind.NUMBER

    def _movable(self, factor: Operand | None) -> bool:
        """Whether a number may move through square roots and divisions: it is far from 0 whatever the rates are."""
        if factor is None or isinstance(factor, Const) or factor not in self.steady:
            return factor is None
        return bool((self.numbers[factor] >= _SMALLEST).all() and (self.numbers[factor] <= _LARGEST).all())

    def _times(self, a: Operand | None, b: Operand | None) -> Operand | None:
        if a is None or b is None:
            return b if a is None else a
        return self._emit(_MUL, a, b, name=self._scale())

    def _over(self, a: Operand | None, b: Operand | None) -> Operand | None:
        return a if b is None else self._emit(_DIV, Const(1.0) if a is None else a, b, name=self._scale())

    def _scale(self) -> str:
        return f"{self.name}{SCALE}" if self.name else ""

    def _fused(self, instruction: Instruction) -> _Value:
        name, args = instruction.op.name, instruction.args
        rule = {"mul": self._mul, "div": self._div, "sqrt": self._sqrt, "add": self._sum, "sub": self._sum}.get(name)
        found = rule(instruction) if rule is not None else None
        if found is not None:
            return found
        reader = self.readers.get(self.number, [])
        squares = name == "square" or (name == "mul" and args[0] == args[1])
        if squares and len(reader) == 1 and reader[0] is not None and self._averages(reader[0], self.number):
            self.squares[self.number] = self._whole(args[0])
            return _Value(self.number)  # only that average reads it
        if args[0] in self.squares:
            past = self._emit(_MUL, self._whole(args[1]), args[2], name=self.name)
            share = self._emit(_SUB, Const(1.0), args[2])
            return _Value(self._emit(ADD_SQUARE, past, self.squares[args[0]], share, name=self.name))
        return self._kept(instruction)

    def _averages(self, reader: Instruction, square: int) -> bool:
        """Whether an instruction is interp(square, x, constant)."""
        if reader.op.name != "interp" or reader.args[0] != square or reader.args[1] == square:
            return False
        return isinstance(reader.args[2], Const) and self._is(reader.args[1], Kind.ARRAY)

    def _mul(self, instruction: Instruction) -> _Value | None:
        a, b = instruction.args
        if a == b:
            return None
        if self._is(a, Kind.NUMBER):
            a, b = b, a
        x = self._value(a)
        if self._is(b, Kind.NUMBER):
            if isinstance(b, Const) and not _SMALLEST <= abs(b.hi) <= _LARGEST:
                return None
            if len(self.readers.get(self.number, [])) == 1:
                return _Value(x.base, self._times(x.factor, self._whole(b)))
            return None if x.factor is None else _Value(self._emit(_MUL, x.base, self._whole(b), name=self.name), x.factor)
        y = self._value(b)
        return _Value(self._emit(_MUL, x.base, y.base, name=self.name), self._times(x.factor, y.factor))

    def _div(self, instruction: Instruction) -> _Value | None:
        a, b = instruction.args
        x, y = self._value(a), self._value(b)
        if self._is(b, Kind.NUMBER) and self._movable(y.base) and len(self.readers.get(self.number, [])) == 1:
            return _Value(x.base, self._over(x.factor, y.base))
        if not self._is(b, Kind.ARRAY) or not self._is(a, Kind.ARRAY):
            return None
        below = y if self._movable(y.factor) else _Value(self._whole(b))
        return _Value(self._emit(_DIV, x.base, below.base, name=self.name), self._over(x.factor, below.factor))

    def _sqrt(self, instruction: Instruction) -> _Value | None:
        x = self._value(instruction.args[0])
        if x.factor is None or not self._movable(x.factor):
            return None
        root = self._emit(_SQRT, x.factor, name=self._scale())
        return _Value(self._emit(_SQRT, x.base, name=self.name), root)

    def _sum(self, instruction: Instruction) -> _Value | None:
        plus = instruction.op.name == "add"
        a, b = instruction.args
        if plus and (not self._is(a, Kind.ARRAY) or (self._value(a).factor is None and self._is(b, Kind.ARRAY))):
            a, b = b, a  # the scaled one first
        x, y = self._value(a), self._value(b)
        if plus and y.factor is not None and not self._movable(x.factor) and self._movable(y.factor):
            a, b, x, y = b, a, y, x
        if not self._is(a, Kind.ARRAY) or self._is(b, Kind.SCALAR) or self._is(b, Kind.EACH):
            return None
        if self._is(b, Kind.NUMBER):
            if x.factor is None or not self._movable(x.factor):
                return None
            part = self._emit(_DIV, self._whole(b), x.factor)
            return _Value(self._emit(instruction.op, x.base, part, name=self.name), x.factor)
        if x.factor is None and y.factor is None:
            return None
        scaled = ADD_SCALED if plus else SUB_SCALED
        if plus and x.factor is not None and y.factor is None and not self._stays(x.base):
            return _Value(self._emit(ADD_SCALED, y.base, x.base, x.factor, name=self.name))
        factor = x.factor if self._movable(x.factor) else None
        first = x.base if factor is not None or x.factor is None else self._whole(a)
        share = self._over(y.factor, factor)
        if share is None:
            return _Value(self._emit(instruction.op, first, y.base, name=self.name))
        return _Value(self._emit(scaled, first, y.base, share, name=self.name), factor)

    def _stays(self, operand: Operand) -> bool:
        """Whether the instruction at hand gives a state that holds `operand` now: written in place, nothing is copied."""
        names = [variable.name for variable in self.given.signature.outputs]
        if not isinstance(operand, int) or operand >= self.given.n_inputs:
            return False
        own = self.given.signature.inputs[operand].name
        return own in names and self.given.outputs[names.index(own)] == self.number
