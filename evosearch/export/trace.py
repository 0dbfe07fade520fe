"""The source of a target function: f(x, m) is run once on symbols that write down what it does.

An exported module checks itself against mpmath without evosearch, so it needs f as an mpmath expression in `x`
and `m`, for example "m.exp(x * m.log(2))".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath

from evosearch.evaluation.target import Function

LONGEST = 400
"""An expression of more characters serves nobody who reads the exported file (and may double with each line)."""

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)
_CHECKED_DIGITS = 30


class _UntraceableError(Exception):
    """The function does something with x that a single expression cannot show."""


def mpmath_expression(function: Function, points: Iterable[float]) -> str | None:
    """`function` as a Python expression in `x` (an mpf) and `m` (mpmath), checked at `points`.

    None where the function branches on x, calls something other than `m`, fails at a point, or grows too long:
    the exported module then checks itself against stored values.
    """
    try:
        result = function(_Symbol("x", _ATOM), _Context())
        expression = _text(result)
        agrees = _agrees(expression, function, points)
    except Exception:  # whatever a user's function raises, with symbols or at a point, means the same: store values instead
        return None
    return expression if agrees else None


def _agrees(expression: str, function: Function, points: Iterable[float]) -> bool:
    code = compile(expression, "<traced>", "eval")
    with mpmath.workdps(_CHECKED_DIGITS):
        return all(
            eval(code, {"__builtins__": {}}, {"x": mpmath.mpf(x), "m": mpmath.mp}) == function(mpmath.mpf(x), mpmath.mp)
            for x in points
        )


def _text(value: Any, precedence: int = _SUM) -> str:
    """`value` as source, in parentheses where it binds less than `precedence`."""
    if isinstance(value, _Symbol):
        return value.text if value.precedence >= precedence else f"({value.text})"
    if isinstance(value, Fraction):
        return _text(_Symbol(f"m.mpf({value.numerator}) / {value.denominator}", _PRODUCT), precedence)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value) if value >= 0 or precedence <= _SIGN else f"({value!r})"
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_text(item) for item in value)}]"
    raise _UntraceableError(f"{value!r} has no source")


@dataclass(frozen=True, eq=False)
class _Symbol:
    """A value of which only the source is known. Anything that asks for its size or sign fails."""

    text: str
    precedence: int

    def __post_init__(self) -> None:
        if len(self.text) > LONGEST:
            raise _UntraceableError("too long")

    def __bool__(self) -> bool:
        raise _UntraceableError("a branch on x")

    def _compared(self, _: Any) -> bool:
        raise _UntraceableError("a branch on x")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _compared
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, *args: Any, **kwargs: Any) -> _Symbol:
        shown = [_text(arg) for arg in args] + [f"{name}={_text(arg)}" for name, arg in kwargs.items()]
        return _Symbol(f"{self.text}({', '.join(shown)})", _ATOM)

    def __add__(self, other: Any) -> _Symbol:
        return _Symbol(f"{_text(self)} + {_text(other, _PRODUCT)}", _SUM)

    def __radd__(self, other: Any) -> _Symbol:
        return _Symbol(f"{_text(other)} + {_text(self, _PRODUCT)}", _SUM)

    def __sub__(self, other: Any) -> _Symbol:
        return _Symbol(f"{_text(self)} - {_text(other, _PRODUCT)}", _SUM)

    def __rsub__(self, other: Any) -> _Symbol:
        return _Symbol(f"{_text(other)} - {_text(self, _PRODUCT)}", _SUM)

    def __mul__(self, other: Any) -> _Symbol:
        return _Symbol(f"{_text(self, _PRODUCT)} * {_text(other, _SIGN)}", _PRODUCT)

    def __rmul__(self, other: Any) -> _Symbol:
        return _Symbol(f"{_text(other, _PRODUCT)} * {_text(self, _SIGN)}", _PRODUCT)

    def __truediv__(self, other: Any) -> _Symbol:
        return _Symbol(f"{_text(self, _PRODUCT)} / {_text(other, _SIGN)}", _PRODUCT)

    def __rtruediv__(self, other: Any) -> _Symbol:
        return _Symbol(f"{_text(other, _PRODUCT)} / {_text(self, _SIGN)}", _PRODUCT)

    def __pow__(self, other: Any) -> _Symbol:
        return _Symbol(f"{_text(self, _ATOM)}**{_text(other, _POWER)}", _POWER)

    def __rpow__(self, other: Any) -> _Symbol:
        return _Symbol(f"{_text(other, _ATOM)}**{_text(self, _POWER)}", _POWER)

    def __neg__(self) -> _Symbol:
        return _Symbol(f"-{_text(self, _SIGN)}", _SIGN)

    def __pos__(self) -> _Symbol:
        return _Symbol(f"+{_text(self, _SIGN)}", _SIGN)

    def __abs__(self) -> _Symbol:
        return _Symbol(f"m.fabs({_text(self)})", _ATOM)


class _Context:
    """Stands in for mpmath: `m.name` is the source "m.name"."""

    def __getattr__(self, name: str) -> _Symbol:
        if not hasattr(mpmath.mp, name):
            raise AttributeError(f"mpmath has no '{name}'")
        return _Symbol(f"m.{name}", _ATOM)
