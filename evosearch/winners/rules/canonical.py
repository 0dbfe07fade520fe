"""The canonical form of an update rule: dead, constant and doubled states go, states and lr get the scale that reads best.

What a state is scaled by, or called, is a gauge: no update depends on it. What lr is scaled by changes the updates at a given
lr and nothing at the tuned one, so `canonical` leaves it unless asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evosearch.errors import ProgramError
from evosearch.language.infer import check_types, without_dead_code
from evosearch.language.op import OpSet
from evosearch.language.optimizer import RATE, UPDATE, WEIGHT, live_states, state_names
from evosearch.language.program import Const, Instruction, Operand, Program
from evosearch.language.types import Type
from evosearch.winners.rules.algebra import ZERO, Algebra, Form, key, scaled
from evosearch.winners.rules.writer import Writer

_ROUNDS = 4  # one suffices nearly always


@dataclass(frozen=True)
class _Reading:
    """A rule as forms, with what stands for its inputs and by what its states are scaled."""

    algebra: Algebra
    rule: Program
    given: Mapping[str, Form] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)
    """By input: the rule is to read `scale` times what it is given; a state is then stored divided by its scale."""

    @property
    def states(self) -> tuple[str, ...]:
        """States that are neither dead, zero nor doubled."""
        return tuple(name for name in state_names(self.rule) if name not in self.given)

    def forms(self) -> dict[str, Form]:
        """The forms of update and of each remaining state."""
        inputs = {variable.name: variable.type for variable in self.rule.signature.inputs}
        read: dict[str, Form] = {n: scaled(self.algebra.input(n, inputs[n]), s) for n, s in self.scales.items()}
        for name, form in self.given.items():
            read[name] = scaled(form, self._scale_of(form))
        names = [variable.name for variable in self.rule.signature.outputs]
        outputs = dict(zip(names, self.algebra.read(self.rule, read), strict=True))
        return {n: scaled(f, 1.0 / self.scales.get(n, 1.0)) for n, f in outputs.items() if n not in self.given}

    def _scale_of(self, form: Form) -> float:
        """Of the state that a doubled state stands for."""
        for name, scale in self.scales.items():
            if form and key(form) == key(self.algebra.input(name, Type.ARRAY)):
                return scale
        return 1.0

    def with_scale(self, name: str, scale: float) -> _Reading:
        return _Reading(self.algebra, self.rule, self.given, {**self.scales, name: self.scales.get(name, 1.0) * scale})

    def with_given(self, given: Mapping[str, Form]) -> _Reading:
        return _Reading(self.algebra, self.rule, {**self.given, **given}, self.scales)

    def written(self) -> Program:
        """The rule as a program; states without use are returned as they came."""
        forms = self.forms()
        signature = self.rule.signature
        wanted = [form for name, form in forms.items() if name in self.states]
        outputs = [forms.get(v.name, self.algebra.input(v.name, v.type)) for v in signature.outputs]
        return Writer(self.algebra, signature, wanted).program(outputs)


def canonical(rule: Program, ops: OpSet, *, rate_gauge: bool = False) -> Program:
    """The rule in its canonical form: the same updates up to rounding, for the same signature.

    Args:
        ops: the set of `primitives.optimizer`, whose meanings by name (the guarded `div`, sqrt of |x|) it relies on.
        rate_gauge: also absorb the constant factor on the update into lr: lr then means another rate.
    """
    for _ in range(_ROUNDS):
        reading = _read(rule, ops)
        if rate_gauge:
            reading = reading.with_scale(RATE, 1.0 / _rate_scale(reading))
        after = _ordered(reading.written())
        if str(after) == str(rule) or not _fits(after):
            break
        rule = after
    return rule


def _fits(rule: Program) -> bool:
    """Whether types fit still: a norm of an array cannot be written any more once that is a real, such as lr + 0 g."""
    try:
        check_types(rule)
    except ProgramError:
        return False
    return True


def rate_scale(rule: Program, ops: OpSet) -> float:
    """The constant factor on the update that `canonical` absorbs: its lr is so many times the rule's; 1 where there is none."""
    return _rate_scale(_read(canonical(rule, ops), ops))


def in_units(rule: Program, scale: float, ops: OpSet) -> Program:
    """The rule as it is, for an lr that is `scale` times its own."""
    number = next((k for k, variable in enumerate(rule.signature.inputs) if variable.name == RATE), None)
    if number is None or scale == 1.0:
        return rule

    def moved(operand: Operand) -> Operand:
        if isinstance(operand, Const) or (operand < rule.n_inputs and operand != number):
            return operand
        return rule.n_inputs if operand == number else operand + 1

    first = Instruction(ops["mul"], (number, Const(1.0 / scale)))
    rest = (Instruction(item.op, tuple(map(moved, item.args))) for item in rule.instructions)
    return Program(rule.signature, (first, *rest), tuple(map(moved, rule.outputs)), ("", *rule.names))


def _read(rule: Program, ops: OpSet) -> _Reading:
    reading = _Reading(Algebra(ops), without_dead_code(rule))
    dead = [name for name, alive in zip(state_names(rule), live_states(rule), strict=True) if not alive]
    reading = _without_doubles(_without_zeros(reading.with_given(dict.fromkeys(dead, ZERO))))
    for name in reading.states:
        reading = _scaled_state(reading, name)
    return reading


def _without_zeros(reading: _Reading) -> _Reading:
    """States that stay zero, as they start, are zero."""
    zeros = reading.states
    while zeros:
        forms = reading.with_given(dict.fromkeys(zeros, ZERO))
        outputs = dict(zip(state_names(reading.rule), forms.algebra.read(reading.rule, forms.given)[1:], strict=True))
        still = tuple(name for name in zeros if not outputs[name])
        if still == zeros:
            return forms
        zeros = still
    return reading


def _without_doubles(reading: _Reading) -> _Reading:
    """Of two states that are always equal, one goes."""
    for k, name in enumerate(reading.states):
        for other in reading.states[k + 1 :]:
            if name in reading.given or other in reading.given:
                continue
            same = {other: reading.algebra.input(name, Type.ARRAY)}
            outputs = reading.algebra.read(reading.rule, {**reading.given, **same})
            found = dict(zip(state_names(reading.rule), outputs[1:], strict=True))
            if key(found[name]) == key(found[other]):
                reading = reading.with_given(same)
    return reading


def _scaled_state(reading: _Reading, name: str) -> _Reading:
    """The state in the scale in which it is a weighted average, where the rule gets no longer by it."""
    form = reading.forms()[name]
    ((own, _),) = reading.algebra.input(name, Type.ARRAY)
    kept = dict(form).get(own, 0.0)
    rest = [(monomial, coefficient) for monomial, coefficient in form if monomial != own]
    if not rest:
        return reading
    leading = next((c for m, c in rest if not reading.algebra.mentions(((m, c),), WEIGHT)), rest[0][1])
    scale = leading / (1.0 - kept if 0.0 < kept < 1.0 else 1.0)
    other = reading.with_scale(name, scale)
    if scale == 1.0 or len(other.written().instructions) > len(reading.written().instructions):
        return reading
    return other


def _rate_scale(reading: _Reading) -> float:
    """By what the update is lr times something without a constant factor."""
    forms = reading.forms()
    update = forms[UPDATE]
    if not any(variable.name == RATE for variable in reading.rule.signature.inputs) or len(update) != 1:
        return 1.0
    ((rate, _),) = reading.algebra.input(RATE, Type.REAL)
    if dict(update[0][0]).get(rate[0][0]) != 1:
        return 1.0
    wanted = [form for name, form in forms.items() if name in reading.states]
    _, scale = Writer(reading.algebra, reading.rule.signature, wanted).up_to_scale(update)
    return scale if scale > 0 else 1.0


def _ordered(rule: Program) -> Program:
    """States in the order of their first use; unused ones last."""
    names = state_names(rule)
    index = {variable.name: number for number, variable in enumerate(rule.signature.inputs)}
    reads = [arg for instruction in rule.instructions for arg in instruction.args] + list(rule.outputs[:1])
    used = [name for name, alive in zip(names, live_states(rule), strict=True) if alive]
    used.sort(key=lambda name: reads.index(index[name]) if index[name] in reads else len(reads))
    order = used + [name for name in names if name not in used]
    moved = {index[old]: index[new] for old, new in zip(order, names, strict=True)}
    outputs = dict(zip(names, rule.outputs[1:], strict=True))
    called = dict(zip(order, names, strict=True))

    def move(operand: Operand) -> Operand:
        return moved.get(operand, operand) if isinstance(operand, int) else operand

    instructions = tuple(Instruction(i.op, tuple(move(arg) for arg in i.args)) for i in rule.instructions)
    states = tuple(move(outputs[old]) for old in order)
    labels = tuple(called.get(name, name) for name in rule.names)
    return Program(rule.signature, instructions, (move(rule.outputs[0]), *states), labels)
