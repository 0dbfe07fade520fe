"""Budgets and goals: what is read, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evosearch.errors import ConfigError
from evosearch.search.budget import Budget, Goal


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("20M", Budget(evaluations=20_000_000)),
        ("1.5k", Budget(evaluations=1500)),
        ("3412000", Budget(evaluations=3_412_000)),
        (20, Budget(evaluations=20)),
        ("1e6", Budget(evaluations=1_000_000)),
        ("1_000", Budget(evaluations=1000)),
        ("120s", Budget(seconds=120)),
        ("10m", Budget(seconds=600)),
        ("1.5h", Budget(seconds=5400)),
    ],
)
def test_a_budget_is_evaluations_or_time(text: str | int, budget: Budget) -> None:
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["", "M", "-3", "0s", "20 apples", "10d", "1e999", "nan", "inf", "20M 10s"])
def test_what_is_no_amount_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match=r'use evaluations \("20M".*or time'):
        Budget.parse(text)


@given(st.integers(1, 10**30))
def test_a_number_of_evaluations_goes_round_exactly(evaluations: int) -> None:
    assert Budget.parse(str(Budget(evaluations=evaluations))) == Budget(evaluations=evaluations)


def test_a_goal_asks_all_its_conditions_of_one_program() -> None:
    goal = Goal.parse("cost<=8, error<1e-9")
    assert goal.met({"cost": 8.0, "error": 9e-10})
    assert not goal.met({"cost": 8.0, "error": 1e-9})
    assert not goal.met({"cost": 9.0, "error": 1e-12})


def test_an_unknown_value_satisfies_no_condition() -> None:
    assert not Goal.parse("certified_error<1").met({"certified_error": None})


@pytest.mark.parametrize("text", ["", "cost", "cost<", "cost==3", "cost<=8;error<1", "cost<=eight"])
def test_a_goal_that_cannot_be_read_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match='write it as "cost<=8, error<1e-9"'):
        Goal.parse(text)
