"""Reverse sweeps of the interpreter against finite differences of the double-double kernel, by inputs and by constants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import programs

from evosearch.backends import vm
from evosearch.language.infer import live
from evosearch.language.op import Op, OpSet
from evosearch.language.program import Const, Instruction, Program, Signature, Variable
from evosearch.language.types import elementwise
from primitives.arithmetic import CORE

SMOOTH = OpSet("smooth", tuple(op for op in CORE if op.name in ("add", "sub", "mul", "div", "neg", "square", "fma", "sqrt")))
REAL = [op for op in CORE if op.rule is elementwise]
STEP = 2.0**-40
POINTS = np.array([0.71, 1.3, 2.9])


def difference_quotient(program: Program, which: int) -> np.ndarray:
    """Central differences by constant `which`, in double-double: about 24 digits are left of 32."""
    values = []
    for sign in (1.0, -1.0):
        constants = list(program.constants)
        constants[which] = Const.nearest(constants[which].exact + Const(sign * STEP).exact)
        ((hi, lo),) = vm.evaluate_dd(program.with_constants(tuple(constants)), CORE, POINTS)
        values.append((hi, lo))
    (ah, al), (bh, bl) = values
    return ((ah - bh) + (al - bl)) / (2 * STEP)


def close(got: np.ndarray, want: np.ndarray) -> bool:
    return np.allclose(got, want, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("op", REAL, ids=lambda op: op.name)
@pytest.mark.parametrize("values", [(1.25, 0.6, -0.3), (-0.8, 1.7, 2.1), (2.3, -1.1, 0.4)])
def test_each_op_in_each_argument(op: Op, values: tuple[float, ...]) -> None:
    if op.name == "sqrt":
        values = tuple(map(abs, values))
    if op.name == "scale2":
        values = (values[0], 3.0)
    constants = tuple(map(Const, values[: op.arity]))
    signature = Signature("f", (Variable("x"),), (Variable("result"),))
    program = Program(signature, (Instruction(op, constants),), (1,))
    _, jacobian = vm.gradients(program, CORE, POINTS)
    for which, template in enumerate(op.adjoint):
        want = difference_quotient(program, which) if template else np.zeros(3)
        assert close(jacobian[which], want)


def test_select_and_ties_send_the_adjoint_one_way() -> None:
    signature = Signature("f", (Variable("x"), Variable("y")), (Variable("result"),))
    choose = Program(signature, (Instruction(CORE["lt"], (0, 1)), Instruction(CORE["select"], (2, 0, 1))), (3,))
    by_inputs, _ = vm.gradients(choose, CORE, [1.0, 2.0], [2.0, 1.0])
    assert by_inputs.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    for name in ("min", "max"):
        tie = Program(signature, (Instruction(CORE[name], (0, 1)),), (2,))
        by_inputs, _ = vm.gradients(tie, CORE, [1.0], [1.0])
        assert by_inputs.sum() == 1.0


@settings(max_examples=60)
@given(programs(SMOOTH, inputs=1, max_length=8, special=False, all_live=True))
def test_random_programs(program: Program) -> None:
    _, jacobian = vm.gradients(program, CORE, POINTS)
    assert len(jacobian) == len(program.constants)
    if not any(live(program)) or not np.all(np.isfinite(jacobian)) or np.abs(jacobian).max(initial=0.0) > 1e6:
        return
    ((hi, _),) = vm.evaluate_dd(program, CORE, POINTS)
    if not np.all(np.abs(hi) < 1e6):
        return
    for which in range(len(program.constants)):
        want = difference_quotient(program, which)
        finer = np.abs(want) < 1e6  # a root or a pole next to a point makes the quotient useless
        assert np.allclose(jacobian[which][finer], want[finer], rtol=1e-3, atol=1e-4)


def test_an_operand_used_twice_gets_both_shares() -> None:
    signature = Signature("f", (Variable("x"),), (Variable("result"),))
    cube = Program(signature, (Instruction(CORE["mul"], (0, 0)), Instruction(CORE["mul"], (1, 0))), (2,))
    by_inputs, _ = vm.gradients(cube, CORE, [2.0, -3.0])
    assert by_inputs.tolist() == [[12.0, 27.0]]
