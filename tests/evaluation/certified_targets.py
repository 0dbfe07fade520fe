"""Targets and programs for the tests of certificates; the task table is not needed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import mpmath
import numpy as np

from evosearch.evaluation.ieee import evaluate
from evosearch.evaluation.target import ErrorMeasure, Target
from evosearch.language.program import Program
from evosearch.language.text import parse
from primitives.arithmetic import CORE

EXP2 = Target("exp2", "2^x", lambda x, m: m.power(2, x), "0", "1", ErrorMeasure.RELATIVE, sollya="2^x")
EXP2_ABSOLUTE = replace(EXP2, error=ErrorMeasure.ABSOLUTE)
SIN = Target("sin", "sin(x)", lambda x, m: m.sin(x), "-pi/4", "pi/4", ErrorMeasure.RELATIVE, sollya="sin(x)")
COS = Target("cos", "cos(x)", lambda x, m: m.cos(x), "0", "pi/4", ErrorMeasure.ABSOLUTE, sollya="cos(x)")
LOG = Target("log", "ln(x)", lambda x, m: m.log(x), "1", "2", ErrorMeasure.RELATIVE, sollya="log(x)")
SQRT = Target("sqrt", "sqrt(x)", lambda x, m: m.sqrt(x), "0", "1", ErrorMeasure.ABSOLUTE, sollya="sqrt(x)")

FRACTION = "def f(x):\n    a = sub(x, {0})\n    b = div({1}, a)\n    return sub(b, {2})\n"
"""[1/1] as a continued fraction: 3 operations."""


def program(text: str) -> Program:
    """A program over the core ops."""
    return parse(text, CORE)


def lines(*calls: str) -> Program:
    """A program of calls whose values are t0, t1, ..."""
    *body, last = calls
    return program("def f(x):\n" + "".join(f"    t{k} = {call}\n" for k, call in enumerate(body)) + f"    return {last}\n")


def horner(coefficients: Sequence[object], variable: str = "x") -> list[str]:
    """Calls that evaluate a polynomial, lowest power first; the last is its value."""
    *rest, top = coefficients
    calls: list[str] = []
    value: object = top
    for coefficient in reversed(rest):
        calls += [f"mul({variable}, {value})", f"add(p{len(calls)}, {coefficient})"]
        value = f"p{len(calls) - 1}"
    return calls


def polynomial(coefficients: Sequence[object]) -> Program:
    """Horner's form."""
    *body, last = horner(coefficients)
    text = "".join(f"    p{k} = {call}\n" for k, call in enumerate(body))
    return program(f"def f(x):\n{text}    return {last}\n")


def odd(coefficients: Sequence[object]) -> Program:
    """x P(x^2)."""
    calls = horner(coefficients, "s")
    text = "".join(f"    p{k} = {call}\n" for k, call in enumerate(calls))
    return program(f"def f(x):\n    s = mul(x, x)\n{text}    return mul(x, p{len(calls) - 1})\n")


def interpolant(function: object, lower: object, upper: object, degree: int) -> Program:
    """A near-best polynomial with 32 digits a coefficient."""
    with mpmath.workdps(60):
        found = mpmath.chebyfit(function, [lower, upper], degree + 1)
        return polynomial([mpmath.nstr(c, 32) for c in reversed(found)])


def observed(candidate: Program, target: Target, points: np.ndarray) -> float:
    """The largest error of the float64 program at floats, against mpmath."""
    largest = 0.0
    with mpmath.workdps(60):
        for x, value in zip(points.tolist(), evaluate(candidate, points).tolist(), strict=True):
            at = mpmath.mpf(x)
            truth = target.function(at, mpmath.mp)
            size = abs(truth) if target.error is ErrorMeasure.RELATIVE else mpmath.mpf(1)
            largest = max(largest, float(abs(mpmath.mpf(value) - truth) / max(size, mpmath.mpf(2) ** -1022)))
    return largest
