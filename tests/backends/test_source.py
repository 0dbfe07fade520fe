"""What the emitters write: readable C, names that clash with nothing, and a hash of every helper in each kernel file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from evosearch.backends import dd, jit, vm
from evosearch.backends.c import c_function
from evosearch.backends.emit import numba_header
from evosearch.backends.reference import evaluate
from evosearch.errors import ProgramError
from evosearch.language.op import Op, OpSet
from evosearch.language.program import Const, Instruction, Program, function_signature
from evosearch.language.text import parse
from primitives.arithmetic import ADD, FIELD

CUBE = OpSet("one op without templates", (Op("cube", 1, lambda a: a**3),))


def test_c_is_golden() -> None:
    program = parse("def exp2(x):\n    a = mul(x, 99)\n    t = add(x, -3.5)\n    return div(2.25, t)\n", FIELD)
    assert c_function(program) == (
        "static double exp2_(double x)\n{\n"
        "    const double t0 = x + (-0x1.cp+1);\n"
        "    const double t1 = 0x1.2p+1 / t0;\n"
        "    return t1;\n}\n"
    )


def test_c_names_avoid_keywords_and_temporaries() -> None:
    program = parse("def f(double, t0, unused):\n    a = add(double, t0)\n    return mul(a, a)\n", FIELD)
    source = c_function(program, "g", static=False)
    assert source.startswith("double g(double double_, double t0, double unused)\n{\n    (void)unused;\n")
    assert "const double tt0 = double_ + t0;" in source


def test_kernel_files_name_the_hash_of_their_helpers() -> None:
    header = numba_header(FIELD.ops)
    named = dict(re.findall(r"# (\S+\.py) ([0-9a-f]{64})\n", header))
    assert {"scalar.py", "dd.py"} <= named.keys()
    for name, digest in named.items():
        assert hashlib.sha256((Path(dd.__file__).parent / name).read_bytes()).hexdigest() == digest
    assert vm.vm_source(FIELD).startswith(header)


def test_what_cannot_be_compiled_is_refused_and_the_way_out_named() -> None:
    program = parse("def f(x):\n    return cube(x)\n", CUBE)
    assert evaluate(program, [2.0])[0].tolist() == [8.0]
    for write in (c_function, jit.compile_program):
        with pytest.raises(ProgramError, match=r"'cube' has no .* template; use the reference backend"):
            write(program)
    infinite = Program(function_signature(), (Instruction(ADD, (0, Const(np.inf))),), (1,))
    with pytest.raises(ProgramError, match="constant inf is not finite"):
        c_function(infinite)


def test_jit_takes_numbers_and_arrays_of_any_shape() -> None:
    program = parse("def f(x, y):\n    a = mul(x, y)\n    return add(a, 1)\n", FIELD)
    compiled = jit.compile_program(program)
    assert compiled(2, 3)[0].shape == () and compiled(2, 3)[0] == 7.0
    assert compiled(np.ones((2, 3)), 2.0)[0].tolist() == [[3.0] * 3] * 2
    with pytest.raises(ProgramError, match="'f' takes 2 inputs, got 1"):
        compiled(1.0)
