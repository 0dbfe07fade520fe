"""Update rules as genomes: statements that assign variables, in plain tuples that variation changes cheaply.

A genome is a tuple of statements (destination, op's code, arguments). An int is a variable: the inputs first, then `update`,
then locals as they come; a float is a constant. A statement may assign a variable anew, an input as well; what the outputs'
variables hold in the end is returned. Statements without an effect stay: they are stepping stones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from evosearch.errors import ProgramError
from evosearch.language.op import Op, OpSet
from evosearch.language.program import Program, Signature
from evosearch.language.types import Type

Argument = int | float
Statement = tuple[int, int, tuple[Argument, ...]]
Genome = tuple[Statement, ...]

REAL, ARRAY = 0, 1
"""Types of variables in a genome's analysis."""
_TYPES = (Type.REAL, Type.ARRAY)


def from_plain(statements: Sequence[Sequence[Any]]) -> Genome:
    """The genome whose tuples became lists in JSON or a checkpoint."""
    return tuple((destination, code, tuple(args)) for destination, code, args in statements)


@dataclass(frozen=True, eq=False)
class Grammar:
    """What genomes of a run are made of: a rule's inputs and outputs, and the ops that it may use."""

    signature: Signature
    ops: OpSet

    @cached_property
    def table(self) -> tuple[Op, ...]:
        """Ops by code."""
        return self.ops.ops

    @cached_property
    def codes(self) -> Mapping[str, int]:
        """An op's code by its name."""
        return {op.name: code for code, op in enumerate(self.table)}

    @cached_property
    def arity(self) -> tuple[int, ...]:
        """Number of arguments by code."""
        return tuple(op.arity for op in self.table)

    @cached_property
    def results(self) -> tuple[Mapping[tuple[int, ...], int], ...]:
        """By code: types of arguments to the type of the result; what is missing does not fit."""
        return tuple(_results(op) for op in self.table)

    @cached_property
    def reduces(self) -> tuple[bool, ...]:
        """By code: whether the op sums over a tensor, or over all of them."""
        return tuple(op.reduces for op in self.table)

    @cached_property
    def commutes(self) -> tuple[bool, ...]:
        """By code: whether the first two arguments may change places."""
        return tuple(op.commutative for op in self.table)

    @cached_property
    def neutral(self) -> Mapping[int, tuple[float | None, ...]]:
        """By code of the binary ops that have one: per argument the constant with which they return the other."""
        return {
            code: op.neutral
            for code, op in enumerate(self.table)
            if op.arity == 2 and any(value is not None for value in op.neutral)
        }

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(variable.name for variable in self.signature.inputs)

    @cached_property
    def input_types(self) -> tuple[int, ...]:
        """Types of the inputs."""
        return tuple(_TYPES.index(variable.type) for variable in self.signature.inputs)

    @cached_property
    def update(self) -> int:
        """The variable that is returned first; it is a local."""
        return len(self.inputs)

    @cached_property
    def states(self) -> tuple[int, ...]:
        """The variables of the state: the outputs that are inputs as well."""
        return tuple(self.inputs.index(variable.name) for variable in self.signature.outputs[1:])

    @cached_property
    def gradient(self) -> int:
        """The variable `g`."""
        return self.inputs.index("g")

    @cached_property
    def rate(self) -> int:
        """The variable `lr`."""
        return self.inputs.index("lr")

    def name(self, variable: int) -> str:
        """A variable's name in program text."""
        if variable < len(self.inputs):
            return self.inputs[variable]
        return "update" if variable == self.update else f"a{variable - self.update}"

    def genome(self, program: Program) -> Genome:
        """The genome of a rule: one statement an instruction; its constants rounded to float64.

        Raises:
            ProgramError: where the rule has other inputs than the run, or an op that the run does not use.
        """
        names = [variable.name for variable in program.signature.inputs]
        missing = [name for name in names if name not in self.inputs]
        if missing:
            raise ProgramError(f"the rule reads '{missing[0]}', which this run has not; it has {', '.join(self.inputs)}")
        inputs = [self.inputs.index(name) for name in names]
        places = self._by_name(program, inputs)
        if places is not None:
            return self._joined(self._statements(program, places))
        places = [*inputs, *(self.update + 1 + k for k in range(len(program.instructions)))]
        return tuple(self._returning(self._statements(program, places), program, places))

    def _by_name(self, program: Program, inputs: list[int]) -> list[int] | None:
        """A variable for each value: the same for the same name, as in the rule's text; None where names hide what is read."""
        known = {name: number for number, name in enumerate(self.inputs)} | {"update": self.update}
        places, current = list(inputs), {place: value for value, place in enumerate(inputs)}
        for k, step in enumerate(program.instructions):
            if any(isinstance(arg, int) and current[places[arg]] != arg for arg in step.args):
                return None
            name = program.names[k] if k < len(program.names) and program.names[k] else f" {k}"
            places.append(known.setdefault(name, len(known)))
            current[places[-1]] = program.n_inputs + k
        if any(current.get(place) != out for place, out in zip(self._results(program), program.outputs, strict=True)):
            return None
        return places

    def _results(self, program: Program) -> list[int]:
        """The variables that a rule's outputs are returned in."""
        return [self.update, *(self.inputs.index(variable.name) for variable in program.signature.outputs[1:])]

    def _statements(self, program: Program, places: list[int]) -> list[Statement]:
        return [
            (
                places[program.n_inputs + k],
                self._code(step.op),
                tuple(places[arg] if isinstance(arg, int) else arg.hi for arg in step.args),
            )
            for k, step in enumerate(program.instructions)
        ]

    def _joined(self, statements: list[Statement]) -> Genome:
        """The local that the update is made of becomes `update` itself, so that a statement left out leaves a rule behind."""
        *before, (_, _, args) = statements
        made = [arg for arg in args if isinstance(arg, int) and arg > self.update]
        taken = any(destination == self.update for destination, _, _ in before)
        if statements[-1][0] != self.update or taken or len(made) != 1:
            return tuple(statements)

        def place(argument: Argument) -> Argument:
            return self.update if argument == made[0] and isinstance(argument, int) else argument

        return tuple((int(place(destination)), code, tuple(map(place, args))) for destination, code, args in statements)

    def _code(self, op: Op) -> int:
        self.ops[op.name]  # names the nearest op where there is none
        return self.codes[op.name]

    def _returning(self, statements: list[Statement], program: Program, places: list[int]) -> list[Statement]:
        """The statements with the results in the outputs' variables: by another destination where nothing is hidden by it."""
        wanted = self._results(program)
        given = [places[out] if isinstance(out, int) else out.hi for out in program.outputs]
        renamed: dict[int, int] = {}
        copies: list[Statement] = []
        for variable, value in zip(wanted, given, strict=True):
            at = value - self.update - 1 if isinstance(value, int) else -1
            read_later = any(variable in args for _, _, args in statements[at + 1 :]) or variable in given[: len(wanted)]
            if at >= 0 and value not in renamed and not (read_later and variable != value):
                renamed[int(value)] = variable
            elif value != variable:
                copies.append((variable, self._code(self.ops["mul"]), (value, 1.0)))

        def place(argument: Argument) -> Argument:
            return renamed.get(argument, argument) if isinstance(argument, int) else argument

        body = [(renamed.get(dest, dest), code, tuple(map(place, args))) for dest, code, args in statements]
        # an output's variable that is assigned before a copy reads its old value would hide that value
        hidden = {variable for variable, _, _ in copies}
        locals_ = {dest for dest, _, _ in body}
        spare = max([self.update, *locals_]) + 1
        first, last = [], []
        for number, (variable, code, (value, one)) in enumerate(copies):
            source = place(value)
            if isinstance(source, int) and source in hidden and source != variable:
                first.append((spare + number, code, (source, one)))
                source = spare + number
            last.append((variable, code, (source, one)))
        return [*body, *first, *last]


def _results(op: Op) -> dict[tuple[int, ...], int]:
    found = {}
    for types in product((REAL, ARRAY), repeat=op.arity):
        result = op.rule([_TYPES[number] for number in types])
        if result in _TYPES:
            found[types] = _TYPES.index(result)
    return found
