"""Policies: whole runs beside what environment and network cost alone, decoding, and the size of genomes."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Show

import evosearch
from evosearch.evolution.noise import add_noise
from evosearch.evolution.seeds import Gene, Genome, Layer, Layout
from evosearch.search.config import read_config
from evosearch.search.machine import usable_cores

PAPER = Layout((Layer("all", (4_052_658,), 0.01),))
REFERENCE = {"hard-maze": 3e6, "cartpole": 2 * 108_451.0, "halfcheetah": 2 * 14_749.0, "humanoid": 2 * 3_265.0}
"""Steps a second: the goal for the maze; environments alone on two cores of the machine of the facts."""
SIZES: dict[str, list[tuple[int, int]]] = {
    "hard-maze": [(250, 25), (250, 62), (1000, 50), (1000, 100)],
    "hard-maze-image": [(250, 25)],
    "cartpole": [(50, 5), (200, 5)],
    "halfcheetah": [(60, 3)],
    "humanoid": [(200, 5)],
}
"""Populations and children a job."""


def alone(name: str, seconds: float) -> float:
    """Frames a second of one process that only plays: networks of one mutation, decoded before, 25 after 25."""
    config = read_config(name)
    task: Any = config.load_task()
    power, layout = config.search.power, task.layout()  # type: ignore[attr-defined]
    weights = [Genome(power, (Gene(n), Gene(n + 1000))).weights(layout) for n in range(100)]
    seeds = [(n,) for n in range(len(weights))]
    task.episodes(weights[:1], seeds[:1], "training")
    step = 25 if "maze" in name else 1
    places = itertools.cycle(range(0, len(weights), step))
    frames, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        part = slice(first := next(places), first + step)
        frames += sum(one.frames for own in task.episodes(weights[part], seeds[part], "training") for one in own)
    return frames / (time.perf_counter() - start)


@pytest.mark.parametrize("name", SIZES)
def test_throughput(name: str, seconds: float, show: Show, tmp_path: Path) -> None:
    cores = usable_cores()
    context = multiprocessing.get_context("spawn")
    with context.Pool(cores) as pool:
        rate = sum(pool.starmap(alone, [(name, seconds)] * cores))
    rows = []
    for population, chunk in SIZES[name]:
        overrides = [("search.until", ""), ("search.population", population), ("search.chunk", chunk)]
        run = evosearch.run(name, budget=f"{seconds:g}s", overrides=overrides, out=tmp_path / f"{name}-{population}-{chunk}")
        frames = sum(count for use, count in run.counters().items() if use.startswith("frames "))
        reached = frames / run.seconds
        known = f"{reached / REFERENCE[name]:.2f}" if name in REFERENCE else "-"
        rows.append((population, chunk, f"{reached:,.0f}", f"{reached / rate:.0%}", known))
    columns = ("population", "chunk", "frames/s", "of environment and network alone (goal 90%)", "of the facts' rate")
    show(f"{name}, {cores} workers; environment and network alone {rate:,.0f} frames/s", columns, rows)


def test_decoding_and_size(show: Show) -> None:
    weights = np.zeros(PAPER.size, np.float32)
    times = []
    for seed in range(30):
        start = time.perf_counter()
        add_noise(weights, seed, 0.002)
        times.append(time.perf_counter() - start)
    genome = Genome(0.002, tuple(Gene(n) for n in range(300)))
    small, large = len(genome.to_bytes(PAPER)), 4 * PAPER.size
    rows = [
        ("one mutation of 4,052,658 weights, ms", float(np.median(times)) * 1e3, "5"),
        ("weights over a genome of 300 genes", f"{large / small:,.0f}", "10,000"),
    ]
    show("seed lists", ("", "measured", "goal"), rows)
