"""What Numba templates may call beside NumPy: `fma`, `scale2`, `exponent`, and the typed decorator `inline`.

Nothing here calls libm: its results differ between machines, and LLVM could not vectorise over the call.
"""

# ruff: noqa: ARG001 (Numba calls code generators with arguments that these do not need)

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., Any])


def inline(function: Function) -> Function:
    """Compile a scalar helper with the one error model of all kernels, always inlined: a call would stop vectorisation."""
    compiled: Function = njit(error_model="numpy", forceinline=True)(function)
    return compiled


def _fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c with one rounding: the machine's instruction, or an exact routine where there is none."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), generate


def _bits(typing: Any, a: Any) -> Any:
    """The bit pattern of a float64 as an int64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), generate


def _float(typing: Any, a: Any) -> Any:
    """The float64 with a given bit pattern."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), generate


fma: Callable[[float, float, float], float] = cast(Any, intrinsic(_fma))
bits_of_float: Callable[[float], int] = cast(Any, intrinsic(_bits))
float_of_bits: Callable[[Any], float] = cast(Any, intrinsic(_float))


@inline
def _power_of_two(n: float) -> float:
    """2^n for an integer n in [-1022, 1023]."""
    return float_of_bits((np.int64(n) + np.int64(1023)) << np.int64(52))


@inline
def scale2(x: float, n: float) -> float:
    """x * 2^n with one rounding, n rounded half to even; NaN where n is NaN.

    Up to three factors, each a normal power of two. A step below 2^-969 would round before the last one; 2^-969 keeps
    53 bits above the smallest normal number, so only the last step can round.
    """
    whole = np.rint(n)
    low = whole if whole > -2200.0 else -2200.0
    steps = low if low < 2200.0 else 2200.0  # NaN becomes 2200 here and returns at the end
    y = x
    for _ in range(2):
        up = steps > 1023.0
        down = steps < -1022.0
        step = 1023.0 if up else (-969.0 if down else 0.0)
        y = y * _power_of_two(step)
        steps = steps - step
    last = steps if steps < 1023.0 else 1023.0
    last = last if last > -1022.0 else -1022.0
    return y * _power_of_two(last) if n == n else n


@inline
def exponent(x: float) -> float:
    """floor(log2 |x|); -inf at 0, inf at an infinity, NaN at NaN (IEEE 754 logB)."""
    size = abs(x)
    tiny = size < 2.2250738585072014e-308
    scaled = size * 18014398509481984.0 if tiny else size  # 2^54
    biased = float((bits_of_float(scaled) >> np.int64(52)) - np.int64(1023))
    result = biased - 54.0 if tiny else biased
    result = -np.inf if size == 0.0 else result
    return result if size < np.inf else size
