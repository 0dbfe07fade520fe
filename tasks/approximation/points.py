"""The points at which a search compares a program with its target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from mpmath import MPContext
from numpy.typing import NDArray

from evosearch.evaluation.factored import Core, core_bounds, core_weight
from evosearch.evaluation.target import Target

DIGITS = 60
"""Decimal digits in which target values are computed, before they are rounded to a pair of doubles."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Points:
    """Nodes with the target's values; max |p(x) - (hi + lo)| weight is the sampled error of the whole program.

    Attributes:
        x: (n,) float64, rising; nodes of the core's variable, u = x^2 for a factored target.
        hi, lo: (n,) float64; the target's (or the core's) values at exactly these nodes, hi + lo to 106 bits.
        weight: (n,) float64; may be 0 at a single point (u = 0 of an odd form).
    """

    x: Floats
    hi: Floats
    lo: Floats
    weight: Floats


def context(digits: int = DIGITS) -> Any:
    """An mpmath context of its own, so that nobody's global precision changes."""
    m = MPContext()
    m.dps = digits
    return m


def chebyshev(lower: Any, upper: Any, n: int, nodes: Literal["extrema", "roots"], m: Any) -> list[float]:
    """n rising Chebyshev nodes of [lower, upper] as doubles inside it; "extrema" include the end points."""
    if nodes == "extrema":
        cosines = [math.cos(math.pi * k / max(n - 1, 1)) for k in range(n)]
    else:
        cosines = [math.cos(math.pi * (2 * k + 1) / (2 * n)) for k in range(n)]
    middle, radius = (lower + upper) / 2, (upper - lower) / 2
    return [_inside(middle - radius * m.mpf(c), lower, upper, m) for c in cosines]


def _inside(value: Any, lower: Any, upper: Any, m: Any) -> float:
    node = float(value)
    if m.mpf(node) < lower:
        return math.nextafter(node, math.inf)
    return math.nextafter(node, -math.inf) if m.mpf(node) > upper else node


def sample(target: Target, n: int, nodes: Literal["extrema", "roots"] = "extrema") -> Points:
    """The target (the core of a factored one) at n Chebyshev nodes."""
    m = context()
    core = Core(target.function, target.form)
    xs = chebyshev(*core_bounds(target, m), n, nodes, m)
    values = [m.mpf(core(m.mpf(x), m)) for x in xs]
    weights = [core_weight(target, m.mpf(x), value, m) for x, value in zip(xs, values, strict=True)]
    hi = [float(value) for value in values]
    lo = [float(value - m.mpf(head)) for value, head in zip(values, hi, strict=True)]
    return Points(*(np.array(column, dtype=np.float64) for column in (xs, hi, lo, [float(w) for w in weights])))
