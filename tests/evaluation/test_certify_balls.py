"""The ball context: Taylor coefficients against mpmath, enclosures over wide balls, refusals."""

from __future__ import annotations

import mpmath
import pytest
from flint import arb, ctx

from evosearch.evaluation.balls import Ball, BallContext, UnsupportedError, precision, variable
from evosearch.evaluation.exact import exact

M = BallContext()
NAMES = (
    "exp",
    "expm1",
    "log",
    "log1p",
    "log10",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "atanh",
    "erf",
    "erfc",
    "gamma",
    "loggamma",
    "airyai",
    "airybi",
    "sqrt",
    "cbrt",
    "ncdf",
    "npdf",
    "fabs",
    "j0",
    "j1",
    "lambertw",
    "sec",
)


@pytest.mark.parametrize("name", NAMES)
def test_taylor_coefficients(name):
    with precision(200), mpmath.workdps(60):
        expected = mpmath.taylor(getattr(mpmath, name), mpmath.mpf("0.7"), 5)
        near = getattr(M, name)(Ball(variable(arb("0.7"), 6))).value
        wide = getattr(M, name)(Ball(variable(arb(0.7, 0.01), 6))).value
        for k, coefficient in enumerate(expected):
            text = mpmath.nstr(mpmath.re(coefficient), 40)
            assert abs(near[k] - arb(text)) < arb("1e-25")
            assert wide[k].contains(near[k].mid())


def test_powers_and_numbers():
    with precision(128):
        x = Ball(variable(arb(3), 3))
        assert [float(c) for c in (x**3).value.coeffs()] == [27, 27, 9]
        assert abs((2**x).value[1] - 8 * arb(2).log()) < 1e-30
        assert abs(M.power(x, M.mpf("1/3")).value[0] - arb(3).root(3)) < 1e-30
        assert exact("1/3", M).value.overlaps(arb(1) / 3)
        assert M.mpf("0.1").value.overlaps(arb(1) / 10)
        assert not (0.1 * M.mpf(1)).value.overlaps(arb(1) / 10)


def test_branching_and_unknown_names_are_refused():
    x = Ball(variable(arb(1), 2))
    for refused in (lambda: x > 0, lambda: bool(x), lambda: x == 1, lambda: float(x), lambda: M.zeta(x)):
        with pytest.raises(UnsupportedError):
            refused()


def test_precision_is_restored():
    before = ctx.prec, ctx.cap
    with pytest.raises(ValueError), precision(999):
        raise ValueError
    assert (ctx.prec, ctx.cap) == before
