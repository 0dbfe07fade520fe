"""Coefficients of few decimal digits: as few as do no harm, or as few as one asks for."""

from __future__ import annotations

import math
from decimal import Context, Decimal
from fractions import Fraction

from evosearch.language.program import FLOAT64_DIGITS, Const, Program
from evosearch.winners.fitter import Fitter

PAIR_DIGITS = 33
"""Significant decimal digits after which a pair of doubles has nothing to say."""

_STEPS = 30  # of the refit after each rounded constant
_ROUNDS = 8  # of moving single constants by a unit of their last digit


def digits_of(constant: Const) -> int:
    """How many significant decimal digits the constant's shortest literal has."""
    digits = "".join(map(str, Decimal(str(constant)).as_tuple().digits))
    return max(1, len(digits.rstrip("0")))


def rounded(constant: Const, digits: int) -> Const:
    """The nearest decimal of so many significant digits: a float64 up to 17 of them, else a pair."""
    return _parsed(_decimal(constant, digits), digits)


def harmless(fitter: Fitter, program: Program, growth: float) -> tuple[Program, ...]:
    """The program with constants in float64, then with as few digits as possible; what raises its error too much is left out.

    Args:
        growth: by how much the largest error at the fitter's points may rise in all, relatively.

    Returns:
        At most two programs, the simpler one last.
    """
    start = fitter.error(program)
    most = start * (1.0 + growth)
    if not math.isfinite(most):
        return ()
    versions = []
    flat = program.with_constants(tuple(Const(constant.hi) for constant in program.constants))
    error = start
    if flat.constants != program.constants and (in_float64 := fitter.error(flat)) <= most:
        versions.append(flat)
        program, error = flat, in_float64
    constants = list(program.constants)
    for k in range(len(constants)):  # each may use up its share of the growth
        constants[k] = _shortest(fitter, program, constants, k, error + (most - error) * (k + 1) / len(constants))
    short = program.with_constants(tuple(constants))
    return tuple(versions) if short.constants == program.constants else (*versions, short)


def to_digits(fitter: Fitter, program: Program, digits: int) -> Program:
    """The program with constants of at most so many digits: one after the other is rounded, the rest fitted to it.

    The most sensitive constants come first; in the end single constants move by a unit of their last digit where that helps.
    """
    if all(digits_of(constant) <= digits for constant in program.constants):
        return program
    direct = program.with_constants(tuple(rounded(constant, digits) for constant in program.constants))
    worst_first = _by_sensitivity(fitter, program, digits)
    orders = (worst_first, worst_first[::-1], sorted(worst_first))  # which one ends best is luck
    starts = [direct, *(_one_by_one(fitter, program, digits, order) for order in orders)]
    return min((_nudged(fitter, start, digits) for start in starts), key=fitter.error)


def _one_by_one(fitter: Fitter, program: Program, digits: int, order: list[int]) -> Program:
    """Round constant after constant, and fit those that are left anew each time."""
    for done, k in enumerate(order, start=1):
        program = _with(program, k, rounded(program.constants[k], digits))
        if done < len(order):
            program, _ = fitter.minimax(program, _STEPS, order[:done])
    return program


def _shortest(fitter: Fitter, program: Program, constants: list[Const], k: int, most: float) -> Const:
    """Constant k with the fewest digits that keep the error at `most`, by bisection."""
    best, low, high = constants[k], 0, min(digits_of(constants[k]), PAIR_DIGITS)
    while high - low > 1:
        middle = (low + high) // 2
        attempt = rounded(constants[k], middle)
        if fitter.error(program.with_constants((*constants[:k], attempt, *constants[k + 1 :]))) <= most:
            best, high = attempt, middle
        else:
            low = middle
    return best


def _by_sensitivity(fitter: Fitter, program: Program, digits: int) -> list[int]:
    """Constants by what rounding each alone does to the error, the worst first."""
    harm = [fitter.error(_with(program, k, rounded(constant, digits))) for k, constant in enumerate(program.constants)]
    return sorted(range(len(harm)), key=lambda k: (-harm[k], k))


def _nudged(fitter: Fitter, program: Program, digits: int) -> Program:
    best = fitter.error(program)
    for _ in range(_ROUNDS):
        before = best
        for k in range(len(program.constants)):
            for unit in (1, -1):
                attempt = _with(program, k, _neighbour(program.constants[k], digits, unit))
                if (error := fitter.error(attempt)) < best:
                    program, best = attempt, error
        if best == before:
            break
    return program


def _neighbour(constant: Const, digits: int, units: int) -> Const:
    decimal = _decimal(constant, digits)
    if not decimal:
        return constant
    return _parsed(decimal + units * Decimal(1).scaleb(decimal.adjusted() - digits + 1), digits)


def _decimal(constant: Const, digits: int) -> Decimal:
    value = Fraction(constant.hi) if digits <= FLOAT64_DIGITS else constant.exact
    return Context(prec=digits).divide(Decimal(value.numerator), Decimal(value.denominator))


def _parsed(decimal: Decimal, digits: int) -> Const:
    return Const(float(decimal)) if digits <= FLOAT64_DIGITS else Const.nearest(decimal)


def _with(program: Program, k: int, constant: Const) -> Program:
    constants = program.constants
    return program.with_constants((*constants[:k], constant, *constants[k + 1 :]))
