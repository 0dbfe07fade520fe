"""`FloatFormat`: the floating-point numbers that programs are evaluated in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evosearch.language.program import Const, Program


@dataclass(frozen=True)
class FloatFormat:
    """A binary IEEE format, rounding to nearest.

    Attributes:
        name: as in output.
        dtype: the NumPy type.
        unit: unit roundoff.
        normal: smallest normal number.
        tiny: smallest subnormal number.
        largest: largest finite number.
    """

    name: str
    dtype: type[np.floating[Any]]
    unit: float
    normal: float
    tiny: float
    largest: float

    def round(self, program: Program) -> Program:
        """The program with its constants rounded to the format."""
        if self.dtype is np.float64:
            return program.rounded()
        return program.with_constants(tuple(Const(float(self.dtype(constant.hi))) for constant in program.constants))


def _format(dtype: type[np.floating[Any]]) -> FloatFormat:
    info = np.finfo(dtype)
    unit, tiny = float(info.eps) / 2, float(info.smallest_subnormal)
    return FloatFormat(np.dtype(dtype).name, dtype, unit, float(info.smallest_normal), tiny, float(info.max))


FLOAT64 = _format(np.float64)
FLOAT32 = _format(np.float32)
