"""The error of a program along its interval, as it is to be drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from flint import arb
from numpy.typing import NDArray

from evosearch.evaluation.balls import UnsupportedError, precision
from evosearch.evaluation.meaning import Steps, steps
from evosearch.evaluation.target import Target
from evosearch.language.infer import expand
from evosearch.language.program import Const, Program

BITS = 400
POINTS = 801

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Signed errors in the target's measure.

    Attributes:
        x: (n,) float64, rising, inside the interval.
        real: (n,) error with the program's coefficients in exact arithmetic; nan where it is not defined, and
            everywhere where an op has no exact meaning.
        float64: (n,) error with every operation rounded.
    """

    x: Floats
    real: Floats
    float64: Floats


def error_curve(program: Program, target: Target, n: int = POINTS) -> Curve:
    """The curve at n points that are denser near the ends, where errors of good approximations wave fastest."""
    m: Any = mpmath.MPContext()
    m.prec = BITS
    lower, upper = target.bounds(m)
    nodes = [float((lower + upper) / 2 - (upper - lower) / 2 * m.cos(m.pi * k / (n - 1))) for k in range(n)]
    x = np.array(sorted({node for node in nodes if lower <= m.mpf(node) <= upper}))
    computed = _float64(program, x)
    try:
        exact: Steps | None = steps(program)
    except UnsupportedError:
        exact = None
    real, rounded = np.full_like(x, np.nan), np.full_like(x, np.nan)
    for k, node in enumerate(x.tolist()):
        value = target.function(m.mpf(node), m)
        scale = target.weigh(m.mpf(node), value, m) if value != 0 or target.error != "relative" else m.nan
        if exact is not None:
            real[k] = float((_real(exact, node, m) - value) * scale)
        if math.isfinite(computed[k]):
            rounded[k] = float((m.mpf(computed[k]) - value) * scale)
    return Curve(x, real, rounded)


def _real(program: Steps, x: float, m: Any) -> Any:
    with precision(BITS):
        try:
            value = program.run(arb(x), arb)
        except (ValueError, ZeroDivisionError):
            return m.nan
        return m.mpf(value.mid().str(BITS // 3, radius=False)) if value.is_finite() else m.nan


def _float64(program: Program, x: Floats) -> Floats:
    core = expand(program.rounded())
    values: list[Any] = [x]

    def value(operand: int | Const) -> Any:
        return np.full_like(x, operand.hi) if isinstance(operand, Const) else values[operand]

    with np.errstate(all="ignore"):
        for instruction in core.instructions:
            values.append(instruction.op.reference(*(value(arg) for arg in instruction.args)))
    return np.asarray(value(core.outputs[0]), dtype=np.float64)
