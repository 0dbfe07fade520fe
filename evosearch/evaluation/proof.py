"""The real error of a program: a rigorous upper bound on the whole interval, its coefficients exact as held.

Pieces of the interval are bounded by Taylor models of p - f (`taylor`), split where the bound is not yet sharp. Points
where a divisor is zero are the centres of pieces with Laurent series (`laurent`), which need no algebra; where such a point
is not known, the program is taken as a rational function in lowest terms (`rational`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from flint import arb, arb_series, fmpq

from evosearch.evaluation import rational
from evosearch.evaluation.balls import UndefinedError, UnsupportedError, precision
from evosearch.evaluation.laurent import PoleError, expansion
from evosearch.evaluation.meaning import Steps, steps
from evosearch.evaluation.region import Region, region
from evosearch.evaluation.target import ErrorMeasure, Target
from evosearch.evaluation.taylor import Piece, Scaled, lowered, model, quotient, sample, scaled, times
from evosearch.language.program import Program

WORK_LIMIT = 400
"""Pieces that a certificate may look at."""

TOLERANCE = 1e-4
"""By how much a certified bound may exceed the true maximum, relatively."""

_REACH = 4  # the first pieces about singular points, as a share of the interval
_NARROWEST = 2.0**-80  # of the interval
_ALGEBRA_BELOW = 2.0**-4  # of the interval: narrower pieces with a vanishing divisor call for rational algebra
_POLE = "the program has a pole in the interval"
_MISSED = "f is zero at x = {} and the program is not: the relative error is infinite"


@dataclass(frozen=True)
class Bounded:
    """A piece with the bound of the error on it, and the model that gave it (None where plain balls did)."""

    piece: Piece
    high: float
    low: float
    error: Scaled | None = None


@dataclass(frozen=True)
class Proof:
    """The real error of one program: `bound`, or None with the reason."""

    bound: float | None
    pole: bool = False
    reason: str | None = None
    pieces: tuple[Bounded, ...] = ()
    terms: int = 0
    bits: int = 0


@dataclass
class _Prover:
    """The work on one program: pieces are bounded, or split and bounded again."""

    steps: Steps
    region: Region
    terms: int
    bits: int
    best: float  # the error is at least about this
    centres: frozenset[Any] = frozenset()  # of pieces that are not halved: zeros of f, singular points
    reduced: rational.Quotient | None = None
    refused: str | None = None  # why there is no reduced form
    done: list[Bounded] = field(default_factory=list)

    def series(self, x: Any) -> Any:
        """The program at a series; in lowest terms where a divisor may vanish and that is known."""
        result = self.steps.series(x)
        if self.reduced is not None and not all(result[k].is_finite() for k in range(x.prec)):
            return rational.series(self.reduced, x)
        return result

    def model(self, piece: Piece) -> Any | None:
        """The program's Taylor model; PoleError where the centre is a pole."""
        if self.steps.rational:
            try:
                return expansion(self.steps, piece, self.terms).model()
            except UndefinedError:
                if self.reduced is None:
                    return None
        return model(self.series, piece, self.terms)

    def bounded(self, piece: Piece) -> Bounded | None:
        """The error's bound on a piece; None where nothing finite is known."""
        own = self.model(piece)
        function, weight = self.region.model(piece, self.terms, self.bits)
        if own is None or function is None:
            return self._plain(piece)
        error = self._weighed(own - function, function, weight, piece)
        if error is None:
            return self._plain(piece)
        high, low = error.peak()
        return Bounded(piece, high, low, error) if high < math.inf else None

    def _weighed(self, difference: Any, function: Any, weight: Any, piece: Piece) -> Scaled | None:
        match self.region.target.error:
            case ErrorMeasure.ABSOLUTE:
                return scaled(difference, self.terms, piece)
            case ErrorMeasure.RELATIVE:
                order = self.region.zeros.get(piece.centre, 0)
                return quotient(lowered(difference, order), lowered(function, order), self.terms - order, piece)
        return None if weight is None else times(difference, weight, self.terms, piece)

    def _plain(self, piece: Piece) -> Bounded | None:
        """Without derivatives: for kinks and branch points, where pieces get small."""
        x = arb_series([piece.hull], prec=1)
        own, function = self.series(x)[0], self.region.function(x)[0]
        error = abs(own - function)
        if self.region.relative:
            error = error / function.abs_lower()
        elif self.region.target.error is ErrorMeasure.WEIGHTED:
            error = error * abs(self.region.weight(x)[0])
        if not error.is_finite():
            return None
        return Bounded(piece, math.nextafter(float(error.abs_upper()), math.inf), float(error.abs_lower()))

    def vanishing(self, piece: Piece) -> bool:
        """Whether the program, and not f, is what has no finite value on the piece."""
        return not self.series(arb_series([piece.hull], prec=1))[0].is_finite()

    def open(self, bound: Bounded | None) -> bool:
        """Whether the piece must be split."""
        if bound is None:
            return True
        self.best = max(self.best, bound.low)
        return not bound.high <= self.best * (1 + TOLERANCE)


def prove(program: Program, target: Target, work_limit: int = WORK_LIMIT) -> Proof:
    """Bound the real error of a program, its coefficients exact as held."""
    try:
        line, space = steps(program), region(target)
        return _prove(line, space, work_limit)
    except UnsupportedError as error:
        return Proof(None, reason=str(error))
    except ZeroDivisionError as error:
        return Proof(math.inf, pole=True, reason=str(error))


def _prove(line: Steps, space: Region, work_limit: int) -> Proof:
    estimate, nearest = _estimate(line, space)
    digits = max(0.0, -math.log2(max(nearest / space.scale, 2.0**-400))) if space.scale > 0 else 0.0
    bits = 64 * math.ceil((128 + 1.5 * digits) / 64)
    terms = min(8 + round(digits / 4), 40)
    with precision(bits):
        centres = frozenset({*space.zeros, *_singular(line, space)})
        prover = _Prover(line, space, terms, bits, estimate, centres)
        try:
            missed = [x for x, order in space.zeros.items() if not _vanishes(prover, x, order)]
            return _search(prover, work_limit) if not missed else Proof(math.inf, reason=_MISSED.format(missed[0]))
        except PoleError:
            return Proof(math.inf, pole=True, reason=_POLE)


def _singular(line: Steps, space: Region) -> set[Any]:
    """Points where the program divides by zero, among those that it names: zero and its constants."""
    named = {fmpq(0)}.union(*({fmpq(value), -fmpq(value)} for value in line.constants))
    return {x for x in named if space.lower <= x <= space.upper and not sample(line.series, x).is_finite()}


def _search(prover: _Prover, work_limit: int) -> Proof:
    space = prover.region
    whole = float(arb(space.upper - space.lower))
    todo = _first_pieces(space, sorted(prover.centres))
    for _ in range(work_limit):
        if not todo:
            break
        piece = todo.pop()
        bound = prover.bounded(piece)
        if not prover.open(bound):
            assert bound is not None
            prover.done.append(bound)
            continue
        width = float(arb(piece.upper - piece.lower))
        if bound is None and width < _ALGEBRA_BELOW * whole and prover.reduced is None and prover.vanishing(piece):
            if prover.refused is None and _lowest_terms(prover):
                return Proof(math.inf, pole=True, reason=_POLE)
            if prover.reduced is not None:
                todo.append(piece)
                continue
        if width < _NARROWEST * whole:
            return _open(prover, piece, "no bound was found")
        # Halves of a piece about a singular point would end there.
        todo.extend(piece.around() if piece.centre in prover.centres else piece.split())
    if todo:
        return _open(prover, todo[-1], f"no bound was found within {work_limit} pieces")
    # A piece accepted early counts with its own bound, which may be the largest.
    high = max((done.high for done in prover.done), default=0.0)
    return Proof(high, pieces=tuple(prover.done), terms=prover.terms, bits=prover.bits)


def _open(prover: _Prover, piece: Piece, what: str) -> Proof:
    near = float(arb(piece.centre))
    cause = f" ({prover.refused})" if prover.refused else ""
    return Proof(None, reason=f"{what} near x = {near:.6g}{cause}")


def _lowest_terms(prover: _Prover) -> bool:
    """Find the reduced form, or why there is none; whether it has a pole in the interval."""
    try:
        prover.reduced = rational.reduced(prover.steps)
    except UnsupportedError as error:
        prover.refused = f"a divisor may vanish there, and {error}"
        return False
    return rational.pole(prover.reduced, prover.region.lower, prover.region.upper)


def _first_pieces(space: Region, centres: list[Any]) -> list[Piece]:
    """The interval in two; or pieces around the centres, and what is left between them."""
    if not centres:
        return list(Piece.between(space.lower, space.upper).split())
    pieces, cuts = [], [space.lower]
    reach = min([(space.upper - space.lower) / _REACH, *((b - a) / 2 for a, b in pairwise(centres))])
    for x in centres:
        below, above = max(x - reach, space.lower), min(x + reach, space.upper)
        pieces.append(Piece(below, above, x))
        cuts += [below, above]
    cuts.append(space.upper)
    return pieces + [Piece.between(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=True) if a < b]


def _vanishes(prover: _Prover, x: Any, order: int) -> bool:
    """Whether the program has a zero of at least the given order at x, exactly."""
    if prover.steps.rational:
        near = fmpq(1, 2**30) * (prover.region.upper - prover.region.lower)
        try:
            own = expansion(prover.steps, Piece(x - near, x + near, x), order)
            if own.order >= order or not own.poly[0].contains(0):
                return own.order >= order
        except UndefinedError:
            pass  # rational algebra knows more
    if not prover.steps.rational:
        taylor = prover.series(arb_series([arb(x), arb(1)][:order], prec=order))
        return all(taylor[k].is_zero() for k in range(order))
    if order == 1:
        try:
            return bool(prover.steps.run(x, lambda value: value) == 0)
        except ZeroDivisionError:
            pass  # a divisor is zero there; in lowest terms it may not be
    return bool(rational.reduced(prover.steps).p % rational.root(x) ** order == 0)


def _estimate(line: Steps, space: Region) -> tuple[float, float]:
    """The largest error at the samples, and the largest difference there; lower bounds up to rounding."""
    largest, difference = 0.0, 0.0
    with precision(320):
        for point in space.samples:
            gap = abs(sample(line.series, point.x) - point.value)
            error = gap * point.weight
            if error.is_finite():
                largest = max(largest, float(error.abs_lower()))
                difference = max(difference, float(gap.abs_upper()))
    return largest, difference
