"""Update rules as torch source: statements that step one tensor, or lists of tensors (`torch._foreach_...`).

Buffers are reused where their value has no later reader; weights and state are written in place.
"""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from evosearch.backends.arrays import Lowered, Row, free_name, literal, plain
from evosearch.backends.emit import fill
from evosearch.backends.torch_fusions import SCALE, fused, stepped
from evosearch.backends.torch_kinds import ON_FLOATS, Kind, kinds_of, last_reads
from evosearch.language.op import ARGUMENTS, Op
from evosearch.language.program import Const, Instruction, Operand, Program

_RESERVED = frozenset({"w", "g", "lr", "step", "weight_decay", "torch", "math", *"xyz", *keyword.kwlist})
_LONGEST = 40
_OTHER_END = str.maketrans({"a": "i", "x": "n", "i": "a", "n": "x"})  # max(a, 2.0) is a.clamp(min=2.0)


class Form(Enum):
    """What a rule is written for."""

    TENSOR = "tensor"  # one tensor; numbers are floats
    LISTS = "lists"  # lists of tensors; numbers are floats
    KERNEL = "kernel"  # one tensor; numbers may be tensors without dimensions, and torch.compile may make one pass of it


@dataclass(frozen=True)
class Source:
    """The body of a function `(w, g, STATES..., lr, step, weight_decay)`, those of them that the rule has.

    Attributes:
        lines: statements; the weights and the states are written in place.
        numbers: for a kernel the statements that compute the numbers it reads; else they are among `lines`.
        given: names of the numbers that a kernel reads, in the place of lr, step and weight_decay.
    """

    lines: tuple[str, ...]
    numbers: tuple[str, ...]
    given: tuple[str, ...]


def torch_source(lowered: Lowered, form: Form, decay: str = "") -> Source:
    """The rule in one of its forms.

    Args:
        decay: name of a number by which the weights decay beside the rule (lr * decay * w), a further argument then.
    """
    step = stepped(lowered, decay)
    return _Writer(step if form is Form.KERNEL else fused(step), form, decay).write()


def sums_over_all(program: Program) -> bool:
    """Whether the program has a reduction over all tensors."""
    return any(instruction.op.reduction == "all" for instruction in program.instructions)


@dataclass
class _Buffer:
    """A name that holds a value; `state` is the number of the output it must end with, None for a temporary."""

    name: str
    value: int
    owned: bool
    state: int | None = None


@dataclass
class _Writer:
    lowered: Lowered
    form: Form
    decay: str
    lines: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    given: dict[str, None] = field(default_factory=dict)  # in order
    inline: dict[int, str] = field(default_factory=dict)

    def write(self) -> Source:
        program = self.program = self.lowered.program
        self.foreach = self.form is Form.LISTS
        inputs = [variable.name for variable in program.signature.inputs]
        outputs = [variable.name for variable in program.signature.outputs]
        self.kinds = kinds_of(self.lowered)
        self.last = last_reads(program)
        self.buffers = [
            _Buffer(name, k, owned=name in outputs, state=outputs.index(name) if name in outputs else None)
            for k, name in enumerate(inputs)
        ]
        self.place = dict(enumerate(self.buffers))
        for position, instruction in enumerate(program.instructions):
            self._instruction(position, instruction)
        self._finish_states()
        return Source(tuple(self.lines), tuple(self.numbers), tuple(self.given))

    def _show(self, operand: Operand) -> str:
        if not isinstance(operand, int):
            return literal(operand.hi)
        if operand in self.inline:
            return self.inline[operand]
        if self.form is Form.KERNEL and self._before(operand):
            self.given[self.place[operand].name] = None
        return self.place[operand].name

    def _before(self, operand: Operand) -> bool:
        """Whether a value follows from lr, step and constants, so that it is known before a kernel runs."""
        if not isinstance(operand, int) or self.kinds[operand] is Kind.NUMBER:
            return True
        if operand < self.program.n_inputs or self.kinds[operand] is not Kind.SCALAR:
            return False
        instruction = self.program.instructions[operand - self.program.n_inputs]
        return instruction.op.reduction is None and all(map(self._before, instruction.args))

    def _kind(self, operand: Operand) -> Kind:
        return self.kinds[operand] if isinstance(operand, int) else Kind.NUMBER

    def _listed(self, operand: Operand) -> bool:
        return self.foreach and self._kind(operand) in (Kind.ARRAY, Kind.EACH)

    def _instruction(self, position: int, instruction: Instruction) -> None:
        value = self.program.n_inputs + position
        if self.form is Form.KERNEL and self._before(value):
            read = dict(self.given)
            self._new(position, self._expression(position, instruction), self.numbers)
            self.given = read  # what this reads is computed there, too
            return
        written = self._in_place(position, instruction)
        if written is not None:
            line, buffer = written
            self.lines += self._where_decay(position, plain(line))
            buffer.value = value
            self.place[value] = buffer
            return
        expression = plain(self._expression(position, instruction))
        if self.kinds[value] is Kind.NUMBER and self._is_share(position) and len(expression) <= _LONGEST:
            self.inline[value] = expression
            return
        self._new(position, expression, self.lines)

    def _new(self, position: int, expression: str, lines: list[str]) -> None:
        """A statement that gives a name to the value of an instruction."""
        value = self.program.n_inputs + position
        name = self._free_name(position)
        lines.append(f"{name} = {plain(expression)}")
        buffer = next((b for b in self.buffers if b.name == name), None) or _Buffer(name, value, owned=True)
        buffer.value, buffer.owned = value, True
        if buffer not in self.buffers:
            self.buffers.append(buffer)
        self.place[value] = buffer

    def _is_share(self, position: int) -> bool:
        """Whether an instruction came with a fusion and has one reader, so that it needs no statement of its own."""
        name = self.program.names[position] if position < len(self.program.names) else ""
        readers = [arg for i in self.program.instructions for arg in i.args if arg == self.program.n_inputs + position]
        return len(readers) == 1 and (not name or name.endswith(SCALE))

    def _where_decay(self, position: int, line: str) -> list[str]:
        """The statement; the one by which the weights decay beside the rule is left out for a decay of 0."""
        out = self.program.outputs[0]
        assert isinstance(out, int)
        last = self.program.instructions[out - self.program.n_inputs]
        shrinks = self.decay and self.form is not Form.KERNEL and last.args[0] == self.program.n_inputs + position
        return [f"if {self.decay}:", f"    {line}"] if shrinks else [line]

    def _free_name(self, position: int) -> str:
        """The given name where no living value and no argument has it, else a new one."""
        given = self.program.names[position] if position < len(self.program.names) else ""
        arguments = [variable.name for variable in self.program.signature.inputs]
        if given in arguments and given not in _RESERVED:
            given = f"new_{given}"
        living = {b.name for b in self.buffers if self.last.get(b.value, -1) > position}
        if self.form is Form.KERNEL:  # all numbers are computed before
            living |= {line.split(" = ")[0] for line in self.numbers}
        return free_name(given, position, living, _RESERVED)

    def _dying(self, operand: Operand, position: int) -> _Buffer | None:
        """The buffer of a value that this instruction is the last to read, where it may be written to."""
        if not isinstance(operand, int) or self.last[operand] > position or operand in self.inline:
            return None
        buffer = self.place[operand]
        result = self.program.n_inputs + position
        fits = buffer.state is None or self._leads_to(self.program.outputs[buffer.state], result)
        same = self.kinds[operand] is self.kinds[result]
        return buffer if buffer.owned and fits and same else None

    def _leads_to(self, out: Operand, value: int) -> bool:
        """Whether a value is an output, or written over by the one instruction that makes this output of it."""
        if out == value:
            return True
        if not isinstance(out, int) or out < self.program.n_inputs or self.last[value] != out - self.program.n_inputs:
            return False
        row = self.lowered.rows[self.last[value]]
        return self.program.instructions[self.last[value]].args[0] == value and row is not None and bool(row.inplace)

    def _in_place(self, position: int, instruction: Instruction) -> tuple[str, _Buffer] | None:
        row, args, name = self.lowered.rows[position], list(instruction.args), instruction.op.name
        if row is None or self.kinds[self.program.n_inputs + position] in (Kind.NUMBER, Kind.SCALAR):
            return None
        orders = [args]
        if name in ("add", "mul", "max", "min") or (name == "interp" and isinstance(args[2], Const)):
            orders.append([args[1], args[0], *args[2:]])
        found = [(order is not args, order, self._dying(order[0], position)) for order in orders]
        for swapped, order, buffer in sorted(found, key=lambda one: one[2] is None or not one[2].state):  # states first
            if buffer is None:
                continue
            shown = [self._show(arg) for arg in order]
            if name == "interp" and swapped:
                shown[2] = f"1.0 - {shown[2]}"
            line = self._list_call(row, order, shown, name, "_") if self.foreach else self._method(row, order, shown, name)
            if line is not None:
                return line, buffer
        if name in ("sub", "div") and not self.foreach and self.form is not Form.KERNEL:
            over = self._dying(args[1], position)
            if over is not None and over.state is None and self._kind(args[0]) is Kind.ARRAY:
                return f"torch.{name}({self._show(args[0])}, {over.name}, out={over.name})", over
        return None

    def _method(self, row: Row, args: Sequence[Operand], shown: Sequence[str], name: str) -> str | None:
        if name in ("max", "min") and self._kind(args[1]) is Kind.NUMBER:
            return f"{shown[0]}.clamp_({name.translate(_OTHER_END)}={shown[1]})"
        return fill(row.inplace, dict(zip(ARGUMENTS, shown, strict=False))) if row.inplace else None

    def _expression(self, position: int, instruction: Instruction) -> str:
        row, args, op = self.lowered.rows[position], list(instruction.args), instruction.op
        shown = [self._show(arg) for arg in args]
        if op.reduction is not None:
            return self._sum(op, args[0], shown[0])
        assert row is not None
        kind = self.kinds[self.program.n_inputs + position]
        if kind is Kind.NUMBER:
            grouped = [f"({text})" if " " in text else text for text in shown]
            return fill(ON_FLOATS[op.name], dict(zip(ARGUMENTS, grouped, strict=False)))
        if all(self._kind(arg) is Kind.NUMBER for arg in args):
            names = [f"torch.as_tensor({text}, dtype=torch.float64)" for text in shown]
            return self._on_tensors(row, args, names, op.name)
        if self.foreach and any(self._listed(arg) for arg in args):
            line = self._list_call(row, args, shown, op.name, "")
            return line if line is not None else self._comprehension(row, args, shown, op.name)
        return self._on_tensors(row, args, shown, op.name)

    def _on_tensors(self, row: Row, args: Sequence[Operand], shown: Sequence[str], name: str) -> str:
        if name in ("max", "min"):
            for first, second in ((0, 1), (1, 0)):
                if self._kind(args[second]) is Kind.NUMBER and not shown[second].startswith("torch."):
                    return f"{shown[first]}.clamp({name.translate(_OTHER_END)}={shown[second]})"
        return fill(row.torch, dict(zip(ARGUMENTS, shown, strict=False)))

    def _sum(self, op: Op, operand: Operand, shown: str) -> str:
        each = f"[x.sum() for x in {shown}]" if self._listed(operand) else f"{shown}.sum()"
        if op.reduction == "tensor":
            return each
        return f"yield sum({each})" if self._listed(operand) else f"yield {each}"

    def _list_call(self, row: Row, args: Sequence[Operand], shown: Sequence[str], name: str, inplace: str) -> str | None:
        """A call of a function for lists: its first argument is a list, others are lists or numbers."""
        stem, given = row.foreach, list(shown)
        if name == "square":
            stem, given = "mul", [shown[0], shown[0]]
        if not stem:
            return None
        if not self._listed(args[0]):
            if name not in ("add", "mul", "max", "min", "power") or inplace:
                return None
            if name != "power":
                given = [shown[1], shown[0]]
        if name == "interp" and not (self._listed(args[0]) and self._listed(args[1])):
            return None
        if name.endswith("_scaled"):
            given[2] = f"alpha={given[2]}"
        if name == "add_square":
            given = [given[0], given[1], given[1], f"value={given[2]}"]
        return f"torch._foreach_{stem}{inplace}({', '.join(given)})"

    def _comprehension(self, row: Row, args: Sequence[Operand], shown: Sequence[str], name: str) -> str:
        lists = [k for k, arg in enumerate(args) if self._listed(arg)]
        names = ["xyz"[k] if k in lists else text for k, text in enumerate(shown)]
        inner = plain(self._on_tensors(row, args, names, name))
        if len(lists) == 1:
            return f"[{inner} for {'xyz'[lists[0]]} in {shown[lists[0]]}]"
        loop = ", ".join("xyz"[k] for k in lists)
        return f"[{inner} for {loop} in zip({', '.join(shown[k] for k in lists)})]"

    def _copy(self, name: str) -> str:
        return f"[x.clone() for x in {name}]" if self.foreach else f"{name}.clone()"

    def _finish_states(self) -> None:
        """Copy into each state what is not already there; a value that another state is about to lose is saved first."""
        open_states = [b for b in self.buffers if b.state is not None and self.program.outputs[b.state] != b.value]
        kept: dict[int, str] = {}
        for buffer in open_states:
            assert buffer.state is not None
            out = self.program.outputs[buffer.state]
            holder = self.place[out] if isinstance(out, int) else None
            if isinstance(out, int) and holder in open_states:
                kept[out] = f"old_{self._show(out)}"
                self.lines.append(f"{kept[out]} = {self._copy(self._show(out))}")
        for buffer in open_states:
            assert buffer.state is not None
            out = self.program.outputs[buffer.state]
            text = kept.get(out, self._show(out)) if isinstance(out, int) else self._show(out)
            if self._listed(out):
                self.lines.append(f"torch._foreach_copy_({buffer.name}, {text})")
            elif self.foreach:
                self.lines += [f"for x in {buffer.name}:", f"    x.fill_({text})"]
            elif self._kind(out) is Kind.ARRAY:
                self.lines.append(f"{buffer.name}.copy_({text})")
            else:
                self.lines.append(f"{buffer.name}.fill_({text})")
