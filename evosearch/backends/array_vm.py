"""The interpreter of update rules: any encoded rule on any parameter tensors, without a compilation.

A tensor goes through in chunks of 256 elements. Registers are rows as long as a chunk; reals and constants fill theirs.
A rule with sums takes a pass more for each that stands on a path (`evosearch.backends.stages`). Results are the bits of
`evosearch.backends.reference.step`.

`apply_rule` and `rule_registers` are kernels for others to call: name this module, behind `span_source`, to `assemble`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evosearch.backends.encode import CONST_BASE, INPUT_BASE, TEMP_BASE
from evosearch.backends.flat import FlatStep, step_by
from evosearch.backends.kernels import assemble, kernel
from evosearch.backends.reference import Array
from evosearch.backends.rows import address, peek, poke
from evosearch.backends.simd import LANES, dot
from evosearch.backends.stages import stages
from evosearch.backends.vm import span_source
from evosearch.errors import ProgramError
from evosearch.language.infer import check_types, expand, without_dead_code
from evosearch.language.op import Op, OpSet
from evosearch.language.optimizer import GRADIENT, RATE, STEP, WEIGHT, check_rule, state_names
from evosearch.language.program import Const, Operand, Program

if TYPE_CHECKING:
    from evosearch.backends.assembled import span

Code = NDArray[np.int16]
Ints = NDArray[np.int64]
Registers = tuple[Array, Ints]
"""Values float64 (rows, 256), and the address of each row."""

ROW = 256
STATES = 12
"""Most states of a rule."""
WEIGHTS, GRADIENTS, LEARNING_RATE, STEP_COUNT, FIRST_STATE = 0, 1, 2, 3, 4
"""Registers of the inputs, from INPUT_BASE on."""
AT_REALS, AT_NEEDED, AT_OTHERS, AT_SUMS, AT_END = 0, 1, 2, 3, 4
"""Columns of `depths`: first rows of the reals, of the arrays that sums need, of the other arrays, of the sums; the end."""


@dataclass(frozen=True, eq=False)
class EncodedRule:
    """A rule for `apply_rule`.

    Attributes:
        code: int16 (instructions, 4): op, a, b, c; live instructions only, in the order of their stages. A sum is
            (1 over all tensors or 0, a, its number, 0).
        constants: float64 (constants,), in registers CONST_BASE, ...
        outputs: int16 (1 + states,): registers of the update and of the new states.
        depths: int64 (passes, 5): positions in `code`.
    """

    code: Code
    constants: Array
    outputs: Code
    depths: Ints

    @property
    def states(self) -> int:
        """Number of states."""
        return len(self.outputs) - 1


def encode_rule(rule: Program, ops: OpSet) -> EncodedRule:
    """Encode an update rule.

    Raises:
        ProgramError: for a program that is no rule, an op that is not in `ops`, or a rule too large for the registers.
    """
    check_rule(rule)
    check_types(rule)
    staged = stages(without_dead_code(expand(without_dead_code(rule), _reduces)))
    body = staged.rule
    names = [variable.name for variable in body.signature.inputs]
    states = state_names(body)
    fixed = {WEIGHT: WEIGHTS, GRADIENT: GRADIENTS, RATE: LEARNING_RATE, STEP: STEP_COUNT}
    fixed |= {name: FIRST_STATE + k for k, name in enumerate(states)}
    constants: dict[str, int] = {}

    def register(operand: Operand) -> int:
        if isinstance(operand, Const):
            return CONST_BASE + constants.setdefault(operand.hi.hex(), len(constants))
        return INPUT_BASE + fixed[names[operand]] if operand < body.n_inputs else TEMP_BASE + operand - body.n_inputs

    codes = {op.name: number for number, op in enumerate(ops)}
    code = np.full((len(body.instructions), 4), INPUT_BASE + LEARNING_RATE, dtype=np.int16)
    sums = 0
    for row, instruction in zip(code, body.instructions, strict=True):
        op = instruction.op
        if op.reduction is not None:
            row[:] = (op.reduction == "all", register(instruction.args[0]), sums, 0)
            sums += 1
            continue
        row[0] = codes[op.name] if op.name in codes else ops.code(op.name)
        row[1 : 1 + op.arity] = [register(arg) for arg in instruction.args]
    outputs = np.array([register(out) for out in body.outputs], dtype=np.int16)
    _check_size(len(states), len(constants), len(code))
    values = np.array([float.fromhex(text) for text in constants], dtype=np.float64)
    return EncodedRule(code, values, outputs, np.array(staged.bounds, dtype=np.int64))


def encode_elements(
    rows: Sequence[tuple[int, Sequence[int | float]]],
    places: Mapping[int, int],
    reals: int,
    outputs: Sequence[int | float],
    inputs: Sequence[str],
) -> EncodedRule:
    """As `encode_rule`, of a rule in which no op sums, from numbers: for a search that makes thousands a second.

    Args:
        rows: op's code and arguments of each live instruction, in running order: reals first. An int is a value (inputs first),
            a float a constant.
        places: values of instructions to their rows.
        reals: how many rows are reals.
        outputs: the update, then the new states.
        inputs: names of the inputs.
    """
    fixed = {WEIGHT: WEIGHTS, GRADIENT: GRADIENTS, RATE: LEARNING_RATE, STEP: STEP_COUNT}
    states = [name for name in inputs if name not in fixed]
    fixed |= {name: FIRST_STATE + k for k, name in enumerate(states)}
    registers = {value: INPUT_BASE + fixed[name] for value, name in enumerate(inputs)}
    registers |= {value: TEMP_BASE + place for value, place in places.items()}
    constants: dict[str, int] = {}

    def register(argument: int | float) -> int:
        if isinstance(argument, float):
            return CONST_BASE + constants.setdefault(argument.hex(), len(constants))
        return registers[argument]

    spare = [INPUT_BASE + LEARNING_RATE] * 3
    code = [[op, *map(register, args), *spare[len(args) :]] for op, args in rows]
    ends = [register(out) for out in outputs]
    _check_size(len(states), len(constants), len(code))
    values = np.array([float.fromhex(text) for text in constants], dtype=np.float64)
    depths = np.array([[0, reals, reals, len(code), len(code)]], dtype=np.int64)
    return EncodedRule(np.array(code, np.int16).reshape(-1, 4), values, np.array(ends, np.int16), depths)


def _reduces(op: Op) -> bool:
    return op.reduces


def _check_size(states: int, constants: int, instructions: int) -> None:
    limits = (
        ("states", states, STATES),
        ("different constants", constants, TEMP_BASE - CONST_BASE),
        ("live instructions", instructions, 4000),
    )
    for what, count, limit in limits:
        if count > limit:
            raise ProgramError(f"a rule to encode may have {limit} {what}, this one has {count}")


@kernel
def rule_registers(instructions: int, tensors: int) -> Registers:
    """Registers for any rule of at most so many instructions on so many tensors; allocate once, apply often.

    The values start at a cache line; the other array is room for the addresses of their rows.
    """
    count = TEMP_BASE + instructions + 2 + STATES + instructions * (1 + tensors // ROW)
    room = np.zeros(count * ROW + 8)
    first = (-address(room) // 8) % 8
    values = room[first : first + count * ROW].reshape((count, ROW))
    return values, np.empty(count, np.int64)


@kernel
def apply_rule(
    code: Code, constants: Array, outputs: Code, depths: Ints, regs: Registers,
    w: Array, g: Array, state: Array, offsets: Ints, lr: float, step: float, update: Array,
) -> bool:  # fmt: skip
    """One step of an encoded rule; whether all updates and states are finite.

    Args:
        code, constants, outputs, depths: of an `EncodedRule`.
        regs: of `rule_registers`; what they hold does not matter.
        w, g: float64 (N,): all tensors one after the other, and their gradients.
        state: float64 (states, N), replaced.
        offsets: int64 (tensors + 1,): where each tensor starts, and N.
        lr, step: learning rate; number of the step, from 1 on.
        update: float64 (N,), set. The caller does w - update.
    """
    values, rows = regs
    for k in range(len(rows)):
        rows[k] = address(values) + 8 * ROW * k
    fill_row(values, INPUT_BASE + LEARNING_RATE, lr)
    fill_row(values, INPUT_BASE + STEP_COUNT, step)
    for k in range(len(constants)):
        fill_row(values, CONST_BASE + k, constants[k])
    passes, tensors = len(depths), len(offsets) - 1
    if passes == 1:  # the elements know nothing of tensors
        set_reals(code, depths, passes, values, rows, tensors, tensors)
        return write_tensor(code, outputs, depths, rows, w, g, state, offsets[0], offsets[tensors], update)
    fill_row(values, TEMP_BASE + len(code), 1.0)
    for depth in range(1, passes):
        for t in range(tensors):
            set_reals(code, depths, depth, values, rows, t, tensors)
            add_sums(code, depths, depth, values, rows, w, g, state, offsets, t)
    finite = True
    for t in range(tensors):
        set_reals(code, depths, passes, values, rows, t, tensors)
        fine = write_tensor(code, outputs, depths, rows, w, g, state, offsets[t], offsets[t + 1], update)
        finite = finite and fine
    return finite


@kernel
def fill_row(values: Array, row: int, value: float) -> None:
    """Set a whole row."""
    for j in range(ROW):
        values[row, j] = value


@kernel
def set_reals(code: Code, depths: Ints, passes: int, values: Array, rows: Ints, t: int, tensors: int) -> None:
    """Work out the reals of one tensor that depend on fewer sums than `passes`, and fill their rows."""
    one = np.int64(1)  # Numba compiles a kernel anew for a literal argument
    for depth in range(passes):
        if depth > 0:
            for i in range(depths[depth - 1, AT_SUMS], depths[depth - 1, AT_END]):
                row, column = sum_place(code, i, t, tensors)
                fill_row(values, TEMP_BASE + i, values[row, column])
        start, stop = depths[depth, AT_REALS], depths[depth, AT_NEEDED]
        span(code, start, stop, rows, one)
        for i in range(start, stop):
            fill_row(values, TEMP_BASE + i, values[TEMP_BASE + i, 0])


@kernel
def sum_place(code: Code, i: int, t: int, tensors: int) -> tuple[int, int]:
    """Row and column of the sum of instruction i for tensor t; a sum over all tensors has one place."""
    entry = 0 if code[i, 0] == 1 else t
    return TEMP_BASE + len(code) + 2 + STATES + code[i, 2] * (1 + tensors // ROW) + entry // ROW, entry % ROW


@kernel
def point_rows(rows: Ints, w: Array, g: Array, state: Array, start: int) -> None:
    """The rows of the inputs are where they lie, from element `start` on."""
    rows[INPUT_BASE + WEIGHTS] = address(w) + 8 * start
    rows[INPUT_BASE + GRADIENTS] = address(g) + 8 * start
    for k in range(len(state)):
        rows[INPUT_BASE + FIRST_STATE + k] = address(state) + 8 * (k * len(w) + start)


@kernel
def copy_row(source: int, target: int, size: int) -> bool:
    """Copy a row; whether any value is not finite."""
    bad = False
    for j in range(size):
        value = peek(source, j)
        poke(target, j, value)
        bad |= value - value != 0.0
    return bad


@kernel
def add_sums(
    code: Code, depths: Ints, passes: int, values: Array, rows: Ints, w: Array, g: Array, state: Array, offsets: Ints, t: int
) -> None:
    """The sums of the last of so many passes, over one tensor."""
    tensors, ones = len(offsets) - 1, TEMP_BASE + len(code)
    first, last = depths[passes - 1, AT_SUMS], depths[passes - 1, AT_END]
    for i in range(first, last):
        if t == 0 or code[i, 0] == 0:
            row, column = sum_place(code, i, t, tensors)
            values[row, column] = 0.0
    for start in range(offsets[t], offsets[t + 1], ROW):
        size = min(ROW, offsets[t + 1] - start)
        padded = (size + LANES - 1) // LANES * LANES
        point_rows(rows, w, g, state, start)
        for depth in range(passes):
            span(code, depths[depth, AT_NEEDED], depths[depth, AT_OTHERS], rows, size)
        for i in range(first, last):
            row, column = sum_place(code, i, t, tensors)
            given = int(code[i, 1])
            if given < CONST_BASE:  # an input must not be filled up with zeros
                copy_row(rows[given], rows[ones + 1], size)
                given = ones + 1
            for j in range(size, padded):
                values[given, j] = 0.0
            values[row, column] += dot(values, given, values, ones, padded)


@kernel
def moves(outputs: Code, k: int) -> bool:
    """Whether new state k is an input other than itself, which may be replaced before it is read."""
    return bool(outputs[k + 1] < CONST_BASE and outputs[k + 1] != INPUT_BASE + FIRST_STATE + k)


@kernel
def write_tensor(
    code: Code, outputs: Code, depths: Ints, rows: Ints,
    w: Array, g: Array, state: Array, begin: int, end: int, update: Array,
) -> bool:  # fmt: skip
    """Update and new states of elements begin to end; whether they are finite."""
    bad = False
    spare = TEMP_BASE + len(code) + 2
    for start in range(begin, end, ROW):
        size = min(ROW, end - start)
        point_rows(rows, w, g, state, start)
        for depth in range(len(depths)):
            span(code, depths[depth, AT_NEEDED], depths[depth, AT_SUMS], rows, size)
        bad |= copy_row(rows[outputs[0]], address(update) + 8 * start, size)
        for k in range(len(state)):
            if moves(outputs, k):
                copy_row(rows[outputs[k + 1]], rows[spare + k], size)
        for k in range(len(state)):
            if moves(outputs, k):
                bad |= copy_row(rows[spare + k], rows[INPUT_BASE + FIRST_STATE + k], size)
            elif outputs[k + 1] >= CONST_BASE:
                bad |= copy_row(rows[outputs[k + 1]], rows[INPUT_BASE + FIRST_STATE + k], size)
    return not bad


KERNELS = ("evosearch.backends.array_vm",)


def load(ops: OpSet) -> ModuleType:
    """The compiled kernels of an op set."""
    return assemble(ops, KERNELS, "rules", span_source)


def bind(rule: Program, ops: OpSet) -> FlatStep:
    """The rule on flat tensors, by the interpreter."""
    encoded, kernels = encode_rule(rule, ops), load(ops)

    def flat_step(w: Array, g: Array, state: Array, offsets: Ints, lr: float, step: float, update: Array) -> bool:
        regs = kernels.rule_registers(len(encoded.code), len(offsets) - 1)
        tables = encoded.code, encoded.constants, encoded.outputs, encoded.depths
        return bool(kernels.apply_rule(*tables, regs, w, g, state, offsets, lr, step, update))

    return flat_step


def step(
    rule: Program, ops: OpSet, w: Sequence[ArrayLike], g: Sequence[ArrayLike], state: Sequence[Sequence[ArrayLike]],
    lr: float, step: float,
) -> tuple[list[Array], list[list[Array]]]:  # fmt: skip
    """As the reference's `step`, by the interpreter."""
    return step_by(bind(rule, ops), rule, w, g, state, lr, step)
