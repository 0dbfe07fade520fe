"""Confirmation on the real digits proxy: the reference trains again, step by step."""

from __future__ import annotations

import math
from typing import Any

import pytest

from evosearch.evaluation.confirmation import confirm_rule
from evosearch.evaluation.rates import Tuned
from evosearch.language.optimizer import read_rule
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES
from tasks.training.proxy import Outcome
from tasks.training.task import Training

pytest.importorskip("sklearn", reason="the digits come with scikit-learn")

TASK = Training(only=("digits-mlp",))
(DIGITS,) = TASK.proxies()
TUNED = {DIGITS.name: Tuned((-6, -7, -5))}
SEEDS = (1, 2, 3)


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_interpreter_and_reference_agree_on_a_real_training(name: str) -> None:
    confirmation = confirm_rule(TASK, OPTIMIZER, read_rule(RULES[name], OPTIMIZER), TUNED, DIGITS, 40, SEEDS)
    assert confirmation.refusal is None
    assert confirmation.steps == 40 and confirmation.difference == 0.0
    assert confirmation.losses[0] == confirmation.losses[1] < math.log(10.0) and confirmation.noise > 0.0


def test_a_score_that_the_reference_does_not_reach_is_refused() -> None:
    class Flattering(Training):
        """Says that every training went twice as well."""

        def train_rates(self, *args: Any) -> list[Outcome]:
            trained = super().train_rates(*args)
            return [Outcome("ok", one.loss / 2.0, 1.0, one.train_loss, one.work) for one in trained]

    confirmation = confirm_rule(Flattering(), OPTIMIZER, read_rule(RULES["adamw"], OPTIMIZER), TUNED, DIGITS, 40, SEEDS)
    assert confirmation.refusal is not None and "by the reference" in confirmation.refusal
