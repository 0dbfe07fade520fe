"""Rows of float64 by their addresses, as Numba intrinsics: an interpreter then reads what it is given without a copy of it."""

# ruff: noqa: ARG001 (Numba calls code generators with arguments that these do not need)

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic


def _type_address(context: Any, array: Any) -> Any:
    """Address of the first element of a contiguous float64 array."""
    if not isinstance(array, types.Array) or array.layout != "C" or array.dtype != types.float64:
        raise TypingError("only contiguous float64 arrays are read by address")
    return types.int64(array), _address


def _address(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0])
    return builder.ptrtoint(array.data, ir.IntType(64))


def _type_peek(context: Any, row: Any, j: Any) -> Any:
    """Element j of the row at an address."""
    return types.float64(types.int64, types.int64), _peek


def _peek(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    value = builder.load(_element(builder, args[0], args[1]))
    value.align = 8
    return value


def _type_poke(context: Any, row: Any, j: Any, value: Any) -> Any:
    """Set element j of the row at an address."""
    return types.void(types.int64, types.int64, types.float64), _poke


def _poke(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    stored = builder.store(args[2], _element(builder, args[0], args[1]))
    stored.align = 8
    return context.get_dummy_value()


def _element(builder: Any, row: Any, j: Any) -> Any:
    return builder.gep(builder.inttoptr(row, ir.DoubleType().as_pointer()), [j], inbounds=True)


address: Callable[[Any], int] = cast(Any, intrinsic(_type_address))
peek: Callable[[int, int], float] = cast(Any, intrinsic(_type_peek))
poke: Callable[[int, int, float], None] = cast(Any, intrinsic(_type_poke))
