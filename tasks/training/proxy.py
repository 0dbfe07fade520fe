"""Proxies: small trainings on real data, each a whole training loop in one kernel."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.kernels import assemble
from evosearch.backends.vm import span_source
from evosearch.errors import ConfigError, TaskError
from evosearch.language.op import OpSet
from tasks.training.batches import BATCHES, ROWS, TEXT, Source
from tasks.training.data import load_data
from tasks.training.loop import ACCURACY, LOSS, STEPS, TRAIN_LOSS, VALID, Room, Rule, Shape
from tasks.training.nets import Net, load_model

if TYPE_CHECKING:
    from evosearch.backends.array_vm import EncodedRule

Tensors = list[NDArray[np.float64]]
Step = Callable[[Tensors, Tensors, float, int], Tensors]
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
        sizes: of the model: hidden units a layer (mlp); channels, then those (conv); characters, embedding, then those (char).
        batch: examples a step.
        steps: of a whole training.
        schedule: how the learning rate falls after the warm-up: not at all, or to 0 along a cosine or a line.
        warmup: share of the steps in which it first rises in a line.
        examples: validation examples; of rows that do not change at most those held out.
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

    def __post_init__(self) -> None:
        for name in ("batch", "steps", "examples"):
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
    arrays = Rule(rule.code, rule.constants, rule.outputs, rule.depths)
    return run(kernels(proxy.model, ops), proxy, arrays, rates, seed, steps or proxy.steps)


def run(compiled: Any, proxy: Proxy, rule: Rule, rates: Sequence[float], seed: int, steps: int) -> tuple[Outcome, ...]:
    """As `train_rates`, with the kernels and the rule's arrays at hand."""
    bench, results = prepare(proxy), np.zeros((len(rates), 5))
    lrs = np.array(rates, np.float64)
    compiled.train_many(
        bench.source, bench.shape, bench.room(), rule, bench.x, bench.y, factors(proxy, steps), lrs, seed, results
    )
    return tuple(_outcome(bench, row, len(rule.code)) for row in results)


def train_with(proxy: Proxy, step: Step, ops: OpSet, lr: float, seed: int, steps: int | None = None) -> Outcome:
    """As `train`, bit for bit, with a step in Python: `step(w, g, lr, number) -> update`, each a list of tensors."""
    compiled, bench, results = kernels(proxy.model, ops), prepare(proxy), np.zeros((1, 5))
    source, shape, room, x, y = bench.source, bench.shape, bench.room(), bench.x, bench.y
    plan = factors(proxy, steps or proxy.steps)
    w, tail, row = compiled.initial(shape, seed), max(1, len(plan) // 10), results[0]
    g, order, moves = np.empty_like(w), compiled.split(source, len(x), seed), compiled.stream(seed, BATCHES)
    row[VALID] = 1.0
    for number, factor in enumerate(plan):
        compiled.draw(source, x, y, order, number, False, moves, room.bx, room.by, proxy.batch)
        row[STEPS] += 1
        loss = compiled.gradient(shape, room, w, g)
        update = np.concatenate([part.ravel() for part in step(bench.split(w), bench.split(g), factor * lr, number + 1)])
        if not (np.isfinite(loss) and np.isfinite(update).all()):
            row[VALID] = 0.0
            break
        w -= update
        row[TRAIN_LOSS] += loss / tail if number >= len(plan) - tail else 0.0
    compiled.validate(source, shape, room, x, y, order, seed, w[None], results)
    return _outcome(bench, row, 0)


def _outcome(bench: Bench, row: NDArray[np.float64], instructions: int) -> Outcome:
    valid, weights, macs = row[VALID] == 1.0, bench.net.weights, bench.net.work or bench.net.weights
    step = 3 * bench.batch * macs + OP_WORK * instructions * weights
    work = int(row[STEPS]) * step + (bench.source.examples * macs if valid else 0)
    loss, accuracy, train_loss = (float(row[k]) if valid else math.nan for k in (LOSS, ACCURACY, TRAIN_LOSS))
    return Outcome("ok" if valid else "invalid", loss, accuracy, train_loss, work)


@dataclass(frozen=True, eq=False)
class Bench:
    """A proxy with its data and model, as the kernels take them."""

    source: Source
    net: Net
    shape: Shape
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    inputs: int
    batch: int

    def room(self) -> Room:
        """Fresh room for one training."""
        wide = (self.batch, (self.shape.classes + 15) // 16 * 16)
        x, y, z, dz = (np.zeros(size, np.float32) for size in ((self.batch, self.inputs), self.batch, wide, wide))
        w, g = np.empty(self.net.weights, np.float32), np.empty(self.net.weights, np.float32)
        return Room(x, y, z, dz, np.empty(math.prod(wide)), np.zeros(self.net.room, np.float32), w, g)

    def split(self, flat: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Flat values as the model's tensors."""
        parts = np.split(flat, self.shape.offsets[1:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self.net.shapes, strict=True)]


@functools.cache
def prepare(proxy: Proxy) -> Bench:
    """Load a proxy's data and build its model; TaskError with the remedy where one of them cannot be used."""
    data = load_data(proxy.data)
    net = load_model(proxy.model).build(proxy.sizes, data, proxy.batch)
    if data.kind == TEXT and not 0 < net.context < data.held // 2:
        raise TaskError(f"proxy '{proxy.name}': a text needs a model that reads some of its characters, not {net.context}")
    examples = min(proxy.examples, data.held) if data.kind == ROWS else proxy.examples
    source = Source(data.kind, data.held, examples, data.side, net.context)
    offsets = np.cumsum([0, *(math.prod(shape) for shape in net.shapes)]).astype(np.int64)
    shape = Shape(net.sizes, offsets, np.array(net.bounds), data.classes)
    return Bench(source, net, shape, data.x, data.y, net.context or data.x.shape[1], proxy.batch)


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


def kernels(model: str, ops: OpSet, rules: str = "evosearch.backends.array_vm") -> ModuleType:
    """The compiled training loop for a model's kernels and the interpreter of an op set."""
    batches, losses = "tasks.training.batches", "tasks.training.losses"
    modules = ("evosearch.evolution.random", batches, losses, load_model(model).module, rules, "tasks.training.loop")
    return assemble(ops, modules, "training", span_source)
