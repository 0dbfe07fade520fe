"""Elementary functions as composites: programs over the core ops, so that every backend and derivative follows.

Bit-equal over the float64 backends, and within 4 ULP of the true value (checked against mpmath) on

    exp, exp2, expm1, sigmoid, softplus, tanh    all numbers whose result is normal; beyond, 0 and infinity come gracefully
    log, log2, log1p                             their whole domain; NaN outside
    sin, cos                                     |x| <= 1e5, where the reduction by pi/2 is exact enough

In double-double a composite is the same program with more exact operations: its coefficients still have 53 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial

from evosearch.backends.reference import composite
from evosearch.language.op import OpSet
from primitives.arithmetic import CORE


def horner(result: str, variable: str, ascending: Sequence[float]) -> str:
    """Lines that set `result` to the polynomial in `variable`."""
    *rest, value = map(repr, ascending)
    lines = ""
    for power in reversed(range(len(rest))):
        name = f"{result}{power}" if power else result
        lines += f"    {name} = fma({value}, {variable}, {rest[power]})\n"
        value = name
    return lines


# x = k ln2 + r with |r| <= ln2 / 2; the first part of ln2 has 42 bits, so that its product with k is exact.
_BY_LN2 = """\
    k0 = mul(x, 1.4426950408889634)
    k = round(k0)
    r0 = fma(k, -0.6931471805598903, x)
    r = fma(k, -5.497923018708371e-14, r0)
"""
_EXP_SERIES = horner("p", "r", [1 / factorial(n) for n in range(14)])

EXP = composite(
    f"""
def exp(x):
    x = max(x, -746.0)
    x = min(x, 710.0)
{_BY_LN2}{_EXP_SERIES}    return scale2(p, k)
""",
    CORE,
    "e^x",
)

EXP2 = composite(
    f"""
def exp2(x):
    x = max(x, -1080.0)
    x = min(x, 1025.0)
    k = round(x)
    d = sub(x, k)
    r = mul(d, 0.6931471805599453)
{_EXP_SERIES}    return scale2(p, k)
""",
    CORE,
    "2^x",
)

# 2^k (p + 1 - 2^-k) with p = e^r - 1; it neither cancels nor overflows early.
EXPM1 = composite(
    f"""
def expm1(x):
    given = x
    zero = eq(x, 0.0)
    x = max(x, -60.0)
    x = min(x, 710.0)
{_BY_LN2}{horner("q", "r", [1 / factorial(n) for n in range(2, 15)])}    s = square(r)
    p = fma(q, s, r)
    n = neg(k)
    h = scale2(1.0, n)
    one = sub(1.0, h)
    t = add(p, one)
    y = scale2(t, k)
    return select(zero, given, y)
""",
    CORE,
    "e^x - 1, accurate near 0",
)

# x = 2^e m with m in [sqrt(1/2), sqrt 2), f = m - 1, s = f / (2 + f), z = s^2:
# log m = 2 atanh s = f - (f^2/2 - s (f^2/2 + z R(z))).
_ATANH = f"""\
    negative = lt(x, 0.0)
    nan = sqrt(x)
    x = select(negative, nan, x)
    e0 = exponent(x)
    n0 = neg(e0)
    m0 = scale2(x, n0)
    big = le(1.4142135623730951, m0)
    half = mul(m0, 0.5)
    m = select(big, half, m0)
    e1 = add(e0, 1.0)
    e = select(big, e1, e0)
    f = sub(m, 1.0)
    d = add(f, 2.0)
    s = div(f, d)
    z = square(s)
{horner("w", "z", [2 / (2 * n + 1) for n in range(1, 11)])}    v = mul(w, z)
    f2 = square(f)
    h = mul(f2, 0.5)
    hv = add(h, v)
"""
_FINITE = "    finite = le(x, 1.7976931348623157e308)\n    return select(finite, y, x)\n"

LOG = composite(
    f"""
def log(x):
{_ATANH}    low = mul(e, 5.497923018708371e-14)
    tail = fma(s, hv, low)
    c = sub(h, tail)
    c = sub(c, f)
    high = mul(e, 0.6931471805598903)
    y = sub(high, c)
{_FINITE}""",
    CORE,
    "natural logarithm; -inf at 0, NaN below",
)

LOG2 = composite(
    f"""
def log2(x):
{_ATANH}    sv = mul(s, hv)
    c = sub(h, sv)
    l = sub(f, c)
    y = fma(l, 1.4426950408889634, e)
{_FINITE}""",
    CORE,
    "logarithm to base 2; -inf at 0, NaN below",
)

# log(1 + x) = log u + c / u, where u is 1 + x rounded and c what the rounding took; at infinities and -1 log u stands alone.
LOG1P = composite(
    """
def log1p(x):
    u = add(x, 1.0)
    y = log(u)
    back = sub(u, 1.0)
    c = sub(x, back)
    d = div(c, u)
    z = add(y, d)
    regular = eq(z, z)
    z = select(regular, z, y)
    zero = eq(x, 0.0)
    return select(zero, x, z)
""",
    OpSet("core and log", (*CORE, LOG)),
    "log(1 + x), accurate near 0",
)


# x = n pi/2 + r by four parts of pi/2 (33 bits each but the last); `odd` is sin r and `even` is cos r.
QUARTER_TURNS = f"""\
    n0 = mul(x, 0.6366197723675814)
    n = round(n0)
    r0 = fma(n, -1.5707963267341256, x)
    r1 = fma(n, -6.077100506303966e-11, r0)
    r2 = fma(n, -2.0222662487111665e-21, r1)
    r = fma(n, -8.4784276603689e-32, r2)
    z = square(r)
{horner("a", "z", [(-1) ** n / factorial(2 * n + 1) for n in range(1, 9)])}    rz = mul(r, z)
    odd = fma(a, rz, r)
{horner("even", "z", [(-1) ** n / factorial(2 * n) for n in range(9)])}"""


def _sine(name: str, shift: str) -> str:
    """sin or cos: one of two series by n mod 4."""
    return f"""
def {name}(x):
{QUARTER_TURNS}    q = add(n, {shift})
    h = mul(q, 0.5)
    i = floor(h)
    is_even = eq(h, i)
    y = select(is_even, odd, even)
    j = mul(i, 0.5)
    k = floor(j)
    plus = eq(j, k)
    minus_y = neg(y)
"""


SIN = composite(
    _sine("sin", "0.0")
    + """\
    y = select(plus, y, minus_y)
    zero = eq(x, 0.0)
    return select(zero, x, y)
""",
    CORE,
    "sine of radians, |x| <= 1e5",
)

COS = composite(_sine("cos", "1.0") + "    return select(plus, y, minus_y)\n", CORE, "cosine of radians, |x| <= 1e5")

TANH = composite(
    """
def tanh(x):
    size = abs(x)
    size = min(size, 30.0)
    twice = add(size, size)
    t = expm1(twice)
    d = add(t, 2.0)
    y = div(t, d)
    return copysign(y, x)
""",
    OpSet("core and expm1", (*CORE, EXPM1)),
    "hyperbolic tangent",
)

_WITH_EXP = OpSet("core, exp and log1p", (*CORE, EXP, LOG1P))

SIGMOID = composite(
    """
def sigmoid(x):
    size = abs(x)
    minus = neg(size)
    e = exp(minus)
    d = add(e, 1.0)
    positive = le(0.0, x)
    top = select(positive, 1.0, e)
    return div(top, d)
""",
    _WITH_EXP,
    "1 / (1 + e^-x)",
)

SOFTPLUS = composite(
    """
def softplus(x):
    size = abs(x)
    minus = neg(size)
    e = exp(minus)
    l = log1p(e)
    m = max(x, 0.0)
    return add(m, l)
""",
    _WITH_EXP,
    "log(1 + e^x)",
)

INTERP = composite(
    """
def interp(x, y, a):
    b = sub(1.0, a)
    u = mul(b, x)
    v = mul(a, y)
    return add(u, v)
""",
    CORE,
    "(1 - a) x + a y",
)

FUNCTIONS = (EXP, EXP2, EXPM1, LOG, LOG2, LOG1P, SIN, COS, TANH, SIGMOID, SOFTPLUS, INTERP)
ELEMENTARY = OpSet("elementary", (*CORE, *FUNCTIONS))
