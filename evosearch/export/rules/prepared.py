"""An update rule as exporters print it: only the state that matters, and a learning rate and a weight decay to set."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evosearch.backends.reference import step
from evosearch.errors import ExportError
from evosearch.evaluation.decay import Decay, find_decay, with_decay
from evosearch.language.infer import without_dead_code
from evosearch.language.op import Op
from evosearch.language.optimizer import RATE, STEP, check_rule, live_states, state_names
from evosearch.language.program import Const, Instruction, Operand, Program, Variable
from evosearch.language.types import Type

WEIGHT_DECAY = "weight_decay"
_TIMES = Op("mul", 2, np.multiply, "a * b", commutative=True, doc="a * b")
_TAKEN = frozenset({
    "p", "grad", "self", "torch", "math", "np", "jnp", "jax", "optax", "sys", "maximize", "dtype", "update",
    "weight_decay", *"xyz", *keyword.kwlist,
})  # fmt: skip


@dataclass(frozen=True)
class PreparedRule:
    """A rule with the arguments of an optimizer.

    Attributes:
        program: inputs w, g, states, lr, and where it reads them step and weight_decay; without dead code.
        decay: default of the argument weight_decay.
        own_decay: whether the rule has a decay of its own, for which the argument then stands; else it is done beside it.
        own_rate: whether the rule reads lr; else its update is multiplied by it, and the default is 1.
    """

    program: Program
    decay: float
    own_decay: bool
    own_rate: bool

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states."""
        return state_names(self.program)

    @property
    def reads_step(self) -> bool:
        """Whether the step's number matters."""
        return any(variable.name == STEP for variable in self.program.signature.inputs)

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments of an exported update function: w, g, states, step where it is read, lr, weight_decay."""
        return ("w", "g", *self.states, *([STEP] if self.reads_step else []), RATE, WEIGHT_DECAY)


def prepare(rule: Program) -> PreparedRule:
    """The rule for export.

    Raises:
        ProgramError: where the program is no update rule.
        ExportError: for a state whose name a file cannot use.
    """
    check_rule(rule)
    wrong = [name for name in state_names(rule) if name in _TAKEN or not name.isidentifier() or name.startswith("_")]
    if wrong:
        raise ExportError(f"the state '{wrong[0]}' has a name that an exported file uses itself; call it v1, v2, ...")
    rule = rule.rounded()
    decay = find_decay(rule)
    own_decay = decay is not None and _is_decoupled(rule, decay)
    own_rate = any(variable.name == RATE for variable in rule.signature.inputs)
    changed = without_dead_code(_with_arguments(rule, decay if own_decay else None, own_rate))
    return PreparedRule(_tidy(changed), decay.value if decay is not None and own_decay else 0.0, own_decay, own_rate)


def _is_decoupled(rule: Program, decay: Decay) -> bool:
    """Whether the update is, for any decay c >= 0, that for 0 plus lr c w: tried on numbers."""
    rng = np.random.default_rng(1)
    w, g, *state = (rng.normal(size=12) for _ in range(2 + len(state_names(rule))))

    def update(value: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return step(with_decay(rule, decay, value), [w], [g], [[np.abs(v)] for v in state], 0.03, 5.0)[0][0]

    base = update(0.0)
    if decay.value < 0.0:
        return False
    return all(np.allclose(update(c) - base, 0.03 * c * w, rtol=1e-9, atol=1e-12) for c in (0.1, 1.0, 7.0))


def _with_arguments(rule: Program, decay: Decay | None, own_rate: bool) -> Program:
    """The rule with inputs lr and weight_decay at the end, the decay's constant replaced, dead states left out."""
    inputs = list(rule.signature.inputs)
    added = [Variable(RATE)] * (not own_rate) + [Variable(WEIGHT_DECAY)] * (decay is not None)
    shift = len(added)

    def moved(operand: Operand) -> Operand:
        return operand + shift if isinstance(operand, int) and operand >= rule.n_inputs else operand

    instructions = [Instruction(i.op, tuple(moved(arg) for arg in i.args)) for i in rule.instructions]
    if decay is not None:
        old = instructions[decay.instruction]
        args: list[Operand] = list(old.args)
        args[decay.argument] = rule.n_inputs + shift - 1
        instructions[decay.instruction] = Instruction(old.op, tuple(args))
    outputs = [moved(out) for out in rule.outputs]
    names = [*rule.names, *[""] * (len(instructions) - len(rule.names))]
    if not own_rate:
        instructions.append(Instruction(_TIMES, (outputs[0], rule.n_inputs)))
        names.append("update")
        outputs[0] = rule.n_inputs + shift + len(instructions) - 1
    keep = [True, *live_states(rule)]
    signature = replace(
        rule.signature,
        inputs=(*inputs, *added),
        outputs=tuple(v for v, kept in zip(rule.signature.outputs, keep, strict=True) if kept),
    )
    live_outputs = tuple(out for out, kept in zip(outputs, keep, strict=True) if kept)
    return Program(signature, tuple(instructions), live_outputs, tuple(names))


def _tidy(rule: Program) -> Program:
    """The program with its inputs in the order of `PreparedRule.arguments`, without those that it does not read."""
    states = state_names(rule)
    read = {arg for i in rule.instructions for arg in i.args} | set(rule.outputs)
    by_name = {variable.name: number for number, variable in enumerate(rule.signature.inputs)}
    optional = [name for name in (STEP, WEIGHT_DECAY) if name in by_name and by_name[name] in read]
    order = ["w", "g", *states, RATE, *optional]
    return _reordered(rule, order, by_name)


def _reordered(rule: Program, order: Sequence[str], by_name: Mapping[str, int]) -> Program:
    place = {by_name[name]: number for number, name in enumerate(order)}
    shift = len(order) - rule.n_inputs

    def moved(operand: Operand) -> Operand:
        if isinstance(operand, Const):
            return operand
        return operand + shift if operand >= rule.n_inputs else place[operand]

    inputs = tuple(Variable(name, Type.REAL if name in (RATE, STEP, WEIGHT_DECAY) else Type.ARRAY) for name in order)
    instructions = tuple(Instruction(i.op, tuple(moved(arg) for arg in i.args)) for i in rule.instructions)
    outputs = tuple(moved(out) for out in rule.outputs)
    return Program(replace(rule.signature, inputs=inputs), instructions, outputs, rule.names)
