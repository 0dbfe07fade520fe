"""Products of float32 matrices for kernels, as a Numba intrinsic: a block of the result stays in registers.

Each element is one sum in the order of k, multiplied and then added (no fused multiply-add, no reassociation), so that the bits
do not depend on the processor or on how LLVM cuts the block into registers.
"""

# ruff: noqa: ARG001 (Numba calls code generators with arguments that these do not need)

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

ROWS, COLUMNS = 4, 16
"""Size of a block."""


def _type_block(
    context: Any, a: Any, a0: Any, ai: Any, ak: Any, b: Any, b0: Any, bk: Any, c: Any, c0: Any, ci: Any, k: Any
) -> Any:
    """c[c0 + i ci + j] = sum over p < k of a[a0 + i ai + p ak] b[b0 + p bk + j], for i < ROWS and j < COLUMNS.

    a, b, c: float32, one dimension, contiguous; all others are whole numbers.
    """
    n = types.intp
    return types.void(a, n, n, n, b, n, n, c, n, n, n), _block


def _block(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    vector = ir.VectorType(ir.FloatType(), COLUMNS)
    a, a0, ai, ak, b, b0, bk, c, c0, ci, k = args
    first, second, result = (
        cgutils.create_struct_proxy(signature.args[place])(context, builder, array).data
        for place, array in ((0, a), (4, b), (7, c))
    )
    rows = [cgutils.alloca_once(builder, vector) for _ in range(ROWS)]
    for row in rows:
        builder.store(ir.Constant(vector, [0.0] * COLUMNS), row)
    starts = [builder.add(a0, builder.mul(ai, ir.Constant(ai.type, i))) for i in range(ROWS)]
    with cgutils.for_range(builder, k) as loop:
        place = builder.gep(second, [builder.add(b0, builder.mul(loop.index, bk))])
        values = builder.load(builder.bitcast(place, vector.as_pointer()), align=4)
        along = builder.mul(loop.index, ak)
        for row, start in zip(rows, starts, strict=True):
            factor = _splat(builder, builder.load(builder.gep(first, [builder.add(start, along)])), vector)
            builder.store(builder.fadd(builder.load(row), builder.fmul(factor, values)), row)
    for i, row in enumerate(rows):
        place = builder.gep(result, [builder.add(c0, builder.mul(ci, ir.Constant(ci.type, i)))])
        builder.store(builder.load(row), builder.bitcast(place, vector.as_pointer()), align=4)
    return context.get_dummy_value()


def _splat(builder: Any, value: Any, vector: Any) -> Any:
    """A vector whose lanes are all `value`."""
    whole = ir.Constant(ir.IntType(32), 0)
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, whole)
    mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), mask)


block: Callable[[Any, int, int, int, Any, int, int, Any, int, int, int], None] = cast(Any, intrinsic(_type_block))
