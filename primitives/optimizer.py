"""The ops of update rules: the 45 functions of "Symbolic Discovery of Optimization Algorithms" (2302.06675), and `clip`.

Forty-two are ops; the other three are the constants `pi`, `e` and `eps` (1e-8), which stand in place under their names.

Every op but the reductions works element by element, on reals and arrays; a real broadcasts. Its guards:

    div             a / (b + 1e-8); so 0 / 0 is 0, and a / -1e-8 an infinity
    invert          1 / (a + 1e-8): in the released code it is bitwise and cannot take floats
    reciprocal      1 / a, exact to the last bit: bias corrections need it
    sqrt            of |a|
    log log2 log10  of |a|; log1p is log |1 + a|
    clip            a within [-|b|, |b|]; it occurs in the paper's raw program, not in its list
    power           NaN where a < 0 and b is not an integer, 1 for b = 0
    arcsin arccos arctanh arccosh   NaN outside their domains: such a rule is invalid
    min max         the smaller and the larger, NaN where either is NaN
    interp          (1 - a) x + a y

Reductions take at least one array, and give one real for each parameter tensor:

    norm            sqrt of the sum of squares of this tensor
    global_norm     the same over all tensors of all parameter groups
    dot             sum of a b over all tensors
    cosine_sim      dot(a, b) / (|a| |b| + 1e-8), with global norms
    clip_by_global_norm   a min(1, b / (|a| + 1e-8)), |a| the global norm; an array

Accuracy and domains of the transcendental ones: `primitives.elementary` and `primitives.transcendental`.
"""

from __future__ import annotations

import math
from dataclasses import replace

from evosearch.backends.reference import composite, reduction
from evosearch.language.op import Op, OpSet
from evosearch.language.program import Signature, Variable
from evosearch.language.types import Type
from primitives.arithmetic import ABS, ADD, MAX, MIN, MUL, NEG, RECIPROCAL, SIGN, SQUARE, SUB
from primitives.elementary import COS, EXP, EXP2, EXPM1, INTERP, SIN, TANH
from primitives.transcendental import (
    ARCCOS,
    ARCCOSH,
    ARCSIN,
    ARCSINH,
    ARCTAN,
    ARCTANH,
    CBRT,
    COSH,
    EXP10,
    POWER,
    SINH,
    TAN,
    TRANSCENDENTAL,
)

EPS = 1e-8

# Guarded: what they call is the exact op of the same name.
DIV = composite("def div(a, b):\n    d = add(b, 1e-8)\n    return div(a, d)\n", TRANSCENDENTAL, "a / (b + 1e-8)")
INVERT = composite("def invert(a):\n    d = add(a, 1e-8)\n    return div(1.0, d)\n", TRANSCENDENTAL, "1 / (a + 1e-8)")
SQRT = composite("def sqrt(a):\n    size = abs(a)\n    return sqrt(size)\n", TRANSCENDENTAL, "square root of |a|")
LOG = composite("def log(a):\n    size = abs(a)\n    return log(size)\n", TRANSCENDENTAL, "log |a|; -inf at 0")
LOG2 = composite("def log2(a):\n    size = abs(a)\n    return log2(size)\n", TRANSCENDENTAL, "log2 |a|; -inf at 0")
LOG10 = composite("def log10(a):\n    size = abs(a)\n    return log10(size)\n", TRANSCENDENTAL, "log10 |a|; -inf at 0")
LOG1P = composite(
    """
def log1p(a):
    n = neg(a)
    mirrored = sub(n, 2.0)
    below = lt(a, -1.0)
    x = select(below, mirrored, a)
    return log1p(x)
""",
    TRANSCENDENTAL,
    "log |1 + a|, accurate near 0; -inf at -1",
)
CUBE = composite("def cube(a):\n    s = mul(a, a)\n    return mul(s, a)\n", TRANSCENDENTAL, "a^3")
CLIP = composite(
    "def clip(a, b):\n    high = abs(b)\n    low = neg(high)\n    y = max(a, low)\n    return min(y, high)\n",
    TRANSCENDENTAL,
    "a within [-|b|, |b|]",
)
NEGATIVE = replace(NEG, name="negative")

ELEMENTWISE: tuple[Op, ...] = (
    ADD, SUB, MUL, DIV, MAX, MIN,
    ABS, COS, SIN, TAN, ARCSIN, ARCCOS, ARCTAN, SINH, COSH, TANH, ARCSINH, ARCCOSH, ARCTANH,
    EXP, EXP2, EXP10, EXPM1, LOG, LOG10, LOG2, LOG1P,
    SQUARE, SQRT, CUBE, CBRT, SIGN, RECIPROCAL, INVERT, NEGATIVE, INTERP, POWER, CLIP,
)  # fmt: skip

SUM = reduction("sum", "tensor", "sum of a over this parameter tensor")
GLOBAL_SUM = reduction("global_sum", "all", "sum of a over all parameter tensors")
_PARTS = OpSet("what reductions are made of", (*ELEMENTWISE, SUM, GLOBAL_SUM))


def _signature(name: str, inputs: str, result: Type) -> Signature:
    """Of a composite with a reduction inside: its inputs are arrays; what it takes is inferred from its body."""
    return Signature(name, tuple(Variable(given, Type.ARRAY) for given in inputs), (Variable("result", result),))


NORM = composite(
    "def norm(a):\n    s = square(a)\n    t = sum(s)\n    return sqrt(t)\n",
    _PARTS,
    "square root of the sum of squares of this parameter tensor",
    signature=_signature("norm", "a", Type.REAL),
)
GLOBAL_NORM = composite(
    "def global_norm(a):\n    s = square(a)\n    t = global_sum(s)\n    return sqrt(t)\n",
    _PARTS,
    "square root of the sum of squares over all parameter tensors",
    signature=_signature("global_norm", "a", Type.REAL),
)
DOT = composite(
    "def dot(a, b):\n    p = mul(a, b)\n    return global_sum(p)\n",
    _PARTS,
    "sum of a b over all parameter tensors",
    commutative=True,
    signature=_signature("dot", "ab", Type.REAL),
)
_NORMS = OpSet("with norms", (*_PARTS, GLOBAL_NORM, DOT))
COSINE_SIM = composite(
    """
def cosine_sim(a, b):
    d = dot(a, b)
    m = global_norm(a)
    n = global_norm(b)
    p = mul(m, n)
    return div(d, p)
""",
    _NORMS,
    "dot(a, b) / (|a| |b| + 1e-8) over all parameter tensors",
    commutative=True,
    signature=_signature("cosine_sim", "ab", Type.REAL),
)
CLIP_BY_GLOBAL_NORM = composite(
    """
def clip_by_global_norm(a, b):
    n = global_norm(a)
    q = div(b, n)
    s = min(q, 1.0)
    return mul(a, s)
""",
    _NORMS,
    "a scaled down to global norm b where that is smaller than its own",
    signature=_signature("clip_by_global_norm", "ab", Type.ARRAY),
)

REDUCTIONS: tuple[Op, ...] = (NORM, GLOBAL_NORM, DOT, COSINE_SIM, CLIP_BY_GLOBAL_NORM)
_ALL = (*ELEMENTWISE, *REDUCTIONS)
OPTIMIZER = OpSet(
    "optimizer", _ALL, {op.name: 1.0 for op in _ALL}, {"pi": math.pi, "e": math.e, "eps": EPS}
)  # fmt: skip
"""What rules are made of; each op costs 1, so that the cost of a rule is the number of its live statements."""
