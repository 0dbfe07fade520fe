"""Encoding: what goes in comes out; what does not fit is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from strategies import programs

from evosearch.backends.encode import BANK_SIZE, CONST_BASE, INPUT_BASE, TEMP_BASE, decode, encode
from evosearch.errors import ProgramError
from evosearch.language.op import OpSet
from evosearch.language.program import Const, Instruction, Program, Signature, Variable
from evosearch.language.text import parse
from evosearch.language.types import Type
from primitives.arithmetic import CORE, FIELD, MUL


@given(programs(CORE, outputs=2))
def test_round_trip(program: Program) -> None:
    encoded = encode(program, CORE)
    back = decode(encoded, CORE, program.signature)
    assert back == program
    assert [repr(constant) for constant in back.constants] == [repr(constant) for constant in program.constants]
    assert encoded.code.dtype == np.int16 and encoded.code.shape == (len(program.instructions), 4)


def test_layout() -> None:
    program = parse("def f(x):\n    a = div(2.5, x)\n    return sub(a, 0.1234567890123456789012)\n", FIELD)
    encoded = encode(program, FIELD)
    assert encoded.code.tolist() == [[3, CONST_BASE, INPUT_BASE, 0], [1, TEMP_BASE, CONST_BASE + 1, 0]]
    assert encoded.outputs.tolist() == [TEMP_BASE + 1]
    assert encoded.hi[0] == 2.5 and encoded.lo[0] == 0.0 and encoded.lo[1] != 0.0


def test_arrays_have_a_bank_of_their_own() -> None:
    signature = Signature("f", (Variable("w", Type.ARRAY), Variable("lr")), (Variable("update", Type.ARRAY),))
    program = Program(signature, (Instruction(MUL, (0, 1)),), (2,))
    encoded = encode(program, FIELD)
    assert encoded.code.tolist() == [[2, BANK_SIZE + INPUT_BASE, INPUT_BASE + 1, 0]]
    assert encoded.outputs.tolist() == [BANK_SIZE + TEMP_BASE]
    assert decode(encoded, FIELD, signature) == program


def test_what_does_not_fit_is_refused() -> None:
    product = parse("def f(x):\n    return mul(x, x)\n", FIELD)
    with pytest.raises(ProgramError, match="unknown op 'mul'"):
        encode(product, OpSet("less", FIELD.ops[:2]))
    many = Program(product.signature, tuple(Instruction(MUL, (0, Const(float(k)))) for k in range(65)), (1,))
    with pytest.raises(ProgramError, match="64 constants, this one has 65"):
        encode(many, FIELD)
    inputs = tuple(Variable(f"x{k}") for k in range(17))
    with pytest.raises(ProgramError, match="16 inputs, this one has 17"):
        encode(Program(Signature("f", inputs, (Variable("r"),)), (), (0,)), FIELD)
