"""The float64 error on the whole interval: the real error and the rounding bound, on cells that are refined where needed.

Cells are the pieces of the real proof, cut further. A cell whose bound is above what the error is known to reach is cut
again (`grid`), at last to single floats, which are evaluated in IEEE arithmetic. So cells get small next to singular points
and nowhere else.
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
from evosearch.evaluation.grid import Cells, cut, grid
from evosearch.evaluation.ieee import float_errors
from evosearch.evaluation.meaning import steps
from evosearch.evaluation.proof import Bounded, Proof
from evosearch.evaluation.region import Region
from evosearch.evaluation.rounding import Rounded, propagate
from evosearch.evaluation.target import ErrorMeasure
from evosearch.evaluation.taylor import Scaled, lowered, scaled
from evosearch.language.program import Program

Array = NDArray[np.float64]
_ROUNDS = 40  # of cutting cells
_MOST_OPEN = 300  # cells without a bound at which the work ends
_MOST_CUT = 1500  # cells that are cut in one round
_MOST_CELLS = 20_000  # in all, once every cell has a bound
_SHARP = 1.005  # bounds so near to the real error need no cutting
_NEAR, _PROGRESS = 2.0, 0.95  # bounds within this factor that cutting hardly lowers stay
_EVERY = 4  # cells, of which one is looked at more closely
_ENOUGH = 1.3  # the same for rounding, whose bound is a worst case anyway


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
    cells = work.bounded(grid([bounded.piece for bounded in proof.pieces]))
    # A bound from a cell may take zero for +0.
    at_floats = work.at([0.0, -0.0])
    floor = max((bounded.low for bounded in proof.pieces), default=0.0)
    reached = max(floor, work.at_middles(cells))
    settled, spent, before = 0.0, 0, math.inf
    for _ in range(_ROUNDS):
        reached = max(reached, at_floats, work.at_worst(cells))
        if reached == math.inf:
            return math.inf
        loose = ~(cells.high <= max(_SHARP * floor + _ENOUGH * (reached - floor), settled))
        settled = max(settled, cells.where(~loose).highest)
        cells = cells.where(loose)
        unbounded = int(np.isinf(cells.high).sum())
        stuck = before * _PROGRESS < cells.highest < _NEAR * reached
        if not len(cells) or unbounded > _MOST_OPEN or ((stuck or spent > _MOST_CELLS) and not unbounded):
            break
        before = cells.highest
        settled = max(settled, cells.beyond(_MOST_CUT).highest)
        parts, floats = cut(cells.worst(_MOST_CUT), work.centres, form)
        at_floats = max(at_floats, work.at(floats))
        cells, spent = work.bounded(parts), spent + len(parts)
    if cells.highest == math.inf:
        return _given_up(work, cells)
    return max(settled, cells.highest, at_floats)


def _given_up(work: _Work, cells: Cells) -> float:
    """inf where the program gives an infinity or a NaN in one of the cells; else there is no bound, and no proof of none."""
    lower = cells.where(np.isinf(cells.high)).lower
    if work.at([float(work.form.dtype(x)) for x in lower[:: max(1, len(lower) // 50)]]) == math.inf:
        return math.inf
    raise UnsupportedError(f"rounding errors could not be bounded near x = {float(lower[0]):.6g}")


class _Work:
    """Bounds of cells; remembers the local knowledge."""

    def __init__(self, program: Program, region: Region, form: FloatFormat, locals_: Sequence[_Local]) -> None:
        self.program, self.line = program, steps(program)
        self.region, self.form, self.locals = region, form, locals_
        self.centres = np.array([local.centre for local in locals_])

    def bounded(self, cells: Cells) -> Cells:
        """The cells with their own bounds where those are less than the bounds of the wholes that they were cut from."""
        own = self.once(cells.lower, cells.upper, cells.owner)
        return cells.bounded_by(np.where(np.isnan(own), np.inf, own))

    def at(self, floats: Sequence[float]) -> float:
        """The largest error at the floats that are in the interval."""
        return max(float_errors(self.program, self.region, floats, self.form).values(), default=0.0)

    def at_worst(self, cells: Cells) -> float:
        """The error in the middle of the cell with the largest bound."""
        if not len(cells):
            return 0.0
        worst = int(np.argmax(cells.high))
        return self.at([float(self.form.dtype((cells.lower[worst] + cells.upper[worst]) / 2))])

    def at_middles(self, cells: Cells) -> float:
        """The largest bound of the error in the middles of some cells: about what the best bound of the cells can be."""
        some = cells.where(np.arange(0, len(cells), _EVERY))
        middles = (some.lower + some.upper) / 2
        own = self.once(middles, middles, some.owner)
        return float(own[np.isfinite(own)].max(initial=0.0))

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
