"""What paired losses say about a contender: intervals for families by themselves (Holm) and for all of them together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
RESAMPLES = 4000
SEED = 0
"""Of the resampling; the interval is a function of the losses."""


@dataclass(frozen=True)
class Paired:
    """Ratios of paired losses.

    Attributes:
        ratio: geometric mean, below 1 where the contender is better.
        low, high: interval of the ratio.
        p: two-sided p-value of the ratio being 1, adjusted by Holm where it is one of several.
        n: pairs.
    """

    ratio: float
    low: float
    high: float
    p: float
    n: int


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given. Source: Holm 1979, section 3."""
    adjusted, floor = [math.nan] * len(p_values), 0.0
    for rank, k in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[k]))
        adjusted[k] = floor
    return adjusted


def student(differences: ArrayLike, level: float = 0.95) -> tuple[float, float, float, float]:
    """Mean of paired differences, its Student interval, and the two-sided p-value of the mean being 0."""
    from scipy import stats

    values = np.asarray(differences, dtype=np.float64)
    mean, n = float(values.mean()), len(values)
    error = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    if not error < math.inf:
        return mean, -math.inf, math.inf, 1.0
    if error == 0.0:
        return mean, mean, mean, 1.0 if mean == 0.0 else 0.0
    half = float(stats.t.ppf(0.5 + level / 2.0, n - 1)) * error
    return mean, mean - half, mean + half, float(2.0 * stats.t.sf(abs(mean) / error, n - 1))


def by_family(differences: Mapping[str, Sequence[float]], level: float = 0.95) -> dict[str, Paired]:
    """Each family's ratio, from differences of logarithms over seeds.

    P-values are Holm's; the interval of the family with the k-th smallest of m has level 1 - (1 - level) / (m - k + 1), so
    that it leaves out 1 where the adjusted p-value is below 1 - level.
    """
    names = list(differences)
    raw = [student(differences[name])[3] for name in names]
    adjusted = dict(zip(names, holm(raw), strict=True))
    found: dict[str, Paired] = {}
    for rank, k in enumerate(sorted(range(len(names)), key=lambda k: raw[k])):
        own = 1.0 - (1.0 - level) / (len(names) - rank)
        mean, low, high, _ = student(differences[names[k]], own)
        found[names[k]] = Paired(_exp(mean), _exp(low), _exp(high), adjusted[names[k]], len(differences[names[k]]))
    return {name: found[name] for name in names}


def overall(losses: ArrayLike, level: float = 0.95, resamples: int = RESAMPLES) -> Paired:
    """The geometric-mean ratio to the better of the baselines over all families, with a bootstrap interval.

    Args:
        losses: logarithms (families, seeds, 1 + baselines), the contender's first. Families are resampled, then seeds within
            each; which baseline is the better one of a family is decided anew each time, for the interval to have that luck.
    """
    table = np.asarray(losses, dtype=np.float64)
    families, seeds, _ = table.shape
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(families, size=(resamples, families))
    within = rng.integers(seeds, size=(resamples, families, seeds))
    ratios = _mean_ratio(table[drawn[:, :, None], within])
    low, high = np.quantile(ratios, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Paired(_exp(float(_mean_ratio(table))), _exp(float(low)), _exp(float(high)), math.nan, families * seeds)


def better(rows: ArrayLike) -> int:
    """Which baseline has the lower mean: a column of (seeds, 1 + baselines), from 1."""
    return 1 + int(np.argmin(np.asarray(rows, dtype=np.float64)[:, 1:].mean(axis=0)))


def _mean_ratio(table: Array) -> Array:
    """Mean log-ratio to the better baseline of each family; (..., families, seeds, 1 + baselines) to (...)."""
    means = table.mean(axis=-2)
    return np.asarray((means[..., 0] - means[..., 1:].min(axis=-1)).mean(axis=-1))


def _exp(value: float) -> float:
    return math.exp(value) if value < 700.0 else math.inf
