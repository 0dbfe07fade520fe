"""Double-double kernels: a value is an unevaluated sum hi + lo of two float64, about 106 bits.

Every kernel takes (hi, lo) an argument and returns (hi, lo) with |lo| <= ulp(hi) / 2. Away from underflow and overflow the
relative error is below 2^-98 (fma: relative to |a b| + |c|); bounds: Joldes, Muller, Popescu, "Tight and rigorous error
bounds for basic building blocks of double-word arithmetic" (2017). Where hi is not finite lo is 0, and a zero has the sign
that float64 arithmetic gives it. Booleans are (1.0, 0.0) and (0.0, 0.0).
"""

# ruff: noqa: ARG001 (all kernels take pairs, whether they read both halves or not)

from __future__ import annotations

import numpy as np

from evosearch.backends.scalar import exponent, fma, inline, scale2

Pair = tuple[float, float]


@inline
def two_sum(a: float, b: float) -> Pair:
    """a + b without error (Knuth)."""
    s = a + b
    v = s - a
    return s, (a - (s - v)) + (b - v)


@inline
def settle(hi: float, lo: float, plain: float) -> Pair:
    """hi + lo renormalised; where that is not finite, `plain`, the float64 result; it also gives a zero its sign."""
    s = hi + lo
    e = lo - (s - hi)
    regular = s - s == 0.0 and (s != 0.0 or plain != 0.0)
    return (s if regular else plain), (e if regular else 0.0)


@inline
def dd_add(ah: float, al: float, bh: float, bl: float) -> Pair:
    """AccurateDWPlusDW: the error is relative to the sum also where the high parts cancel."""
    sh, sl = two_sum(ah, bh)
    th, tl = two_sum(al, bl)
    c = sl + th
    vh = sh + c
    vl = c - (vh - sh)
    return settle(vh, tl + vl, ah + bh)


@inline
def dd_sub(ah: float, al: float, bh: float, bl: float) -> Pair:
    """a - b."""
    return dd_add(ah, al, -bh, -bl)


@inline
def dd_mul(ah: float, al: float, bh: float, bl: float) -> Pair:
    """DWTimesDW3."""
    p = ah * bh
    e = fma(ah, bh, -p)
    t = fma(al, bh, fma(ah, bl, al * bl))
    return settle(p, e + t, p)


@inline
def dd_div(ah: float, al: float, bh: float, bl: float) -> Pair:
    """The float64 quotient, then one from its remainder, whose high part fma gives without error (as DWDivDW2)."""
    q = ah / bh
    rest = fma(-q, bh, ah) + fma(-q, bl, al)
    return settle(q, rest / bh, q)


@inline
def dd_sqrt(ah: float, al: float) -> Pair:
    """One Newton step from the float64 root."""
    s = np.sqrt(ah)
    rest = (fma(-s, s, ah) + al) / (s + s)
    return settle(s, rest, s)


@inline
def dd_fma(ah: float, al: float, bh: float, bl: float, ch: float, cl: float) -> Pair:
    """a b + c, the product rounded to double-double."""
    ph, pl = dd_mul(ah, al, bh, bl)
    sh, sl = dd_add(ph, pl, ch, cl)
    regular = sh - sh == 0.0
    return (sh if regular else fma(ah, bh, ch)), (sl if regular else 0.0)


@inline
def dd_neg(ah: float, al: float) -> Pair:
    """-a."""
    return settle(-ah, -al, -ah)


@inline
def dd_abs(ah: float, al: float) -> Pair:
    """|a|."""
    return settle(abs(ah), -al if ah < 0.0 else al, abs(ah))


@inline
def dd_square(ah: float, al: float) -> Pair:
    """a^2."""
    return dd_mul(ah, al, ah, al)


@inline
def dd_reciprocal(ah: float, al: float) -> Pair:
    """1 / a."""
    return dd_div(1.0, 0.0, ah, al)


@inline
def dd_min(ah: float, al: float, bh: float, bl: float) -> Pair:
    """The smaller; NaN where an argument is NaN, and -0 < +0."""
    first = ah < bh or (ah == bh and al < bl)
    second = bh < ah or (ah == bh and bl < al)
    high = ah if first else (bh if second else (-(-ah - bh) if ah != bh or ah == 0.0 else ah))
    return settle(high, al if first else bl, high)


@inline
def dd_max(ah: float, al: float, bh: float, bl: float) -> Pair:
    """The larger; NaN where an argument is NaN, and -0 < +0."""
    high, low = dd_min(-ah, -al, -bh, -bl)
    return dd_neg(high, low)


@inline
def dd_floor(ah: float, al: float) -> Pair:
    """The largest integer that is not above a."""
    whole = np.floor(ah)
    return settle(whole, np.floor(al) if whole == ah else 0.0, whole)


@inline
def dd_ceil(ah: float, al: float) -> Pair:
    """The smallest integer that is not below a."""
    whole = np.ceil(ah)
    return settle(whole, np.ceil(al) if whole == ah else 0.0, whole)


@inline
def dd_trunc(ah: float, al: float) -> Pair:
    """The integer next to a on the side of zero."""
    fh, fl = dd_floor(ah, al)
    ch, cl = dd_ceil(ah, al)
    return (fh, fl) if ah > 0.0 else (ch, cl)


@inline
def dd_round(ah: float, al: float) -> Pair:
    """The nearest integer, half to even over the whole of hi + lo."""
    near = np.rint(ah)
    rest = (ah - near) + al  # exact where it decides: at a tie of hi, and where hi is an integer
    up = rest > 0.5 or (ah - near == 0.5 and al > 0.0)
    down = rest < -0.5 or (ah - near == -0.5 and al < 0.0)
    low = np.rint(al) if ah == near else (1.0 if up else (-1.0 if down else 0.0))
    odd = near * 0.5 != np.floor(near * 0.5)
    low = al + al if odd and ah == near and abs(al) == 0.5 else low  # hi odd, lo half: the even neighbour is a whole step off
    return settle(near, low, near)


@inline
def dd_scale2(ah: float, al: float, bh: float, bl: float) -> Pair:
    """a 2^b with b rounded to the nearest integer."""
    nh, nl = dd_round(bh, bl)
    return settle(scale2(ah, nh + nl), scale2(al, nh + nl), scale2(ah, bh))


@inline
def dd_exponent(ah: float, al: float) -> Pair:
    """floor(log2 |a|); one less than hi's where hi is a power of two and lo takes from it."""
    n = exponent(ah)
    power = abs(ah) == scale2(1.0, n)
    below = power and al * ah < 0.0
    return settle(n - 1.0 if below else n, 0.0, n)


@inline
def dd_lt(ah: float, al: float, bh: float, bl: float) -> Pair:
    """Whether a < b."""
    return (1.0 if ah < bh or (ah == bh and al < bl) else 0.0), 0.0


@inline
def dd_le(ah: float, al: float, bh: float, bl: float) -> Pair:
    """Whether a <= b."""
    return (1.0 if ah < bh or (ah == bh and al <= bl) else 0.0), 0.0


@inline
def dd_eq(ah: float, al: float, bh: float, bl: float) -> Pair:
    """Whether a equals b."""
    return (1.0 if ah == bh and al == bl else 0.0), 0.0


@inline
def dd_select(ah: float, al: float, bh: float, bl: float, ch: float, cl: float) -> Pair:
    """b where a is true, else c."""
    return (bh, bl) if ah != 0.0 else (ch, cl)


@inline
def dd_copysign(ah: float, al: float, bh: float, bl: float) -> Pair:
    """|a| with the sign of b."""
    high = np.copysign(ah, bh)
    return settle(high, al if high == ah else -al, high)


@inline
def dd_sign(ah: float, al: float) -> Pair:
    """1, 0 or -1; NaN at NaN."""
    return (1.0 if ah > 0.0 else (-1.0 if ah < 0.0 else ah + 0.0)), 0.0
