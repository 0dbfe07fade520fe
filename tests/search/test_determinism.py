"""A run is a function of its file and its seed: the same store content, bit for bit, however it was worked off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evosearch
from evosearch import Run
from evosearch.search.checkpoint import decode, encode, from_parts, to_parts
from evosearch.search.store import Store
from primitives.arithmetic import FIELD

SETTINGS = {
    "search.islands": 3, "search.max_cost": 4, "search.fuel": 2e6, "search.migration": 2, "search.patience": 2,
    "search.isolation": 1,
}  # fmt: skip
BUDGET = 12_000
SLICES_OF_A_MIGRATION = 2


def settings(**changes: Any) -> list[tuple[str, Any]]:
    return list((SETTINGS | {f"search.{name}": value for name, value in changes.items()}).items())


def search(out: Path, budget: int = BUDGET, workers: int = 0, seed: int = 1, **changes: Any) -> Run:
    return evosearch.run("exp2", seed=seed, budget=budget, overrides=settings(**changes), out=out, workers=workers)


def dump(folder: Path) -> str:
    store = Store.open(folder)
    try:
        return store.dump()
    finally:
        store.close()


def state(folder: Path) -> dict[str, Any]:
    """The search's state as the run's checkpoint has it."""
    store = Store.open(folder)
    try:
        return decode(from_parts(store.checkpoint()), FIELD)
    finally:
        store.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in this process, without a stop."""
    return search(tmp_path_factory.mktemp("whole") / "run").folder


def test_the_run_goes_over_migrations_and_restarts_and_finds_programs(whole: Path) -> None:
    last = state(whole)
    run = evosearch.open(whole)
    assert run.totals["slices"] > 3 * 3 * SLICES_OF_A_MIGRATION
    assert sum(last["restarts"]) >= 1 and max(last["slices"]) > SLICES_OF_A_MIGRATION
    assert len(run.programs) > 2
    assert all(program.certified_error is not None for program in run.front())


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers: int, whole: Path, tmp_path: Path) -> None:
    assert dump(search(tmp_path / "run", workers=workers).folder) == dump(whole)


def test_a_run_extended_again_and_again_equals_one_that_was_that_long_from_the_start(whole: Path, tmp_path: Path) -> None:
    folder, parts = search(tmp_path / "run", budget=1).folder, set()
    for budget in range(BUDGET // 8, BUDGET + 1, BUDGET // 8):
        parts.add(evosearch.open(folder).evaluations)
        if max(parts) < budget:
            evosearch.resume(folder, budget=budget, workers=0)
    assert len(parts) > 4
    assert dump(folder) == dump(whole)


def test_another_seed_is_another_run(whole: Path, tmp_path: Path) -> None:
    assert dump(search(tmp_path / "run", seed=2).folder) != dump(whole)


def test_one_draw_that_is_left_out_shows(whole: Path, tmp_path: Path) -> None:
    """The cut alone changes nothing, see above; one step of one island's generator at the cut does."""
    folder = search(tmp_path / "run", budget=BUDGET // 3).folder
    changed = state(folder)
    changed["islands"][1]["rng"] += np.uint64(0x9E3779B97F4A7C15)  # as one draw does
    store = Store.open(folder, writable=True)
    store.commit(to_parts(encode(changed)), {})
    store.close()
    assert dump(evosearch.resume(folder, budget=BUDGET, workers=0).folder) != dump(whole)


def test_the_last_bit_of_the_constants_shows(whole: Path, tmp_path: Path) -> None:
    folder = search(tmp_path / "run", budget=BUDGET // 3).folder
    changed = state(folder)
    values = changed["islands"][0]["values"]
    values[values != 0] = np.nextafter(values[values != 0], np.inf)
    store = Store.open(folder, writable=True)
    store.commit(to_parts(encode(changed)), {})
    store.close()
    assert dump(evosearch.resume(folder, budget=BUDGET, workers=0).folder) != dump(whole)


LONG_SLICES: dict[str, Any] = {"fuel": 6e7, "islands": 2, "max_cost": 6}


def start(folder: Path) -> subprocess.Popen[str]:
    """The same run from the command line, in a process group of its own; returns when some slices are in the store."""
    options = [word for key, value in settings(**LONG_SLICES) for word in ("--set", f"{key}={json.dumps(value)}")]
    command = [sys.executable, "-m", "evosearch", "run", "exp2", "--seed", "1", "--budget", "1h", "--workers", "2"]
    process = subprocess.Popen(
        [*command, *options, "--out", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
    )
    while not evaluations(folder):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process


def evaluations(folder: Path) -> int:
    if not (folder / "run.sqlite").exists():
        return 0
    try:
        return int(evosearch.open(folder).evaluations)
    except (evosearch.errors.StoreError, KeyError):  # its tables are being made
        return 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_cut_in_the_middle_of_its_slices_and_resumed_is_the_same(how: int, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with start(folder) as process:
        if how == signal.SIGKILL:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert errors.strip().endswith(f"stopped by Ctrl-C; resume with: evosearch resume {folder}")
    before = evosearch.open(folder)
    budget = before.evaluations + 20_000
    resumed = evosearch.resume(folder, budget=budget, workers=1)
    assert resumed.totals["slices"] > before.totals["slices"] > 0
    assert dump(resumed.folder) == dump(search(tmp_path / "whole", budget, workers=2, **LONG_SLICES).folder)
