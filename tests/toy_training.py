"""A task of training that takes microseconds: noisy gradients of a curved valley, through the real interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evosearch.backends.array_vm import EncodedRule, load
from evosearch.language.op import OpSet
from evosearch.language.optimizer import read_rule
from evosearch.language.program import Program
from primitives.rules import RULES

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

    def _train(self, proxy: ToyProxy, rule: EncodedRule, ops: OpSet, lr: float, seed: int, steps: int) -> ToyOutcome:
        self.trained += 1
        draw, kernels = np.random.default_rng(seed), load(ops)
        curve = np.geomspace(1.0 / proxy.curvature, 1.0, SIZE)
        goal, w, noise = np.full(SIZE, 0.5), draw.normal(0.0, 0.1, SIZE), draw.normal(0.0, 0.03, (steps, SIZE))
        state, update = np.zeros((rule.states, SIZE)), np.empty(SIZE)
        regs, offsets = kernels.rule_registers(len(rule.code), 1), np.array([0, SIZE], np.int64)
        for step in range(steps):
            fine = kernels.apply_rule(
                rule.code, rule.constants, rule.outputs, rule.depths, regs,
                w, curve * (w - goal) + noise[step], state, offsets, lr, step + 1.0, update,
            )  # fmt: skip
            w = w - update
            if not (fine and np.isfinite(w).all()):
                return ToyOutcome("invalid", float("nan"), float("nan"), step)
        return ToyOutcome("ok", 0.1 + float(curve @ (w - goal) ** 2), 1.0, steps)
