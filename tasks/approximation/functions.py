"""The functions known by name: one row each; a new function is one new row and its formula.

The formulas take `(x, m)` and use mpmath's names only, so that mpmath and rigorous ball series serve them alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evosearch.evaluation.target import ErrorMeasure, Function


def exp(x: Any, m: Any) -> Any:
    return m.exp(x)


def exp2(x: Any, m: Any) -> Any:
    return m.power(2, x)


def expm1(x: Any, m: Any) -> Any:
    return m.expm1(x)


def log(x: Any, m: Any) -> Any:
    return m.log(x)


def log2(x: Any, m: Any) -> Any:
    return m.log(x) / m.log(m.mpf(2))


def log1p(x: Any, m: Any) -> Any:
    return m.log1p(x)


def sin(x: Any, m: Any) -> Any:
    return m.sin(x)


def cos(x: Any, m: Any) -> Any:
    return m.cos(x)


def tan(x: Any, m: Any) -> Any:
    return m.tan(x)


def atan(x: Any, m: Any) -> Any:
    return m.atan(x)


def tanh(x: Any, m: Any) -> Any:
    return m.tanh(x)


def sigmoid(x: Any, m: Any) -> Any:
    return 1 / (1 + m.exp(-x))


def erf(x: Any, m: Any) -> Any:
    return m.erf(x)


def ncdf(x: Any, m: Any) -> Any:
    return m.ncdf(x)


def gelu(x: Any, m: Any) -> Any:
    return x * m.ncdf(x)


def softplus(x: Any, m: Any) -> Any:
    return m.log1p(m.exp(x))


def sqrt(x: Any, m: Any) -> Any:
    return m.sqrt(x)


def rsqrt(x: Any, m: Any) -> Any:
    return 1 / m.sqrt(x)


def cbrt(x: Any, m: Any) -> Any:
    return m.cbrt(x)


def gamma(x: Any, m: Any) -> Any:
    return m.gamma(x)


def j0(x: Any, m: Any) -> Any:
    return m.besselj(0, x)


def airyai(x: Any, m: Any) -> Any:
    return m.airyai(x)


@dataclass(frozen=True)
class Known:
    """One function known by name.

    Attributes:
        name: as in run files.
        formula: for people.
        function: f(x, m).
        interval: the default interval, as exact text.
        error: the default measure; absolute where the function is zero in the default interval.
        sollya: as a Sollya expression in x, or None where Sollya lacks it.
        squaring: whether f(x) = f(x/2)^2.
    """

    name: str
    formula: str
    function: Function
    interval: tuple[str, str]
    error: ErrorMeasure
    sollya: str | None
    squaring: bool = False


_ABS, _REL = ErrorMeasure.ABSOLUTE, ErrorMeasure.RELATIVE

FUNCTIONS = (
    Known("exp", "e^x", exp, ("0", "1"), _REL, "exp(x)", squaring=True),
    Known("exp2", "2^x", exp2, ("0", "1"), _REL, "2^x", squaring=True),
    Known("expm1", "e^x - 1", expm1, ("0", "1"), _ABS, "expm1(x)"),
    Known("log", "ln(x)", log, ("1", "2"), _ABS, "log(x)"),
    Known("log2", "log2(x)", log2, ("1", "2"), _ABS, "log2(x)"),
    Known("log1p", "ln(1 + x)", log1p, ("0", "1"), _ABS, "log1p(x)"),
    Known("sin", "sin(x)", sin, ("0", "pi/4"), _ABS, "sin(x)"),
    Known("cos", "cos(x)", cos, ("0", "pi/4"), _REL, "cos(x)"),
    Known("tan", "tan(x)", tan, ("0", "pi/4"), _ABS, "tan(x)"),
    Known("atan", "atan(x)", atan, ("0", "1"), _ABS, "atan(x)"),
    Known("tanh", "tanh(x)", tanh, ("0", "1"), _ABS, "tanh(x)"),
    Known("sigmoid", "1/(1 + e^-x)", sigmoid, ("-4", "4"), _ABS, "1/(1+exp(-x))"),
    Known("erf", "erf(x)", erf, ("0", "1"), _ABS, "erf(x)"),
    Known("ncdf", "Phi(x), the normal cdf", ncdf, ("-4", "4"), _ABS, "erfc(-x/sqrt(2))/2"),
    Known("gelu", "x Phi(x)", gelu, ("-4", "4"), _ABS, "x*erfc(-x/sqrt(2))/2"),
    Known("softplus", "ln(1 + e^x)", softplus, ("-4", "4"), _ABS, "log1p(exp(x))"),
    Known("sqrt", "sqrt(x)", sqrt, ("1", "4"), _REL, "sqrt(x)"),
    Known("rsqrt", "1/sqrt(x)", rsqrt, ("1", "4"), _REL, "1/sqrt(x)"),
    Known("cbrt", "x^(1/3)", cbrt, ("1", "8"), _REL, "x^(1/3)"),
    Known("gamma", "Gamma(x)", gamma, ("1", "2"), _REL, None),
    Known("j0", "J0(x), Bessel", j0, ("0", "4"), _ABS, None),
    Known("airyai", "Ai(x), Airy", airyai, ("-4", "0"), _ABS, None),
)
