"""Vector arithmetic that LLVM does not find by itself in strict floating point, as Numba intrinsics.

The order of every sum is fixed by the number of lanes written here, not by the processor: machines with narrower registers
add the same lanes in the same order.
"""

# ruff: noqa: ARG001 (Numba calls code generators with arguments that these do not need)

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
"""Lengths given to these functions are a multiple of it."""


def _type_dot(context: Any, a: Any, i: Any, b: Any, k: Any, length: Any) -> Any:
    """Inner product of the first `length` values of rows a[i] and b[k] of contiguous float64 matrices.

    There are `LANES` sums, folded in halves. Rows are given by number since Numba counts references to a view of one.
    """
    return types.float64(a, types.intp, b, types.intp, types.intp), _dot


def _dot(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    vector = ir.VectorType(ir.DoubleType(), LANES)
    a, i, b, k, length = args
    first = _row(context, builder, signature.args[0], a, i, vector)
    second = _row(context, builder, signature.args[2], b, k, vector)
    total = cgutils.alloca_once(builder, vector)
    builder.store(ir.Constant(vector, [0.0] * LANES), total)
    with cgutils.for_range(builder, builder.udiv(length, ir.Constant(length.type, LANES))) as loop:
        x, y = (_load(builder, pointer, loop.index) for pointer in (first, second))
        builder.store(builder.fadd(builder.load(total), builder.fmul(x, y)), total)
    lanes = builder.load(total)
    width = LANES
    while width > 1:
        width //= 2
        low, high = (_part(builder, lanes, start, width) for start in (0, width))
        lanes = builder.fadd(low, high)
    return builder.extract_element(lanes, ir.Constant(ir.IntType(32), 0))


def _row(context: Any, builder: Any, kind: Any, matrix: Any, number: Any, vector: Any) -> Any:
    array = cgutils.create_struct_proxy(kind)(context, builder, matrix)
    _, width = cgutils.unpack_tuple(builder, array.shape, 2)
    return builder.bitcast(builder.gep(array.data, [builder.mul(number, width)]), vector.as_pointer())


def _load(builder: Any, pointer: Any, index: Any) -> Any:
    value = builder.load(builder.gep(pointer, [index]))
    value.align = 8  # NumPy promises no more
    return value


def _part(builder: Any, lanes: Any, start: int, width: int) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(start, start + width)))
    return builder.shuffle_vector(lanes, lanes, mask)


def _type_out_of_line(context: Any) -> Any:
    """Keep LLVM from inlining the function that calls this: callers of large kernels compile in a fraction of the time."""

    def generate(generator: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return generator.get_dummy_value()

    return types.void(), generate


dot: Callable[[Any, int, Any, int, int], float] = cast(Any, intrinsic(_type_dot))
out_of_line: Callable[[], None] = cast(Any, intrinsic(_type_out_of_line))
