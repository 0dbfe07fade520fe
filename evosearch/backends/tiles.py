"""Convolutions and products with sparse vectors for kernels, as Numba intrinsics in float32.

Each element is one sum in a fixed order, multiplied and then added (no fused multiply-add, no reassociation), so that the bits
depend neither on the processor nor on how many observations are evaluated together.
"""

# ruff: noqa: ARG001 (Numba calls code generators with arguments that these do not need)

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
"""Numbers of a vector."""

CHANNELS = 32
"""Output channels of one call of `patches`: two vectors."""

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_PREFETCH_READ = (0, 3, 1)  # for reading, into all caches, data


def _type_patches(
    context: Any, x: Any, x0: Any, runs: Any, length: Any, w: Any, w0: Any, bias: Any, b0: Any, out: Any, o0: Any, pitch: Any,
    places: Any, step: Any,
) -> Any:  # fmt: skip
    """A row of a convolution with its bias and max(0, .): `CHANNELS` channels of some neighbouring places.

    out[o0 + p pitch + c] = max(0, bias[b0 + c] + sum over r, i < length of x[x0 + runs[r] + p step + i] w[w0 + (r length + i)
    CHANNELS + c]) for p < places, which is a literal, as is step.

    x, w, bias, out: float32, one dimension, contiguous; runs: int64.
    """
    if not all(isinstance(kind, types.IntegerLiteral) for kind in (places, step)):
        return None
    n = types.intp
    return types.void(x, n, runs, n, w, n, bias, n, out, n, n, places, step), _patches


def _patches(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    _, x0, _, length, _, w0, _, b0, _, o0, pitch, _, _ = args
    x, runs, w, bias, out = (_array(context, builder, signature, args, place) for place in (0, 2, 4, 6, 8))
    places, step = (kind.literal_value for kind in signature.args[-2:])
    cells = list(product(range(places), range(CHANNELS // LANES)))
    sums = {cell: cgutils.alloca_once(builder, _VECTOR) for cell in cells}
    for total in sums.values():
        builder.store(ir.Constant(_VECTOR, [0.0] * LANES), total)
    values, weights = builder.gep(x.data, [x0]), builder.gep(w.data, [w0])
    (count,) = cgutils.unpack_tuple(builder, runs.shape, 1)
    with cgutils.for_range(builder, count) as run:
        here = builder.gep(values, [builder.load(builder.gep(runs.data, [run.index]))])
        row = builder.gep(weights, [builder.mul(builder.mul(run.index, length), _whole(CHANNELS))])
        with cgutils.for_range(builder, length) as along:
            first = builder.mul(along.index, _whole(CHANNELS))
            factors = [_load(builder, row, builder.add(first, _whole(h * LANES))) for h in range(CHANNELS // LANES)]
            for p in range(places):
                value = builder.load(builder.gep(here, [builder.add(along.index, _whole(p * step))]))
                lanes = _splat(builder, value)
                for h, factor in enumerate(factors):
                    total = sums[p, h]
                    builder.store(builder.fadd(builder.load(total), builder.fmul(lanes, factor)), total)
    zero = ir.Constant(_VECTOR, [0.0] * LANES)
    for (p, h), total in sums.items():
        value = builder.fadd(builder.load(total), _load(builder, bias.data, builder.add(b0, _whole(h * LANES))))
        value = builder.select(builder.fcmp_ordered("<=", value, zero), zero, value)
        place = builder.add(o0, builder.add(builder.mul(pitch, _whole(p)), _whole(h * LANES)))
        _store(builder, value, out.data, place)
    return context.get_dummy_value()


def _type_add_rows(
    context: Any, y: Any, y0: Any, w: Any, w0: Any, width: Any, x: Any, x0: Any, rows: Any, first: Any, ahead: Any, count: Any
) -> Any:
    """y[y0 + j] += x[x0 + i] w[w0 + i width + j] for i = rows[first], rows[first + 1], ... in turn and all j < width.

    y, w, x: float32, one dimension, contiguous; rows: int64; width: a multiple of `LANES`; count: a literal; ahead: the
    first of as many that will be wanted next.
    """
    if not isinstance(count, types.IntegerLiteral):
        return None
    n = types.intp
    return types.void(y, n, w, n, n, x, n, rows, n, n, count), _add_rows


def _add_rows(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    _, y0, _, w0, width, _, x0, _, first, ahead, _ = args
    y, w, x, rows = (_array(context, builder, signature, args, place).data for place in (0, 2, 5, 7))
    weights, sums = builder.gep(w, [w0]), builder.gep(y, [y0])
    factors, lines, coming = [], [], []
    for n in range(signature.args[-1].literal_value):
        row = builder.load(builder.gep(rows, [builder.add(first, _whole(n))]))
        factors.append(_splat(builder, builder.load(builder.gep(x, [builder.add(x0, row)]))))
        lines.append(builder.gep(weights, [builder.mul(row, width)]))
        row = builder.load(builder.gep(rows, [builder.add(ahead, _whole(n))]))
        coming.append(builder.gep(weights, [builder.mul(row, width)]))
    with cgutils.for_range(builder, builder.udiv(width, _whole(LANES))) as loop:
        place = builder.mul(loop.index, _whole(LANES))
        total = _load(builder, sums, place)
        for factor, line in zip(factors, lines, strict=True):
            total = builder.fadd(total, builder.fmul(factor, _load(builder, line, place)))
        for line in coming:
            _prefetch(builder, builder.gep(line, [place]))
        _store(builder, total, sums, place)
    return context.get_dummy_value()


def _prefetch(builder: Any, pointer: Any) -> None:
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    builder.call(function, [builder.bitcast(pointer, byte), *(ir.Constant(number, value) for value in _PREFETCH_READ)])


def _array(context: Any, builder: Any, signature: Any, args: Any, place: int) -> Any:
    return cgutils.create_struct_proxy(signature.args[place])(context, builder, args[place])


def _whole(value: int) -> Any:
    return ir.Constant(ir.IntType(64), value)


def _load(builder: Any, pointer: Any, place: Any) -> Any:
    return builder.load(builder.bitcast(builder.gep(pointer, [place]), _VECTOR.as_pointer()), align=4)


def _store(builder: Any, value: Any, pointer: Any, place: Any) -> None:
    builder.store(value, builder.bitcast(builder.gep(pointer, [place]), _VECTOR.as_pointer()), align=4)


def _splat(builder: Any, value: Any) -> Any:
    """A vector whose lanes are all `value`."""
    number = ir.IntType(32)
    single = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(number, 0))
    mask = ir.Constant(ir.VectorType(number, LANES), [0] * LANES)
    return builder.shuffle_vector(single, ir.Constant(_VECTOR, ir.Undefined), mask)


patches: Callable[[Any, int, Any, int, Any, int, Any, int, Any, int, int, int, int], None] = cast(
    Any, intrinsic(prefer_literal=True)(_type_patches)
)
add_rows: Callable[[Any, int, Any, int, int, Any, int, Any, int, int, int], None] = cast(
    Any, intrinsic(prefer_literal=True)(_type_add_rows)
)
