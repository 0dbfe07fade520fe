"""Update rules: interpreter and JIT give the reference's bits on any tensors; every op of the set is in all three."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from strategies import SIGNED_SPECIALS, rules, same_bits

from evosearch.backends import array_vm, jit, reference
from evosearch.backends.vm import span_source
from evosearch.language.infer import expand
from evosearch.language.op import Op, OpSet
from evosearch.language.optimizer import optimizer_signature, read_rule, state_names
from evosearch.language.program import Instruction, Operand, Program
from primitives.arithmetic import CORE
from primitives.optimizer import OPTIMIZER, SUM

Array = reference.Array
Step = Callable[..., tuple[list[Array], list[list[Array]]]]

SHAPES = [(13, 21), (), (7,), (0,), (2, 3, 5), (256,), (601,)]
PAPER = (
    "abs cos sin tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh exp exp2 exp10 expm1 log log10 log2 log1p "
    "square sqrt cube cbrt sign reciprocal norm invert negative global_norm interp dot cosine_sim clip_by_global_norm power "
    "add sub mul div max min"
)


def tensors(seed: int, shapes: list[tuple[int, ...]] = SHAPES, special: bool = True) -> list[Array]:
    """Plain numbers of many sizes; the last tensor holds special values."""
    rng = np.random.default_rng(seed)
    plain = [np.asarray(rng.normal(size=shape) * 10.0 ** rng.integers(-3, 3, shape)) for shape in shapes]
    if special:
        plain[-1] = rng.choice(SIGNED_SPECIALS, shapes[-1])
    return plain


def vm_step(rule: Program, *given: object) -> tuple[list[Array], list[list[Array]]]:
    return array_vm.step(rule, OPTIMIZER, *given)  # type: ignore[arg-type]


def differences(rule: Program, step: Step, special: bool = True) -> str:
    """Where a backend's result is not the reference's; empty where it is."""
    count = len(state_names(rule))
    w, g = tensors(1, special=special), tensors(2, special=special)
    state = [tensors(3 + k, special=special) for k in range(count)]
    want, want_state = reference.step(rule, w, g, state, 1e-3, 3)
    got, got_state = step(rule, w, g, state, 1e-3, 3)
    for name, ours, theirs in zip(["update", *state_names(rule)], [got, *got_state], [want, *want_state], strict=True):
        wrong = [k for k, (a, b) in enumerate(zip(ours, theirs, strict=True)) if not same_bits(a, b)]
        if wrong:
            return f"{rule}{name}, tensors {wrong}: {ours[wrong[0]]}, reference {theirs[wrong[0]]}"
    return ""


def all_ops(reals: bool) -> list[Program]:
    """Every op on arrays, or (elementwise ops) on reals and on an array and reals: an output each, so few rules."""
    states = 11
    lr, step = 2 + states, 3 + states
    calls: list[tuple[Op, tuple[Operand, ...]]] = []
    for op in OPTIMIZER:
        if not reals:
            calls.append((op, (1, 0, 2)[: op.arity]))
        elif not op.reduces:
            calls += [(op, (step, lr, step)[: op.arity]), (op, (0, lr, step)[: op.arity])]
    signature = optimizer_signature(states)
    found = []
    for start in range(0, len(calls), states + 1):
        body = tuple(Instruction(op, args) for op, args in calls[start : start + states + 1])
        outputs = [len(signature.inputs) + k for k in range(len(body))] + list(range(len(body) + 1, states + 2))
        found.append(Program(signature, body, tuple(outputs)))
    return found


def sample(count: int) -> list[Program]:
    """Random rules, the same in every test run."""
    found: list[Program] = []

    @settings(max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(rules(OPTIMIZER))
    def collect(rule: Program) -> None:
        found.append(rule)

    collect()
    return found


def test_every_op_by_the_interpreter() -> None:
    rules = all_ops(reals=False) + all_ops(reals=True)
    assert [found for rule in rules if (found := differences(rule, vm_step))] == []


def test_random_rules_by_the_interpreter() -> None:
    assert [found for k, rule in enumerate(sample(40)) if (found := differences(rule, vm_step, special=k % 4 > 0))] == []


def test_every_op_and_random_rules_by_the_jit() -> None:
    batch = [*all_ops(reals=False), *sample(2)]  # a rule takes a second or two to compile
    steps = iter(jit.compile_rules(batch))

    def step(rule: Program, *given: object) -> tuple[list[Array], list[list[Array]]]:
        return jit.step_by(compiled, rule, *given)  # type: ignore[arg-type]

    wrong = []
    for rule in batch:
        compiled = next(steps)
        wrong.append(differences(rule, step))
    assert [found for found in wrong if found] == []


NESTED = """
def train(w, g, m, lr, step):
    n = global_norm(g)
    h = div(g, n)
    a = norm(w)
    b = norm(h)
    c = dot(h, w)
    r = div(a, b)
    u = mul(h, r)
    u = add(u, c)
    s = cosine_sim(u, m)
    m = interp(u, m, s)
    k = norm(m)
    u = clip_by_global_norm(u, 0.5)
    update = mul(u, lr)
    return update, k
"""


@pytest.mark.parametrize("step", [vm_step, jit.step], ids=["vm", "jit"])
def test_sums_of_sums_over_tensors_and_over_all(step: Step) -> None:
    rule = read_rule(NESTED, OPTIMIZER)
    assert len(array_vm.encode_rule(rule, OPTIMIZER).depths) == 5  # g, then h, u, then m and the clipped u
    assert differences(rule, step, special=False) == ""


def test_reductions_mean_what_they_say() -> None:
    calls = ("p = norm(w)", "q = global_norm(w)", "r = dot(w, g)", "s = cosine_sim(w, g)", "u = clip_by_global_norm(w, 2)")
    rule = read_rule("\n    ".join(["def train(w, g, a, b, c, d):", *calls, "return u, p, q, r, s"]), OPTIMIZER)
    w, g = tensors(1, SHAPES[:3], special=False), tensors(2, SHAPES[:3], special=False)
    update, state = reference.step(rule, w, g, [w] * 4, 0.1, 1)
    flat_w, flat_g = (np.concatenate([x.ravel() for x in arrays]) for arrays in (w, g))
    size, inner = np.linalg.norm(flat_w), flat_w @ flat_g
    for k, tensor in enumerate(w):
        assert np.allclose(state[0][k], np.linalg.norm(tensor), rtol=1e-13) and state[0][k].shape == tensor.shape
        assert np.allclose(state[1][k], size, rtol=1e-13) and np.allclose(state[2][k], inner, rtol=1e-12)
        assert np.allclose(state[3][k], inner / (size * np.linalg.norm(flat_g) + 1e-8), rtol=1e-12)
        assert np.allclose(update[k], tensor * min(1.0, 2 / (size + 1e-8)), rtol=1e-13)


@pytest.mark.parametrize("step", [vm_step, jit.step], ids=["vm", "jit"])
def test_states_may_change_places(step: Step) -> None:
    rule = read_rule("def train(w, g, a, b, c, d, lr):\n    u = add(g, a)\n    return a, b, c, a, lr\n", OPTIMIZER)
    assert differences(rule, step) == ""


def test_a_sum_of_an_input_leaves_it_alone() -> None:
    ops = OpSet("sums", (*OPTIMIZER, SUM))
    rule = read_rule("def train(w, g, v, lr):\n    s = sum(g)\n    u = mul(g, s)\n    return u, w\n", ops)
    assert differences(rule, lambda rule, *given: array_vm.step(rule, OPTIMIZER, *given)) == ""


def test_the_interpreter_says_whether_all_is_finite() -> None:
    rule = read_rule("def train(w, g, v, lr):\n    r = reciprocal(g)\n    v = exp(w)\n    return r, v\n", OPTIMIZER)
    flat_step = array_vm.bind(rule, OPTIMIZER)
    ones, offsets, update = np.ones(300), np.array([0, 300]), np.empty(300)
    for w, g, fine in ((ones, ones, True), (ones, 0 * ones, False), (1e3 * ones, ones, False)):
        for step in (flat_step, jit.compile_rule(rule)):
            assert step(w, g, np.zeros((1, 300)), offsets, 0.1, 1.0, update) is fine


def test_dead_code_and_constants_take_no_room() -> None:
    calls = ("d = exp(w)", "e = add(d, 0.5)", "a = mul(g, 0.5)", "b = add(a, 0.5)")
    rule = read_rule("\n    ".join(["def train(w, g, v1, lr):", *calls, "return b, v1"]), OPTIMIZER)
    encoded = array_vm.encode_rule(rule, OPTIMIZER)
    assert len(encoded.code) == 2 and encoded.constants.tolist() == [0.5]


def test_the_papers_functions_are_all_there() -> None:
    assert {op.name for op in OPTIMIZER} == {*PAPER.split(), "clip"} and len(OPTIMIZER.ops) == 43
    assert set(OPTIMIZER.constants) == {"pi", "e", "eps"}  # with these 45, and clip


@pytest.mark.parametrize("op", list(OPTIMIZER), ids=lambda op: op.name)
def test_every_op_is_in_reference_interpreter_and_jit(op: Op) -> None:
    parts = [step.op for step in expand(op.composite).instructions] if op.composite else [op]
    assert all(part.reduction or (part.numba and part.c and part.reference) for part in parts)
    assert all(part.reduction or part.name == "negative" or part in CORE.ops for part in parts)
    assert f"op == {OPTIMIZER.code(op.name)}:" in span_source(OPTIMIZER) and op.doc and OPTIMIZER.cost(op) == 1.0
