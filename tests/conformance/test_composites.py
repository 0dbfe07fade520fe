"""Composites give the reference's bits in every backend, whether expanded or as ops of the interpreter."""

from __future__ import annotations

import numpy as np
import pytest
from float64_backends import Array, Backend
from strategies import same_bits

from evosearch.backends import vm
from evosearch.backends.reference import evaluate
from evosearch.language.infer import expand
from evosearch.language.op import Op, OpSet
from evosearch.language.program import Instruction, Program, Signature, Variable
from primitives.arithmetic import MUL
from primitives.elementary import EXP, FUNCTIONS, SIN, TANH

SOME = OpSet("some", (MUL, EXP, SIN, TANH))
INPUTS = tuple(Variable(name) for name in "xyz")


def call(op: Op) -> Program:
    return Program(Signature(op.name, INPUTS, (Variable("r"),)), (Instruction(op, tuple(range(op.arity))),), (3,))


def test_every_composite_on_special_values(backend: Backend, points: Array) -> None:
    programs = [expand(call(op)) for op in FUNCTIONS]
    results = backend(programs, points)
    wrong = [
        op.name for op, (got,) in zip(FUNCTIONS, results, strict=True) if not same_bits(got, op.reference(*points[: op.arity]))
    ]
    assert wrong == []


@pytest.mark.parametrize("op", [EXP, SIN, TANH], ids=lambda op: op.name)
def test_as_an_op_of_the_interpreter(op: Op, points: Array) -> None:
    (got,) = vm.evaluate(call(op), SOME, *points)
    assert same_bits(got, evaluate(call(op), *points)[0])


def test_derivatives_and_double_double_follow_from_the_definition() -> None:
    x = np.array([-1.7, 0.3, 2.0])
    want = {"exp": np.exp(x), "sin": np.cos(x), "tanh": 1 - np.tanh(x) ** 2}
    for op in (EXP, SIN, TANH):
        by_inputs, _ = vm.gradients(call(op), SOME, x, x, x)
        assert np.allclose(by_inputs[0], want[op.name], rtol=1e-13)
        ((hi, lo),) = vm.evaluate_dd(call(op), SOME, x, x, x)
        assert np.allclose(hi, op.reference(x), rtol=1e-15) and np.any(lo != 0.0)
