"""The search for update rules, on a toy task: the same run whatever the workers and however it is cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_rules import run_file

import evosearch
from evosearch.search.store import Store

BUDGET = 240


def dump(run: evosearch.Run) -> str:
    store = Store.open(run.folder)
    try:
        return store.dump()
    finally:
        store.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> evosearch.Run:
    folder = tmp_path_factory.mktemp("rules")
    return evosearch.run(run_file(folder), budget=BUDGET, workers=0, out=folder / "whole")


def test_workers_and_cuts_change_nothing(whole: evosearch.Run, tmp_path: Path) -> None:
    file = run_file(tmp_path)
    two = evosearch.run(file, budget=BUDGET, workers=2, out=tmp_path / "two")
    cut = evosearch.run(file, budget=BUDGET // 3, workers=0, out=tmp_path / "cut")
    resumed = evosearch.resume(cut.folder, budget=BUDGET, workers=1)
    other = evosearch.run(file, budget=BUDGET, workers=0, seed=2, out=tmp_path / "other")
    assert dump(two) == dump(resumed) == dump(whole) != dump(other)
