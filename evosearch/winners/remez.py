"""Minimax rational approximation: Newton's method on the alternation equations, and the exchange of many points.

All numbers are midpoints of FLINT balls at `PRECISION` bits; callers hold `flint.ctx.workprec(PRECISION)`.
The maximum of the error is sampled on a grid and refined by parabolas; it is not a proof.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flint import arb, arb_mat, arb_poly
from numpy.typing import NDArray

PRECISION = 300
GRID = 801
"""Points of a grid, close to each other as Chebyshev nodes are: 50 and more a ripple."""

MAX_DEGREE = 8
_EXCHANGES = 40
_NEWTON_STEPS = 40
_FITS = 40
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Curve:
    """A function on a grid.

    Attributes:
        points: (GRID,) rising, in the variable v of the approximation; evenly spaced in the Chebyshev angle.
        values: (GRID,) the function.
        weights: (GRID,) what its error is multiplied by.
        powers: (GRID, MAX_DEGREE + 1) of t = (v - middle) / radius, for evaluation.
    """

    points: list[Any]
    values: list[Any]
    weights: list[Any]
    powers: Any = field(init=False)

    def __post_init__(self) -> None:
        rows = [[t**k for k in range(MAX_DEGREE + 1)] for t in map(self.scaled, self.points)]
        object.__setattr__(self, "powers", arb_mat(rows))

    def scaled(self, v: Any) -> Any:
        """The point in [-1, 1] that belongs to v; also of polynomials in v."""
        middle, radius = (self.points[0] + self.points[-1]) / 2, (self.points[-1] - self.points[0]) / 2
        return (v - middle) / radius


@dataclass(frozen=True, eq=False)
class Rational:
    """p(v) / q(v); `error` is the sampled maximum of the weighted error, `ripples` its alternating extrema."""

    p: Any
    q: Any
    error: float
    ripples: tuple[int, ...]


def minimax(curve: Curve, m: int, n: int) -> Rational | None:
    """The best p/q of degrees m and n, q without a zero on the grid; None where the iteration finds none.

    It starts from Chebyshev extrema; where that fails, from a reweighted least-squares fit.

    Source: W. Fraser, J. F. Hart, On the computation of rational approximations to continuous functions, CACM 1962.
    """
    size = m + n + 2
    found = _exchange(curve, m, n, _chebyshev(curve, size), arb(0), [arb(1)] + [arb(0)] * n)
    if found is not None and found.ripples:
        return found
    fitted = _least_squares(curve, m, n)
    if fitted is None:
        return found
    errors, q = fitted
    reference = _alternation(errors, size)
    if reference is None:
        return found
    level = float(np.abs(errors[reference]).mean()) * (1 if errors[reference[0]] < 0 else -1)
    again = _exchange(curve, m, n, reference, arb(level), [arb(float(c)) for c in q])
    return min((r for r in (found, again) if r is not None), key=lambda r: r.error, default=None)


def _chebyshev(curve: Curve, size: int) -> list[int]:
    last = len(curve.points) - 1
    if curve.weights[0] == 0:  # an odd form: the extrema of an odd Chebyshev polynomial, of which 0 is none
        return [round(last * (1 - 2 * j / (2 * size - 1))) for j in reversed(range(size))]
    return [round(last * j / (size - 1)) for j in range(size)]


def _exchange(curve: Curve, m: int, n: int, reference: list[int], level: Any, q: list[Any]) -> Rational | None:
    """The best approximation met; its `ripples` are empty where the iteration broke off."""
    to_t = arb_poly([curve.scaled(arb(0)), curve.scaled(arb(1)) - curve.scaled(arb(0))])
    best: Rational | None = None
    for _ in range(_EXCHANGES):
        solved = _level(curve, reference, m, n, level, q)
        if solved is None:
            return best
        p, q, level = solved
        errors, positive = _errors(curve, p, q)
        if not positive:
            return best
        ripples = _alternation(errors, m + n + 2)
        peak = refined_peak(errors)
        done = ripples == reference or np.abs(errors).max() <= abs(float(level)) * (1 + 1e-9)
        if best is None or peak < best.error or done:
            best = Rational(arb_poly(p)(to_t), arb_poly(q)(to_t), peak, tuple(ripples) if ripples and done else ())
        if ripples is None or done:
            return best
        reference = ripples
    return best


def _least_squares(curve: Curve, m: int, n: int) -> tuple[NDArray[np.float64], list[float]] | None:
    """The error on the grid and q of the best of some fits p/q: each linear in p - f q, weighted by the last q and error.

    Sources: C. Sanathanan, J. Koerner 1963 (division by the last q); C. Lawson 1961 (weights that follow the error).
    """
    t = np.array([float(curve.scaled(v)) for v in curve.points])
    f, w = np.array([float(v) for v in curve.values]), np.array([float(v) for v in curve.weights])
    if not (np.isfinite(f).all() and np.isfinite(w).all()):
        return None
    columns = t[:, None] ** np.arange(max(m, n) + 1)
    old, lawson = np.ones_like(t), np.ones_like(t)
    best: tuple[NDArray[np.float64], list[float]] | None = None
    for _ in range(_FITS):
        scale = (w * np.sqrt(lawson) / old)[:, None]
        matrix = scale * np.hstack([columns[:, : m + 1], -f[:, None] * columns[:, 1 : n + 1]])
        solution = np.linalg.lstsq(matrix, scale[:, 0] * f, rcond=None)[0]
        q = np.concatenate([[1.0], solution[m + 1 :]])
        bottom = columns[:, : n + 1] @ q
        bottom[bottom == 0.0] = -_TINY  # a pole: never the best
        with np.errstate(over="ignore"):
            error = w * ((columns[:, : m + 1] @ solution[: m + 1]) / bottom - f)
        if not np.isfinite(error).all():
            break
        if bottom.min() > 0 and (best is None or np.abs(error).max() < np.abs(best[0]).max()):
            best = error, [float(c) for c in q]
        old = np.maximum(np.abs(bottom), 1e-3)
        lawson = lawson * (np.abs(error) / (np.abs(error).max() or 1.0) + 1e-3)
        lawson /= lawson.max()
    return best


def _level(
    curve: Curve, reference: list[int], m: int, n: int, level: Any, q: list[Any]
) -> tuple[list[Any], list[Any], Any] | None:
    """p, q and E with w (p - f q) = +-E q on the reference, q(middle) = 1; Newton from the given q and E."""
    rows = [(curve.powers[i, 1], curve.values[i], curve.weights[i]) for i in reference]
    for _ in range(_NEWTON_STEPS):
        matrix, right = [], []
        for k, (t, f, w) in enumerate(rows):
            sign = 1 if k % 2 else -1
            powers = [t**j for j in range(max(m, n) + 1)]
            old = sum((c * x for c, x in zip(q, powers, strict=False)), arb(0))
            shifted = w * f + sign * level
            matrix.append([w * x for x in powers[: m + 1]] + [-shifted * x for x in powers[1 : n + 1]] + [-sign * old])
            right.append([shifted - sign * old * level])
        try:
            solution = [entry.mid() for entry in arb_mat(matrix).solve(arb_mat(right)).entries()]
        except ZeroDivisionError:
            return None
        p, q, new = solution[: m + 1], [arb(1), *solution[m + 1 : m + 1 + n]], solution[-1]
        change, level = abs(float(new - level)), new
        if n == 0 or change <= 1e-20 * abs(float(level)):
            return p, q, level
    return None


def _errors(curve: Curve, p: list[Any], q: list[Any]) -> tuple[NDArray[np.float64], bool]:
    """The weighted error on the grid, and whether q is positive there."""
    width = MAX_DEGREE + 1
    columns = [[a, b] for a, b in zip(p + [arb(0)] * (width - len(p)), q + [arb(0)] * (width - len(q)), strict=True)]
    both = (curve.powers * arb_mat(columns)).entries()
    tops, bottoms = both[0::2], both[1::2]
    if min(map(float, bottoms)) <= 0.0:
        return np.empty(0), False
    table = zip(tops, bottoms, curve.values, curve.weights, strict=True)
    return np.array([float((top / bottom - f) * w) for top, bottom, f, w in table]), True


def _alternation(errors: NDArray[np.float64], size: int) -> list[int] | None:
    """`size` extrema of alternating sign, the highest among them; None where there are not so many."""
    places = np.flatnonzero(errors)
    runs = np.split(places, np.flatnonzero(np.diff(np.sign(errors[places]))) + 1)
    extrema = [int(run[np.argmax(np.abs(errors[run]))]) for run in runs if len(run)]
    if len(extrema) < size:
        return None
    heights = np.abs(errors[extrema])
    top = int(np.argmax(heights))
    first = range(max(0, top - size + 1), min(top, len(extrema) - size) + 1)
    start = max(first, key=lambda k: float(heights[k : k + size].min()))
    return extrema[start : start + size]


def refined_peak(errors: NDArray[np.float64]) -> float:
    """The maximum of |error|, each sampled peak refined by the parabola through it and its neighbours."""
    size = np.abs(errors)
    peak = float(size.max())
    a, b, c = size[:-2], size[1:-1], size[2:]
    inner = (b >= a) & (b >= c) & (2 * b - a - c > 0) & (np.sign(errors[:-2]) == np.sign(errors[2:]))
    if inner.any():
        a, b, c = a[inner], b[inner], c[inner]
        peak = max(peak, float((b + (a - c) ** 2 / (8 * (2 * b - a - c))).max()))
    return peak
