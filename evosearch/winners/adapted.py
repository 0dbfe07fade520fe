"""Polynomials with adapted coefficients: about half the multiplications of Horner's scheme.

Source: D. E. Knuth, The Art of Computer Programming, vol. 2, section 4.6.4, "adaptation of coefficients".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flint import acb, arb, arb_poly

from evosearch.winners.forms import Writer

_POLISH = 5  # Newton steps; each doubles the digits of a root
_TINY = 1e-40  # of the coefficients: a term that rounding to pairs of doubles would lose


def knuth_sextic(writer: Writer, v: int, p: Any) -> Any:
    """A polynomial of degree 6 in 4 multiplications and 7 additions.

    z = (v + a0) v + a1, w = (v + a2) z + a3, p = ((w + z + a4) w + a5) a6.
    """
    *low, top = [c.mid() for c in p.coeffs()]
    c0, c1, c2, c3, c4, c5 = (c / top for c in low)
    b1 = (c5 - 1) / 2
    b2 = c4 - b1 * (b1 + 1)
    b3 = c3 - b1 * b2
    b4 = b1 - b2
    b5 = c2 - b1 * b3
    cubic = arb_poly([c1 - b2 * b5, 2 * b5 - b2 * b4 - b3, 2 * b4 - b2 + 1, arb(2)])
    b6 = next(root.real for root in _roots(cubic) if _is_zero(root.imag))
    b7 = b6 * b6 + b4 * b6 + b5
    b8 = b3 - b6 - b7
    a0 = b2 - 2 * b6
    a2 = b1 - a0
    a1 = b6 - a0 * a2
    a3 = b7 - a1 * a2
    a4 = b8 - b7 - a1
    a5 = c0 - b7 * b8
    z = writer.emit("add", writer.emit("mul", writer.emit("add", v, a0), v), a1)
    w = writer.emit("add", writer.emit("mul", writer.emit("add", v, a2), z), a3)
    left = writer.emit("add", writer.emit("add", w, z), a4)
    return writer.emit("mul", writer.emit("add", writer.emit("mul", left, w), a5), top)


def eve(writer: Writer, v: int, p: Any) -> Any:
    """A polynomial of degree n >= 5 in floor(n/2) + 2 multiplications and n additions.

    y = v + c, w = y^2, and p = (...(z (w - a1) + b1)(w - a2) + b2 ...) where z is linear or quadratic in y. The a are
    the roots of the odd part of p(y - c), real where c moves n - 1 roots of p to one side of the imaginary axis; a c
    that makes two roots +-y makes one b vanish.

    Raises:
        ValueError: where no shift has real roots.
    """
    attempts = []
    for shift in _shifts(p):
        attempt = Writer()
        attempt.steps = list(writer.steps)
        try:
            attempts.append((attempt.steps, _shifted(attempt, v, p, shift)))
        except ValueError:
            continue
    if not attempts:
        raise ValueError("no shift gives an odd part with real roots")
    writer.steps, result = min(attempts, key=lambda item: len(item[0]))
    return result


def _roots(p: Any) -> list[Any]:
    """The simple complex roots to full precision; FLINT isolates them, Newton's method does the rest."""
    slope = p.derivative()
    roots = []
    for root in p.complex_roots():
        z = acb(root.real.mid(), root.imag.mid())
        for _ in range(_POLISH):
            step = p(z) / slope(z)
            z = acb((z - step).real.mid(), (z - step).imag.mid())
        roots.append(z)
    return roots


def _is_zero(value: Any, scale: float = 1.0) -> bool:
    return abs(float(value)) <= _TINY * scale


def _shifts(p: Any) -> Iterator[Any]:
    """All c for which two roots of p(y - c) are +-y: minus half of each real sum of two roots."""
    roots = _roots(p)
    for k, a in enumerate(roots):
        for b in roots[:k]:
            if _is_zero((a + b).imag):
                yield ((a + b).real / -2).mid()


def _shifted(writer: Writer, v: int, p: Any, c: Any) -> Any:
    """Emit p for one shift; ValueError where the odd part of p(y - c) has a root that is not real."""
    moved = [coefficient.mid() for coefficient in p(arb_poly([-c, arb(1)])).coeffs()]
    even, odd = arb_poly(moved[0::2]), arb_poly(moved[1::2])
    roots = _roots(odd)
    if not all(_is_zero(root.imag) for root in roots):
        raise ValueError("the odd part has a root that is not real")
    # the last factor is the one that divides p, so that nothing is added after it
    order = sorted((root.real for root in roots), key=lambda a: -abs(float(even(a))))
    tails = []
    for a in reversed(order):
        even, remainder = divmod(even, arb_poly([-a, arb(1)]))
        tails.append((a, remainder.coeffs()[0].mid() if remainder.degree() >= 0 else arb(0)))
    scale = max(abs(float(coefficient)) for coefficient in moved)

    def add(value: int, term: Any) -> int:
        return value if _is_zero(term, scale) else writer.emit("add", value, term)

    y = writer.emit("add", v, c)
    w = writer.emit("mul", y, y)
    base = [coefficient.mid() for coefficient in even.coeffs()]
    if len(moved) % 2 == 0:  # odd degree: a y + b
        z = add(writer.emit("mul", y, moved[-1]), base[0])
    else:
        z = writer.emit("add", writer.emit("mul", y, moved[-1]), moved[-2])
        z = add(writer.emit("mul", z, y), base[0])
    for a, b in reversed(tails):
        z = add(writer.emit("mul", z, writer.emit("sub", w, a)), b)
    return z
