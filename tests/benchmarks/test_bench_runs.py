"""Whole runs through the command line: 1 against 2 workers, where the time goes, and how long it takes to start."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Show

import evosearch
from evosearch.search.machine import usable_cores
from evosearch.search.store import FILE


def command(*arguments: object) -> float:
    """Run evosearch in a process of its own; the seconds that it took."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "evosearch", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def run(folder: Path, workers: int, seconds: float) -> None:
    """`evosearch run exp2` into a folder."""
    command("run", "exp2", "--budget", f"{seconds:g}s", "--workers", workers, "--out", folder, "--quiet")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[int, Any]:
    """A run with 1 worker and one with 2."""
    seconds = 2.0 * float(request.config.getoption("--seconds"))
    root = tmp_path_factory.mktemp("runs")
    run(root / "warm", 1, 1.0)
    for workers in (1, 2):
        run(root / str(workers), workers, seconds)
    return {workers: evosearch.open(root / str(workers)) for workers in (1, 2)}


def test_scaling(runs: dict[int, Any], show: Show) -> None:
    if usable_cores() < 2:
        pytest.skip("needs 2 cores")
    rows = []
    for name, amount in (("programs fitted", lambda r: r.evaluations), ("work", lambda r: r.totals["work"])):
        one, two = (amount(runs[k]) / runs[k].seconds for k in (1, 2))
        rows.append([name, f"{one:,.0f}", f"{two:,.0f}", f"{two / one:.2f}x"])
    show("evosearch run exp2, a second of search; goal 1.9x", ("", "1 worker", "2 workers", "ratio"), rows)


def shares(run: Any, workers: int) -> list[str]:
    """Shares of the workers' time, and the parent's shares of the run's."""
    with closing(sqlite3.connect(run.folder / FILE)) as store:
        slices = list(store.execute("SELECT counters, busy_seconds, waited_seconds FROM slices"))
    kernel = beside = confirming = waited = 0.0
    for counters, busy, waiting in slices:
        inside = json.loads(counters).get("kernel_seconds")
        waited += waiting
        if inside is None:
            confirming += busy
        else:
            kernel, beside = kernel + inside, beside + busy - inside
    total = kernel + beside + confirming + waited
    parent = run.meta["parent_seconds"]
    cells = [part / total for part in (kernel, beside, confirming, waited)]
    cells += [parent[name] / run.seconds for name in ("search", "store")]
    return [str(workers), *(f"{cell:.1%}" for cell in cells)]


def test_where_the_time_goes(runs: dict[int, Any], show: Show) -> None:
    columns = (
        "workers", "in kernels", "slices beside kernels", "confirming", "waiting",
        "parent: ask and tell", "parent: store",
    )  # fmt: skip
    title = "Time of the workers, and of the parent in shares of the run's; goal: slices beside kernels and waiting under 5%"
    show(title, columns, [shares(run, workers) for workers, run in runs.items()])


FIRST = """
import os, sys
import evosearch

class First(evosearch.Observer):
    def progress(self, progress):
        if progress.evaluations > 0:
            os._exit(0)

evosearch.run("exp2", out=sys.argv[1], observer=First())
"""
"""A run that ends when the first candidates are told."""


def first_candidate(folder: Path, cache: Path) -> float:
    """Seconds from the start of a process to its first candidates, with kernels from `cache`."""
    start = time.perf_counter()
    environment = {**os.environ, "EVOSEARCH_CACHE_DIR": str(cache)}
    subprocess.run([sys.executable, "-c", FIRST, str(folder)], env=environment, check=True)
    return time.perf_counter() - start


def test_start(tmp_path: Path, show: Show) -> None:
    helped = min(command("--help") for _ in range(5))
    cold = first_candidate(tmp_path / "cold", tmp_path / "cache")
    warm = min(first_candidate(tmp_path / f"warm{k}", tmp_path / "cache") for k in range(3))
    rows = [
        ["evosearch --help", helped, "0.3"],
        ["first candidates of a run, nothing compiled before", cold, "45"],
        ["the same, kernels in the cache", warm, "3"],
    ]
    show("Start", ("", "seconds", "goal"), rows)
