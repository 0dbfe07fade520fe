"""Constraints on programs that are proven, not sampled: monotone, exact at the ends of the interval."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import arb

from evosearch.evaluation import rational
from evosearch.evaluation.balls import UnsupportedError, precision
from evosearch.evaluation.formats import FLOAT64, FloatFormat
from evosearch.evaluation.ieee import evaluate
from evosearch.evaluation.meaning import Steps, steps
from evosearch.evaluation.region import region
from evosearch.evaluation.target import Target
from evosearch.evaluation.taylor import Piece, Series, lowered, model, sample
from evosearch.language.program import Program

_TERMS = 8
_PIECES = 300
_BITS = 256


def is_monotone(program: Program, target: Target) -> bool | None:
    """Whether the program rises, or falls, strictly on the whole interval over the reals; None where neither is proven."""
    try:
        line, space = steps(program), region(target)
    except UnsupportedError:
        return None
    signs: set[int] = set()
    with precision(_BITS):
        function = _without_singularities(line)
        middle = (space.lower + space.upper) / 2
        todo = [Piece(space.lower, middle, space.lower), Piece(middle, space.upper, space.upper)]
        unknown = False
        for _ in range(_PIECES):
            if not todo or len(signs) > 1:
                break
            piece = todo.pop()
            sign, at_centre = _slope(function, piece)
            signs |= {at_centre} - {0}
            if sign:
                signs.add(sign)
            elif piece.upper - piece.lower > (space.upper - space.lower) / 2**40:
                todo.extend(piece.split())
            else:
                unknown = True
    if len(signs) > 1:
        return False
    return None if todo or unknown or not signs else True


def _slope(function: Series, piece: Piece) -> tuple[int, int]:
    """Signs of the derivative: on the whole piece (but for a zero at its end), and at its centre; 0 where open."""
    taylor = model(function, piece, _TERMS)
    if taylor is None:
        return 0, 0
    slope, order = taylor.derivative(), 0
    centre = _sign(slope[0])
    at_end = piece.centre in (piece.lower, piece.upper)
    while at_end and order < _TERMS - 2 and slope[order].is_zero():
        order += 1
    # On one side of the centre h^order has one sign.
    side = -1 if piece.centre == piece.upper and order % 2 else 1
    offset = piece.hull - arb(piece.centre)
    return side * _sign(lowered(slope, order)(offset)), centre


def _sign(ball: Any) -> int:
    return int(ball > 0) - int(ball < 0)


def _without_singularities(line: Steps) -> Series:
    """The program, in lowest terms where it is rational and a divisor vanishes."""
    reduced: list[rational.Quotient] = []

    def function(x: Any) -> Any:
        result = line.series(x)
        if all(result[k].is_finite() for k in range(x.prec)):
            return result
        if not reduced:
            try:
                reduced.append(rational.reduced(line))
            except (UnsupportedError, ZeroDivisionError):
                return result
        return rational.series(reduced[0], x)

    return function


def exact_at_ends(program: Program, target: Target, form: FloatFormat = FLOAT64) -> bool:
    """Whether the rounded program gives the correctly rounded f at the floats nearest to both ends.

    Raises:
        UnsupportedError: the function takes no balls, so that its correct rounding is not known.
    """
    space = region(target)
    ends = [float(form.dtype(int(end.p) / int(end.q))) for end in (space.lower, space.upper)]
    computed = evaluate(program, np.array(ends), form).tolist()
    return all(value == _rounded(space.function, end, form) for value, end in zip(computed, ends, strict=True))


def _rounded(function: Series, x: float, form: FloatFormat) -> float | None:
    """The correctly rounded value; None where 256 bits do not decide it."""
    with precision(_BITS):
        ball = sample(function, rational.dyadic(x))
        if not ball.is_finite():
            return None
        low, high = (bound.fmpq() for bound in (ball.lower(), ball.upper()))
        # Narrow formats: rounding twice is harmless for all but ties, which the two bounds then tell apart.
        rounded = [float(form.dtype(int(bound.p) / int(bound.q))) for bound in (low, high)]
    return rounded[0] if rounded[0] == rounded[1] else None
