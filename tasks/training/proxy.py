"""Proxies: small trainings on real data, each a whole training loop in one kernel."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import assemble
from evosearch.errors import ConfigError
from evosearch.language.op import OpSet
from tasks.training.batches import TEXT, Source
from tasks.training.data import load_data
from tasks.training.loop import ACCURACY, LOSS, STEPS, TRAIN_LOSS, VALID, Rule, Shape
from tasks.training.nets import Net, load_model

if TYPE_CHECKING:
    from evosearch.backends.array_vm import EncodedRule

Schedule = Literal["constant", "cosine", "linear"]
SCHEDULES = ("constant", "cosine", "linear")
OP_WORK = 4
"""Multiplications of the model that take as long as one instruction of a rule on one weight."""


@dataclass(frozen=True)
class Proxy:
    """A small training.

    Attributes:
        name: unique within a task.
        data: "digits", "moved-digits", "genesis", or the user's "module:function", which returns a `Data`.
        model: "mlp", "conv", "char", or the user's "module:attribute", a `Model`.
        sizes: of the model: hidden units a layer (mlp), channels and hidden units (conv), embedding and hidden units (char).
        batch: examples a step.
        steps: of a whole training.
        schedule: how the learning rate falls after the warm-up: not at all, or to 0 along a cosine or a line.
        warmup: share of the steps in which it first rises in a line.
        examples: validation examples; of rows that do not change at most those held out.
        context: characters from which a text's next is predicted.
    """

    name: str
    data: str = "digits"
    model: str = "mlp"
    sizes: tuple[int, ...] = (32,)
    batch: int = 32
    steps: int = 100
    schedule: Schedule = "constant"
    warmup: float = 0.0
    examples: int = 359
    context: int = 8

    def __post_init__(self) -> None:
        for name in ("batch", "steps", "examples", "context"):
            if getattr(self, name) < 1:
                raise ConfigError(f"proxy '{self.name}': {name} must be at least 1, got {getattr(self, name)}")
        if any(size < 1 for size in self.sizes):
            raise ConfigError(f"proxy '{self.name}': sizes must be at least 1, got {self.sizes}")
        if self.schedule not in SCHEDULES:
            raise ConfigError(f"proxy '{self.name}': schedule is one of {', '.join(SCHEDULES)}, got '{self.schedule}'")
        if not 0.0 <= self.warmup < 1.0:
            raise ConfigError(f"proxy '{self.name}': warmup is a share of the steps, from 0 to below 1, got {self.warmup}")


@dataclass(frozen=True)
class Outcome:
    """What became of one training.

    Attributes:
        status: "invalid" where a weight, a gradient, an update or a metric was not finite, or loss and accuracy contradict
            each other.
        loss, accuracy: on validation examples; mean cross-entropy, natural logarithm. NaN where invalid.
        train_loss: mean over the last tenth of the steps.
        work: multiplications, with `OP_WORK` an instruction and weight of the rule; counted up to where it stopped.
    """

    status: Literal["ok", "invalid"]
    loss: float
    accuracy: float
    train_loss: float
    work: int


def train(proxy: Proxy, rule: EncodedRule, ops: OpSet, lr: float, seed: int, steps: int | None = None) -> Outcome:
    """Train from scratch with one learning rate; a function of its arguments alone, bit for bit.

    Args:
        rule: encoded with `ops`.
        seed: of the split, the initial weights, the batches and the moves; the same for all rules.
        steps: the horizon, over which the schedule stretches; without it, the proxy's.
    """
    return train_rates(proxy, rule, ops, (lr,), seed, steps)[0]


def train_rates(
    proxy: Proxy, rule: EncodedRule, ops: OpSet, rates: Sequence[float], seed: int, steps: int | None = None
) -> tuple[Outcome, ...]:
    """As `train`, an outcome a learning rate: they share the batches, which saves what those cost."""
    arrays = Rule(rule.code, rule.constants, rule.outputs, rule.depths, rule.registers())
    return run(kernels(proxy.model, ops), proxy, arrays, rates, seed, steps or proxy.steps)


def run(compiled: ModuleType, proxy: Proxy, rule: Rule, rates: Sequence[float], seed: int, steps: int) -> tuple[Outcome, ...]:
    """As `train_rates`, with the kernels and the rule's arrays at hand."""
    bench, results = prepare(proxy), np.zeros((len(rates), 5))
    compiled.train_rates(
        bench.source,
        bench.shape(len(rule.outputs) - 1),
        rule,
        bench.x,
        bench.y,
        factors(proxy, steps),
        np.array(rates, np.float64),
        seed,
        results,
    )
    return tuple(_outcome(proxy, bench.net, len(rule.code), row) for row in results)


def _outcome(proxy: Proxy, net: Net, instructions: int, row: NDArray[np.float64]) -> Outcome:
    valid, macs = row[VALID] == 1.0, net.work or net.weights
    step = 3 * proxy.batch * macs + OP_WORK * instructions * net.weights
    work = int(row[STEPS]) * step + (proxy.examples * macs if valid else 0)
    values = (float(row[k]) if valid else float("nan") for k in (LOSS, ACCURACY, TRAIN_LOSS))
    return Outcome("ok" if valid else "invalid", *values, work)


@dataclass(frozen=True, eq=False)
class Bench:
    """A proxy with its data and model, as the kernel takes them."""

    source: Source
    net: Net
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    classes: int
    inputs: int
    batch: int

    def shape(self, states: int) -> Shape:
        """The model, for a rule of so many states."""
        net = self.net
        offsets = np.cumsum([0, *(int(np.prod(shape)) for shape in net.shapes)]).astype(np.int64)
        bounds = np.array(net.bounds, np.float64)
        return Shape(net.sizes, offsets, bounds, self.classes, self.inputs, self.batch, states, net.room)


@functools.cache
def prepare(proxy: Proxy) -> Bench:
    """Load a proxy's data and build its model; TaskError with the remedy where one of them cannot be used."""
    data = load_data(proxy.data)
    net = load_model(proxy.model).build(proxy.sizes, data, proxy.context, proxy.batch)
    text = data.kind == TEXT
    examples = proxy.examples if data.kind else min(proxy.examples, data.held)
    source = Source(data.kind, data.held, examples, data.side, proxy.context)
    inputs = proxy.context if text else data.x.shape[1]
    y = data.y if len(data.y) else np.zeros(1, np.float32)
    return Bench(source, net, data.x, y, data.classes, inputs, proxy.batch)


@functools.cache
def factors(proxy: Proxy, steps: int) -> NDArray[np.float64]:
    """The schedule: what the learning rate is multiplied by at each step, from above 0 to 1 to (nearly) 0; no libm."""
    rise = int(proxy.warmup * steps)
    done = np.maximum(np.arange(steps) - rise, 0) / max(1, steps - rise)
    fall = {"constant": np.ones(steps), "linear": 1.0 - done, "cosine": 0.5 - 0.5 * _sine_of_turns(done - 0.5)}[proxy.schedule]
    up = np.minimum((np.arange(steps) + 1.0) / (rise + 1.0), 1.0)
    return np.asarray(up * fall, np.float64)


def _sine_of_turns(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """sin(pi x) for x in [-1/2, 1/2]: Taylor's series to 1e-16, the same bits on every machine."""
    angle = x * 3.141592653589793
    square, series = angle * angle, np.zeros_like(x)
    for k in range(21, 1, -2):
        series = -(1.0 + series) * square / (k * (k - 1.0))
    return angle * (1.0 + series)


KERNELS = (
    "evosearch.evolution.random",
    "tasks.training.batches",
    "tasks.training.losses",
)
LOOP = ("evosearch.backends.array_vm", "tasks.training.loop")


def kernels(model: str, ops: OpSet, rule: str = LOOP[0]) -> ModuleType:
    """The compiled training loop for a model's kernels and an op set."""
    return assemble(ops, (*KERNELS, load_model(model).module, rule, LOOP[1]), "training")


def warm(proxy: Proxy, rule: EncodedRule, ops: OpSet) -> Any:
    """Compile what a proxy's trainings call, or load it from the cache."""
    return train(proxy, rule, ops, 1e-3, 0, 1)
