"""The types of values, and the rules by which an op's result type follows from its arguments.

Shapes are not part of a type: an array has the shape of the parameter that it goes with,
and a scalar broadcasts against every array.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence


class Type(enum.Enum):
    """What a register holds. The values are the register banks of the encoding."""

    REAL = "real"  # a scalar in the run's number format
    ARRAY = "array"  # one parameter tensor in the run's number format
    INTEGER = "integer"  # bit patterns and counters
    BOOLEAN = "boolean"  # the result of a comparison


TypeRule = Callable[[Sequence[Type]], Type | None]
"""Maps argument types to the result's type, or to None where they do not fit."""

_FLOATING = (Type.REAL, Type.ARRAY)


def elementwise(args: Sequence[Type]) -> Type | None:
    """Reals and arrays to an array where any argument is one, else to a real."""
    if any(arg not in _FLOATING for arg in args):
        return None
    return Type.ARRAY if Type.ARRAY in args else Type.REAL


def comparison(args: Sequence[Type]) -> Type | None:
    """Two reals to a boolean."""
    return Type.BOOLEAN if all(arg is Type.REAL for arg in args) else None


def selection(args: Sequence[Type]) -> Type | None:
    """(boolean, real, real) to real."""
    return Type.REAL if tuple(args) == (Type.BOOLEAN, Type.REAL, Type.REAL) else None


def reduction(args: Sequence[Type]) -> Type | None:
    """Reals and at least one array to a real; a real broadcasts."""
    return Type.REAL if elementwise(args) is Type.ARRAY else None
