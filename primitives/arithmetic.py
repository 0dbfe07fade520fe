"""The core ops: one row each, with meaning, derivative and templates; and the op sets made of them.

A boolean is 1.0 or 0.0. `reference` is the meaning; `numba` and `c` agree with it bit for bit, any NaN equal to any NaN.
`min` and `max` are IEEE 754-2019 minimum and maximum, which NumPy's and C's are not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.exact_fma import fma
from evosearch.language.op import Op, OpSet
from evosearch.language.types import comparison, selection

Array = NDArray[np.float64]

_MIN = "a if a < b else (b if b < a else (-(-a - b) if a != b or a == 0.0 else a))"
_MAX = "a if a > b else (b if b > a else (a + b if a != b or a == 0.0 else a))"
_C_MIN = "a < b ? a : (b < a ? b : (a != b || a == 0.0 ? -(-a - b) : a))"
_C_MAX = "a > b ? a : (b > a ? b : (a != b || a == 0.0 ? a + b : a))"
_C_SCALE2 = "b == b ? ldexp(a, (int)rint(fmin(fmax(b, -2200.0), 2200.0))) : b"


def _minimum(a: Array, b: Array) -> Array:
    smaller = np.where((a == b) & np.signbit(a), a, np.minimum(a, b))
    return np.where((a == b) & np.signbit(b), b, smaller)


def _maximum(a: Array, b: Array) -> Array:
    return -_minimum(-a, -b)


def _scale2(a: Array, n: Array) -> Array:
    whole = np.rint(np.clip(np.nan_to_num(n, nan=0.0, posinf=2200.0, neginf=-2200.0), -2200.0, 2200.0))
    return np.where(np.isnan(n), n, np.ldexp(a, whole.astype(np.int64)))


def _exponent(a: Array) -> Array:
    finite = np.frexp(a)[1] - 1.0
    return np.where(a == 0.0, -np.inf, np.where(np.isfinite(a), finite, np.abs(a)))


def _select(a: Array, b: Array, c: Array) -> Array:
    return np.where(a != 0.0, b, c)


def _lt(a: Array, b: Array) -> Array:
    return np.less(a, b).astype(np.float64)


def _le(a: Array, b: Array) -> Array:
    return np.less_equal(a, b).astype(np.float64)


def _eq(a: Array, b: Array) -> Array:
    return np.equal(a, b).astype(np.float64)


# The four of the field
ADD = Op(
    "add", 2, np.add, "a + b", "a + b", "dd_add", ("g", "g"), commutative=True,
    neutral=(0.0, 0.0), inverse=("r - b", "r - a", "r * 0.5"), doc="a + b",
)  # fmt: skip
SUB = Op(
    "sub", 2, np.subtract, "a - b", "a - b", "dd_sub", ("g", "-g"),
    neutral=(None, 0.0), inverse=("r + b", "a - r", None), doc="a - b",
)  # fmt: skip
MUL = Op(
    "mul", 2, np.multiply, "a * b", "a * b", "dd_mul", ("g * b", "g * a"), commutative=True,
    neutral=(1.0, 1.0), inverse=("r / b", "r / a", "np.sqrt(r)"), doc="a * b",
)  # fmt: skip
DIV = Op(
    "div", 2, np.divide, "a / b", "a / b", "dd_div", ("g / b", "-(g / b) * r"),
    neutral=(None, 1.0), inverse=("r * b", "a / r", None), doc="a / b; an infinity or NaN where b is 0",
)  # fmt: skip

# Arithmetic with one rounding
NEG = Op("neg", 1, np.negative, "-a", "-a", "dd_neg", ("-g",), doc="-a")
SQUARE = Op("square", 1, np.square, "a * a", "a * a", "dd_square", ("g * (a + a)",), doc="a^2")
RECIPROCAL = Op("reciprocal", 1, np.reciprocal, "1.0 / a", "1.0 / a", "dd_reciprocal", ("-(g * r) * r",), doc="1 / a")
SQRT = Op("sqrt", 1, np.sqrt, "np.sqrt(a)", "sqrt(a)", "dd_sqrt", ("g / (r + r)",), doc="square root; NaN below 0")
FMA = Op(
    "fma", 3, fma, "fma(a, b, c)", "fma(a, b, c)", "dd_fma", ("g * b", "g * a", "g"), commutative=True,
    doc="a * b + c with one rounding",
)  # fmt: skip

# Sign and size
ABS = Op("abs", 1, np.abs, "abs(a)", "fabs(a)", "dd_abs", ("g if a >= 0.0 else -g",), doc="|a|")
SIGN = Op(
    "sign", 1, np.sign, "1.0 if a > 0.0 else (-1.0 if a < 0.0 else a + 0.0)", "a > 0.0 ? 1.0 : (a < 0.0 ? -1.0 : a + 0.0)",
    "dd_sign", (None,), doc="1, 0 or -1; NaN at NaN",
)  # fmt: skip
COPYSIGN = Op(
    "copysign", 2, np.copysign, "np.copysign(a, b)", "copysign(a, b)", "dd_copysign", ("g if r == a else -g", None),
    doc="|a| with the sign bit of b",
)  # fmt: skip
MIN = Op(
    "min", 2, _minimum, _MIN, _C_MIN, "dd_min", ("g if a <= b else 0.0", "0.0 if a <= b else g"), commutative=True,
    doc="the smaller; NaN where an argument is NaN; -0 < +0",
)  # fmt: skip
MAX = Op(
    "max", 2, _maximum, _MAX, _C_MAX, "dd_max", ("g if a >= b else 0.0", "0.0 if a >= b else g"), commutative=True,
    doc="the larger; NaN where an argument is NaN; -0 < +0",
)  # fmt: skip

# Integers and powers of two
FLOOR = Op("floor", 1, np.floor, "np.floor(a)", "floor(a)", "dd_floor", (None,), doc="largest integer not above a")
CEIL = Op("ceil", 1, np.ceil, "np.ceil(a)", "ceil(a)", "dd_ceil", (None,), doc="smallest integer not below a")
TRUNC = Op("trunc", 1, np.trunc, "np.trunc(a)", "trunc(a)", "dd_trunc", (None,), doc="integer next to a towards 0")
ROUND = Op("round", 1, np.rint, "np.rint(a)", "rint(a)", "dd_round", (None,), doc="nearest integer, half to even")
SCALE2 = Op(
    "scale2", 2, _scale2, "scale2(a, b)", _C_SCALE2, "dd_scale2", ("scale2(g, b)", None),
    doc="a * 2^b with one rounding; b is rounded to an integer and clamped to +-2200",
)  # fmt: skip
EXPONENT = Op(
    "exponent", 1, _exponent, "exponent(a)", "logb(a)", "dd_exponent", (None,),
    doc="floor(log2 |a|); -inf at 0, inf at an infinity",
)  # fmt: skip

# Comparison and choice
LT = Op("lt", 2, _lt, "1.0 if a < b else 0.0", "a < b ? 1.0 : 0.0", "dd_lt", (None, None), rule=comparison, doc="a < b")
LE = Op("le", 2, _le, "1.0 if a <= b else 0.0", "a <= b ? 1.0 : 0.0", "dd_le", (None, None), rule=comparison, doc="a <= b")
EQ = Op(
    "eq", 2, _eq, "1.0 if a == b else 0.0", "a == b ? 1.0 : 0.0", "dd_eq", (None, None), rule=comparison, commutative=True,
    doc="a == b",
)  # fmt: skip
SELECT = Op(
    "select", 3, _select, "b if a != 0.0 else c", "a != 0.0 ? b : c", "dd_select",
    (None, "g if a != 0.0 else 0.0", "0.0 if a != 0.0 else g"), rule=selection, doc="b where a is true, else c",
)  # fmt: skip

FIELD = OpSet("field", (ADD, SUB, MUL, DIV))
FIELD_SQRT = OpSet("field with sqrt", (*FIELD, SQRT))
FIELD_FMA = OpSet("field with fma", (*FIELD, FMA))
CORE = OpSet(
    "core",
    (
        *FIELD, NEG, SQUARE, RECIPROCAL, SQRT, FMA, ABS, SIGN, COPYSIGN, MIN, MAX,
        FLOOR, CEIL, TRUNC, ROUND, SCALE2, EXPONENT, LT, LE, EQ, SELECT,
    ),
)  # fmt: skip
