"""What exported files look like, what they say, and what is refused."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import pytest
from export_samples import EXP2, EXP2_PROGRAM, info, load
from hypothesis import given
from hypothesis import strategies as st

from evosearch.errors import ExportError
from evosearch.evaluation.target import ErrorMeasure, Target
from evosearch.export import TARGETS, reference_points, render
from evosearch.export.info import float_interval, rounded_up
from evosearch.export.trace import mpmath_expression
from evosearch.language.op import Op, OpSet
from evosearch.language.text import parse
from primitives.arithmetic import CORE
from tasks.approximation.functions import FUNCTIONS

GOLDEN = Path(__file__).parent.parent / "golden"
MAX_FLOAT = 1.7976931348623157e308


@pytest.mark.parametrize("target", ["python", "numba", "torch", "c"])
def test_exported_text(target: str) -> None:
    """EVOSEARCH_UPDATE_GOLDEN=1 writes the files anew."""
    path = GOLDEN / f"export_exp2.{target}.txt"
    text = render(EXP2_PROGRAM, target, info())
    if os.environ.get("EVOSEARCH_UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_the_docstrings_carry_the_error_and_the_origin() -> None:
    module = load(render(EXP2_PROGRAM, "python", info()))
    assert "error_float64  8.70e-04  relative, certified" in module.__doc__
    assert "run exp2-1, program 12, seed 1, evosearch 0.1.0" in module.__doc__
    assert "error_float64  8.70e-04  relative, certified" in module.exp2.__doc__
    public = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    assert public == ["exp2"]


def test_odd_texts_do_no_harm() -> None:
    target = Target('my:"""f', 'a """ \\ */ b', EXP2.function, "0", "1", ErrorMeasure.RELATIVE)
    about = info(target, command='C:\\new\\"x""" */ /* \nrun')
    assert 'a """ \\ */ b' in (load(render(EXP2_PROGRAM, "python", about)).__doc__ or "")
    assert render(EXP2_PROGRAM, "c", about).count("*/") == render(EXP2_PROGRAM, "c", info()).count("*/")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("exp2", "exp2"), ("mymodule:f", "f"), ("a.b:g-1", "g_1"), ("abs", "abs_"), ("lambda", "lambda_"), ("2x", "f2x")],
)
def test_function_names(name: str, wanted: str) -> None:
    target = Target(name, "f", EXP2.function, "0", "1", ErrorMeasure.RELATIVE)
    assert info(target).name == wanted


def test_an_unknown_target_gets_the_nearest_name() -> None:
    with pytest.raises(ExportError, match="Did you mean 'python'"):
        render(EXP2_PROGRAM, "pyhton", info())
    assert set(TARGETS) == {"python", "numba", "torch", "c", "proof"}
    with pytest.raises(ExportError, match="a function cannot be exported to optax"):
        render(EXP2_PROGRAM, "optax", info())


@pytest.mark.parametrize("target", ["python", "numba", "c"])
def test_an_op_without_a_template_is_refused_by_its_name(target: str) -> None:
    strange = Op("strange", 1, abs)
    program = parse("def f(x):\n    return strange(x)", OpSet("odd", (strange,)))
    with pytest.raises(ExportError, match="'strange'"):
        render(program, target, info(error_float64=1.0))


def test_only_functions_of_one_input_are_exported() -> None:
    with pytest.raises(ExportError, match="2 inputs"):
        render(parse("def f(x, y):\n    return add(x, y)", CORE), "python", info())


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_a_bound_in_print_is_never_below_the_bound(value: float) -> None:
    assert Fraction(rounded_up(value)) >= Fraction(value)
    assert Fraction(rounded_up(value)) <= Fraction(value) * Fraction(101, 100)


# Reference values


def test_reference_values_are_a_correctly_rounded_pair() -> None:
    points = reference_points(EXP2)
    with mpmath.workdps(80):
        for x, hi, lo, _ in points:
            exact = mpmath.power(2, mpmath.mpf(x))
            assert hi == float(exact)
            assert abs(exact - hi - lo) <= abs(exact) * mpmath.mpf(2) ** -105
    found = {point.x.hex() for point in points}
    assert {x.hex() for x in (0.0, -0.0, 5e-324, 1.0, 1 - 2.0**-53)} <= found


def test_reference_values_near_zero_have_all_their_digits() -> None:
    """e^x - 1 at 5e-324 is lost in 50 digits."""
    target = Target("f", "e^x - 1", lambda x, m: m.exp(x) - 1, "0", "1", ErrorMeasure.RELATIVE)
    assert {point.x: point.hi for point in reference_points(target)}[5e-324] == 5e-324


def test_points_where_the_function_fails_are_left_out() -> None:
    target = Target("sinc", "sin(x)/x", lambda x, m: m.sin(x) / x, "0", "1", ErrorMeasure.RELATIVE)
    assert 0.0 not in [point.x for point in reference_points(target)]
    nowhere = Target("f", "ln(-1-x^2)", lambda x, m: m.log(-1 - x * x), "0", "1", ErrorMeasure.ABSOLUTE)
    with pytest.raises(ExportError, match="no finite value"):
        reference_points(nowhere)


def test_the_float_interval_is_inside_the_exact_one() -> None:
    target = Target("f", "f", EXP2.function, "1/10", "pi/4", ErrorMeasure.ABSOLUTE)
    lower, upper = float_interval(target)
    assert Fraction(lower) >= Fraction(1, 10) > Fraction(lower) - Fraction(2) ** -56
    with mpmath.workdps(40):
        assert 0 <= mpmath.pi / 4 - mpmath.mpf(upper) < mpmath.mpf(2) ** -52


# The source of target functions


@pytest.mark.parametrize("known", FUNCTIONS, ids=lambda known: known.name)
def test_every_known_function_can_be_written_down(known: Any) -> None:
    target = Target(known.name, known.formula, known.function, *known.interval, known.error)
    lower, upper = float_interval(target)
    points = [lower + (upper - lower) * k / 7 for k in range(1, 7)]
    expression = mpmath_expression(known.function, points)
    assert expression is not None
    assert all(eval(expression, {"m": mpmath}, {"x": mpmath.mpf(x)}) == known.function(mpmath.mpf(x), mpmath) for x in points)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda x, _: (x + 1) * (x - 2) - (3 - x), "(x + 1) * (x - 2) - (3 - x)"),
        (lambda x, m: 1 / (1 + m.exp(-x)), "1 / (1 + m.exp(-x))"),
        (lambda x, _: -(x**2) / (2 / x), "-x**2 / (2 / x)"),
        (lambda x, _: (-x) ** 2 * 2**x, "(-x)**2 * 2**x"),
        (lambda x, _: x - (x - (x + x)), "x - (x - (x + x))"),
        (lambda x, _: x * -2 + abs(x) * 0.25, "x * -2 + m.fabs(x) * 0.25"),
        (lambda x, m: m.hyper([1, m.mpf("0.1")], [3], x) * m.pi, "m.hyper([1, m.mpf('0.1')], [3], x) * m.pi"),
    ],
)
def test_expressions_keep_their_order(function: Any, wanted: str) -> None:
    assert mpmath_expression(function, [0.3, 0.7]) == wanted


def test_what_no_expression_can_show_is_not_written_down() -> None:
    import math

    def grows(x: Any, _: Any) -> Any:
        for _ in range(30):
            x = x + x * x
        return x

    def counts(x: Any, _: Any) -> Any:
        calls.append(x)
        return x + len(calls)

    calls: list[Any] = []
    branches = [lambda x, _: x if x > 0 else -x, lambda x, _: math.exp(x), lambda x, m: m.quad(lambda t: t, [0, x])]
    fails = [lambda x, m: m.sin(x) / x, lambda x, m: m.nothing(x), lambda _x, _m: None]
    for function in [*branches, *fails, grows, counts]:
        assert mpmath_expression(function, [0.0, 0.5]) is None
