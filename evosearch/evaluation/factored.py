"""Factored targets: the core g of f(x) = x g(x^2) or f(x) = g(x^2), its points and its weights.

Both take mpmath contexts only: the core's value at u = 0 is a limit, which needs more digits for a moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from evosearch.errors import TaskError
from evosearch.evaluation.target import Form, Function, Target

_NEAR_ZERO = 150  # g(0) is g(2^-300), read at x = 2^-150
_LIMIT_PRECISION = 1200  # bits; outlives the cancellation of a user's formula at 2^-150


@dataclass(frozen=True)
class Core:
    """g(u, m) of a factored target f(x, m), u = x^2; f itself where the form is plain."""

    function: Function
    form: Form

    def __call__(self, u: Any, m: Any) -> Any:
        if self.form is Form.PLAIN:
            return self.function(u, m)
        if u == 0:
            return self._limit(m)
        x = m.sqrt(u)
        value = self.function(x, m)
        return value / x if self.form is Form.ODD else value

    def _limit(self, m: Any) -> Any:
        if self.form is Form.EVEN:
            return self.function(m.mpf(0), m)
        with m.workprec(_LIMIT_PRECISION):
            near, far = (self.function(x, m) / x for x in (m.ldexp(1, -_NEAR_ZERO), m.ldexp(1, 10 - _NEAR_ZERO)))
            smooth = abs(near - far) <= m.ldexp(abs(near) + 1, 40 - _NEAR_ZERO)
        if not smooth:
            raise TaskError("f(x)/x has no limit at x = 0; use form = 'plain', or an interval without 0")
        return +near


def core_bounds(target: Target, m: Any) -> tuple[Any, Any]:
    """The range of the core's variable: of u = x^2, or of x where the form is plain."""
    lower, upper = target.bounds(m)
    if target.form is Form.PLAIN:
        return lower, upper
    squares = sorted((lower * lower, upper * upper))
    return (m.mpf(0) if lower < 0 < upper else squares[0]), squares[1]


def core_weight(target: Target, u: Any, value: Any, m: Any) -> Any:
    """By what |p - g| is multiplied at u, where g is `value`, for the declared error of the whole program."""
    if target.form is Form.PLAIN:
        return target.weigh(u, value, m)
    lower, upper = target.bounds(m)
    x = m.sqrt(u)
    scale = x if target.form is Form.ODD else m.mpf(1)
    if target.weight is None:
        return target.weigh(x, value, m) if target.error == "relative" else scale
    inside = [point for point in (x, -x) if lower <= point <= upper] or [x if upper > 0 else -x]
    return scale * max(target.weigh(point, scale * value, m) for point in inside)


def parity(function: Function, xs: Iterable[Any], m: Any) -> Form:
    """Whether f is odd or even at the points `xs`, to 40 digits; plain where it is neither or f(-x) has no real value."""
    fits = {Form.EVEN, Form.ODD}
    for x in xs:
        try:
            value, mirror = function(x, m), function(-x, m)
            fits -= {form for form, sign in ((Form.EVEN, 1), (Form.ODD, -1)) if not agrees(value, sign * mirror, m)}
        except (ArithmeticError, ValueError, TypeError):
            return Form.PLAIN
    return fits.pop() if len(fits) == 1 else Form.PLAIN


def agrees(a: Any, b: Any, m: Any) -> bool:
    """Whether two values are equal to 40 digits."""
    return bool(abs(a - b) <= m.mpf(10) ** -40 * (abs(a) + abs(b)))
