"""Abstract execution of a genome before any training: is it valid, which statements matter, what does it compute.

One pass numbers values by exact laws: equal operations on equal values are one value, commutative arguments are sorted,
neutral elements of the op table vanish. State matters only where the update
depends on it, in this step or a later one.
"""

from __future__ import annotations

import marshal
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b

from evosearch.backends.array_vm import EncodedRule, encode_elements, encode_rule
from evosearch.evolution.rules.genome import REAL, Argument, Genome, Grammar, Statement
from evosearch.language.program import Const, Instruction, Operand, Program

REASONS = ("undefined", "types", "no update", "no gradient", "no rate")
"""Why a genome is not valid: it reads a local before assigning it; an argument's type does not fit; it never assigns `update`,
or not as an array; the update does not depend on the gradient, or not on the learning rate, so that there is none to tune."""
KEPT = 1 << 14
"""Meanings that are remembered: most children differ from their parents in dead statements alone."""


@dataclass(frozen=True, eq=False)
class Meaning:
    """What abstract execution found of a valid genome.

    Attributes:
        key: 64 bits of a hash of what it computes, structurally; names, dead code and the order of statements do not matter,
            nor which state variable is which.
        live: number of its live operations, each once.
    """

    key: int
    live: int
    _grammar: Grammar
    _values: list[Value]
    _types: list[int]
    _names: list[int]
    _alive: list[int]
    _outputs: list[Argument]

    @cached_property
    def program(self) -> Program:
        """Its live operations in order; what is trained and stored."""
        return _program(self._grammar, self._values, self._names, self._alive, self._outputs)

    @cached_property
    def encoded(self) -> EncodedRule:
        """The same for the interpreter, without the detour by the program where no op sums."""
        grammar, count = self._grammar, len(self._grammar.inputs)
        if any(grammar.reduces[self._values[number - count][0]] for number in self._alive):
            return encode_rule(self.program, grammar.ops)
        order = sorted(self._alive, key=self._types.__getitem__)  # reals first
        rows = [self._values[number - count] for number in order]
        reals = sum(self._types[number] == REAL for number in order)
        return encode_elements(rows, dict(zip(order, range(len(order)), strict=True)), reals, self._outputs, grammar.inputs)


@dataclass(frozen=True, slots=True)
class Refused:
    """A genome that is not valid, with one of `REASONS`."""

    reason: str


Value = tuple[int, tuple[Argument, ...]]
"""Op's code, and the numbers of values that it takes (floats are constants)."""


def execute(genome: Genome, grammar: Grammar) -> Meaning | Refused:
    """Abstract execution; dead statements are not looked at, whatever they are."""
    return _execute(marshal.dumps(_reaching(genome, grammar), 2), grammar)  # bytes tell 1 from 1.0


@lru_cache(KEPT)
def _execute(reaching: bytes, grammar: Grammar) -> Meaning | Refused:
    """Of the statements that the update may depend on."""
    count = len(grammar.inputs)
    current: dict[int, Argument] = dict(enumerate(range(count)))
    types = list(grammar.input_types)
    values: list[Value] = []
    names: list[int] = []
    numbers: dict[Value, int] = {}
    commutes, neutral, results = grammar.commutes, grammar.neutral, grammar.results
    for destination, code, arguments in marshal.loads(reaching):
        try:
            args = tuple([a if isinstance(a, float) else current[a] for a in arguments])
        except KeyError:
            return Refused("undefined")
        result = results[code].get(tuple([0 if isinstance(a, float) else types[a] for a in args]))
        if result is None:
            return Refused("types")
        if commutes[code]:
            args = (*sorted(args[:2], key=_order), *args[2:])
        if (code in neutral) and (same := _unchanged(neutral[code], args)) is not None:
            current[destination] = same
            continue
        value = (code, args)
        number = numbers.get(value)
        if number is None:
            number = numbers[value] = count + len(values)
            values.append(value)
            types.append(result)
            names.append(destination)
        current[destination] = number
    update = current.get(grammar.update)
    if not isinstance(update, int) or types[update] == 0:
        return Refused("no update")
    needed, states = _needed(update, values, [current[state] for state in grammar.states], grammar)
    if grammar.gradient not in needed:
        return Refused("no gradient")
    if grammar.rate not in needed:
        return Refused("no rate")
    alive = [number for number in range(count, count + len(values)) if number in needed]
    outputs = [update, *(current[state] if state in states else state for state in grammar.states)]
    return Meaning(_key(values, outputs, states, grammar), len(alive), grammar, values, types, names, alive, outputs)


def _reaching(genome: Genome, grammar: Grammar) -> list[Statement]:
    """The statements that the update may depend on, in this step or, by way of the state, in a later one."""
    states: set[int] = set()
    while True:
        wanted, kept = {grammar.update, *states}, []
        for statement in reversed(genome):
            if statement[0] in wanted:
                wanted.discard(statement[0])
                for argument in statement[2]:
                    if type(argument) is int:
                        wanted.add(argument)
                kept.append(statement)
        read = wanted.intersection(grammar.states)
        if read <= states:
            return kept[::-1]
        states |= read


def _order(argument: Argument) -> tuple[bool, Argument]:
    """Values before constants, each in order; NaN cannot be a constant."""
    return isinstance(argument, float), argument


def _unchanged(neutral: tuple[float | None, ...], args: tuple[Argument, ...]) -> int | None:
    """The value that an op returns as it is, since its other argument is neutral."""
    for k, one in enumerate(neutral[:2]):
        if one is not None and args[k] == one and isinstance(args[k], float):
            other = args[1 - k]
            return other if isinstance(other, int) else None
    return None


def _needed(update: int, values: list[Value], ends: list[Argument], grammar: Grammar) -> tuple[set[int], list[int]]:
    """Values that the update depends on, now or later, and the states among them in the order in which they are reached."""
    count, needed, states, waiting = len(grammar.inputs), set[int](), list[int](), [update]
    while waiting:
        number = waiting.pop()
        if number in needed:
            continue
        needed.add(number)
        if number >= count:
            waiting.extend(arg for arg in values[number - count][1] if isinstance(arg, int))
        elif number in grammar.states:
            states.append(number)
            end = ends[grammar.states.index(number)]
            if isinstance(end, int):
                waiting.append(end)
    return needed, states


def _program(grammar: Grammar, values: list[Value], names: list[int], alive: list[int], outputs: list[Argument]) -> Program:
    count = len(grammar.inputs)
    place = {number: number for number in range(count)}

    def operand(argument: Argument) -> Operand:
        return Const(argument) if isinstance(argument, float) else place[argument]

    instructions = []
    for number in alive:
        code, args = values[number - count]
        instructions.append(Instruction(grammar.table[code], tuple([operand(arg) for arg in args])))
        place[number] = count + len(instructions) - 1
    shown = tuple([grammar.name(names[number - count]) for number in alive])
    return Program(grammar.signature, tuple(instructions), tuple([operand(out) for out in outputs]), shown)


def _key(values: list[Value], outputs: list[Argument], states: list[int], grammar: Grammar) -> int:
    """Values as they are reached from the update, then from each state that matters, in the order in which that was reached."""
    count = len(grammar.inputs)
    seen: dict[int, int] = {state: -1 - k for k, state in enumerate(states)}
    parts: list[str] = []

    def visit(argument: Argument) -> str:
        if isinstance(argument, float):
            return argument.hex()
        if argument in seen:
            return f"#{seen[argument]}"
        if argument < count:
            return f"@{argument}"
        code, args = values[argument - count]
        text = f"{code}({','.join([visit(arg) for arg in args])})"
        seen[argument] = len(seen)
        parts.append(text)
        return f"#{seen[argument]}"

    ends = [visit(outputs[0]), *(visit(outputs[1 + grammar.states.index(state)]) for state in states)]
    return int.from_bytes(blake2b(";".join([*parts, *ends]).encode(), digest_size=8).digest(), "little")
