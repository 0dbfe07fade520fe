"""Known optimizers as program text agree with independent implementations.

They are torch's, pytorch-optimizer's, lion-pytorch's and timm's, and where there is none, the paper's equations.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from strategies import same_bits

from evosearch.backends import array_vm
from evosearch.backends.reference import step
from evosearch.language.optimizer import read_rule, state_names
from evosearch.language.program import Program
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES

torch = pytest.importorskip("torch", reason="most known optimizers are torch's")

STEPS, RATE, DECAY = 50, 0.01, 0.01
SHAPES = ((), (3,), (4, 5), (2, 3, 2), (6,), (1,))


def gradients() -> list[list[np.ndarray]]:
    """For each step and tensor: of many sizes, with zero entries, a step without any, a tensor without any for ten steps."""
    rng = np.random.default_rng(5)
    steps = []
    for t in range(STEPS):
        tensors = [np.asarray(rng.normal(size=shape) * 10.0 ** rng.integers(-4, 2)) for shape in SHAPES]
        tensors = [np.where(rng.random(tensor.shape) < 0.1, 0.0, tensor) for tensor in tensors]
        steps.append([np.zeros_like(tensor) if t == 20 or (k == 4 and t < 10) else tensor for k, tensor in enumerate(tensors)])
    return steps


def weights() -> list[np.ndarray]:
    rng = np.random.default_rng(6)
    drawn = [np.asarray(rng.normal(size=shape)) for shape in SHAPES]
    drawn[3] = np.zeros(SHAPES[3])  # LAMB's trust ratio has no value here
    return drawn


class Equations(torch.optim.Optimizer):
    """The paper's equations, one parameter at a time."""

    def __init__(self, params: object, equations: Callable[..., object]) -> None:
        super().__init__(params, {"lr": RATE})
        self.equations = equations

    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                p.data = p.data - group["lr"] * (self.equations(p.grad, self.state[p]) + DECAY * p.data)


def sign_agreement(size: Callable[[object], object]) -> Callable[..., object]:
    """Bello et al. 2017, section 5: the gradient times a function of sign g sign m."""

    def equations(g: object, state: dict[str, object]) -> object:
        state["m"] = 0.1 * g + 0.9 * state.get("m", 0.0 * g)
        return size(torch.sign(g) * torch.sign(state["m"])) * g

    return equations


def lib(name: str, **options: object) -> Callable[[object], object]:
    """A class of pytorch-optimizer."""

    def make(params: object) -> object:
        package = pytest.importorskip("pytorch_optimizer", reason=f"the independent {name} is pytorch-optimizer's")
        return getattr(package, name)(params, lr=RATE, foreach=False, **options)

    return make


def lion(params: object) -> object:
    package = pytest.importorskip("lion_pytorch", reason="the independent Lion is lion-pytorch's")
    return package.Lion(params, lr=RATE, weight_decay=DECAY)


class Lamb(torch.optim.Optimizer):
    """You et al. 2019, algorithm 2, with trust ratio 1 where a norm is zero."""

    def __init__(self, params: object) -> None:
        super().__init__(params, {"lr": RATE})

    def step(self) -> None:  # type: ignore[override]
        for p in self.param_groups[0]["params"]:
            state, g = self.state[p], p.grad
            t = state["t"] = state.get("t", 0) + 1
            m = state["m"] = 0.9 * state.get("m", 0.0 * g) + 0.1 * g
            v = state["v"] = 0.999 * state.get("v", 0.0 * g) + 0.001 * g * g
            r = (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8) + DECAY * p.data
            ratio = p.data.norm() / r.norm() if p.data.norm() > 0 and r.norm() > 0 else 1.0
            p.data = p.data - RATE * ratio * r


def timms_lamb(params: object) -> object:
    try:
        from timm import optim
    except (ImportError, RuntimeError) as error:  # a torchvision built for another torch raises RuntimeError
        pytest.skip(f"timm cannot be imported: {error}")
    return optim.Lamb(params, lr=RATE, weight_decay=DECAY, eps=1e-8, max_grad_norm=None)


OPTIM = torch.optim
GIVEN = {"lr": RATE, "weight_decay": DECAY}
DECOUPLED = {"weight_decay": DECAY, "weight_decouple": True}
INDEPENDENT: dict[str, Callable[[object], object]] = {
    "sgd_momentum": lambda params: OPTIM.SGD(params, momentum=0.9, **GIVEN),
    "nesterov": lambda params: OPTIM.SGD(params, momentum=0.9, nesterov=True, **GIVEN),
    "adagrad": lambda params: OPTIM.Adagrad(params, eps=1e-8, **GIVEN),
    "rmsprop": lambda params: OPTIM.RMSprop(params, **GIVEN),
    "adam": lambda params: OPTIM.Adam(params, **GIVEN),
    "adamw": lambda params: OPTIM.AdamW(params, **GIVEN),
    "nadam": lambda params: OPTIM.NAdam(params, decoupled_weight_decay=True, **GIVEN),
    "adabelief": lib("AdaBelief", eps=1e-8, rectify=False, **DECOUPLED),
    "diffgrad": lib("DiffGrad", **DECOUPLED),
    "lamb": Lamb,
    "lamb of timm": timms_lamb,
    "lion": lion,
    "signsgd": lib("SignSGD", momentum=0.0, **DECOUPLED),
    "powersign": lambda params: Equations(params, sign_agreement(torch.exp)),
    "addsign": lambda params: Equations(params, sign_agreement(lambda agreement: 1.0 + agreement)),
    "exadam": lib("EXAdam", **DECOUPLED),
}


@pytest.fixture
def in_float64() -> Iterator[None]:
    """NAdam of torch holds its momentum product in the default number format."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


Step = Callable[..., tuple[list[np.ndarray], list[list[np.ndarray]]]]


def trajectory(text: str, run: Step = step) -> Iterator[list[np.ndarray]]:
    """The weights after each step of a rule."""
    rule = read_rule(text, OPTIMIZER)
    w = weights()
    state = [[np.zeros_like(tensor) for tensor in w] for _ in state_names(rule)]
    for t, g in enumerate(gradients(), start=1):
        updates, state = run(rule, w, g, state, RATE, t)
        w = [tensor - update for tensor, update in zip(w, updates, strict=True)]
        yield w


@functools.cache
def expected(name: str) -> list[list[np.ndarray]]:
    """What the reference makes of a known optimizer."""
    return list(trajectory(RULES[name]))


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("name", INDEPENDENT)
def test_a_known_optimizer_agrees_with_an_independent_one(name: str) -> None:
    params = [torch.nn.Parameter(torch.tensor(tensor)) for tensor in weights()]
    theirs = INDEPENDENT[name](params)
    for ours, g in zip(expected(name.split()[0]), gradients(), strict=True):
        for parameter, gradient in zip(params, g, strict=True):
            parameter.grad = torch.tensor(gradient)
        theirs.step()
        for mine, parameter in zip(ours, params, strict=True):
            np.testing.assert_allclose(mine, parameter.detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_the_interpreter_agrees_bit_for_bit(name: str) -> None:
    def interpreted(rule: Program, *given: object) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
        return array_vm.step(rule, OPTIMIZER, *given)

    for ours, theirs in zip(trajectory(RULES[name], interpreted), expected(name), strict=True):
        assert all(map(same_bits, ours, theirs))


def test_every_known_optimizer_is_compared() -> None:
    assert RULES.keys() - INDEPENDENT.keys() == {"adamw_plain"}  # the start of a search, not an optimizer of its own
