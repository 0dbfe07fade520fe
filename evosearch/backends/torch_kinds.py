"""What the values of an update rule are when torch runs it."""

from __future__ import annotations

from enum import Enum

import numpy as np

from evosearch.backends.arrays import Lowered
from evosearch.backends.reference import Array
from evosearch.language.program import Const, Program
from evosearch.language.types import Type


class Kind(Enum):
    """What a value is at run time."""

    NUMBER = "number"  # follows from lr, step and constants: a float, or a tensor without dimensions
    SCALAR = "scalar"  # a tensor without dimensions, one for all parameters
    EACH = "each"  # a tensor without dimensions for each parameter
    ARRAY = "array"


ON_FLOATS = {
    "add": "a + b", "sub": "a - b", "mul": "a * b", "div": "a / b", "neg": "-a", "negative": "-a", "abs": "abs(a)",
    "square": "a * a", "reciprocal": "1.0 / a", "power": "a ** b",
    "sqrt": "a ** 0.5",
}  # fmt: skip
"""What floats and tensors write alike."""

_TRIED = [(rate, count) for rate in (1e-8, 1e-3, 0.1, 10.0) for count in (1.0, 2.0, 3.0, 7.0, 10.0, 1e2, 1e4, 1e6)]


def kinds_of(lowered: Lowered) -> list[Kind]:
    """The kind of every value."""
    program = lowered.program
    kinds = [Kind.ARRAY if variable.type is Type.ARRAY else Kind.NUMBER for variable in program.signature.inputs]
    tame = _tame(lowered)
    for position, instruction in enumerate(program.instructions):
        given = {kinds[arg] for arg in instruction.args if isinstance(arg, int)}
        number = program.n_inputs + position
        if instruction.op.reduction is not None or instruction.op.name == "norm":
            kinds.append(Kind.SCALAR if instruction.op.reduction == "all" else Kind.EACH)
        elif Kind.ARRAY in given:
            kinds.append(Kind.ARRAY)
        elif Kind.EACH in given:
            kinds.append(Kind.EACH)
        else:
            floats = given <= {Kind.NUMBER} and instruction.op.name in ON_FLOATS and number in tame
            kinds.append(Kind.NUMBER if floats else Kind.SCALAR)
    return kinds


def grid_of(program: Program) -> dict[int, Array]:
    """For each input that is a number, what to try for it: every rate with every step."""
    rates, steps = np.array(_TRIED).T
    tried = {"lr": rates, "step": steps}
    inputs = enumerate(program.signature.inputs)
    return {number: tried.get(v.name, np.full(len(_TRIED), 0.01)) for number, v in inputs if v.type is Type.REAL}


def _tame(lowered: Lowered) -> set[int]:
    """The reals that are finite whatever lr and step are, so that plain floats compute them without an exception."""
    program = lowered.program
    known = grid_of(program)
    for position, instruction in enumerate(program.instructions):
        if all(isinstance(arg, Const) or arg in known for arg in instruction.args):
            args = [known[arg] if isinstance(arg, int) else np.full(len(_TRIED), arg.hi) for arg in instruction.args]
            with np.errstate(all="ignore"):
                result = np.asarray(instruction.op.reference(*args))
            if np.isfinite(result).all():
                known[program.n_inputs + position] = result
    return set(known)


def last_reads(program: Program) -> dict[int, int]:
    """For each value the position of its last reader; outputs are read after the end, other values that nobody reads never."""
    last = dict.fromkeys(range(program.n_inputs + len(program.instructions)), -1)
    for position, instruction in enumerate(program.instructions):
        last.update({arg: position for arg in instruction.args if isinstance(arg, int)})
    last.update({out: len(program.instructions) for out in program.outputs if isinstance(out, int)})
    return last
