"""Statistics against SciPy, exact counts and what they are for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evosearch.evaluation.statistics import bootstrap, paired_p, spearman, wilson


def test_wilson_interval() -> None:
    assert wilson(18, 20) == pytest.approx((0.699, 0.972), abs=5e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.161), abs=5e-4) and wilson(20, 20)[1] == pytest.approx(1.0)
    assert wilson(0, 0) == (0.0, 1.0)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_spearman_with_ties_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats", reason="SciPy comes with scikit-learn")
    draw = rng()
    a = draw.integers(0, 6, 40).astype(float)
    b = a + draw.integers(0, 6, 40)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)
    assert math.isnan(spearman([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]))


def test_a_paired_p_value_counts_sign_patterns() -> None:
    assert paired_p([-1.0, -2.0, -3.0, -0.5, -0.1], rng()) == 1 / 32
    assert paired_p([1.0, 2.0, 3.0], rng()) == 1.0
    assert paired_p([0.0, 0.0, 0.0], rng()) == 1.0, "equal programs never differ"
    assert paired_p([-1.0, math.nan, -1.0], rng()) == 1.0, "what is no number is no evidence"
    many = rng().normal(-0.5, 1.0, 40)
    assert 0.0 < paired_p(list(many), rng()) < 0.05 < paired_p(list(-many), rng())


def test_an_interval_over_relatives_is_wider_than_over_strangers() -> None:
    draw = rng()
    groups = [draw.normal(draw.normal(0.0, 1.0), 0.1, (20, 1)) for _ in range(5)]
    by_group = bootstrap(groups, lambda rows: float(rows.mean()), rng(), resamples=500)
    flat = bootstrap([np.concatenate(groups)], lambda rows: float(rows.mean()), rng(), resamples=500)
    assert by_group[1] - by_group[0] > 2.0 * (flat[1] - flat[0])
    assert by_group == bootstrap(groups, lambda rows: float(rows.mean()), rng(), resamples=500)
    assert all(map(math.isnan, bootstrap([], lambda rows: float(rows.mean()), rng())))
