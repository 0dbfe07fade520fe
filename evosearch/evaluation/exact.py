"""Exact bounds: short expressions such as "1/3" or "-pi/4", read by `ast`, over any number context."""

from __future__ import annotations

import ast
from fractions import Fraction
from typing import Any

from evosearch.errors import TaskError


def exact(text: str, m: Any) -> Any:
    """The value of a bound in context `m` (mpmath, or balls): numbers, pi, e, sqrt(...), + - * /.

    Raises:
        TaskError: naming the text and what is allowed.
    """

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=number) if isinstance(number, (int, float)) and not isinstance(number, bool):
                fraction = Fraction(text[node.col_offset : node.end_col_offset])
                return m.mpf(fraction.numerator) / m.mpf(fraction.denominator)
            case ast.Name(id="pi"):
                return +m.pi
            case ast.Name(id="e"):
                return m.exp(m.mpf(1))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -value(inner)
            case ast.Call(func=ast.Name(id="sqrt"), args=[inner], keywords=[]):
                return m.sqrt(value(inner))
            case ast.BinOp(left=left, op=operator, right=right):
                a, b = value(left), value(right)
                match operator:
                    case ast.Add():
                        return a + b
                    case ast.Sub():
                        return a - b
                    case ast.Mult():
                        return a * b
                    case ast.Div():
                        return a / b
        raise TaskError(f"cannot read the bound '{text}': use numbers, pi, e, sqrt(...), + - * /, as in \"pi/4\"")

    text = text.strip()
    try:
        return value(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        raise TaskError(f"cannot read the bound '{text}': use numbers, pi, e, sqrt(...), + - * /, as in \"pi/4\"") from None
