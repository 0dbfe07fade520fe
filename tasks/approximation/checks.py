"""What is checked before a target is searched: bounds, values, form, zeros, weight; each message names the point."""

from __future__ import annotations

import itertools
import sys
from typing import Any

from evosearch.errors import TaskError
from evosearch.evaluation.factored import Core, agrees, core_bounds, parity
from evosearch.evaluation.target import ErrorMeasure, Form, Target
from tasks.approximation.domain import find_zero, real_value, show


def check_target(target: Target, m: Any) -> None:
    """TaskError where the target cannot be approximated as declared; the message says what to do."""
    lower, upper = target.bounds(m)
    for text, bound in ((target.lower, lower), (target.upper, upper)):
        if not isinstance(bound, m.mpf) or not m.isfinite(bound):
            raise TaskError(f"the bound '{text}' is no real number; use finite bounds")
    if lower >= upper:
        raise TaskError(f"the interval [{target.lower}, {target.upper}] is empty; the lower bound comes first")
    _check_values(target, _evenly(lower, upper, 8), m)
    _check_form(target, _evenly(lower, upper, 8), m)
    _check_weight(target, _evenly(lower, upper, 32), m)
    zero = find_zero(target.function, lower, upper, m, target.name)
    if target.form is not Form.PLAIN:
        zero = find_zero(Core(target.function, target.form), *core_bounds(target, m), m, f"{target.name}'s core")
    if zero is not None and target.error is ErrorMeasure.RELATIVE:
        raise _zero(target, zero if target.form is Form.PLAIN else m.sqrt(zero), m)


def check_monotone(target: Target, m: Any) -> None:
    """TaskError where samples of the target rise and fall."""
    values = [real_value(target.function, x, m, target.name) for x in _evenly(*target.bounds(m), 64)]
    if len({b > a for a, b in itertools.pairwise(values)}) > 1:
        raise TaskError(
            f"'{target.name}' rises and falls on [{target.lower}, {target.upper}]; "
            "drop the constraint 'monotone' or choose another interval"
        )


def _evenly(lower: Any, upper: Any, pieces: int) -> list[Any]:
    return [lower + (upper - lower) * k / pieces for k in range(pieces + 1)]


def _check_values(target: Target, points: list[Any], m: Any) -> None:
    """Real, finite in float64, and the same when asked again, in another order."""
    first = [real_value(target.function, x, m, target.name) for x in points]
    again = [real_value(target.function, x, m, target.name) for x in reversed(points)]
    for x, a, b in zip(points, first, reversed(again), strict=True):
        if a != b:
            raise TaskError(
                f"'{target.name}' is not deterministic: at x = {show(x, m)} it gave {show(a, m)}, then {show(b, m)}; "
                "it must depend on x and m only"
            )
        if abs(a) > sys.float_info.max:
            raise TaskError(f"'{target.name}' at x = {show(x, m)} is too large for float64; choose a smaller interval")


def _check_form(target: Target, points: list[Any], m: Any) -> None:
    if target.form is Form.PLAIN:
        return
    sign = -1 if target.form is Form.ODD else 1
    for x in points:
        value, mirror = (real_value(target.function, t, m, target.name) for t in (x, -x))
        if not agrees(value, sign * mirror, m):
            raise TaskError(
                f"form = '{target.form}' does not fit '{target.name}': at x = {show(x, m)} it is {show(value, m)}, "
                f"at -x it is {show(mirror, m)}; use form = 'plain'"
            )


def _check_weight(target: Target, points: list[Any], m: Any) -> None:
    """Real and finite, and positive but for the ends."""
    if target.weight is None:
        return
    for x in points:
        weight = real_value(target.weight, x, m, f"weight of {target.name}")
        if weight < 0 or (weight == 0 and x not in (points[0], points[-1])):
            raise TaskError(f"the weight of '{target.name}' is not positive at x = {show(x, m)}; a weight is > 0")


def _zero(target: Target, zero: Any, m: Any) -> TaskError:
    odd = target.form is Form.PLAIN and zero == 0 and parity(target.function, _evenly(*target.bounds(m), 8), m) is Form.ODD
    ways = ["task.error = 'absolute'", *(["task.form = 'odd' (x g(x^2))"] if odd else []), "task.error = 'weighted'"]
    return TaskError(
        f"'{target.name}' is zero at x = {show(zero, m)}, where relative error has no meaning; "
        f"use {', '.join(ways)}, or another interval"
    )
