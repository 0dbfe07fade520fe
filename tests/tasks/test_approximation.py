"""The approximation task: what it accepts, what it refuses, its points and its wrapper."""

from __future__ import annotations

import math
import pickle
import tomllib
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evosearch.errors import ConfigError, EvosearchError, TaskError
from evosearch.evaluation.factored import Core
from evosearch.evaluation.target import Form
from evosearch.language.infer import cost
from evosearch.language.text import parse
from evosearch.tables import from_table
from primitives.arithmetic import FIELD
from tasks.approximation import FUNCTIONS, Approximation

RUNS = Path(__file__).parents[2] / "runs"


def task(**keys: object) -> Approximation:
    return from_table(Approximation, keys, "task")


@pytest.mark.parametrize("name", [row.name for row in FUNCTIONS if row.name != "airyai"])
def test_every_known_function_is_a_task_on_its_usual_interval(name):
    approximation = task(function=name)
    approximation.check(FIELD)
    assert pickle.loads(pickle.dumps(approximation.target())) == approximation.target()


def test_run_files_measure_absolute_errors_but_for_exp2():
    tables = [tomllib.loads(path.read_text()) for path in RUNS.glob("*.toml")]
    asked = {t["task"]["function"]: t["task"] for t in tables if t["task"]["use"] == "tasks.approximation:Approximation"}
    assert set(asked) == {"exp2", "log2", "sin", "erf", "tanh", "airyai"}
    for name, keys in asked.items():
        given = {key: value for key, value in keys.items() if key != "use"}
        assert task(**given).target().error == ("relative" if name == "exp2" else "absolute")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"function": "sinn"}, "Did you mean 'sin'?"),
        ({"function": "exp", "interval": [1, 0]}, "[1, 0] is empty"),
        ({"function": "exp", "interval": ["0", "sqrt(-1)"]}, "'sqrt(-1)' is no real number"),
        ({"function": "exp", "interval": ["0", "ten"]}, "cannot read the bound 'ten'"),
        ({"function": "exp", "interval": ["0"]}, "must be two bounds"),
        ({"function": "exp", "interval": [0, 1000]}, "at x = 750 is too large for float64"),
        ({"function": "log", "interval": [0, 1]}, "'log' at x = 0 is infinite"),
        ({"function": "log", "interval": [-1, 1]}, "'log' at x = -1 is complex"),
        ({"function": "rsqrt", "interval": [0, 1]}, "'rsqrt' at x = 0 divides by zero"),
        ({"function": "tan", "interval": [0, 3]}, "infinite near x = 1.57079632679489"),
        ({"function": "gamma", "interval": ["-5/2", "1/2"]}, "'gamma' at x = -1"),
        ({"function": "sin", "error": "relative"}, "'sin' is zero at x = 0"),
        ({"function": "sin", "error": "relative"}, "task.form = 'odd'"),
        ({"function": "log2", "interval": ["1/3", 2], "error": "relative"}, "'log2' is zero at x = 1,"),
        ({"function": "j0", "interval": [2, 3], "error": "relative"}, "zero at x = 2.404825557695772"),
        ({"function": "exp", "form": "odd"}, "form = 'odd' does not fit 'exp'"),
        ({"function": "sin", "form": "even"}, "form = 'even' does not fit 'sin'"),
        ({"function": "exp", "error": "weighted"}, "task.weight"),
        ({"function": "exp", "constraints": ["short-coefficients"]}, "task.digits"),
        ({"function": "no_module_of_this_name:f", "interval": [0, 1]}, "no module 'no_module_of_this_name'"),
    ],
)
def test_refuses_and_names_the_cause(keys, message):
    with pytest.raises(EvosearchError) as caught:
        task(**keys).check(FIELD)
    assert message in str(caught.value)


USER_MODULE = """
import math
calls = []
def good(x, m): return m.exp(-x * x)
def weight(x, m): return 1 + x
def constant(x, m): return 1
def raises(x, m): raise RuntimeError("no value today")
def floats(x, m): return math.exp(x)
def text(x, m): return "1"
def unsteady(x, m):
    calls.append(x)
    return m.mpf(len(calls))
def double_pole(x, m): return 1 / (x - m.mpf(1) / 3) ** 2
def off_grid_pole(x, m): return 1 / (x - m.mpf(1) / 7) ** 2
def double_zero(x, m): return (x - m.mpf(1) / 3) ** 2
number = 3
"""


@pytest.fixture(scope="module")
def user_module(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    (folder / "user_functions.py").write_text(USER_MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield "user_functions"


def test_a_users_function_is_found_in_the_current_folder(user_module):
    approximation = task(
        function=f"{user_module}:good", weight=f"{user_module}:weight", error="weighted", interval=["0", "1"], form="even"
    )
    approximation.check(FIELD)
    points = approximation.points(5)
    assert points.hi[-1] == math.exp(-1)
    assert points.weight[-1] == 2.0
    task(function=f"{user_module}:constant", interval=["0", "1"]).check(FIELD)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raises", "RuntimeError: no value today"),
        ("floats", "53 bits only"),
        ("text", "no real number ('1')"),
        ("unsteady", "not deterministic"),
        ("double_pole", "x = 0.33333333333333333 divides by zero"),
        ("off_grid_pole", "infinite near x = 0.14285714285714"),
        ("double_zero", "zero at x = 0.3333333333333333"),
        ("number", "is no function"),
        ("missing", "no 'missing'"),
    ],
)
def test_a_users_function_that_cannot_serve(user_module, name, message):
    with pytest.raises((TaskError, ConfigError)) as caught:
        task(function=f"{user_module}:{name}", interval=["0", "1"], error="relative").check(FIELD)
    assert message in str(caught.value)


def test_describe():
    assert task(function="exp2", interval=["0", "1"]).describe(FIELD) == "2^x on [0, 1], relative error, + - * /"
    odd = task(function="sin", form="odd", error="relative", constraints=["no-division"])
    assert odd.describe(FIELD) == "sin(x) as x g(x^2) on [0, pi/4], relative error, + - *, no-division"


@pytest.mark.parametrize("nodes", ["extrema", "roots"])
@pytest.mark.parametrize("function", ["exp2", "sin", "airyai"])
def test_points_hold_the_target_to_106_bits_inside_the_interval(function, nodes):
    approximation = task(function=function)
    target, points = approximation.target(), approximation.points(9, nodes)
    with mpmath.workdps(60):
        lower, upper = target.bounds(mpmath.mp)
        assert lower <= mpmath.mpf(points.x[0]) and mpmath.mpf(points.x[-1]) <= upper
        assert np.all(np.diff(points.x) > 0)
        for x, hi, lo in zip(points.x, points.hi, points.lo, strict=True):
            value = target.function(mpmath.mpf(x), mpmath.mp)
            assert abs(mpmath.mpf(hi) + mpmath.mpf(lo) - value) <= abs(value) * mpmath.mpf(2) ** -104


@pytest.mark.parametrize("error", ["relative", "absolute"])
def test_weights_of_an_odd_form_measure_the_whole_program(error):
    points = task(function="sin", form="odd", error=error, interval=["-pi/4", "pi/4"]).points(7)
    assert points.x[0] == 0.0 and points.hi[0] == 1.0
    guess = 1 - points.x / 6
    x = np.sqrt(points.x[1:])
    whole = np.abs(x * guess[1:] - np.sin(x)) / (np.sin(x) if error == "relative" else 1)
    assert np.allclose((np.abs(guess - points.hi) * points.weight)[1:], whole, rtol=1e-9, atol=1e-16)


def test_the_core_at_zero_is_the_limit():
    with mpmath.workdps(60):
        u = mpmath.mpf(0)
        assert abs(Core(task(function="erf").target().function, Form.ODD)(u, mpmath.mp) - 2 / mpmath.sqrt(mpmath.pi)) < 1e-58
    with pytest.raises(TaskError, match="no limit"), mpmath.workdps(60):
        Core(task(function="cbrt").target().function, Form.ODD)(u, mpmath.mp)


@given(st.sampled_from(list(Form)), st.floats(-2, 2))
def test_wrap_evaluates_the_core_at_the_square(form, x):
    core = parse("def g(u):\n    t0 = mul(u, 0.1)\n    t1 = add(t0, 2.5)\n    return div(t1, u)\n", FIELD)
    approximation = Approximation("sin", form=form)
    whole = approximation.wrap(core, FIELD)
    assert cost(whole, FIELD) == cost(core, FIELD) + approximation.wrapper_cost(FIELD)
    u = Fraction(x) if form is Form.PLAIN else Fraction(x) ** 2
    if u == 0:
        return
    expected = (u * Fraction(0.1) + Fraction(5, 2)) / u * (Fraction(x) if form is Form.ODD else 1)
    values: list[Fraction] = [Fraction(x)]
    apply = {"add": Fraction.__add__, "mul": Fraction.__mul__, "div": Fraction.__truediv__}
    for item in whole.instructions:
        values.append(apply[item.op.name](*(values[a] if isinstance(a, int) else a.exact for a in item.args)))
    assert values[whole.outputs[0]] == expected


def test_plain_text_serves_in_python_as_in_a_run_file():
    assert Approximation("tan", (0, "pi/4"), error="relative", form="odd").target().form is Form.ODD
    with pytest.raises(ConfigError, match=r"'middle' is not a valid Form.*'odd'"):
        Approximation("tan", form="middle")


def test_no_division_takes_the_op_away():
    ops = task(function="exp", constraints=["no-division"]).operations(FIELD)
    assert [op.name for op in ops] == ["add", "sub", "mul"]
    with pytest.raises(ConfigError, match="multiplies x by itself"):
        task(function="sin", form="odd").check(FIELD.subset(["add", "div"]))
