"""Laws that hold only somewhere: for numbers well above the guard of `div`, for small arguments, after many steps.

They propose, and the test of non-inferiority decides. They take no part in any hash. `x y z` stand for any operand, `c d`
for constants, as in `evosearch.language.laws`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evosearch.language.infer import cost
from evosearch.language.laws import Law, Rules, read_laws
from evosearch.language.op import Op, OpSet
from evosearch.language.program import Const, Program
from evosearch.language.rewrite import simplify
from evosearch.winners.rules.canonical import canonical


@dataclass(frozen=True)
class Approximate:
    """A law and where it holds."""

    law: Law
    domain: str

    def __str__(self) -> str:
        return str(self.law)


_LAWS = (
    ("div(x, abs(x)) = sign(x)", "|x| well above 1e-8; at |x| = 1e-6 it is off by 1%"),
    ("div(x, x) = 1", "x well above 1e-8"),
    ("mul(div(x, y), y) = x", "y well above 1e-8"),
    ("div(mul(x, y), y) = x", "y well above 1e-8"),
    ("sign(clip(x, y)) = sign(x)", "y not 0"),
    ("clip(x, y) = x", "|x| at most |y|"),
    ("clip_by_global_norm(x, y) = x", "the global norm of x below y"),
    ("arcsin(x) = x", "|x| well below 1; at 0.3 it is off by 1.6%"),
    ("arctan(x) = x", "|x| well below 1; at 0.3 it is off by 2.9%"),
    ("arctanh(x) = x", "|x| well below 1; at 0.3 it is off by 3.2%"),
    ("arcsinh(x) = x", "|x| well below 1; at 0.3 it is off by 1.5%"),
    ("tanh(x) = x", "|x| well below 1; at 0.3 it is off by 2.9%"),
    ("sinh(x) = x", "|x| well below 1; at 0.3 it is off by 1.5%"),
    ("sin(x) = x", "|x| well below 1; at 0.3 it is off by 1.5%"),
    ("tan(x) = x", "|x| well below 1; at 0.3 it is off by 3.1%"),
    ("expm1(x) = x", "|x| well below 1; at 0.03 it is off by 1.5%"),
    ("log1p(x) = x", "|x| well below 1; at 0.03 it is off by 1.5%"),
    ("cos(x) = 1", "|x| well below 1; at 0.1 it is off by 0.5%"),
    ("cosh(x) = 1", "|x| well below 1; at 0.1 it is off by 0.5%"),
    ("sub(1, power(c, x)) = 1", "0 < c < 1 and x well above -1 / log c: a bias correction after many steps"),
)

APPROXIMATE: tuple[Approximate, ...] = tuple(Approximate(read_laws(law)[0], domain) for law, domain in _LAWS)
"""All of them."""


def _no_fold(op: Op, args: tuple[Const, ...]) -> Const | None:  # noqa: ARG001 - the algebra has folded already
    return None


def approximations(rule: Program, ops: OpSet) -> Iterator[tuple[Approximate, Program]]:
    """The shorter rules to which one law leads, each used wherever it applies."""
    plain = simplify(rule, Rules((), _no_fold), ops).instructions
    before = cost(rule, ops)
    for approximate in APPROXIMATE:
        if approximate.law.left.op not in ops:
            continue
        other = simplify(rule, Rules((approximate.law,), _no_fold), ops)
        if other.instructions == plain:
            continue
        shorter = canonical(other, ops)
        if cost(shorter, ops) < before:
            yield approximate, shorter
