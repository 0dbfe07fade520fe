"""The meaning of the language: NumPy, float64, constants rounded to their high part.

`evaluate` is that of programs over points, `step` that of update rules over parameter tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evosearch.errors import ProgramError
from evosearch.language import types
from evosearch.language.infer import check_types, expand, inferred_rule
from evosearch.language.op import Op, OpSet
from evosearch.language.optimizer import GRADIENT, RATE, STEP, WEIGHT, check_rule, state_names
from evosearch.language.program import Operand, Program, Signature
from evosearch.language.text import parse

Array = NDArray[np.float64]


def evaluate(program: Program, *inputs: ArrayLike) -> tuple[Array, ...]:
    """The outputs as float64 arrays of the inputs' common shape; a boolean is 1.0 or 0.0.

    Raises:
        ProgramError: where the number of inputs is not the program's.
    """
    arrays = broadcast(program, inputs)
    values: list[Array] = list(arrays)
    shape = arrays[0].shape if arrays else ()

    def value(operand: Operand) -> Array:
        return values[operand] if isinstance(operand, int) else np.full(shape, operand.hi)

    with np.errstate(all="ignore"):
        for instruction in program.instructions:
            result = instruction.op.reference(*map(value, instruction.args))
            values.append(np.asarray(result, dtype=np.float64))
    return tuple(value(out) for out in program.outputs)


def broadcast(program: Program, inputs: Sequence[ArrayLike]) -> list[Array]:
    """The inputs as contiguous float64 arrays of one shape; ProgramError where their number is wrong."""
    if len(inputs) != program.n_inputs:
        raise ProgramError(f"'{program.signature.name}' takes {program.n_inputs} inputs, got {len(inputs)}")
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in inputs))
    return [np.array(array, dtype=np.float64, order="C") for array in arrays]


CHUNK, LANES = 256, 8
"""Every sum of a tensor goes by chunks of so many elements, a last one filled up with zeros, and so many sums within one."""


def chunk_sums(values: ArrayLike) -> Array:
    """The sums of a tensor's chunks, (chunks,), in the order that all backends keep.

    Lane k of a chunk adds its elements k, k + 8, k + 16, ... in turn; then the lanes are folded in halves.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    padded = np.zeros(-(-flat.size // CHUNK) * CHUNK)
    padded[: flat.size] = flat
    rounds = padded.reshape(-1, CHUNK // LANES, LANES)
    lanes = np.zeros((len(rounds), LANES))
    for k in range(CHUNK // LANES):
        lanes = lanes + rounds[:, k]
    while lanes.shape[1] > 1:
        half = lanes.shape[1] // 2
        lanes = lanes[:, :half] + lanes[:, half:]
    return lanes[:, 0]


def total(sums: ArrayLike) -> Array:
    """Sums of chunks added in turn to zero; of all tensors one after the other where a sum is over all."""
    return np.asarray(np.add.accumulate(np.concatenate([[0.0], np.asarray(sums)]))[-1])


def step(
    rule: Program, w: Sequence[ArrayLike], g: Sequence[ArrayLike], state: Sequence[Sequence[ArrayLike]], lr: float, step: float
) -> tuple[list[Array], list[list[Array]]]:
    """One step of an update rule.

    Args:
        rule: with the signature of `evosearch.language.optimizer`.
        w, g: the parameter tensors of all groups and their gradients, of any shapes.
        state: (states, tensors), like `w`.
        lr, step: learning rate; number of the step, 1 at the first.

    Returns:
        The updates, like `w`, and the new state. The caller does w - update.

    Raises:
        ProgramError: where the rule is none, or the number or the shapes of tensors do not fit.
    """
    check_rule(rule)
    check_types(rule)
    tensors, given = rule_inputs(rule, w, g, state)
    reals = {RATE: lr, STEP: step}
    given |= {name: [np.array([value], dtype=np.float64)] * len(tensors) for name, value in reals.items()}
    values = [given[variable.name] for variable in rule.signature.inputs]
    body = expand(rule, lambda op: op.reduces)

    def operand(item: Operand) -> list[Array]:
        return values[item] if isinstance(item, int) else [np.array([item.hi])] * len(tensors)

    with np.errstate(all="ignore"):
        for instruction in body.instructions:
            values.append(_apply(instruction.op, [operand(arg) for arg in instruction.args]))
    updates, *states = ([_shaped(*pair) for pair in zip(operand(out), tensors, strict=True)] for out in body.outputs)
    return updates, states


def _shaped(value: Array, like: Array) -> Array:
    return np.broadcast_to(value, (like.size,)).reshape(like.shape).copy()


def rule_inputs(
    rule: Program, w: Sequence[ArrayLike], g: Sequence[ArrayLike], state: Sequence[Sequence[ArrayLike]]
) -> tuple[list[Array], dict[str, list[Array]]]:
    """The weights, and all arrays by name, flat; ProgramError where their number or shapes do not fit."""
    names = state_names(rule)
    if len(state) != len(names):
        raise ProgramError(f"'{rule.signature.name}' has {len(names)} states ({', '.join(names)}), got {len(state)}")
    tensors = [np.asarray(tensor, dtype=np.float64) for tensor in w]
    shapes = [tensor.shape for tensor in tensors]
    given = {WEIGHT: [tensor.ravel() for tensor in tensors]}
    for name, arrays in ((GRADIENT, g), *zip(names, state, strict=True)):
        found = [np.asarray(array, dtype=np.float64) for array in arrays]
        if [array.shape for array in found] != shapes:
            raise ProgramError(f"'{name}' has shapes {[array.shape for array in found]}, the weights have {shapes}")
        given[name] = [array.ravel() for array in found]
    return tensors, given


def _apply(op: Op, args: list[list[Array]]) -> list[Array]:
    """The op on each tensor; a real is an array of one element."""
    if op.reduction is None:
        return [np.asarray(op.reference(*one), dtype=np.float64) for one in zip(*args, strict=True)]
    (arrays,) = args
    sums = [chunk_sums(array) for array in arrays]
    if op.reduction == "all":
        return [total(np.concatenate(sums)).reshape(1)] * len(arrays) if sums else []
    return [total(part).reshape(1) for part in sums]


def reduction(name: str, over: Literal["tensor", "all"], doc: str) -> Op:
    """The core op that sums an array to a real; its reference takes the argument for the only tensor."""
    return Op(name, 1, lambda a: total(chunk_sums(a)), reduction=over, rule=types.reduction, doc=doc)


def composite(text: str, ops: OpSet, doc: str, *, commutative: bool = False, signature: Signature | None = None) -> Op:
    """An op that is a program over other ops: `text` defines it and gives it name, arguments and every meaning.

    Its default cost is the number of its core operations. One with a reduction inside needs a `signature`, and takes what
    the ops inside take; any other is elementwise.
    """
    program = parse(text, ops, signature)
    rule = inferred_rule(program) if any(step.op.reduces for step in program.instructions) else types.elementwise
    cost = sum(instruction.op.cost for instruction in program.instructions)

    def reference(*args: Array) -> Array:
        return evaluate(program, *args)[0]

    return Op(
        program.signature.name, program.n_inputs, reference, composite=program, cost=cost, commutative=commutative, rule=rule,
        doc=doc,
    )  # fmt: skip
