"""A task of training that takes microseconds: noisy gradients of a curved valley, through the real interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.array_vm import EncodedRule, load
from evosearch.evaluation.training import Step
from evosearch.language.op import OpSet
from evosearch.language.optimizer import read_rule
from evosearch.language.program import Program
from primitives.rules import RULES

Array = NDArray[np.float64]
SIZE = 24


@dataclass(frozen=True)
class ToyProxy:
    """A valley; `curvature` is its widest axis over its narrowest."""

    name: str
    steps: int
    curvature: float


@dataclass(frozen=True)
class ToyOutcome:
    """As `evosearch.evaluation.training.Outcome`."""

    status: str
    loss: float
    accuracy: float
    work: int


@dataclass
class ToyTask:
    """Two valleys; `trained` counts the trainings."""

    trained: int = 0

    def proxies(self) -> Sequence[ToyProxy]:
        return (ToyProxy("round", 30, 3.0), ToyProxy("long", 40, 100.0))

    def baselines(self, ops: OpSet) -> Mapping[str, Program]:
        return {name: read_rule(RULES[name], ops) for name in ("adamw", "lion")}

    def train_rates(
        self, proxy: ToyProxy, rule: EncodedRule, ops: OpSet, rates: Sequence[float], seed: int, steps: int
    ) -> list[ToyOutcome]:
        """Each on the same valley and the same noise."""
        return [self._train(proxy, rule, ops, lr, seed, steps) for lr in rates]

    def train_with(self, proxy: ToyProxy, step: Step, _ops: OpSet, lr: float, seed: int, steps: int) -> ToyOutcome:
        """The same with a step in Python."""
        goal, curve, w, noise = _valley(proxy, seed, steps)
        for number in range(steps):
            (update,) = step([w], [curve * (w - goal) + noise[number]], lr, number + 1)
            w = w - update
        return _outcome(curve, w - goal, steps)

    def _train(self, proxy: ToyProxy, rule: EncodedRule, ops: OpSet, lr: float, seed: int, steps: int) -> ToyOutcome:
        self.trained += 1
        kernels, (goal, curve, w, noise) = load(ops), _valley(proxy, seed, steps)
        state, update = np.zeros((rule.states, SIZE)), np.empty(SIZE)
        regs, offsets = kernels.rule_registers(len(rule.code), 1), np.array([0, SIZE], np.int64)
        for step in range(steps):
            fine = kernels.apply_rule(
                rule.code, rule.constants, rule.outputs, rule.depths, regs,
                w, curve * (w - goal) + noise[step], state, offsets, lr, step + 1.0, update,
            )  # fmt: skip
            w = w - update
            if not fine:
                return ToyOutcome("invalid", float("nan"), float("nan"), step)
        return _outcome(curve, w - goal, steps)


def _valley(proxy: ToyProxy, seed: int, steps: int) -> tuple[Array, Array, Array, Array]:
    """Lowest point, curvatures, first weights, noise of the gradients."""
    draw = np.random.default_rng(seed)
    curve = np.geomspace(1.0 / proxy.curvature, 1.0, SIZE)
    return np.full(SIZE, 0.5), curve, draw.normal(0.0, 0.1, SIZE), draw.normal(0.0, 0.03, (steps, SIZE))


def _outcome(curve: Array, away: Array, steps: int) -> ToyOutcome:
    if not np.isfinite(away).all():
        return ToyOutcome("invalid", float("nan"), float("nan"), steps)
    return ToyOutcome("ok", 0.1 + float(curve @ away**2), 1.0, steps)
