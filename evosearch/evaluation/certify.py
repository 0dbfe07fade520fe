"""Certificates: rigorous upper bounds of a program's error, over the reals and in floating point.

A certificate is mathematics, not measurement: `error_real` holds for every real of the interval with the coefficients
exact as held, `error_float64` for every float64 of it with coefficients and operations rounded. Where a function or an
op allows no bound, the field is None and the reason says why; then `sampled.error_sampled` is all there is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from evosearch.evaluation import rational
from evosearch.evaluation.balls import UnsupportedError
from evosearch.evaluation.cells import float_error
from evosearch.evaluation.formats import FLOAT64, FloatFormat
from evosearch.evaluation.ieee import float_errors, neighbours
from evosearch.evaluation.meaning import steps
from evosearch.evaluation.proof import WORK_LIMIT, Proof, prove
from evosearch.evaluation.region import region
from evosearch.evaluation.target import Target
from evosearch.language.program import Program

_NEIGHBOURS = 8


@dataclass(frozen=True)
class Certificate:
    """What is proven of a program's error on the whole interval.

    Attributes:
        error_real: upper bound of the maximum error, coefficients exact as held, exact arithmetic; inf where it has
            none; None where nothing is proven.
        error_float64: the same in the float format, for every float of the interval, coefficients and every operation
            rounded; inf where an input gives an infinity or a NaN. A relative error is relative to the smallest normal
            number where |f| is less than that.
        has_pole: whether the program's value has a pole in the interval.
        reason: why error_real is None or inf.
        float_reason: why error_float64 is None or inf.
        pieces: number of pieces of the proof.
    """

    error_real: float | None
    error_float64: float | None
    has_pole: bool = False
    reason: str | None = None
    float_reason: str | None = None
    pieces: int = 0


@dataclass(frozen=True)
class IeeeCheck:
    """The float program at zeros, removable singularities and their neighbouring floats.

    Attributes:
        finite: whether every value is finite.
        error: the largest error there, a rigorous bound; inf where a value is not finite.
        at: where that error is, "+0" and "-0" apart; None where no such point is in the interval.
    """

    finite: bool
    error: float
    at: float | str | None


def certify(
    program: Program, target: Target, *, work_limit: int = WORK_LIMIT, float_format: FloatFormat = FLOAT64
) -> Certificate:
    """Prove bounds of a program's error; see `Certificate`. Never raises for a program: what cannot be proven is None."""
    proof = prove(program, target, work_limit)
    rounded = float_format.round(program)
    same = rounded.constants == program.constants
    error, reason = _float_error(rounded, target, proof if same else prove(rounded, target, work_limit), float_format)
    return Certificate(proof.bound, error, proof.pole, proof.reason, reason, len(proof.pieces))


def certify_real(program: Program, target: Target, *, work_limit: int = WORK_LIMIT) -> Certificate:
    """The certificate without its float part: half of the work."""
    proof = prove(program, target, work_limit)
    return Certificate(proof.bound, None, proof.pole, proof.reason, "not asked for", len(proof.pieces))


def _float_error(rounded: Program, target: Target, proof: Proof, form: FloatFormat) -> tuple[float | None, str | None]:
    if proof.bound is None or proof.bound == math.inf:
        return proof.bound, proof.reason
    try:
        error = float_error(rounded, region(target), proof, form)
    except UnsupportedError as refusal:
        return None, str(refusal)
    if error < math.inf:
        return error, None
    check = ieee_check(rounded, target, form)
    where = "in the interval" if check.finite else f"at x = {check.at}"
    return error, f"the {form.name} program has an infinity or a NaN {where}"


def ieee_check(program: Program, target: Target, form: FloatFormat = FLOAT64) -> IeeeCheck:
    """Evaluate the rounded program in IEEE arithmetic at +0, -0, at removable singularities and 8 floats on each side."""
    space = region(target)
    try:
        singular = rational.removable(steps(form.round(program)))
    except (UnsupportedError, ZeroDivisionError):
        singular = []
    near = {0.0, *(float(form.dtype(int(x.p) / int(x.q))) for x in singular)}
    candidates = [x for centre in sorted(near) for x in neighbours(centre, _NEIGHBOURS, form)]
    errors = float_errors(program, space, candidates, form)
    if not errors:
        return IeeeCheck(True, 0.0, None)
    at = max(errors, key=lambda x: errors[x])
    return IeeeCheck(errors[at] < math.inf, errors[at], at)
