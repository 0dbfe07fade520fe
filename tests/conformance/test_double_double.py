"""Double-double kernels against exact rational arithmetic, and float64 behaviour where a result is not finite."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor, isqrt, trunc

import numpy as np
import pytest
from strategies import SIGNED_SPECIALS

from evosearch.backends import vm
from evosearch.backends.encode import TEMP_BASE
from evosearch.backends.reference import evaluate
from evosearch.language.program import Const
from evosearch.language.text import parse
from primitives.arithmetic import CORE, FIELD

TOLERANCE = Fraction(1, 2**98)


def root(a: Fraction) -> Fraction:
    return Fraction(isqrt(int(a * 4**150)), 2**150)


def exponent(a: Fraction) -> Fraction:
    n = abs(a).numerator.bit_length() - a.denominator.bit_length()
    return Fraction(n if Fraction(2) ** n <= abs(a) else n - 1)


EXACT: dict[str, Callable[..., Fraction]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "square": lambda a: a * a,
    "reciprocal": lambda a: 1 / a,
    "sqrt": root,
    "fma": lambda a, b, c: a * b + c,
    "abs": abs,
    "sign": lambda a: Fraction((a > 0) - (a < 0)),
    "copysign": lambda a, b: abs(a) if b > 0 else -abs(a),
    "min": min,
    "max": max,
    "floor": lambda a: Fraction(floor(a)),
    "ceil": lambda a: Fraction(ceil(a)),
    "trunc": lambda a: Fraction(trunc(a)),
    "round": lambda a: Fraction(round(a)),
    "scale2": lambda a, b: a * Fraction(2) ** round(b),
    "exponent": exponent,
    "lt": lambda a, b: Fraction(a < b),
    "le": lambda a, b: Fraction(a <= b),
    "eq": lambda a, b: Fraction(a == b),
    "select": lambda a, b, c: b if a != 0 else c,
}


def pairs(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of 106 bits; integers, ties, powers of two and near neighbours among them."""
    hi = rng.normal(size=count) * 2.0 ** rng.integers(-20, 20, count)
    hi[::7] = np.rint(hi[::7] * 64) / 2
    hi[1::7] = 2.0 ** rng.integers(-5, 60, hi[1::7].size)
    hi[2::7] = np.rint(2.0**52 * rng.random(hi[2::7].size)) * 2 + 1
    hi[hi == 0.0] = 1.0
    lo = rng.uniform(-0.5, 0.5, count) * np.spacing(np.abs(hi))
    lo[3::5] = 0.0
    lo[2::7] = rng.choice([0.5, -0.5, 0.25, 0.0], lo[2::7].size)
    total = hi + lo
    return total, lo - (total - hi)


def run_dd(name: str, args: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """One op on double-double inputs, in the interpreter."""
    count = args[0][0].size
    hi, lo = np.zeros((TEMP_BASE + 1, count)), np.zeros((TEMP_BASE + 1, count))
    for register, (high, low) in enumerate(args):
        hi[register], lo[register] = high, low
    code = np.array([[CORE.code(name), 0, 1, 2]], dtype=np.int16)
    vm.load(CORE).forward_dd(code, 1, hi, lo, count)
    return hi[TEMP_BASE], lo[TEMP_BASE]


def exact(hi: float, lo: float) -> Fraction:
    return Fraction(float(hi)) + Fraction(float(lo))


@pytest.mark.parametrize("name", [op.name for op in CORE])
def test_kernels_agree_with_exact_arithmetic(name: str) -> None:
    rng = np.random.default_rng(5)
    args = [pairs(rng, 400) for _ in range(CORE[name].arity)]
    if name in ("add", "sub", "min", "max", "lt", "le", "eq"):  # cancellation, and equal high parts
        args[1][0][::3] = -args[0][0][::3] if name == "add" else args[0][0][::3]
        args[1][1][::6] = args[0][1][::6]
    if name == "sqrt":
        args[0] = (np.abs(args[0][0]), np.sign(args[0][0]) * args[0][1])
    if name == "scale2":
        args[1] = (rng.integers(-40, 40, 400) + rng.choice([0.0, 0.5], 400), np.zeros(400))
    if name == "select":
        args[0] = (rng.integers(0, 2, 400).astype(float), np.zeros(400))
    hi, lo = run_dd(name, args)
    assert np.all(np.isfinite(hi)) and np.all(hi + lo == hi)
    for j in range(400):
        given = [exact(high[j], low[j]) for high, low in args]
        want, got = EXACT[name](*given), exact(hi[j], lo[j])
        scale = abs(given[0] * given[1]) + abs(given[2]) if name == "fma" else abs(want)
        assert abs(got - want) <= TOLERANCE * scale, given


@pytest.mark.parametrize("name", [op.name for op in CORE])
def test_high_part_is_float64s_where_the_result_is_special(name: str) -> None:
    extreme = SIGNED_SPECIALS[(SIGNED_SPECIALS == 0) | ~np.isfinite(SIGNED_SPECIALS) | (np.abs(SIGNED_SPECIALS) == 1.0)]
    grids = [grid.ravel() for grid in np.meshgrid(*[extreme] * CORE[name].arity)]
    hi, lo = run_dd(name, [(grid, np.zeros_like(grid)) for grid in grids])
    with np.errstate(all="ignore"):
        want = np.asarray(CORE[name].reference(*grids), dtype=np.float64)
    special = ~np.isfinite(want) | (want == 0.0)
    assert np.array_equal(hi[special], want[special], equal_nan=True)
    assert np.array_equal(np.signbit(hi[want == 0.0]), np.signbit(want[want == 0.0]))
    assert np.all(lo[~np.isfinite(hi)] == 0.0)


def test_a_program_keeps_the_low_parts_of_its_constants() -> None:
    program = parse(
        "def f(x):\n    a = mul(x, 0.333333333333333333333333333333333)\n    b = add(a, 1)\n    return div(b, x)\n", FIELD
    )
    points = np.array([3.0, 0.1, 7.25])
    ((hi, lo),) = vm.evaluate_dd(program, FIELD, points)
    third = program.constants[0]
    assert third != Const(third.hi)
    for j, x in enumerate(map(Fraction, points.tolist())):
        want = (x * third.exact + 1) / x
        assert abs(exact(hi[j], lo[j]) - want) <= 4 * TOLERANCE * want
    assert not np.array_equal(lo, np.zeros(3))
    assert np.allclose(hi, evaluate(program, points)[0], rtol=1e-15)
