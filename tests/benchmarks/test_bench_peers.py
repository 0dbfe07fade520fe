"""Fitted candidates a second, and errors at equal time, against Operon and against a loop of DEAP's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import driving
import numpy as np
import pytest
from conftest import Show
from driving import Floats, Grown

from evosearch.evolution import fit as fitting

TASK = {"function": "exp2", "error": "absolute"}
SEEDS = (1, 2, 3)
TREE_LENGTH = 9
"""Nodes of Operon's trees, which fill up: 4 inner nodes and, with weights at the variables, 6 operations."""
MEAN = 6
"""Operations of a program on average, for every competitor."""
QUICK_ONLY = (5, 0, 0, 6, 8, 0, 0, 0)
"""Schedule of fits under which each candidate gets 5 optimizer steps and no more."""


def points() -> tuple[Floats, Floats]:
    """Points and values to fit at, and to measure errors at."""
    problem = driving.search_for(task=TASK)._problem  # type: ignore[attr-defined]
    return problem.fit[:2], problem.dense[:2]


def ours(seconds: float, seed: int) -> Grown:
    """One island's search in this process; its populations hold as many programs of each cost, up to twice the mean."""
    search = driving.search_for(task=TASK, islands=1, seed=seed, max_cost=2.0 * MEAN - 1.0)
    totals = driving.drive(search, lambda totals: totals.seconds >= seconds)
    return Grown(totals.evaluations, totals.seconds, driving.lengths(search), min(totals.best.values()), totals.best)


def short(run: Grown) -> Grown:
    """The same run, its best program among those no longer than Operon's with its two operations of linear scaling."""
    return replace(run, error=min(error for cost, error in run.best.items() if cost <= MEAN + 2))


def row(name: str, runs: Sequence[Grown], base: Sequence[Grown]) -> list[object]:
    """A competitor in the table, beside the one that the ratios are to."""
    lengths = np.concatenate([run.operations for run in runs])
    rate, error = median(run.rate for run in runs), median(run.error for run in runs)
    low, middle, high = np.percentile(lengths, [10, 50, 90])
    faster = median(run.rate for run in base) / rate
    better = error / median(run.error for run in base)
    spread = f"{lengths.mean():.1f}  ({low:.0f} {middle:.0f} {high:.0f})"
    return [name, f"{rate:,.0f}", f"{faster:.1f}x", spread, f"{error:.1e}", f"{better:.2g}x"]


COLUMNS = ("one thread, float64 unless said", "candidates/s", "ours / it", "operations: mean (10 50 90%)", "error", "it / ours")


def runs_of(grow: Callable[[int], Grown]) -> list[Grown]:
    """One run a seed."""
    return [grow(seed) for seed in SEEDS]


def test_operon(seconds: float, show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyoperon", reason="needs pyoperon: pip install 'evosearch[bench]'")
    import peer_operon

    fit, check = points()
    driving.warm(driving.search_for(task=TASK))
    share = seconds / 2
    base = runs_of(lambda seed: ours(share, seed))
    peer = runs_of(lambda seed: peer_operon.grow(fit, check, share, seed, TREE_LENGTH))
    monkeypatch.setattr(fitting, "SCHEDULE", QUICK_ONLY)
    quick = runs_of(lambda seed: ours(share, seed))
    rows: list[Any] = [
        row("evosearch", base, base),
        row(f"its best of at most {MEAN + 2} operations", [short(run) for run in base], base),
        row("evosearch, 5 optimizer steps", quick, base),
        row("Operon (float32), 5 optimizer steps", peer, base),
    ]
    show(f"2^x on [0, 1], 32 points, {share:g} s, median of 3 seeds; goals: candidates/s 5x, error 100x", COLUMNS, rows)


def test_deap(seconds: float, show: Show) -> None:
    import peer_deap

    fit, check = points()
    driving.warm(driving.search_for(task=TASK))
    share = seconds / 2
    base = runs_of(lambda seed: ours(share, seed))
    plain = runs_of(lambda seed: peer_deap.grow(fit, check, share, seed, 2 * MEAN - 1, fitted=False))
    fitted = runs_of(lambda seed: peer_deap.grow(fit, check, share, seed, 2 * MEAN - 1, fitted=True))
    rows: list[Any] = [
        row("evosearch", base, base),
        row("DEAP gp, constants not fitted", plain, base),
        row("DEAP gp, 5 optimizer steps", fitted, base),
    ]
    show(f"2^x on [0, 1], 32 points, {share:g} s, median of 3 seeds; goal: candidates/s 20x", COLUMNS, rows)
