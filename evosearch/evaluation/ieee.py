"""Programs in real IEEE arithmetic, by the reference meaning of their ops: at zeros, singular points and their neighbours."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from evosearch.evaluation.balls import precision
from evosearch.evaluation.formats import FLOAT64, FloatFormat
from evosearch.evaluation.region import Region
from evosearch.evaluation.target import ErrorMeasure
from evosearch.evaluation.taylor import sample
from evosearch.language.infer import expand
from evosearch.language.program import Const, Operand, Program

Array = NDArray[np.float64]
_BITS = 256


def evaluate(program: Program, x: Array, form: FloatFormat = FLOAT64) -> Array:
    """The program at floats x, shape (n,), constants and operations rounded to the format."""
    core = expand(form.round(program))
    points = x.astype(form.dtype)

    def operand(arg: Operand) -> NDArray[np.floating]:
        return np.full_like(points, arg.hi) if isinstance(arg, Const) else values[arg]

    values = [points]
    with np.errstate(all="ignore"):
        for instruction in core.instructions:
            values.append(np.asarray(instruction.op.reference(*map(operand, instruction.args)), dtype=form.dtype))
        return np.asarray(operand(core.outputs[0]), dtype=np.float64)


def neighbours(x: float, count: int, form: FloatFormat = FLOAT64) -> list[float]:
    """x, its zero of the other sign, and `count` floats on each side."""
    found = [x, -x] if x == 0 else [x]
    for direction in (np.inf, -np.inf):
        at = form.dtype(x)
        for _ in range(count):
            at = np.nextafter(at, form.dtype(direction))
            found.append(float(at))
    return found


def float_errors(
    program: Program, region: Region, at: Iterable[float], form: FloatFormat = FLOAT64
) -> dict[float | str, float]:
    """The rigorous error of the computed value at each float inside the interval; inf for an infinity or a NaN.

    The two zeros have keys "+0" and "-0". A relative error is relative to the smallest normal number where |f| is less.
    """
    inside = [x for x in at if region.lower <= fmpq(*x.as_integer_ratio()) <= region.upper]
    computed = evaluate(program, np.array(inside, dtype=np.float64), form) if inside else np.empty(0)
    errors: dict[float | str, float] = {}
    with precision(_BITS):
        for x, value in zip(inside, computed.tolist(), strict=True):
            name: float | str = x if x else ("-0" if np.signbit(x) else "+0")
            errors[name] = _error(region, x, value, form)
    return errors


def _error(region: Region, x: float, value: float, form: FloatFormat) -> float:
    if not np.isfinite(value):
        return float("inf")
    exact = fmpq(*x.as_integer_ratio())
    truth = sample(region.function, exact)
    error = abs(truth - fmpq(*value.as_integer_ratio()))
    match region.target.error:
        case ErrorMeasure.RELATIVE:
            error = error / truth.abs_lower().max(form.normal)
        case ErrorMeasure.WEIGHTED:
            error = error * abs(sample(region.weight, exact))
    return float(np.nextafter(float(error.abs_upper()), np.inf)) if error.is_finite() else float("inf")
