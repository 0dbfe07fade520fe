"""More elementary functions as composites, for update rules: trigonometry and its inverses, hyperbolics, roots and powers.

Bit-equal over the float64 backends, and within 4 ULP of the true value (checked against mpmath) on

    tan                          |x| <= 1e5
    arcsin, arccos, arctanh      [-1, 1]; NaN outside
    arccosh                      [1, inf]; NaN below
    arctan, arcsinh, cbrt        all numbers
    sinh, cosh                   |x| <= 709.7; beyond, an infinity comes up to 0.7 early
    exp10                        all numbers whose result is normal; beyond, 0 and infinity come gracefully
    log10                        its whole domain; NaN outside
    power                        not within 4 ULP: its relative error is at most (4 + |b log2 |a||) 2^-52
"""

from __future__ import annotations

from evosearch.backends.reference import composite
from evosearch.language.op import OpSet
from primitives.elementary import ELEMENTARY, QUARTER_TURNS, horner

TAN = composite(
    f"""
def tan(x):
{QUARTER_TURNS}    h = mul(n, 0.5)
    i = floor(h)
    is_even = eq(h, i)
    minus_odd = neg(odd)
    top = select(is_even, odd, even)
    bottom = select(is_even, even, minus_odd)
    y = div(top, bottom)
    zero = eq(x, 0.0)
    return select(zero, x, y)
""",
    ELEMENTARY,
    "tangent of radians, |x| <= 1e5",
)

# arctan sqrt(z) / sqrt(z) = 1 + z P(z) on [0, (sqrt 2 - 1)^2], P by interpolation at Chebyshev nodes: 6e-18.
_ARCTAN = [
    -0.3333333333333333, 0.1999999999999552, -0.14285714284666542, 0.11111111015256361, -0.09090904578123903,
    0.07692183190826087, -0.06664511447381948, 0.0585814891280221, -0.0508544973794026, 0.03923165829558719,
    -0.01917688711906226,
]  # fmt: skip

# |x| > 1 goes by pi/2 - arctan 1/x, and u > sqrt 2 - 1 by pi/4 + arctan((u - 1) / (u + 1)).
ARCTAN = composite(
    f"""
def arctan(x):
    size = abs(x)
    over = lt(1.0, size)
    inverse = reciprocal(size)
    u = select(over, inverse, size)
    far = lt(0.41421356237309503, u)
    below = sub(u, 1.0)
    above = add(u, 1.0)
    shifted = div(below, above)
    t = select(far, shifted, u)
    z = square(t)
{horner("p", "z", _ARCTAN)}    tz = mul(t, z)
    y = fma(p, tz, t)
    low = add(y, 3.061616997868383e-17)
    turned = add(low, 0.7853981633974483)
    y = select(far, turned, y)
    low = sub(y, 6.123233995736766e-17)
    outside = sub(1.5707963267948966, low)
    y = select(over, outside, y)
    return copysign(y, x)
""",
    ELEMENTARY,
    "angle in [-pi/2, pi/2] whose tangent is x",
)

# arcsin sqrt(z) / sqrt(z) = 1 + z P(z) on [0, 1/4], P by interpolation at Chebyshev nodes: 4e-18.
_ARCSIN = [
    0.16666666666666669, 0.07499999999998433, 0.04464285714635543, 0.030381944138531247, 0.02237217294214989,
    0.017352392720869973, 0.013971212973552933, 0.011479177415184906, 0.01032281435018578, 0.005457506718640358,
    0.01740087944269402, -0.014851887071247204, 0.028757851367421566,
]  # fmt: skip

# p = arcsin s, where s is |x|, or sqrt((1 - |x|) / 2) for |x| > 1/2; then arcsin |x| = pi/2 - 2 p.
_HALVED = f"""\
    size = abs(x)
    big = lt(0.5, size)
    rest = sub(1.0, size)
    half = mul(rest, 0.5)
    whole = square(size)
    z = select(big, half, whole)
    root = sqrt(half)
    s = select(big, root, size)
{horner("q", "z", _ARCSIN)}    sz = mul(s, z)
    p = fma(q, sz, s)
    twice = add(p, p)
"""

ARCSIN = composite(
    f"""
def arcsin(x):
{_HALVED}    low = sub(twice, 6.123233995736766e-17)
    far = sub(1.5707963267948966, low)
    y = select(big, far, p)
    return copysign(y, x)
""",
    ELEMENTARY,
    "angle in [-pi/2, pi/2] whose sine is x; NaN outside [-1, 1]",
)

ARCCOS = composite(
    f"""
def arccos(x):
{_HALVED}    signed = copysign(p, x)
    low = sub(signed, 6.123233995736766e-17)
    middle = sub(1.5707963267948966, low)
    low = sub(twice, 1.2246467991473532e-16)
    left = sub(3.141592653589793, low)
    negative = lt(x, 0.0)
    far = select(negative, left, twice)
    return select(big, far, middle)
""",
    ELEMENTARY,
    "angle in [0, pi] whose cosine is x; NaN outside [-1, 1]",
)

SINH = composite(
    """
def sinh(x):
    size = abs(x)
    t = expm1(size)
    d = add(t, 1.0)
    q = div(t, d)
    s = add(t, q)
    big = lt(40.0, size)
    s = select(big, t, s)
    y = mul(s, 0.5)
    return copysign(y, x)
""",
    ELEMENTARY,
    "hyperbolic sine",
)

COSH = composite(
    """
def cosh(x):
    size = abs(x)
    e = exp(size)
    high = mul(e, 0.5)
    low = div(0.5, e)
    return add(high, low)
""",
    ELEMENTARY,
    "hyperbolic cosine",
)

# log(2 x) where x^2 + 1 = x^2; else log1p of what sqrt(x^2 + 1) + x has above 1, without cancellation.
ARCSINH = composite(
    """
def arcsinh(x):
    size = abs(x)
    z = square(size)
    r = add(z, 1.0)
    s = sqrt(r)
    d = add(s, 1.0)
    f = div(z, d)
    a = add(size, f)
    near = log1p(a)
    l = log(size)
    far = add(l, 0.6931471805599453)
    big = lt(268435456.0, size)
    y = select(big, far, near)
    return copysign(y, x)
""",
    ELEMENTARY,
    "inverse hyperbolic sine",
)

ARCCOSH = composite(
    """
def arccosh(x):
    t = sub(x, 1.0)
    d = add(x, 1.0)
    r = mul(t, d)
    s = sqrt(r)
    a = add(t, s)
    near = log1p(a)
    l = log(x)
    far = add(l, 0.6931471805599453)
    big = lt(268435456.0, x)
    y = select(big, far, near)
    below = lt(x, 1.0)
    nan = sqrt(t)
    return select(below, nan, y)
""",
    ELEMENTARY,
    "inverse hyperbolic cosine, at least 0; NaN below 1",
)

ARCTANH = composite(
    """
def arctanh(x):
    size = abs(x)
    d = sub(1.0, size)
    twice = add(size, size)
    q = div(twice, d)
    l = log1p(q)
    y = mul(l, 0.5)
    return copysign(y, x)
""",
    ELEMENTARY,
    "inverse hyperbolic tangent; an infinity at -1 and 1, NaN beyond",
)

# x = k log10 2 + r with |r| <= log10(2) / 2; the first part of log10 2 has 42 bits, as that of ln 2 in exp.
EXP10 = composite(
    """
def exp10(x):
    x = max(x, -330.0)
    x = min(x, 310.0)
    k0 = mul(x, 3.321928094887362)
    k = round(k0)
    r0 = fma(k, -0.30102999566395283, x)
    r1 = fma(k, -2.8363394551044964e-14, r0)
    r = mul(r1, 2.302585092994046)
    y = exp(r)
    return scale2(y, k)
""",
    ELEMENTARY,
    "10^x",
)

LOG10 = composite(
    """
def log10(x):
    l = log(x)
    return mul(l, 0.4342944819032518)
""",
    ELEMENTARY,
    "logarithm to base 10; -inf at 0, NaN below",
)

# |x| = m 8^q with m in [1, 8): a quadratic start within 2.6%, two steps of Halley, and one of Newton with an exact residual.
CBRT = composite(
    """
def cbrt(x):
    e = exponent(x)
    third = mul(e, 0.3333333333333333)
    q = floor(third)
    shift = mul(q, -3.0)
    size = abs(x)
    m = scale2(size, shift)
    y0 = fma(m, -0.0146709, 0.26413716)
    y1 = fma(y0, m, 0.77567075)
    c = mul(y1, y1)
    c = mul(c, y1)
    twice = add(m, m)
    top = add(c, twice)
    two_c = add(c, c)
    bottom = add(two_c, m)
    f = div(top, bottom)
    y2 = mul(y1, f)
    c = mul(y2, y2)
    c = mul(c, y2)
    top = add(c, twice)
    two_c = add(c, c)
    bottom = add(two_c, m)
    f = div(top, bottom)
    y3 = mul(y2, f)
    s = mul(y3, y3)
    back = neg(y3)
    minus_s = neg(s)
    short = fma(y3, y3, minus_s)
    r0 = fma(back, s, m)
    r = fma(back, short, r0)
    slope = mul(s, 3.0)
    d = div(r, slope)
    y4 = add(y3, d)
    y = scale2(y4, q)
    y = copysign(y, x)
    gap = sub(x, x)
    finite = eq(gap, 0.0)
    y = select(finite, y, x)
    zero = eq(x, 0.0)
    return select(zero, x, y)
""",
    ELEMENTARY,
    "cube root",
)

POWER = composite(
    """
def power(a, b):
    size = abs(a)
    l = log2(size)
    p = mul(b, l)
    y = exp2(p)
    nothing = eq(b, 0.0)
    y = select(nothing, 1.0, y)
    whole = floor(b)
    is_whole = eq(whole, b)
    half = mul(b, 0.5)
    h = floor(half)
    even = eq(h, half)
    minus = neg(y)
    signed = select(even, y, minus)
    nan = sqrt(a)
    other = select(is_whole, signed, nan)
    negative = lt(a, 0.0)
    return select(negative, other, y)
""",
    ELEMENTARY,
    "a^b, 1 for b = 0; NaN where a < 0 and b is not an integer, and where |a| = 1 and b is infinite",
)

FUNCTIONS = (TAN, ARCSIN, ARCCOS, ARCTAN, SINH, COSH, ARCSINH, ARCCOSH, ARCTANH, EXP10, LOG10, CBRT, POWER)
TRANSCENDENTAL = OpSet("transcendental", (*ELEMENTARY, *FUNCTIONS))
