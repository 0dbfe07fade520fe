"""The torch backend agrees with the reference: rules by lists, tensor by tensor and compiled; functions."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest

from evosearch.backends.arrays import lower
from evosearch.backends.reference import step
from evosearch.errors import ProgramError
from evosearch.language.optimizer import read_rule, state_names
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES

torch = pytest.importorskip("torch", reason="pip install 'evosearch[torch]'")

OWN = {
    "sums": "def train(w, g, v1, lr):\n    n = global_norm(g)\n    c = dot(g, w)\n    u = div(g, n)\n    u = mul(u, c)\n"
    "    s = norm(u)\n    x = mul(u, s)\n    v1 = add(v1, s)\n    a = max(lr, s)\n    u = mul(x, a)\n"
    "    u = clip(u, 0.1)\n    return u, v1",
    "held": "def train(w, g, v1, v2):\n    a = interp(g, v1, 0.5)\n    return v2, v2, a",
    "numbers": "def train(w, g, v1, lr, step):\n    x = sin(step)\n    y = exp(lr)\n    x = mul(x, y)\n    return x, 0.25",
    "lists": "def train(w, g, lr):\n    a = max(lr, 0.5)\n    x = arcsinh(g)\n    x = max(x, a)\n    y = sub(a, x)\n"
    "    y = clip(y, a)\n    y = power(2.0, y)\n    return y",
}


def rule(name: str) -> Any:
    return read_rule((OWN.get(name) or RULES[name]).strip(), OPTIMIZER)


def largest_difference(name: str, **options: Any) -> float:
    """Over seven steps, weights and states, float64."""
    from evosearch.backends.torch_backend import compile_rule

    rng = np.random.default_rng(2)
    program = rule(name)
    weights = [rng.normal(size=shape) for shape in ((3, 4), (5,), (), (0, 2))]
    params = [torch.tensor(w) for w in weights]
    run = compile_rule(program, **options)
    state, wanted = run.init(params), [[np.zeros_like(w) for w in weights] for _ in state_names(program)]
    differences = [0.0]
    for number in range(1, 8):
        grads = [rng.normal(size=w.shape) for w in weights]
        run.step(params, [torch.tensor(g) for g in grads], state, 0.01, number)
        updates, wanted = step(program, weights, grads, wanted, 0.01, float(number))
        weights = [w - update for w, update in zip(weights, updates, strict=True)]
        found = [*params, *(tensor for one in state for tensor in one)]
        expected = [*weights, *(array for one in wanted for array in one)]
        differences += [np.abs(t.numpy() - a).max(initial=0.0) for t, a in zip(found, expected, strict=True)]
    return float(max(differences))


@pytest.mark.parametrize("foreach", [True, False])
@pytest.mark.parametrize("name", [*RULES, *OWN])
def test_rules_agree_with_the_reference(name: str, foreach: bool) -> None:
    assert largest_difference(name, foreach=foreach) < 1e-12


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_rule_agrees() -> None:
    assert largest_difference("lion", compiled=True) < 1e-12
    with pytest.raises(ProgramError, match="not compiled tensor by tensor"):
        largest_difference("sums", compiled=True)


def test_low_precision_parameters_keep_float32_state() -> None:
    from evosearch.backends.torch_backend import compile_rule

    params = [torch.ones(3, dtype=torch.bfloat16)]
    run = compile_rule(rule("adamw"))
    state = run.init(params)
    run.step(params, [torch.ones(3, dtype=torch.bfloat16)], state, 0.1, 1)
    assert params[0].dtype is torch.bfloat16 and float(params[0][0]) == pytest.approx(0.9, abs=0.01)
    assert {tensor.dtype for one in state for tensor in one} == {torch.float32}


def test_what_is_written() -> None:
    """Guards go where they guard nothing, equal values are computed once, and what dies is written to."""
    from evosearch.backends.torch_source import Form, torch_source

    lowered = lower(rule("adamw"))
    names = [instruction.op.name for instruction in lowered.program.instructions]
    assert "abs" not in names and names.count("sqrt") == 1
    arrays = [line for line in torch_source(lowered, Form.TENSOR).lines if "(" in line]
    assert arrays == [
        "v1.lerp_(g, 1.0 - 0.9)",
        "v2.mul_(0.999)",
        "v2.addcmul_(g, g, value=1.0 - 0.999)",
        "s = v2.sqrt()",
        "s.add_(1e-8 / s_scale)",
        "torch.div(v1, s, out=s)",
        "s.add_(w, alpha=0.01 / u_scale)",
        "w.sub_(s, alpha=u_scale * lr)",
    ]
    kernel = torch_source(lowered, Form.KERNEL)
    assert kernel.given == ("r1", "r2", "lr") and not any("step" in line for line in kernel.lines)
    twice = "def train(w, g):\n    a = norm(g)\n    b = norm(g)\n    c = mul(a, b)\n    u = mul(g, c)\n    return u"
    assert [i.op.name for i in lower(read_rule(twice, OPTIMIZER)).program.instructions] == ["norm", "mul", "mul"]
