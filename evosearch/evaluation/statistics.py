"""Statistics of paired scores: rank correlation, a test without assumptions on the distribution, bootstrap intervals.

All are functions of their arguments: random draws come from the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

EXACT_PAIRS = 14
"""Up to so many pairs all sign patterns are counted; above, `FLIPS` random ones."""

FLIPS = 1 << EXACT_PAIRS


def ranks(values: ArrayLike) -> Array:
    """Ranks from 1, ties with the mean of theirs."""
    array = np.asarray(values, dtype=np.float64)
    ordered = np.sort(array)
    first, last = np.searchsorted(ordered, array, "left"), np.searchsorted(ordered, array, "right")
    return (first + last + 1) / 2.0


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation of two samples of one length; NaN where one of them is constant."""
    x, y = ranks(a), ranks(b)
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0.0 else float("nan")


def paired_p(differences: Sequence[float], rng: np.random.Generator) -> float:
    """One-sided p-value of the mean of `differences` being below 0, by flipping their signs.

    Exact up to `EXACT_PAIRS` pairs; it assumes nothing but that without an effect each sign is as likely as the other.
    A difference that is not a number counts as the worst: p = 1. Source: Fisher, The Design of Experiments, section 21.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        return 1.0
    if values.size <= EXACT_PAIRS:
        patterns = np.arange(1 << values.size)[:, None] >> np.arange(values.size) & 1
    else:
        patterns = np.vstack([np.zeros(values.size, np.int64), rng.integers(0, 2, size=(FLIPS, values.size))])
    sums = (1 - 2 * patterns) @ values
    return float(np.mean(sums <= sums[0] + 1e-12 * np.abs(values).sum()))


def wilson(successes: int, trials: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's interval of a share, 95% by default. Source: Wilson 1927."""
    if trials == 0:
        return 0.0, 1.0
    share, spread = successes / trials, z * z / trials
    centre = share + spread / 2.0
    half = float(np.sqrt(share * (1.0 - share) * spread + spread * spread / 4.0))
    return (centre - half) / (1.0 + spread), (centre + half) / (1.0 + spread)


def bootstrap(
    groups: Sequence[ArrayLike],
    statistic: Callable[[Array], float],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 4000,
) -> tuple[float, float]:
    """Percentile interval of `statistic` under resampling of groups, and of rows within each group.

    Groups stand for what is drawn first (runs, families), rows for what is drawn from them (programs, seeds): rows of one
    group are relatives, and resampling them alone would understate the error.

    Args:
        groups: each (rows, ...).
        statistic: of the rows of all drawn groups, put together.

    Returns:
        lower and upper end; resamples where the statistic is not finite are left out; (NaN, NaN) where none is left.
    """
    arrays = [np.asarray(group, dtype=np.float64) for group in groups if len(np.asarray(group))]
    found = []
    for _ in range(resamples if arrays else 0):
        drawn = [arrays[k] for k in rng.integers(len(arrays), size=len(arrays))]
        rows = np.concatenate([group[rng.integers(len(group), size=len(group))] for group in drawn])
        found.append(statistic(rows))
    finite = [value for value in found if np.isfinite(value)]
    if not finite:
        return float("nan"), float("nan")
    lower, upper = np.quantile(finite, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(lower), float(upper)
