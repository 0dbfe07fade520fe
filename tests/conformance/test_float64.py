"""All float64 backends give the reference's bits; every op is in every backend, or absent with a reason."""

from __future__ import annotations

import numpy as np
import pytest
from float64_backends import Array, Backend
from hypothesis import HealthCheck, Phase, given, settings
from strategies import programs, same_bits

from evosearch.backends import dd
from evosearch.backends.reference import evaluate
from evosearch.language.op import Op
from evosearch.language.program import Const, Instruction, Operand, Program, Signature, Variable
from evosearch.language.types import Type, comparison
from primitives.arithmetic import CORE

ABSENT: dict[tuple[str, str], str] = {}
"""(op, backend) with the reason why it is not there; today every op is everywhere."""

INPUTS = tuple(Variable(name) for name in "xyz")


def sample(count: int, outputs: int) -> list[Program]:
    """Random programs, the same in every test run, for backends that compile a batch."""
    found: list[Program] = []
    strategy = programs(CORE, inputs=3, outputs=outputs, max_length=15, all_live=True)

    @settings(max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(program: Program) -> None:
        found.append(program)

    collect()
    return found


def one_op(op: Op) -> Program:
    """The op on plain inputs; a truth value is made by a comparison."""
    body = [Instruction(CORE["lt"], (0, 1))]  # unread but by select
    args: tuple[Operand, ...] = (3, 1, 2) if op.name == "select" else tuple(range(op.arity))
    body.append(Instruction(op, args))
    result = Variable("r", Type.BOOLEAN if op.rule is comparison else Type.REAL)
    return Program(Signature(op.name, INPUTS, (result,)), tuple(body), (4,))


def differences(programs: list[Program], results: list[list[Array]], points: Array) -> list[str]:
    """Programs whose result differs from the reference, with the first point that shows it."""
    found = []
    for program, result in zip(programs, results, strict=True):
        for got, want in zip(result, evaluate(program, *points), strict=True):
            if not same_bits(got, want):
                wrong = next(j for j in range(points.shape[1]) if not same_bits(got[j], want[j]))
                found.append(f"{program}at {points[:, wrong]}: got {got[wrong]!r}, reference {want[wrong]!r}")
    return found


def test_every_op_on_special_values(backend: Backend, points: Array) -> None:
    single = [one_op(op) for op in CORE]
    assert differences(single, backend(single, points), points) == []


def test_random_programs(backend: Backend, points: Array) -> None:
    batch = sample(25, outputs=1) + sample(8, outputs=2)
    assert differences(batch, backend(batch, points), points) == []


def test_constants_are_rounded_to_their_high_part_and_outputs_may_be_inputs_or_constants(backend: Backend) -> None:
    third = Const.nearest(Const(1.0).exact / 3)
    assert third.lo != 0.0
    signature = Signature("f", INPUTS, tuple(Variable(name) for name in "pqr"))
    program = Program(signature, (Instruction(CORE["mul"], (0, third)),), (3, 1, Const(-0.0)))
    points = np.array([[3.0, -0.0], [1.0, np.nan], [5.0, 6.0]])
    (result,) = backend([program], points)
    assert same_bits(result, [[3.0 * (1 / 3), -0.0], [1.0, np.nan], [-0.0, -0.0]])


@pytest.mark.parametrize("op", list(CORE), ids=lambda op: op.name)
def test_every_op_is_in_every_backend_or_absent_with_a_reason(op: Op) -> None:
    present = {"numba": op.numba, "c": op.c, "dd": op.dd and hasattr(dd, op.dd)}
    missing = {(op.name, backend) for backend, there in present.items() if not there}
    assert missing == {key for key in ABSENT if key[0] == op.name}
    assert len(op.adjoint) == op.arity and op.doc


def test_min_and_max_are_those_of_ieee_754_2019() -> None:
    a, b = np.array([0.0, -0.0, np.nan, 1.0]), np.array([-0.0, 0.0, 1.0, np.nan])
    assert same_bits(CORE["min"].reference(a, b), [-0.0, -0.0, np.nan, np.nan])
    assert same_bits(CORE["max"].reference(a, b), [0.0, 0.0, np.nan, np.nan])
