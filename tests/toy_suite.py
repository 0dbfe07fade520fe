"""Suites of problems of a millisecond: noisy quadratics that any rule descends, in NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evosearch.backends import reference
from evosearch.evaluation.problems import Baseline, Level, Protocol, Setting, Suite, Trained
from evosearch.language.program import Program
from primitives.rules import RULES

OPS = "primitives.optimizer:OPTIMIZER"


@dataclass(frozen=True)
class Valley:
    """(w - target)' D (w - target) / 2 with noisy gradients; the loss on "test" is that of another noise."""

    name: str
    steps: int = 12
    steepness: float = 10.0

    def check(self) -> None:
        """Nothing can be missing."""

    def train_rule(self, rule: Program, setting: Setting) -> Trained:
        """See `Problem`."""
        rng = np.random.default_rng([setting.seed, len(self.name)])
        steps, slopes, target = round(self.steps * setting.horizon), np.geomspace(1.0, self.steepness, 4), rng.normal(size=4)
        w, state, curve = np.zeros(4), [[np.zeros(4)] for _ in rule.outputs[1:]], []

        def loss() -> float:
            return float(0.5 * np.sum(slopes * (w - target) ** 2)) + (0.2 if setting.part == "test" else 0.1)

        untrained = loss()
        for step in range(1, steps + 1):
            g = slopes * (w - target) + 0.1 * rng.normal(size=4)
            lr = setting.lr * (1.0 - (step - 1) / steps)
            updates, state = reference.step(rule, [w], [g], state, lr, step)
            w = w - updates[0] - lr * setting.decay * w
            curve.append((step, loss()))
        if not (np.isfinite(w).all() and math.isfinite(loss())):
            return Trained("invalid", untrained, None, math.inf, tuple(curve[: setting.points]), 4)
        return Trained("ok", loss(), 0.5, loss(), tuple(curve) if setting.points else (), 4)


def _suite(*problems: Valley, baselines: int = 3) -> Suite:
    protocol = Protocol(
        tuning_seeds=(1, 2),
        final_seeds=(11, 12, 13),
        levels=(Level("full", 6, 3), Level("coarse", 3, 2, 0.5)),
        finalists=2,
    )
    known = (
        Baseline("adamw", RULES["adamw_plain"], 0.01, (0.9, 0.999)),
        Baseline("lion", RULES["lion"], 0.01, (0.9, 0.99)),
        Baseline("sgd", RULES["sgd_momentum"], 0.01, (0.9,)),
    )
    return Suite(problems, known[:baselines], protocol, digest="toy")


def validation() -> Suite:
    """One that selects."""
    return _suite(Valley("bowl", steepness=2.0), Valley("dale"), baselines=2)


def test_families() -> Suite:
    """One that nobody selects on."""
    return _suite(Valley("gorge", steepness=30.0), Valley("plain", steepness=1.5))


test_families.__test__ = False  # type: ignore[attr-defined] - pytest
