"""The one hypothesis strategy for random well-typed programs, and values that break things."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from evosearch.language.infer import check_types
from evosearch.language.op import Op, OpSet
from evosearch.language.optimizer import optimizer_signature
from evosearch.language.program import Const, Instruction, Operand, Program, Signature, Variable
from evosearch.language.types import Type

_LIMITS = [1e300, 1.7976931348623157e308, 2.2250738585072014e-308, 2.225073858507201e-308, 1e-310, 5e-324, 1e-160, np.inf]
SPECIALS = np.array([0.0, 1.0, 2.0, 0.5, 1.5, 2.5, 3.0, 1e-8, 1 / 3, np.pi, 1e15 + 0.5, 2.0**52, 2.0**53 + 2, *_LIMITS])
"""Non-negative; with subnormals, the limits of the format, ties and infinity."""

SIGNED_SPECIALS = np.concatenate([SPECIALS, -SPECIALS, [np.nan]])

_PLAIN = st.floats(-10, 10, allow_subnormal=False)
_ANY = st.one_of(_PLAIN, st.sampled_from(SPECIALS[:-1].tolist()), st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def constants(draw: st.DrawFn, special: bool = True, pairs: bool = True) -> Const:
    """Constants, by default also subnormal, huge, signed zero, and with a low part."""
    hi = draw(_ANY if special else _PLAIN)
    if not pairs or not 1e-250 < abs(hi) < 1e300 or draw(st.booleans()):
        return Const(hi)
    lo = draw(st.floats(-0.5, 0.5)) * float(np.spacing(abs(hi)))
    return Const.nearest(Const(hi, lo).exact)


@st.composite
def programs(
    draw: st.DrawFn,
    ops: OpSet,
    *,
    inputs: int = 0,
    outputs: int = 1,
    max_length: int = 12,
    special: bool = True,
    pairs: bool = True,
    all_live: bool = False,
) -> Program:
    """A random well-typed program.

    Args:
        ops: to choose from.
        inputs: their number; 0 draws one to three.
        outputs: their number.
        max_length: most instructions; the least is one.
        special: whether constants may be subnormal, huge or signed zeros.
        pairs: whether constants may have a low part.
        all_live: whether the first output is the last real value (most of the program is then live).
    """
    names = ("x", "y", "z")[: inputs or draw(st.integers(1, 3))]
    types = [Type.REAL] * len(names)
    body: list[Instruction] = []
    for _ in range(draw(st.integers(1, max_length))):
        op = draw(st.sampled_from([op for op in ops if op.name != "select" or Type.BOOLEAN in types]))
        args = tuple(draw(_operand(op, position, types, special, pairs)) for position in range(op.arity))
        result = op.rule([Type.REAL if isinstance(arg, Const) else types[arg] for arg in args])
        assert result is not None
        body.append(Instruction(op, args))
        types.append(result)
    reals = _values(types, Type.REAL)
    chosen: list[Operand] = [draw(st.sampled_from(reals)) for _ in range(outputs)]
    if all_live:
        chosen[0] = reals[-1]
    signature = Signature("f", tuple(map(Variable, names)), tuple(Variable(f"r{k}") for k in range(outputs)))
    if outputs == 1:
        signature = Signature("f", signature.inputs, (Variable("result"),))
    program = Program(signature, tuple(body), tuple(chosen))
    check_types(program)
    return program


@st.composite
def rules(draw: st.DrawFn, ops: OpSet, *, states: int = 2, max_length: int = 10) -> Program:
    """A random well-typed update rule; most of it is live."""
    signature = optimizer_signature(states)
    types = [variable.type for variable in signature.inputs]
    body: list[Instruction] = []
    for _ in range(draw(st.integers(1, max_length))):
        op = draw(st.sampled_from(ops.ops))
        operand = st.one_of(st.sampled_from(range(len(types))[-4:]), st.sampled_from(range(len(types))), constants(pairs=False))
        args = tuple(draw(operand) for _ in range(op.arity))
        result = op.rule([Type.REAL if isinstance(arg, Const) else types[arg] for arg in args])
        if result is None:  # a reduction of reals
            args = tuple(draw(st.sampled_from(_values(types, Type.ARRAY))) for _ in range(op.arity))
            result = op.rule([Type.ARRAY] * op.arity)
        assert result is not None
        body.append(Instruction(op, args))
        types.append(result)
    fitting = range(len(types))  # a real broadcasts
    outputs = (len(types) - 1, *(draw(st.sampled_from(fitting)) for _ in range(states)))
    rule = Program(signature, tuple(body), outputs)
    check_types(rule)
    return rule


def _values(types: list[Type], wanted: Type) -> list[int]:
    return [number for number, type_ in enumerate(types) if type_ is wanted]


def _operand(op: Op, position: int, types: list[Type], special: bool, pairs: bool) -> st.SearchStrategy[Operand]:
    if op.name == "select" and position == 0:
        return st.sampled_from(_values(types, Type.BOOLEAN))
    reals = _values(types, Type.REAL)
    recent = reals[-3:]  # chains rather than heaps of dead code
    return st.one_of(st.sampled_from(recent), st.sampled_from(reals), constants(special, pairs))


def same_bits(a: object, b: object) -> bool:
    """The meaning of equal: equal bits, any NaN equal to any NaN."""
    left, right = (np.ascontiguousarray(value, dtype=np.float64) for value in (a, b))
    if left.shape != right.shape:
        return False
    equal = (left.view(np.int64) == right.view(np.int64)) | (np.isnan(left) & np.isnan(right))
    return bool(np.all(equal))
