"""`Cells`: many small parts of the interval at once, and how they are cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb
from numpy.typing import NDArray

from evosearch.evaluation.formats import FloatFormat
from evosearch.evaluation.taylor import Piece

Array = NDArray[np.float64]
_PER_PIECE = 16  # cells to begin with
_PARTS = 256  # of one round of cutting, about, with between
_FEWEST, _MOST = 4, 16  # a cell
_HALVINGS = 56  # towards zero, before what is left needs more
_NEAR = 2.0**-40  # where the next cut towards zero goes all the way


@dataclass(frozen=True)
class Cells:
    """Intervals [lower, upper], each with the number of the piece that it is part of and a bound; arrays of shape (n,)."""

    lower: Array
    upper: Array
    owner: NDArray[np.int64]
    high: Array

    def __len__(self) -> int:
        return len(self.lower)

    @property
    def highest(self) -> float:
        """The largest bound."""
        return float(self.high.max(initial=0.0))

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Cells:
        """The chosen ones."""
        return Cells(self.lower[chosen], self.upper[chosen], self.owner[chosen], self.high[chosen])

    def worst(self, count: int) -> Cells:
        """Those with the largest bounds."""
        return self if len(self) <= count else self.where(np.argsort(-self.high, kind="stable")[:count])

    def beyond(self, count: int) -> Cells:
        """All but `worst(count)`."""
        return self.where(np.argsort(-self.high, kind="stable")[count:])

    def bounded_by(self, high: Array) -> Cells:
        """With lower bounds where these are lower."""
        return Cells(self.lower, self.upper, self.owner, np.minimum(self.high, high))


def grid(pieces: Sequence[Piece]) -> Cells:
    """The pieces, each in a few equal parts."""
    ends = np.array([(float(arb(piece.lower)), float(arb(piece.upper))) for piece in pieces]).reshape(-1, 2)
    # An end rounded to the nearest float covers the same floats, but for its neighbours' share of the piece.
    edges = _between(ends[:, 0], ends[:, 1], _PER_PIECE)
    owner = np.repeat(np.arange(len(pieces)), _PER_PIECE)
    return Cells(edges[:, :-1].ravel(), edges[:, 1:].ravel(), owner, np.full(len(owner), np.inf))


def cut(cells: Cells, centres: Array, form: FloatFormat) -> tuple[Cells, list[float]]:
    """Smaller cells and single floats that cover the floats of the cells, but for zero.

    Cells at zero or at their piece's centre, where programs may be singular, are cut geometrically towards that point;
    others in equal parts, more of them where there are few cells.
    """
    zero = (cells.lower <= 0.0) & (cells.upper >= 0.0)
    spacing = np.maximum(form.unit * np.maximum(np.abs(cells.lower), np.abs(cells.upper)), form.tiny)
    single = ~zero & (cells.upper - cells.lower < 4 * spacing)
    floats = {value for a, b in _ends(cells.where(single)) for value in _floats(a, b, form)}
    points = np.where(zero, 0.0, centres[cells.owner])
    at_point = ~single & (cells.lower <= points) & (cells.upper >= points)
    parts = [_equal(cells.where(~at_point & ~single), min(max(_PARTS // max(len(cells), 1), _FEWEST), _MOST))]
    for position in np.flatnonzero(at_point):
        one, point = cells.where(np.array([position])), float(points[position])
        parts += [_along(one, _towards(point, end, form) if point else _towards_zero(end, form)) for end in _ends(one)[0]]
    columns = zip(*((part.lower, part.upper, part.owner, part.high) for part in parts), strict=True)
    return Cells(*map(np.concatenate, columns)), sorted(floats)


def _ends(cells: Cells) -> list[tuple[float, float]]:
    return list(zip(cells.lower.tolist(), cells.upper.tolist(), strict=True))


def _equal(cells: Cells, ways: int) -> Cells:
    edges = _between(cells.lower, cells.upper, ways)
    return Cells(edges[:, :-1].ravel(), edges[:, 1:].ravel(), np.repeat(cells.owner, ways), np.repeat(cells.high, ways))


def _between(lower: Array, upper: Array, ways: int) -> Array:
    """Edges of equal parts, shape (n, ways + 1), the ends exact."""
    share = np.linspace(0.0, 1.0, ways + 1)
    edges = lower[:, None] * (1 - share) + upper[:, None] * share
    edges[:, 0], edges[:, -1] = lower, upper
    return np.asarray(np.maximum.accumulate(np.clip(edges, lower[:, None], upper[:, None]), axis=1))


def _along(cell: Cells, edges: Array) -> Cells:
    """The parts of one cell between the edges, which ascend."""
    count = max(len(edges) - 1, 0)
    return Cells(edges[:-1], edges[1:], np.repeat(cell.owner, count), np.repeat(cell.high, count))


def _towards_zero(end: float, form: FloatFormat) -> Array:
    """Edges from `end`, halving and at last zero, in ascending order; close to zero to the smallest float instead."""
    size = abs(end)
    if size < form.tiny:
        return np.empty(0)
    if size > _NEAR:
        edges = np.append(size * 2.0 ** -np.arange(_HALVINGS), 0.0)
    else:
        edges = np.maximum(size * 2.0 ** -np.arange(math.ceil(math.log2(size) - math.log2(form.tiny)) + 1), form.tiny)
    return -edges if end < 0 else edges[::-1].copy()


def _towards(point: float, end: float, form: FloatFormat) -> Array:
    """Edges from `end` to `point`, halving down to neighbouring floats, in ascending order."""
    halvings = math.ceil(math.log2(max(abs(end - point) / (form.unit * abs(point)), 1.0)))
    edges = point + (end - point) * np.append(2.0 ** -np.arange(halvings + 1.0), 0.0)
    edges[0] = end
    return edges if end < point else edges[::-1].copy()


def _floats(a: float, b: float, form: FloatFormat) -> list[float]:
    """The floats of the format in [a, b], whose width is below 4 units in the last place."""
    up = form.dtype(np.inf)
    at = np.nextafter(form.dtype(a), -up)
    found = [at := np.nextafter(at, up) for _ in range(10)]
    return [float(value) for value in found if a <= value <= b]
