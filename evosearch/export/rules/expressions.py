"""Update rules as statements without side effects: for NumPy, JAX, and lists of plain floats."""

from __future__ import annotations

import keyword
from collections.abc import Sequence

from evosearch.backends.arrays import Lowered, Row, free_name, literal, plain
from evosearch.backends.emit import fill
from evosearch.export.rules.prepared import PreparedRule
from evosearch.language.op import ARGUMENTS, Op
from evosearch.language.program import Operand
from evosearch.language.types import Type

_RESERVED = frozenset({
    "w", "lr", "step", "weight_decay", "np", "jnp", "jax", "optax", "math", "call", "div", "sqrt", "sign", "maximum", "minimum",
    *"xyz", *keyword.kwlist,
})  # fmt: skip


class Statements:
    """The body of `(w, g, STATES, step, lr, weight_decay) -> (update, STATES)`; sums over all tensors are yielded.

    Args:
        library: "np" or "jnp" for arrays; "" for lists of floats.
    """

    def __init__(self, lowered: Lowered, prepared: PreparedRule, library: str) -> None:
        self._lowered, self._library = lowered, library
        program = lowered.program
        self._names = [variable.name for variable in program.signature.inputs]
        self.lines: list[str] = []
        for position, (instruction, row) in enumerate(zip(program.instructions, lowered.rows, strict=True)):
            expression = self._expression(instruction.op, row, instruction.args)
            self._names.append(self._free_name(position))
            self.lines.append(f"{self._names[-1]} = {expression}")
        update, *states = map(self._output, program.outputs)
        if not prepared.own_decay:
            scale = "(lr * weight_decay)"
            decayed = f"{update} + {scale} * w" if library else f"[x + {scale} * y for x, y in zip({update}, w)]"
            name = self._update_name(update)
            if name != update:
                self.lines.append(f"{name} = {update}")
            always = library == "jnp"  # which may trace the decay
            self.lines += [f"{name} = {decayed}"] if always else ["if weight_decay:", f"    {name} = {decayed}"]
            update = name
        self.lines.append(f"return {', '.join([update, *states])}" + ("," if not states else ""))

    def _update_name(self, update: str) -> str:
        inputs = [variable.name for variable in self._lowered.program.signature.inputs]
        return update if update.isidentifier() and update not in inputs else "update"

    def _show(self, operand: Operand) -> str:
        return self._names[operand] if isinstance(operand, int) else literal(operand.hi)

    def _listed(self, operand: Operand) -> bool:
        return not self._library and isinstance(operand, int) and self._lowered.types[operand] is Type.ARRAY

    def _output(self, operand: Operand) -> str:
        """An output, which is an array even where the rule gives a real."""
        if isinstance(operand, int) and self._lowered.types[operand] is Type.ARRAY:
            return self._show(operand)
        return f"{self._library}.full_like(w, {self._show(operand)})" if self._library else f"[{self._show(operand)}] * len(w)"

    def _expression(self, op: Op, row: Row | None, args: Sequence[Operand]) -> str:
        shown = [self._show(arg) for arg in args]
        if op.reduction is not None:
            total = f"{self._library}.sum({shown[0]})" if self._library else f"sum({shown[0]})"
            return f"yield {total}" if op.reduction == "all" else total
        assert row is not None
        if self._library:
            template = row.array.replace("xp.", f"{self._library}.")
            return plain(fill(template, dict(zip(ARGUMENTS, shown, strict=False))))
        lists = [k for k, arg in enumerate(args) if self._listed(arg)]
        if not lists or op.reduces:
            return plain(fill(row.python, dict(zip(ARGUMENTS, shown, strict=False))))
        names = ["xyz"[k] if k in lists else text for k, text in enumerate(shown)]
        inner = plain(fill(row.python, dict(zip(ARGUMENTS, names, strict=False))))
        loop = ", ".join("xyz"[k] for k in lists)
        source = ", ".join(shown[k] for k in lists)
        return f"[{inner} for {loop} in {source}]" if len(lists) == 1 else f"[{inner} for {loop} in zip({source})]"

    def _free_name(self, position: int) -> str:
        """The given name where no value that is still read has it, else a new one."""
        program = self._lowered.program
        given = program.names[position] if position < len(program.names) else ""
        later = {arg for i in program.instructions[position + 1 :] for arg in i.args} | set(program.outputs)
        living = {name for value, name in enumerate(self._names) if value in later}
        return free_name(given, position, living, _RESERVED)
