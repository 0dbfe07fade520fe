"""Statistics of an assessment against known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from evosearch.winners.inference import by_family, holm, overall, student


def test_holm_against_the_hand_computed_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_student_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=8), rng.normal(size=8)
    mean, low, high, p = student(a - b)
    known = stats.ttest_rel(a, b)
    assert (mean, p) == pytest.approx((float((a - b).mean()), float(known.pvalue)))
    interval = known.confidence_interval(0.95)
    assert (low, high) == pytest.approx((interval.low, interval.high))
    assert student([0.3]) == (0.3, -math.inf, math.inf, 1.0)
    assert student([0.0, 0.0])[3] == 1.0 and student([0.1, 0.1])[3] == 0.0


def test_a_familys_interval_leaves_out_one_where_its_adjusted_p_value_is_small() -> None:
    rng = np.random.default_rng(2)
    found = by_family({name: shift + 0.1 * rng.normal(size=10) for name, shift in (("a", -0.2), ("b", 0.0), ("c", -0.09))})
    for paired in found.values():
        assert (paired.low < 1.0 < paired.high) == (paired.p > 0.05)
    assert found["a"].high < 1.0 < found["b"].high
    assert list(found) == ["a", "b", "c"]


def test_the_overall_ratio_is_to_the_better_baseline_of_each_family() -> None:
    worse = math.log(2.0)
    paired = overall([[[0.0, 0.1, worse]] * 4, [[0.0, worse, -0.3]] * 4])
    assert paired.ratio == pytest.approx(math.exp((-0.1 + 0.3) / 2))
    assert paired.low == pytest.approx(math.exp(-0.1)) and paired.high == pytest.approx(math.exp(0.3))
    alike = overall([[[1.0, 1.5, 9.0]] * 3, [[2.0, 9.0, 2.5]] * 3])
    assert (alike.low, alike.ratio, alike.high) == pytest.approx((math.exp(-0.5),) * 3)


def test_the_bootstrap_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        table = np.stack([np.zeros((8, 6))] * 3, axis=-1)
        table[..., 0] = rng.normal(-0.1, 0.1, size=(8, 1)) + 0.05 * rng.normal(size=(8, 6))
        table[..., 2] = 1.0
        paired = overall(table, resamples=500)
        covered += paired.low <= math.exp(-0.1) <= paired.high
    assert 170 <= covered <= 198  # a percentile bootstrap over eight families is a little narrow
