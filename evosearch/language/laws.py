"""The laws that programs may be rewritten by, one a line, and how constants are folded.

A law is a pair of patterns in program text: `x y z` stand for any operand, `c d` for constants, numbers for themselves
(`0` for either zero, `-0.0` for the negative one). What it puts in place of one instruction is at most one instruction,
beside constants that are folded, so that no law makes a program longer.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

import numpy as np

from evosearch.language.op import Op
from evosearch.language.program import Const


@dataclass(frozen=True)
class Call:
    """A pattern: an op by name, over patterns, names and constants."""

    op: str
    args: tuple[Pattern, ...]


Pattern = Call | str | Const


@dataclass(frozen=True)
class Law:
    """`left` may be replaced by `right`."""

    left: Call
    right: Pattern

    def __str__(self) -> str:
        return f"{_show(self.left)} = {_show(self.right)}"


@dataclass(frozen=True)
class Rules:
    """Laws, and how constants are folded: the op's value at constants, or None where it must stay."""

    laws: tuple[Law, ...]
    fold: Callable[[Op, tuple[Const, ...]], Const | None]


def fold_float(op: Op, args: tuple[Const, ...]) -> Const | None:
    """The float64 value; None where it is not finite, or where a low part would be lost."""
    if any(arg.lo != 0.0 for arg in args):
        return None
    with np.errstate(all="ignore"):
        value = float(op.reference(*(np.float64(arg.hi) for arg in args)))
    return Const(value) if isfinite(value) else None


def _quotient(a: Fraction, b: Fraction) -> Fraction | None:
    return a / b if b else None


_EXACT: dict[str, Callable[..., Fraction | None]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _quotient,
    "neg": lambda a: -a,
    "abs": abs,
    "square": lambda a: a * a,
    "reciprocal": lambda a: _quotient(Fraction(1), a),
    "fma": lambda a, b, c: a * b + c,
    "min": min,
    "max": max,
}


def fold_real(op: Op, args: tuple[Const, ...]) -> Const | None:
    """The exact rational value, then the nearest pair of doubles (an error of at most 2^-106 of it); None beyond float64."""
    function = _EXACT.get(op.name)
    value = function(*(arg.exact for arg in args)) if function else None
    if value is None:
        return None
    try:
        folded = Const.nearest(value)
    except OverflowError:
        return None
    tiny = value != 0 and abs(folded.hi) < 2.0**-900  # no room for a low part
    return None if tiny and folded.exact != value else folded


def _law(text: str) -> Law:
    left, right = (_pattern(ast.parse(side.strip(), mode="eval").body) for side in text.split("="))
    assert isinstance(left, Call)
    return Law(left, right)


def _pattern(node: ast.expr) -> Pattern:
    match node:
        case ast.Call(func=ast.Name(id=name), args=args):
            return Call(name, tuple(map(_pattern, args)))
        case ast.Name(id=name):
            return name
    return Const(float(ast.literal_eval(node)))


def _show(pattern: Pattern) -> str:
    match pattern:
        case Call():
            return f"{pattern.op}({', '.join(map(_show, pattern.args))})"
        case Const():
            return repr(pattern.hi)
    return pattern


def read_laws(text: str) -> tuple[Law, ...]:
    """The laws in a table of lines "left = right", `#` before a comment."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(_law(line) for line in lines if line)


_FLOAT_LAWS = read_laws("""
    add(x, -0.0) = x                            # also at both zeros; x + 0.0 would make +0 of -0
    mul(x, 1) = x
    div(x, 1) = x
    mul(x, -1) = neg(x)
    div(x, -1) = neg(x)
    sub(-0.0, x) = neg(x)
    neg(neg(x)) = x
    add(x, neg(y)) = sub(x, y)
    sub(x, neg(y)) = add(x, y)
    mul(neg(x), neg(y)) = mul(x, y)             # signs cancel before rounding
    div(neg(x), neg(y)) = div(x, y)
    mul(neg(x), c) = mul(x, neg(c))             # needs no more than the constant's sign
    div(neg(x), c) = div(x, neg(c))
    div(c, neg(x)) = div(neg(c), x)
    sub(neg(x), c) = sub(neg(c), x)
    neg(mul(x, c)) = mul(x, neg(c))
    neg(div(x, c)) = div(x, neg(c))
    neg(div(c, x)) = div(neg(c), x)
    square(neg(x)) = square(x)
    square(abs(x)) = square(x)
    abs(neg(x)) = abs(x)
    abs(abs(x)) = abs(x)
    abs(square(x)) = square(x)
    div(1, x) = reciprocal(x)
    mul(x, x) = square(x)
    reciprocal(neg(x)) = div(-1, x)
    min(x, x) = x
    max(x, x) = x
    fma(x, 1, y) = add(x, y)
    fma(x, -1, y) = sub(y, x)
    fma(x, y, -0.0) = mul(x, y)
    fma(neg(x), neg(y), z) = fma(x, y, z)
    floor(floor(x)) = floor(x)
    ceil(ceil(x)) = ceil(x)
    trunc(trunc(x)) = trunc(x)
    round(round(x)) = round(x)
    select(x, y, y) = y
""")

_REAL_LAWS = read_laws("""
    add(x, 0) = x
    sub(x, 0) = x
    sub(0, x) = neg(x)
    sub(x, x) = 0
    mul(x, 0) = 0
    div(0, x) = 0
    div(x, x) = 1
    neg(sub(x, y)) = sub(y, x)
    sub(x, sub(x, y)) = y
    add(x, sub(y, x)) = y
    sub(add(x, y), x) = y
    div(mul(x, y), x) = y
    mul(div(x, y), y) = x
    div(x, div(x, y)) = y
    add(add(x, c), d) = add(x, add(c, d))
    add(sub(x, c), d) = add(x, sub(d, c))
    add(sub(c, x), d) = sub(add(c, d), x)
    sub(add(x, c), d) = add(x, sub(c, d))
    sub(sub(x, c), d) = sub(x, add(c, d))
    sub(sub(c, x), d) = sub(sub(c, d), x)
    sub(c, add(x, d)) = sub(sub(c, d), x)
    sub(c, sub(x, d)) = sub(add(c, d), x)
    sub(c, sub(d, x)) = add(x, sub(c, d))
    mul(mul(x, c), d) = mul(x, mul(c, d))
    mul(div(x, c), d) = mul(x, div(d, c))
    mul(div(c, x), d) = div(mul(c, d), x)
    div(mul(x, c), d) = mul(x, div(c, d))
    div(div(x, c), d) = div(x, mul(c, d))
    div(div(c, x), d) = div(div(c, d), x)
    div(c, mul(x, d)) = div(div(c, d), x)
    div(c, div(x, d)) = div(mul(c, d), x)
    div(c, div(d, x)) = mul(x, div(c, d))
    reciprocal(reciprocal(x)) = x
    mul(x, reciprocal(y)) = div(x, y)
    div(x, reciprocal(y)) = mul(x, y)
    square(sqrt(x)) = x                         # where the left side is defined
    sqrt(square(x)) = abs(x)
    fma(x, 0, y) = y
    fma(x, y, 0) = mul(x, y)
    fma(c, d, x) = add(x, mul(c, d))
""")

EXACT_FLOAT = Rules(_FLOAT_LAWS, fold_float)
"""Changes no bit of any float64 result, any NaN equal to any NaN; no low part of a constant gets lost."""

EXACT_REAL = Rules(_REAL_LAWS + _FLOAT_LAWS, fold_real)
"""Keeps the real function wherever the program defines it; removable singularities and roundings may go.

Folded constants are rounded to 106 bits: a certificate is computed after simplification, not before it.
"""
