"""Exported code gives the reference's bits, in every language, for floats and for arrays."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from export_samples import EXP2, EXP2_PROGRAM, RATIO_PROGRAM, info, load, one_op
from hypothesis import HealthCheck, Phase, given, settings
from strategies import SIGNED_SPECIALS, programs, same_bits

from evosearch.backends.reference import evaluate
from evosearch.evaluation.target import ErrorMeasure, Target
from evosearch.export.c import render_c
from evosearch.export.numba import render_numba
from evosearch.export.python import FORMS, render_python
from evosearch.export.runtime import _fma
from evosearch.export.verify import C_FLAGS
from evosearch.language.op import OpSet
from evosearch.language.program import Program
from evosearch.language.text import parse
from primitives.arithmetic import CORE
from primitives.elementary import EXP

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # infinities and nan are what these tests are about

POINTS = np.concatenate([SIGNED_SPECIALS, np.random.default_rng(1).normal(size=40) * 3])

# The sign of a nan is not defined, and copysign shows it: it is tried on plain points below.
OPS = OpSet("without copysign", tuple(op for op in CORE if op.name != "copysign"))
SINGLE = [one_op(op.name) for op in CORE]
RANDOM = programs(OPS, inputs=1, max_length=10, all_live=True)


def target(name: str) -> Target:
    return Target(name, "f(x)", lambda x, _: 1 + x, "0", "1", ErrorMeasure.ABSOLUTE)


def sample(count: int) -> list[Program]:
    """Random programs, the same in every test run."""
    found: list[Program] = []

    @settings(max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(RANDOM)
    def collect(program: Program) -> None:
        found.append(program)

    collect()
    return found


def check_python(program: Program) -> None:
    (wanted,) = evaluate(program, POINTS)
    function = load(render_python(program, info(target("f")))).f
    array = function(POINTS)
    assert same_bits(array, wanted), f"{program} differs at {POINTS[array != wanted]}"
    scalars = [function(x) for x in POINTS.tolist()]
    assert all(type(value) is float for value in scalars)
    assert same_bits(scalars, wanted), f"{program} differs at {POINTS[np.array(scalars) != wanted]}"


def test_every_op_has_a_form_in_python() -> None:
    assert set(FORMS) == {op.name for op in CORE}


@pytest.mark.parametrize("program", SINGLE, ids=[op.name for op in CORE])
def test_python_gives_the_bits_of_the_reference_for_every_op(program: Program) -> None:
    check_python(program)


@settings(max_examples=60)
@given(RANDOM)
def test_python_gives_the_bits_of_the_reference(program: Program) -> None:
    check_python(program)


def test_composites_are_written_out() -> None:
    ops = OpSet("with exp", (*CORE, EXP))
    program = parse("def f(x):\n    t = exp(x)\n    return mul(t, 0.5)", ops)
    check_python(program)
    check_numba(program)
    assert "exp(" not in render_c(program, info(target("f"))).replace("ldexp(", "")


@pytest.mark.parametrize("name", ["div", "fma", "min", "max", "scale2", "exponent", "select"])
def test_numba_gives_the_bits_of_the_reference_for_ops_that_need_help(name: str) -> None:
    check_numba(one_op(name))


def test_numba_gives_the_bits_of_the_reference() -> None:
    for program in [RATIO_PROGRAM, *sample(4)]:
        check_numba(program)


def check_numba(program: Program) -> None:
    (wanted,) = evaluate(program, POINTS)
    module = load(render_numba(program, info(target("f"))))
    assert same_bits(module.f_array(POINTS), wanted), str(program)
    assert same_bits([module.f(x) for x in POINTS.tolist()], wanted), str(program)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_c_gives_the_bits_of_the_reference(compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    batch = [*SINGLE, RATIO_PROGRAM, *sample(30)]
    source = ""
    for number, program in enumerate(batch):
        source += render_c(program, info(target(f"f{number}")))
        source += f"void sweep{number}(const double *x, double *y, long n);\n"
        source += f"void sweep{number}(const double *x, double *y, long n)\n{{\n"
        source += f"    for (long i = 0; i < n; i++)\n        y[i] = evo_f{number}(x[i]);\n}}\n"
    (tmp_path / "all.c").write_text(source)
    library = tmp_path / "all.so"
    subprocess.run([compiler, *C_FLAGS, "-shared", "-fPIC", "-o", library, tmp_path / "all.c", "-lm"], check=True)
    loaded = ctypes.CDLL(str(library))
    for number, program in enumerate(batch):
        result = np.empty_like(POINTS)
        pointers = [array.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for array in (POINTS, result)]
        loaded[f"sweep{number}"](*pointers, ctypes.c_long(len(POINTS)))
        assert same_bits(result, evaluate(program, POINTS)[0]), str(program)


def test_constants_are_folded_and_rounded_and_dead_code_goes() -> None:
    program = parse(
        "def f(y):\n    k = div(1.0, 3.0)\n    dead = sqrt(y)\n    i = div(1.0, 0.0)\n    t = max(y, k)\n    return min(t, i)",
        CORE,
    )
    text = render_python(program, info())
    assert "maximum(x, 0.3333333333333333)" in text and "math.inf" in text and "sqrt" not in text
    check_python(program)
    check_numba(program)


@pytest.mark.parametrize(
    "text", ["def f(x):\n    return x", "def f(x):\n    return -0.75", "def f(x):\n    t = add(1.0, 2.0)\n    return t"]
)
def test_programs_without_an_instruction(text: str) -> None:
    program = parse(text, CORE)
    check_python(program)
    check_numba(program)
    x = np.array([1.0, 2.0])
    assert load(render_python(program, info())).exp2(x) is not x


def test_python_takes_what_numpy_users_give() -> None:
    module = load(render_python(EXP2_PROGRAM, info(EXP2)))
    assert module.__all__ == ["exp2"]
    exact = module.exp2(0.5)
    assert module.exp2([[0.5, 0.5]]).tolist() == [[exact, exact]]
    assert module.exp2(np.array(0.5)) == exact and module.exp2(np.float64(0.5)) == exact
    assert module.exp2(1) == module.exp2(1.0) == module.exp2(np.array([1]))[0]
    single = module.exp2(np.array([0.5], dtype=np.float32))
    assert single.dtype == np.float32 and single[0] == np.float32(exact)
    with pytest.raises(TypeError):
        module.exp2(np.array([1j]))


@pytest.mark.filterwarnings("error")
def test_a_division_by_zero_is_silent_and_has_its_ieee_value() -> None:
    function = load(render_python(RATIO_PROGRAM, info())).exp2
    x = np.array([0.0, -0.0, 5e-324, np.inf, -1.0, np.nan])
    wanted = [0.0, -0.0, 0.0, 1.0, np.inf, np.nan]
    assert same_bits(function(x), wanted)
    assert same_bits([function(value) for value in x.tolist()], wanted)


def test_the_scalar_fma_overflows_to_a_signed_infinity() -> None:
    assert _fma(1e300, 1e300, 1.0) == math.inf
    assert _fma(-1e300, 1e300, 1.0) == -math.inf
