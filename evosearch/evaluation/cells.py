"""The float64 error on the whole interval: the real error and the rounding bound, on cells that are refined where needed.

Cells are the pieces of the real proof, cut further. A cell without a bound is cut again: geometrically next to zero,
else down to single floats, which are evaluated in IEEE arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_series, fmpq
from numpy.typing import NDArray

from evosearch.evaluation.balls import UnsupportedError, precision
from evosearch.evaluation.formats import FloatFormat
from evosearch.evaluation.ieee import float_errors
from evosearch.evaluation.meaning import steps
from evosearch.evaluation.proof import Bounded, Proof
from evosearch.evaluation.region import Region
from evosearch.evaluation.rounding import Rounded, propagate
from evosearch.evaluation.target import ErrorMeasure
from evosearch.evaluation.taylor import Piece, Scaled, lowered, scaled
from evosearch.language.program import Program

Array = NDArray[np.float64]
_PER_PIECE = 16  # cells to begin with
_ROUNDS = 24  # of cutting cells that have no bound
_SHARPEN = 3  # rounds of cutting the worst cells
_MOST_OPEN = 300  # cells without a bound at which the work ends
_MOST_SHARPENED = 1500
_SHARP = 1.01  # bounds so near to what is reached need no cutting
_CUTS = 4
_WAYS = 8


@dataclass(frozen=True)
class _Local:
    """What is known of f, the weight and the real error on one piece; f is h^order times the model `function`."""

    high: float
    error: Scaled | None
    centre: float
    order: int
    function: Scaled | None
    weight: Scaled | None
    plain: tuple[float, float, float]  # f's least and largest value and the largest weight, where there is no model


def float_error(program: Program, region: Region, proof: Proof, form: FloatFormat) -> float:
    """An upper bound of the error in the format for every float of the interval; inf where it has none.

    Args:
        program: its constants in the format.
        region: the target.
        proof: of the program's real error.
        form: the format.
    """
    with precision(max(proof.bits, 64)):
        locals_ = [_local(region, bounded, proof) for bounded in proof.pieces]
    work = _Work(program, region, form, locals_)
    lower, upper, owner = _grid([bounded.piece for bounded in proof.pieces])
    floor = max((bounded.low for bounded in proof.pieces), default=0.0)
    worst, points = 0.0, set[float]()
    for _ in range(_ROUNDS):
        if not len(lower):
            break
        highest, failed = work.bounds(lower, upper, owner, max(worst, floor))
        worst = max(worst, highest)
        if failed.sum() > _MOST_OPEN:
            return _given_up(program, region, lower[failed], form)
        lower, upper, owner = _cut(lower[failed], upper[failed], owner[failed], points, form)
    if len(lower):
        return _given_up(program, region, lower, form)
    return max(worst, *float_errors(program, region, sorted(points), form).values(), 0.0) if points else worst


def _given_up(program: Program, region: Region, lower: Array, form: FloatFormat) -> float:
    """inf where the program gives an infinity or a NaN in one of the cells; else there is no bound, and no proof of none."""
    points = [float(form.dtype(x)) for x in lower[:: max(1, len(lower) // 50)]]
    if math.inf in float_errors(program, region, points, form).values():
        return math.inf
    raise UnsupportedError(f"rounding errors could not be bounded near x = {float(lower[0]):.6g}")


class _Work:
    """Bounds of cells; remembers the local knowledge."""

    def __init__(self, program: Program, region: Region, form: FloatFormat, locals_: Sequence[_Local]) -> None:
        self.line = steps(program)
        self.region, self.form, self.locals = region, form, locals_

    def bounds(self, lower: Array, upper: Array, owner: NDArray[np.int64], floor: float) -> tuple[float, NDArray[np.bool_]]:
        """The error of every float of the cells, and which cells have no bound.

        The worst cells are cut a few times, as long as they are above `floor`, which is known to be reached about.
        """
        values = self.once(lower, upper, owner)
        failed = ~np.isfinite(values)
        values[failed] = 0.0
        for _ in range(_SHARPEN):
            highest = float(values.max())
            bad = values > max(floor, 0.7 * highest)
            if highest <= floor * _SHARP or bad.sum() > _MOST_SHARPENED:
                break
            lower, upper, owner = _divide(lower[bad], upper[bad], owner[bad], _CUTS)
            # A part has its own bound and that of the whole.
            finer = self.once(lower, upper, owner)
            values = np.concatenate([np.fmin(finer, np.repeat(values[bad], _CUTS)), [float(values[~bad].max(initial=0.0))]])
            lower, upper, owner = np.append(lower, lower[:1]), np.append(upper, upper[:1]), np.append(owner, owner[:1])
        return float(values.max()), failed

    def once(self, lower: Array, upper: Array, owner: NDArray[np.int64]) -> Array:
        rounded = propagate(self.line, lower, upper, self.form)
        result = np.empty_like(lower)
        for number, local in enumerate(self.locals):
            mine = owner == number
            if mine.any():
                result[mine] = self._local(local, lower[mine], upper[mine], _part(rounded, mine))
        return result

    def _local(self, local: _Local, lower: Array, upper: Array, rounded: Rounded) -> Array:
        with np.errstate(all="ignore"):
            least, largest, weight = self._target(local, lower, upper)
            real = np.full_like(lower, local.high)
            if local.error is not None:
                low, high = local.error.ranges(*_unit(local, local.error, lower, upper))
                real = np.minimum(real, np.maximum(-low, high))
            both = real + rounded.error * weight
            # The enclosure of the computed result is a bound by itself.
            alone = np.maximum(rounded.result.hi - least, largest - rounded.result.lo) * weight
            return np.asarray(np.fmin(both, alone) * (1 + 1e-15))

    def _target(self, local: _Local, lower: Array, upper: Array) -> tuple[Array, Array, Array]:
        """f's range and the largest weight, by cell."""
        if local.function is None:
            least, largest, weight = (np.full_like(lower, value) for value in local.plain)
            return least, largest, weight
        low, high = local.function.ranges(*_unit(local, local.function, lower, upper))
        from_h, to_h = lower - local.centre, upper - local.centre
        corners = [value * h**local.order for value in (low, high) for h in (from_h, to_h)]
        least, largest = np.minimum.reduce(corners), np.maximum.reduce(corners)
        match self.region.target.error:
            case ErrorMeasure.ABSOLUTE:
                weight = np.ones_like(lower)
            case ErrorMeasure.RELATIVE:
                nearest = np.where((from_h < 0) & (to_h > 0), 0.0, np.minimum(np.abs(from_h), np.abs(to_h)))
                away = np.where((low < 0) & (high > 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
                smallest = away * nearest**local.order * (1 - 1e-15)
                weight = 1 / np.maximum(smallest, self.form.normal)
                # Next to a zero only smaller cells tell |f| from the smallest normal number.
                vague = (smallest < self.form.normal) & (np.maximum(-least, largest) > 4 * self.form.normal)
                weight = np.where(vague, np.inf, weight)
            case _:
                assert local.weight is not None
                w_low, w_high = local.weight.ranges(*_unit(local, local.weight, lower, upper))
                weight = np.maximum(-w_low, w_high)
        return least, largest, weight


def _part(rounded: Rounded, mine: NDArray[np.bool_]) -> Rounded:
    interval = type(rounded.result)(rounded.result.lo[mine], rounded.result.hi[mine])
    return Rounded(interval, rounded.error[mine])


def _unit(local: _Local, scale: Scaled, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Cells in u = h / radius, a little outward."""
    a, b = (lower - local.centre) / scale.radius, (upper - local.centre) / scale.radius
    return a - np.abs(a) * 4e-16, b + np.abs(b) * 4e-16


def _local(region: Region, bounded: Bounded, proof: Proof) -> _Local:
    piece = bounded.piece
    centre = float(arb(piece.centre))
    if bounded.error is None:
        return _Local(bounded.high, None, centre, 0, None, None, _plain(region, bounded))
    function, weight = region.model(piece, proof.terms, proof.bits)
    order = region.zeros.get(piece.centre, 0)
    offset = abs(float(arb(piece.centre - fmpq(*centre.as_integer_ratio()))))
    shaped = scaled(lowered(function, order), proof.terms - order, piece)
    return _Local(
        bounded.high,
        _blurred(bounded.error, offset),
        centre,
        order,
        _blurred(shaped, offset),
        None if weight is None else _blurred(scaled(weight, proof.terms, piece), offset),
        (0.0, 0.0, 0.0),
    )


def _blurred(shape: Scaled, offset: float) -> Scaled:
    """The shape about a centre that was rounded by `offset`."""
    if offset == 0.0:
        return shape
    slope = float((np.abs(shape.coefficients) * np.arange(len(shape.coefficients))).sum()) * 1.01 / shape.radius
    return Scaled(shape.coefficients, shape.remainder + slope * offset, shape.radius, shape.start, shape.end)


def _plain(region: Region, bounded: Bounded) -> tuple[float, float, float]:
    x = arb_series([bounded.piece.hull], prec=1)
    function = region.function(x)[0]
    match region.target.error:
        case ErrorMeasure.ABSOLUTE:
            weight = arb(1)
        case ErrorMeasure.RELATIVE:
            weight = 1 / function.abs_lower()
        case _:
            weight = abs(region.weight(x)[0])
    low, high = float(function.lower()), float(function.upper())
    return math.nextafter(low, -math.inf), math.nextafter(high, math.inf), math.nextafter(float(weight.upper()), math.inf)


def _grid(pieces: Sequence[Piece]) -> tuple[Array, Array, NDArray[np.int64]]:
    lowers, uppers = [], []
    for piece in pieces:
        edges = np.linspace(float(arb(piece.lower)), float(arb(piece.upper)), _PER_PIECE + 1)
        lowers.append(edges[:-1])
        uppers.append(edges[1:])
    # An end rounded to the nearest float covers the same floats, but for its neighbours' share of the piece.
    owner = np.repeat(np.arange(len(pieces)), _PER_PIECE)
    return np.concatenate(lowers), np.concatenate(uppers), owner


def _divide(lower: Array, upper: Array, owner: NDArray[np.int64], ways: int) -> tuple[Array, Array, NDArray[np.int64]]:
    """Cut each cell in equal parts; parts that are empty in float64 stay as single floats."""
    share = np.linspace(0.0, 1.0, ways + 1)
    edges = lower[:, None] * (1 - share) + upper[:, None] * share
    edges = np.clip(edges, lower[:, None], upper[:, None])
    edges[:, 0], edges[:, -1] = lower, upper
    edges = np.maximum.accumulate(edges, axis=1)
    return edges[:, :-1].ravel(), edges[:, 1:].ravel(), np.repeat(owner, ways)


def _cut(
    lower: Array, upper: Array, owner: NDArray[np.int64], points: set[float], form: FloatFormat
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Cells for those without a bound; single floats go to `points`."""
    parts = []
    for a, b, number in zip(lower.tolist(), upper.tolist(), owner.tolist(), strict=True):
        if a <= 0.0 <= b:
            points.update((0.0,))
            edges = [side for side in (_towards_zero(a, form), _towards_zero(b, form)) if len(side) > 1]
        elif len(few := _floats(a, b, form)) <= 2:
            points.update(few)
            continue
        else:
            edges = [np.unique(np.linspace(a, b, _WAYS + 1))]
        parts += [(side[:-1], side[1:], np.full(len(side) - 1, number)) for side in edges]
    if not parts:
        return np.empty(0), np.empty(0), np.empty(0, dtype=np.int64)
    cells = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return cells[0], cells[1], cells[2]


def _floats(a: float, b: float, form: FloatFormat) -> list[float]:
    """The first floats of the format in [a, b], three at most."""
    up = form.dtype(np.inf)
    at = np.nextafter(form.dtype(a), -up)
    found = [at := np.nextafter(at, up) for _ in range(4)]
    return [float(value) for value in found if a <= value <= b][:3]


def _towards_zero(end: float, form: FloatFormat) -> Array:
    """Edges from `end`, halving down to the smallest float, in ascending order."""
    if abs(end) < form.tiny:
        return np.empty(0)
    sizes = [abs(end)]
    while sizes[-1] > form.tiny:
        sizes.append(max(sizes[-1] / 2, form.tiny))
    edges = np.array(sizes)
    return -edges if end < 0 else edges[::-1].copy()
