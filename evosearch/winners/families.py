"""The families of the classical baseline: every minimax approximation within the budget, in every way to compute it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from flint import arb
from mpmath import MPContext

from evosearch.errors import TaskError
from evosearch.evaluation.factored import Core, core_bounds, core_weight, parity
from evosearch.evaluation.target import ErrorMeasure, Form, Target
from evosearch.winners.adapted import eve, knuth_sextic
from evosearch.winners.forms import Writer, continued_fraction, evaluate, horner, horner_quotient, operand, text
from evosearch.winners.remez import GRID, MAX_DEGREE, Curve, Rational, minimax, refined_peak

MAX_COST = 14
SQUARINGS = 3
DIGITS = 60
_REMOVABLE = 8  # grid points at which an intermediate value may be infinite


@dataclass(frozen=True)
class Candidate:
    """One classical program.

    Attributes:
        form: for people, such as "rational 2/3, continued fraction".
        error: sampled maximum over the interval, of the program with its constants.
        uses: how often each op occurs.
        text: the program, over + - * /.
    """

    form: str
    error: float
    uses: dict[str, int]
    text: str

    @property
    def steps(self) -> int:
        """Number of operations."""
        return sum(self.uses.values())

    def serves_instead_of(self, other: Candidate) -> bool:
        """Whether it is at least as good whatever the ops cost."""
        return self.error <= other.error and all(count <= other.uses.get(op, 0) for op, count in self.uses.items())


def candidates(target: Target) -> list[Candidate]:
    """The classical programs of at most 14 operations that are best for some op costs, at `flint.ctx` precision."""
    kept: list[Candidate] = []
    for candidate in sorted(_candidates(sample(target)), key=lambda item: (item.error, item.steps)):
        if not any(other.serves_instead_of(candidate) for other in kept):
            kept.append(candidate)
    return kept


@dataclass(frozen=True, eq=False)
class Samples:
    """The target on its grid, and the curves that the families approximate.

    Attributes:
        whole: f over x with the declared weights; what a finished program is measured on.
        plain: `whole`, or None where f is zero and the error relative.
        core: g over u = x^2 where f is odd or even, else None.
        form: of the core.
        halved: f(x / 2^k) over x for k = 1, 2, ... where squaring ladders apply.
    """

    whole: Curve
    plain: Curve | None
    core: Curve | None
    form: Form
    halved: tuple[Curve, ...]


def sample(target: Target) -> Samples:
    """Evaluate the target on the grids of all families."""
    m = MPContext()
    m.dps = DIGITS
    lower, upper = target.bounds(m)
    middle, radius = (lower + upper) / 2, (upper - lower) / 2
    xs = [middle - radius * m.cospi(m.mpf(k) / (GRID - 1)) for k in range(GRID)]
    values = [m.mpf(target.function(x, m)) for x in xs]
    zero = target.error is ErrorMeasure.RELATIVE and any(value == 0 for value in values)
    kept = [(x, value) for x, value in zip(xs, values, strict=True) if not (zero and value == 0)]
    whole = _curve(kept, lambda x, value: target.weigh(x, value, m))
    form = parity(target.function, [x for x, _ in kept[:: GRID // 8]], m)
    halved: tuple[Curve, ...] = ()
    if target.squaring:
        halved = tuple(_halved(target, xs, values, k, m) for k in range(1, SQUARINGS + 1))
    return Samples(whole, None if zero else whole, _core(target, form, m), form, halved)


def _curve(rows: list[tuple[Any, Any]], weigh: Callable[[Any, Any], Any]) -> Curve:
    points, values = ([_to_arb(row[k]) for row in rows] for k in (0, 1))
    return Curve(points, values, [_to_arb(weigh(x, value)) for x, value in rows])


def _halved(target: Target, xs: list[Any], values: list[Any], k: int, m: Any) -> Curve:
    """f(x / 2^k), weighted by what an error of it becomes after k squarings."""
    power = 2**k
    rows = [(x, m.mpf(target.function(x / power, m))) for x in xs]
    weights = {x: target.weigh(x, value, m) for x, value in zip(xs, values, strict=True)}
    return _curve(rows, lambda x, root: weights[x] * power * abs(root) ** (power - 1))


def _core(target: Target, form: Form, m: Any) -> Curve | None:
    if form is Form.PLAIN:
        return None
    shaped = dataclasses.replace(target, form=form)
    lower, upper = (m.sqrt(bound) for bound in core_bounds(shaped, m))
    if lower == 0:
        roots = [upper * m.sinpi(m.mpf(k) / (2 * (GRID - 1))) for k in range(GRID)]
    else:
        roots = [(lower + upper) / 2 - (upper - lower) / 2 * m.cospi(m.mpf(k) / (GRID - 1)) for k in range(GRID)]
    core = Core(target.function, form)
    try:
        rows = [(x * x, m.mpf(core(x * x, m))) for x in roots]
    except TaskError:  # f(x)/x has no limit at 0, so that no polynomial in x^2 comes near
        return None
    if target.error is ErrorMeasure.RELATIVE and any(value == 0 for _, value in rows):
        return None
    return _curve(rows, lambda u, value: core_weight(shaped, u, value, m))


def _to_arb(value: Any) -> Any:
    sign, mantissa, exponent, _ = value._mpf_
    return arb(-int(mantissa) if sign else int(mantissa)) * arb(2) ** int(exponent)


Emit = Callable[[Writer, int], Any]
"""Writes p/q of the variable that the operand holds; returns the result's operand."""


def _candidates(samples: Samples) -> Iterator[Candidate]:
    if samples.plain is not None:
        for name, emit in _schemes(samples.plain, MAX_COST):
            yield from _finish(samples, name, partial(_squared, emit, 0))
    if samples.core is not None:
        label, extra = ("x R(x^2)", 2) if samples.form is Form.ODD else ("R(x^2)", 1)
        for name, emit in _schemes(samples.core, MAX_COST - extra):
            yield from _finish(samples, f"{label}, {name}", partial(_in_square, emit, samples.form))
    for k, curve in enumerate(samples.halved, 1):
        for name, emit in _schemes(curve, MAX_COST - k):
            label = "squared" if k == 1 else f"squared {k} times"
            yield from _finish(samples, f"{name}, {label}", partial(_squared, emit, k))


def _in_square(emit: Emit, form: Form, writer: Writer) -> Any:
    u = writer.emit("mul", 0, 0)
    value = emit(writer, u)
    if not isinstance(value, int):  # a constant core: u is not used
        writer.steps.clear()
    return writer.emit("mul", 0, value) if form is Form.ODD else value


def _squared(emit: Emit, k: int, writer: Writer) -> Any:
    value = emit(writer, 0)
    for _ in range(k):
        value = writer.emit("mul", value, value) if isinstance(value, int) else value * value
    return value


def _schemes(curve: Curve, budget: int) -> Iterator[tuple[str, Emit]]:
    """Every way to compute every minimax p/q within the budget."""
    for m in range(MAX_DEGREE + 1):
        for n in range(MAX_DEGREE + 1):
            if _least_cost(m, n) <= budget:
                found = minimax(curve, m, n)
                if found is not None:
                    yield from _ways(found, m, n)


def _least_cost(m: int, n: int) -> int:
    """Of [m/n] as a continued fraction; of a polynomial with adapted coefficients."""
    if n == 0:
        return 2 * m if m < 5 else {5: 9, 6: 11, 7: 12, 8: 14}[m]
    return 2 * (m - n) + 3 * n if m >= n else 2 * (n - m) + 3 * m


def _ways(found: Rational, m: int, n: int) -> Iterator[tuple[str, Emit]]:
    p, q = found.p * (1 / found.q.coeffs()[0]) if n == 0 else found.p, found.q
    if n > 0:
        yield f"rational {m}/{n}, Horner", lambda writer, v: horner_quotient(writer, v, p, q)
        yield f"rational {m}/{n}, continued fraction", lambda writer, v: continued_fraction(writer, v, p, q)
        return
    yield (f"polynomial of degree {m}, Horner" if m else "constant"), lambda writer, v: horner(writer, v, p)
    if m == 6:
        yield "polynomial of degree 6, Knuth's form", lambda writer, v: knuth_sextic(writer, v, p)
    if m >= 5:
        yield f"polynomial of degree {m}, Eve's form", lambda writer, v: eve(writer, v, p)


def _finish(samples: Samples, form: str, write: Callable[[Writer], Any]) -> Iterator[Candidate]:
    """The candidate with the error that its program, constants and all, shows on the grid; nothing where it breaks down."""
    writer = Writer()
    try:
        result = operand(write(writer))
    except (ArithmeticError, ValueError):  # a degenerate case that the form does not cover
        return
    if len(writer.steps) > MAX_COST:
        return
    whole = samples.whole
    values = evaluate(writer.steps, result, whole.points)
    table = zip(values, whole.values, whole.weights, strict=True)
    errors = np.array([float((value - f) * w) for value, f, w in table])
    finite = np.isfinite(errors)
    if finite.sum() < len(errors) - _REMOVABLE:
        return
    error = refined_peak(errors[finite])  # a removable singularity on the grid is judged by its neighbours
    if np.isfinite(error):
        yield Candidate(form, error, dict(Counter(op for op, _, _ in writer.steps)), text(writer.steps, result, "classical"))
