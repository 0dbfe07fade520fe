"""Constraints beside a small error: whether a program meets them, and the small change of its constants that makes it."""

from __future__ import annotations

import enum
import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb

from evosearch.evaluation.balls import precision
from evosearch.evaluation.constraints import is_monotone
from evosearch.evaluation.exact import exact
from evosearch.evaluation.ieee import evaluate
from evosearch.evaluation.meaning import steps
from evosearch.evaluation.target import Target
from evosearch.language.program import Const, Program

DIVIDING = ("div", "reciprocal")
_STEP = 2.0**-30  # relative, for differences
_CORRECTIONS = 8
_BITS = 256
_NUDGES = (1, -1, 2, -2, 3, -3)  # units in the last place


class Constraint(enum.StrEnum):
    """What a program must have beside a small error."""

    EXACT_ENDS = "exact-ends"  # at the floats nearest to the ends the float64 program returns the float64 nearest to f
    MONOTONE = "monotone"  # rises or falls over the whole interval, proven
    NO_DIVISION = "no-division"  # no op that divides
    SHORT_COEFFICIENTS = "short-coefficients"  # each constant a decimal of at most `digits` digits


def unmet(program: Program, constraint: Constraint, target: Target, digits: int | None, m: Any) -> bool:
    """Whether the whole program (with its wrapper) misses the constraint."""
    match constraint:
        case Constraint.EXACT_ENDS:
            return not _exact_in_float64(program, *_ends(target, m))
        case Constraint.MONOTONE:
            return is_monotone(program, target) is not True
        case Constraint.NO_DIVISION:
            return any(instruction.op.name in DIVIDING for instruction in program.instructions)
        case Constraint.SHORT_COEFFICIENTS:
            return any(constant != shortened(constant, digits or 1) for constant in program.constants)


def amend(program: Program, constraint: Constraint, target: Target, digits: int | None, m: Any) -> Program:
    """The program with constants moved so that it meets the constraint, where moving them a little is enough."""
    if constraint is Constraint.SHORT_COEFFICIENTS:
        return program.with_constants(tuple(shortened(constant, digits or 1) for constant in program.constants))
    if constraint is Constraint.EXACT_ENDS:
        return _with_exact_ends(program, *_ends(target, m), m)
    return program


def shortened(constant: Const, digits: int) -> Const:
    """The nearest decimal of so many significant digits, as a float64."""
    return Const(float(f"{constant.hi:.{digits - 1}e}"))


def _ends(target: Target, m: Any) -> tuple[list[float], list[Any]]:
    """The floats nearest to the interval's ends, and f there."""
    xs = [float(exact(bound, m)) for bound in (target.lower, target.upper)]
    return xs, [m.mpf(target.function(m.mpf(x), m)) for x in xs]


def _exact_in_float64(program: Program, xs: list[float], values: list[Any]) -> bool:
    return bool((evaluate(program, np.array(xs)) == np.array([float(value) for value in values])).all())


def _with_exact_ends(program: Program, xs: list[float], values: list[Any], m: Any) -> Program:
    moved = _interpolating(program, xs, values, m)
    for candidate in _nudged(moved):
        if _exact_in_float64(candidate, xs, values):
            return candidate
    return program


def _interpolating(program: Program, xs: list[float], values: list[Any], m: Any) -> Program:
    """Constants with f's values at the ends in exact arithmetic: Newton's method, each step the smallest relative change."""
    for _ in range(_CORRECTIONS):
        gaps = _gaps(program, xs, values, m)
        if not all(map(m.isfinite, gaps)) or max(map(abs, gaps)) <= m.ldexp(max(map(abs, values)) + 1, -100):
            return program
        constants = program.constants
        sizes = [Fraction(constant.hi) or Fraction(1) for constant in constants]
        slopes = []
        for k, size in enumerate(sizes):
            there = _gaps(_moved(program, k, size * Fraction(_STEP)), xs, values, m)
            slopes.append([float((b - a) / _STEP) for a, b in zip(gaps, there, strict=True)])
        change = np.linalg.lstsq(np.array(slopes).T, -np.array([float(gap) for gap in gaps]), rcond=1e-10)[0].tolist()
        for k, (size, part) in enumerate(zip(sizes, change, strict=True)):
            program = _moved(program, k, size * Fraction(part))
    return program


def _moved(program: Program, place: int, by: Fraction) -> Program:
    constants = list(program.constants)
    constants[place] = Const.nearest(constants[place].exact + by)
    return program.with_constants(tuple(constants))


def _gaps(program: Program, xs: list[float], values: list[Any], m: Any) -> list[Any]:
    """p - f at the ends, in exact arithmetic but for rounding to 256 bits."""
    with precision(_BITS):
        results = [steps(program).run(arb(x), arb).mid() for x in xs]
        pairs = [result.man_exp() if result.is_finite() else (0, 0) for result in results]
    found = [m.ldexp(m.mpf(int(mantissa)), int(exponent)) for mantissa, exponent in pairs]
    return [p - f if result.is_finite() else m.inf for p, f, result in zip(found, values, results, strict=True)]


def _nudged(program: Program) -> Iterator[Program]:
    """The program itself, then with one and with two constants moved by some units in the last place."""
    yield program
    constants = program.constants
    for count in (1, 2):
        for places in itertools.combinations(range(len(constants)), count):
            for nudges in itertools.product(_NUDGES, repeat=count):
                changed = list(constants)
                for place, nudge in zip(places, nudges, strict=True):
                    hi = constants[place].hi
                    changed[place] = Const(hi + nudge * math.ulp(hi))
                yield program.with_constants(tuple(changed))
