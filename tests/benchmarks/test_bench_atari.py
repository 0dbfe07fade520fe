"""Atari: a whole run beside what emulator and network cost alone, its memory, and where the time of a step goes.

`--seconds 60` or more: shorter runs end before their workers are busy.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Show

import evosearch
from evosearch.evolution.seeds import initial_weights
from evosearch.search.config import read_config
from evosearch.search.machine import usable_cores
from tasks.environments.atari import Console
from tasks.environments.emulator import SKIP, Emulator
from tasks.networks.network import Network

pytest.importorskip("ale_py", reason="Atari games need the rl extra")

FACTS = 4.0 / (1 / 2100 + 1 / 842)
"""Frames a second of one core of the machine of the facts: ale-py's vector environment, and the network in torch."""

PARTS: dict[str, tuple[type[Any], str]] = {
    "emulator": (Emulator, "step"),
    "image": (Console, "see"),
    "convolutions": (Network, "read"),
    "dense layers": (Network, "decide"),
}


def alone(name: str, seconds: float) -> float:
    """Frames a second of one process that only plays: first candidates, one episode each, decoded before."""
    task: Any = read_config(name).load_task()
    weights = [initial_weights(seed, task.layout()) for seed in range(16)]
    task.episodes(weights[:1], [(0,)], "training")
    frames, rounds, start = 0, 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        seeds = [(16 * rounds + n,) for n in range(16)]
        frames += sum(one.frames for own in task.episodes(weights, seeds, "training") for one in own)
        rounds += 1
    return frames / (time.perf_counter() - start)


def proportional_bytes() -> int:
    """Memory of this process's children and theirs, shared pages by their share."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    family, total = {os.getpid()}, 0
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    for process in family:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def watched(run: Callable[[], evosearch.Run]) -> tuple[evosearch.Run, int]:
    """The run, and the most memory that all its processes held at once."""
    done, most = threading.Event(), [0]

    def watch() -> None:
        while not done.wait(0.5):
            most[0] = max(most[0], proportional_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return run(), most[0]
    finally:
        done.set()
        watcher.join()


@pytest.mark.parametrize("name", ["frostbite", "atlantis"])
def test_throughput(name: str, seconds: float, show: Show, tmp_path: Path) -> None:
    cores = usable_cores()
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        rate = sum(pool.starmap(alone, [(name, seconds)] * cores))
    only = [("search.candidates", 2), ("search.validation", 1), ("search.test", 1)]
    short = [("search.population", 100), ("search.parents", 20)]
    rows = []
    for label, overrides in (("training alone", only), ("as in the paper", []), ("generations of 100", short)):
        run, memory = watched(
            lambda overrides=overrides, label=label: evosearch.run(
                name, budget=f"{seconds:g}s", overrides=overrides, out=tmp_path / label
            )
        )
        reached = sum(count for use, count in run.counters().items() if use.startswith("frames ")) / run.seconds
        of_facts = f"{reached / (cores * FACTS):.2f}"
        rows.append((label, f"{reached:,.0f}", f"{reached / rate:.0%}", of_facts, f"{memory / 2**30:.2f}"))
    columns = (
        "whole run",
        "frames/s",
        "of emulator and network alone (goal 90%)",
        "of the facts' rates",
        "GiB at most (goal 3)",
    )
    show(f"{name}, {cores} workers; emulator and network alone {rate:,.0f} frames/s", columns, rows)


def test_a_step(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    spent = dict.fromkeys(PARTS, 0.0)
    task: Any = read_config("frostbite").load_task()
    weights = initial_weights(1, task.layout())
    task.episodes([weights], [(0,)], "training")
    for part, (kind, method) in PARTS.items():
        inner = getattr(kind, method)

        def timed(*args: Any, part: str = part, inner: Any = inner) -> Any:
            start = time.perf_counter()
            try:
                return inner(*args)
            finally:
                spent[part] += time.perf_counter() - start

        monkeypatch.setattr(kind, method, timed)
    rows = []
    for episodes, use in ((1, "training"), (30, "validation")):
        starts = [task._arcade.console(0).emulator.begin(0, 0)._replace(wait=wait) for wait in range(1, episodes + 1)]
        for wait in range(2, episodes + 1):
            task._arcade.console(wait - 1)
        before, start = dict(spent), time.perf_counter()
        steps = sum(one.frames for one in task._arcade._together(starts, 500).values()) / SKIP
        total = time.perf_counter() - start
        parts = [1e6 * (spent[part] - before[part]) / steps for part in PARTS]
        rows.append((use, *np.round([*parts, 1e6 * total / steps - sum(parts), 1e6 * total / steps], 1)))
    show("a step of Frostbite with the network of the paper, µs", ("episodes", *PARTS, "elsewhere", "all"), rows)
