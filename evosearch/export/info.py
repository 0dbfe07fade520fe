"""What an exported file says about its program: where it comes from, how good it is, and values to check it against."""

from __future__ import annotations

import builtins
import keyword
import math
import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from typing import NamedTuple

import mpmath
from mpmath.libmp import to_rational

from evosearch.backends.reference import evaluate
from evosearch.errors import ExportError
from evosearch.evaluation.target import ErrorMeasure, Target
from evosearch.export.lower import lowered
from evosearch.export.runtime import verification_points
from evosearch.language.program import Const, Program

DIGITS = 50
"""Decimal digits of reference values; near zero as many more as x has zero bits behind the point."""

STORED_POINTS = 24
CHECKED_POINTS = 2000
"""Chebyshev points whose values stand in an exported file, and those at which it checks itself where mpmath is installed."""

SMALLEST_NORMAL = 2.2250738585072014e-308

_TAKEN = frozenset([*dir(builtins), "exponent", "fma", "math", "np", "numba", "scale2", "sys", "x"])


class ReferencePoint(NamedTuple):
    """A float64 of the interval, and the exact value there as f(x) = hi + lo to 106 bits; `weight` is |w(x)|, or 1."""

    x: float
    hi: float
    lo: float
    weight: float = 1.0


@dataclass(frozen=True)
class ExportInfo:
    """The origin and the quality of a program that is exported.

    Attributes:
        run: name of the run.
        program_id: of the program in the run.
        seed: of the run.
        version: of evosearch.
        command: the command line or call that made the run.
        target: what the program approximates.
        cost: in operations.
        error_real: certified bound with these coefficients in exact arithmetic; None where there is no certificate.
        error_float64: certified bound of what float64 arithmetic computes; None where there is no certificate.
        error_sampled: largest error of the real program at the sampled points.
        digits: where constants were cut to so many decimal digits for the export; the cost and the errors are those after it.
    """

    run: str
    program_id: int
    seed: int
    version: str
    command: str
    target: Target
    cost: float
    error_real: float | None
    error_float64: float | None
    error_sampled: float
    digits: int | None = None

    @property
    def name(self) -> str:
        """The exported function's name: the target's, as an identifier ("mymodule:f" gives "f")."""
        name = re.sub(r"\W", "_", re.split(r"[:.]", self.target.name)[-1], flags=re.ASCII) or "f"
        if not name[0].isalpha():
            name = f"f{name}"
        return f"{name}_" if keyword.iskeyword(name) or name in _TAKEN else name

    @property
    def cut(self) -> str:
        """For people: what became of the constants, or nothing."""
        return "" if self.digits is None else f" with constants of at most {self.digits} digits"

    @property
    def interval(self) -> str:
        """For people: "[0, pi/4]"."""
        return f"[{self.target.lower}, {self.target.upper}]"

    @property
    def command_line(self) -> str:
        """The command without line breaks."""
        return " ".join(self.command.split())


@dataclass(frozen=True)
class Bound:
    """What the exported code must keep to: |error| <= value everywhere (certified), or at the checked points (sampled)."""

    value: float
    certified: bool

    @property
    def kind(self) -> str:
        """The word for it: certified or sampled."""
        return "certified" if self.certified else "sampled"


def bound(program: Program, info: ExportInfo) -> Bound:
    """The certified float64 error, or else the largest one measured at the points of the self-check, and one per cent.

    Raises:
        ExportError: where the program is not finite at one of the points.
    """
    if info.error_float64 is not None:
        return Bound(info.error_float64, True)
    references = reference_points(info.target, CHECKED_POINTS)
    (values,) = evaluate(lowered(program), [reference.x for reference in references])
    errors = [measured_error(info.target.error, float(v), r) for v, r in zip(values, references, strict=True)]
    largest, x = max(zip(errors, (reference.x for reference in references), strict=True))
    if not math.isfinite(largest):
        raise ExportError(f"the program has no finite float64 value at x = {x!r}, inside of its interval; choose another one")
    return Bound(float(rounded_up(1.01 * largest)), False)


def measured_error(measure: ErrorMeasure, value: float, reference: ReferencePoint) -> float:
    """The error of a computed value, in the measure; inf where the value is nan."""
    error = abs(value - reference.hi - reference.lo)
    if measure is ErrorMeasure.RELATIVE:
        error /= max(abs(reference.hi), SMALLEST_NORMAL)
    elif measure is ErrorMeasure.WEIGHTED:
        error *= reference.weight
    return error if error == error else math.inf


def float_interval(target: Target) -> tuple[float, float]:
    """The smallest and the largest float64 of the target's interval."""
    with mpmath.workdps(DIGITS):
        lower, upper = target.bounds(mpmath.mp)
        first, last = float(lower), float(upper)
        if first < lower:
            first = math.nextafter(first, math.inf)
        if last > upper:
            last = math.nextafter(last, -math.inf)
    return first, last


def reference_points(target: Target, count: int = STORED_POINTS) -> tuple[ReferencePoint, ...]:
    """Exact values at `count` Chebyshev points, the interval's ends, zeros of both signs in it and the floats next to those.

    Points at which the function raises or is not a finite real number (a removable singularity that it does not remove)
    are left out.

    Raises:
        ExportError: where no point is left.
    """
    points = verification_points(*float_interval(target), count)
    references = tuple(found for x in points if (found := _reference(target, x)) is not None)
    if not references:
        raise ExportError(f"'{target.name}' has no finite value on {target.lower} .. {target.upper}; check the function")
    return references


def _reference(target: Target, x: float) -> ReferencePoint | None:
    with mpmath.workdps(DIGITS + max(0, -math.frexp(x)[1])):
        argument = mpmath.mpf(x)
        try:
            value = mpmath.mpf(target.function(argument, mpmath.mp))
            weight = abs(float(target.weight(argument, mpmath.mp))) if target.weight else 1.0
        except (ValueError, ArithmeticError, TypeError):  # mpmath's ways to say: no real value here
            return None
        if not mpmath.isfinite(value):
            return None
        pair = Const.nearest(Fraction(*to_rational(value._mpf_)))
    return ReferencePoint(x, pair.hi, pair.lo, weight)


def rounded_up(value: float, digits: int = 3) -> str:
    """`value` to so many significant digits, never below it: an error bound stays one in print."""
    if not math.isfinite(value) or value == 0.0:
        return f"{value:.{digits - 1}e}"
    above = Context(prec=digits, rounding=ROUND_CEILING).plus(Decimal(value))
    return f"{float(above):.{digits - 1}e}"


def summary(info: ExportInfo, float64: Bound) -> list[tuple[str, str]]:
    """(label, text) rows that every exported file opens with."""
    measure = info.target.error.value
    label, real = ("error_real", info.error_real) if info.error_real is not None else ("error_sampled", info.error_sampled)
    kind = "sampled" if info.error_real is None else "certified"
    return [
        ("error_float64", f"{rounded_up(float64.value)}  {measure}, {float64.kind}; this code, every operation rounded"),
        (label, f"{rounded_up(real)}  {measure}, {kind}; the program in exact arithmetic"),
        ("cost", f"{info.cost:g} operations"),
        ("origin", f"run {info.run}, program {info.program_id}{info.cut}, seed {info.seed}, evosearch {info.version}"),
        ("command", info.command_line),
    ]
