"""Points to try functions on, and their distance from mpmath's value in units in the last place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from evosearch.language.op import Op

Array = NDArray[np.float64]

RNG = np.random.default_rng(3)
COUNT = 400


def uniform(low: float, high: float) -> Array:
    return RNG.uniform(low, high, COUNT)


def scales(low: float, high: float) -> Array:
    """Positive numbers between powers of ten."""
    return 10.0 ** uniform(low, high)


def signed(values: Array) -> Array:
    return np.concatenate([values, -values])


def ulps(op: Op, truth: Callable[..., Any], *points: Array) -> Array:
    """Distance of op(*points) from the true value."""
    with mpmath.workprec(160):
        want = [truth(*map(mpmath.mpf, x)) for x in zip(*(array.tolist() for array in points), strict=True)]
        error = [abs(mpmath.mpf(y) - w) for y, w in zip(op.reference(*points).tolist(), want, strict=True)]
        return np.array([float(e / mpmath.mpf(np.spacing(abs(float(w))))) for e, w in zip(error, want, strict=True)])
