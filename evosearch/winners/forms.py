"""The classical ways to compute p(v)/q(v) with few operations, as straight-line programs over + - * /.

A form emits steps into a `Writer` and returns the operand that holds its result. Coefficients are FLINT numbers; a
constant of the program is the pair of doubles nearest to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from flint import arb

from evosearch.language.program import Const, Operand

Step = tuple[str, Operand, Operand]
"""(name of the op, left, right); operand 0 is x, operand k the value of step k."""


class Writer:
    """Collects steps; a number in place of an operand becomes a constant."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def emit(self, op: str, left: Any, right: Any) -> int:
        """Add a step; returns the operand that holds its value."""
        self.steps.append((op, operand(left), operand(right)))
        return len(self.steps)


def operand(value: Any) -> Operand:
    """The operand that stands for a result of a form: a value's number, or a constant rounded to a pair of doubles."""
    if isinstance(value, (int, Const)):
        return value
    mantissa, exponent = value.mid().man_exp()
    return Const.nearest(Fraction(int(mantissa)) * Fraction(2) ** int(exponent))


def horner(writer: Writer, v: int, p: Any) -> Any:
    """A polynomial of degree d in 2d operations; a constant is returned as it is."""
    *rest, top = [c.mid() for c in p.coeffs()]
    value: Any = top
    for c in reversed(rest):
        value = writer.emit("add", writer.emit("mul", value, v), c)
    return value


def horner_monic(writer: Writer, v: int, p: Any) -> Any:
    """A polynomial of degree d >= 1 with leading coefficient 1 in 2d - 1 operations."""
    *rest, last = [c.mid() for c in p.coeffs()][:-1][::-1] or [arb(0)]
    if not rest:
        return writer.emit("add", v, last)
    value = writer.emit("add", v, rest[0])
    for c in [*rest[1:], last]:
        value = writer.emit("add", writer.emit("mul", value, v), c)
    return value


def horner_quotient(writer: Writer, v: int, p: Any, q: Any) -> Any:
    """p/q with q made monic: 2m + 2n operations."""
    top = q.coeffs()[-1]
    return writer.emit("div", horner(writer, v, p * (1 / top)), horner_monic(writer, v, q * (1 / top)))


def continued_fraction(writer: Writer, v: int, p: Any, q: Any) -> Any:
    """p/q as q0 + b1/(q1 + b2/(q2 + ...)) with monic q1, q2, ...: 3n operations where the degrees are equal."""
    if p.degree() < q.degree():
        return _fraction(writer, v, p, q)
    quotient, rest = divmod(p, q)
    head, tail = horner(writer, v, quotient), _fraction(writer, v, rest, q)
    return writer.emit("add", tail, head)


def _fraction(writer: Writer, v: int, p: Any, q: Any) -> Any:
    """p/q where q has the higher degree: b / (monic quotient + rest)."""
    quotient, rest = divmod(q, p)
    top = quotient.coeffs()[-1]
    value = horner_monic(writer, v, quotient * (1 / top))
    if rest.degree() >= 0 and p.degree() > 0:
        value = writer.emit("add", value, _fraction(writer, v, rest, p * top))
    return writer.emit("div", 1 / top, value)


def evaluate(steps: Sequence[Step], result: Operand, xs: Sequence[Any]) -> list[Any]:
    """The program's value at each x, in FLINT numbers at the current precision (not finite where a divisor is zero)."""

    def number(item: Operand) -> Any:
        return item if isinstance(item, int) else arb(item.hi) + arb(item.lo)

    table = [(op, number(a), isinstance(a, int), number(b), isinstance(b, int)) for op, a, b in steps]
    output = number(result)
    values = []
    for x in xs:
        row = [x]
        for op, a, a_is_value, b, b_is_value in table:
            left, right = row[a] if a_is_value else a, row[b] if b_is_value else b
            if op == "add":
                row.append(left + right)
            elif op == "sub":
                row.append(left - right)
            elif op == "mul":
                row.append(left * right)
            else:
                row.append(left / right)
        values.append(row[output] if isinstance(result, int) else output)
    return values


def text(steps: Sequence[Step], result: Operand, name: str) -> str:
    """The program's text, as `evosearch.language.parse` reads it."""

    def show(item: Operand) -> str:
        if isinstance(item, Const):
            return str(item)
        return f"t{item - 1}" if item else "x"

    lines = [f"    t{k} = {op}({show(a)}, {show(b)})" for k, (op, a, b) in enumerate(steps)]
    return "\n".join([f"def {name}(x):", *lines, f"    return {show(result)}"]) + "\n"
