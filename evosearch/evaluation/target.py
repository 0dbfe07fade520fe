"""`Target`: a real function of one variable, on an interval, with the measure of its error."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evosearch.evaluation.exact import exact

Function = Callable[[Any, Any], Any]
"""`f(x, m)`: `m` offers mpmath's names (`m.exp`, `m.pi`, `m.mpf`, ...) and is served by mpmath and by rigorous ball series."""


class ErrorMeasure(enum.StrEnum):
    """How the difference between program p and target f is weighed, before the maximum over the interval."""

    ABSOLUTE = "absolute"  # |p - f|
    RELATIVE = "relative"  # |p - f| / |f|
    WEIGHTED = "weighted"  # |p - f| w(x)


class Form(enum.StrEnum):
    """A factored target: the program is searched for g in u, the wrapper is part of it and of its cost."""

    PLAIN = "plain"  # f(x)
    ODD = "odd"  # f(x) = x g(x^2), two operations
    EVEN = "even"  # f(x) = g(x^2), one operation


@dataclass(frozen=True)
class Target:
    """What a program is to approximate.

    Attributes:
        name: as in run files, for example "exp2".
        formula: for people, for example "2^x".
        function: f(x, m); see `Function`.
        lower, upper: exact bounds as text, for example "0", "1/3", "-pi/4"; `evosearch.evaluation.exact` reads them.
        error: the measure.
        weight: w(x, m) for `ErrorMeasure.WEIGHTED`, else None.
        form: factored or plain.
        sollya: f as a Sollya expression in x, or None where Sollya lacks it.
        squaring: whether f(x) = f(x/2)^2, so that squaring ladders apply.
    """

    name: str
    formula: str
    function: Function
    lower: str
    upper: str
    error: ErrorMeasure
    weight: Function | None = None
    form: Form = Form.PLAIN
    sollya: str | None = None
    squaring: bool = False

    def bounds(self, m: Any) -> tuple[Any, Any]:
        """The interval's end points in context `m`."""
        return exact(self.lower, m), exact(self.upper, m)

    def weigh(self, x: Any, value: Any, m: Any) -> Any:
        """By what |p - f| is multiplied at x, where f is `value`: 1, 1/|f(x)| or w(x)."""
        if self.error is ErrorMeasure.ABSOLUTE:
            return m.mpf(1)
        if self.error is ErrorMeasure.RELATIVE:
            return 1 / abs(value)
        assert self.weight is not None
        return abs(self.weight(x, m))
