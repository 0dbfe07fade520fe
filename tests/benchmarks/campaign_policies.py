"""How many seeds each algorithm solves at equal evaluations, with Wilson intervals.

    python tests/benchmarks/campaign_policies.py maze -o maze.jsonl         # novelty, ga, es, blend, random x 20 seeds
    python tests/benchmarks/campaign_policies.py cartpole -o cartpole.jsonl # 10 seeds, 10 s each
    python tests/benchmarks/campaign_policies.py maze-image --seeds 5 --seconds 300 --algorithms novelty ga -o image.jsonl

The evaluations of the maze are those that novelty search makes in `--seconds` on a seed that is not counted (`--evaluations`
sets them). Settings are chosen before, by equally many trials of each algorithm on a seed that is not counted and a quarter of
the evaluations: the first to solve it, or else the best score. Each run is a line of the file; what is there is not run again,
so that the command can be stopped and given again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import evosearch
from evosearch.evaluation.statistics import wilson
from evosearch.search.loop import Status
from evosearch.search.machine import describe_machine

RUNS = {"maze": "hard-maze", "maze-image": "hard-maze-image"}
GRIDS: dict[str, dict[str, tuple[float, ...]]] = {
    "novelty": {"power": (0.02, 0.05, 0.2), "archive": (0.01, 0.05)},
    "ga": {"power": (0.02, 0.05, 0.2), "parents": (20, 60)},
    "es": {"power": (0.05, 0.1, 0.2), "rate": (0.05, 0.2)},
    "blend": {"power": (0.05, 0.2), "novelty": (0.5, 0.8, 0.95)},
    "random": {},  # nothing to set
}
"""Six trials of each algorithm on the maze."""
TRIAL_SEED = 101


def run_once(name: str, workers: int | None, **options: Any) -> dict[str, Any]:
    """One run in a folder that is thrown away, as plain data."""
    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    try:
        run = evosearch.run(name, workers=workers, out=folder / "run", **options)
        if run.status is Status.INTERRUPTED:
            raise SystemExit("stopped; the same command goes on")
        best = run.front()[-1].metrics if run.front() else {"score": None, "test": {}}
        return {
            "solved": run.show_json()["solved"],
            "score": best["score"],
            "test": best["test"].get("mean"),
            "evaluations": run.evaluations,
            "frames": run.show_json()["frames"],
            "seconds": run.seconds,
        }
    finally:
        shutil.rmtree(folder)


def maze(arguments: argparse.Namespace, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every algorithm on every seed; who takes a row adds it to `rows`."""
    count, name = arguments.evaluations, RUNS[arguments.task]
    if not count:
        options = {"seed": TRIAL_SEED, "budget": f"{arguments.seconds:g}s", "overrides": [("search.until", "")]}
        count = run_once(name, arguments.workers, **options)["evaluations"]
        print(f"{count:,} evaluations in {arguments.seconds:g} s: give --evaluations {count} to go on with this campaign")
    for algorithm in arguments.algorithms:
        for trial in trials(algorithm) if arguments.task == "maze" else ():
            if not any(row["algorithm"] == algorithm and row.get("trial") == trial for row in rows):
                yield one_run(name, arguments.workers, algorithm, TRIAL_SEED, trial, count // 4) | {"trial": trial}
        tried = [row for row in rows if row["algorithm"] == algorithm and "trial" in row]
        chosen = min(tried, key=worth)["trial"] if tried else {}
        for seed in range(1, arguments.seeds + 1):
            if not any(row["algorithm"] == algorithm and row["seed"] == seed for row in rows):
                yield one_run(name, arguments.workers, algorithm, seed, chosen, count)


def trials(algorithm: str) -> list[dict[str, float]]:
    """The settings that are tried."""
    grid = GRIDS[algorithm]
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())] if grid else []


def worth(row: dict[str, Any]) -> tuple[bool, float]:
    """Lower is better: solved after few evaluations, else a high score."""
    return (not row["solved"], row["evaluations"] if row["solved"] else -row["score"])


def one_run(
    name: str, workers: int | None, algorithm: str, seed: int, settings: dict[str, float], count: int
) -> dict[str, Any]:
    """A row."""
    overrides = [(f"search.{key}", value) for key, value in settings.items()]
    result = run_once(name, workers, seed=seed, budget=count, algorithm=algorithm, overrides=overrides)
    return {"algorithm": algorithm, "seed": seed, "settings": settings, **result}


def cartpole(arguments: argparse.Namespace, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Seeds of the run file, solved where all test episodes score 500 within the time."""
    for seed in range(1, arguments.seeds + 1):
        if not any(row["seed"] == seed for row in rows):
            row = run_once("cartpole", arguments.workers, seed=seed, budget=f"{arguments.seconds:g}s")
            solved = row["test"] == 500.0 and row["seconds"] <= arguments.seconds
            yield {"algorithm": "ga", "seed": seed, **row, "solved": solved}


def table(rows: list[dict[str, Any]]) -> None:
    """Shares with intervals, and the evaluations of the seeds that were solved."""
    for algorithm in dict.fromkeys(row["algorithm"] for row in rows):
        own = [row for row in rows if row["algorithm"] == algorithm and "trial" not in row]
        if not own:
            continue
        solved = [row for row in own if row["solved"]]
        low, high = wilson(len(solved), len(own))
        took = statistics.median(row["evaluations"] for row in solved) if solved else float("nan")
        seconds = statistics.median(row["seconds"] for row in own)
        best = statistics.median(row["score"] for row in own if row["score"] is not None)
        share = f"{len(solved)} of {len(own)} solved (95%: {low:.0%} to {high:.0%})"
        print(f"{algorithm:<8} {share}, median {took:,.0f} evaluations, {seconds:.1f} s, median best score {best:.4g}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=(*RUNS, "cartpole"))
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--evaluations", type=int)
    parser.add_argument("--algorithms", nargs="+", default=list(GRIDS), choices=list(GRIDS))
    parser.add_argument("--workers", type=int)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.seeds = arguments.seeds or (20 if arguments.task in RUNS else 10)
    arguments.seconds = arguments.seconds or (60.0 if arguments.task in RUNS else 10.0)
    print(describe_machine())
    lines = arguments.output.read_text().splitlines() if arguments.output.exists() else []
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    campaign = maze if arguments.task in RUNS else cartpole
    with arguments.output.open("a") as file:
        for row in campaign(arguments, rows):
            rows.append(row)
            print(json.dumps(row), file=file, flush=True)
            outcome = "solved" if row["solved"] else row["score"]
            print(f"{row['algorithm']} seed {row['seed']} {row.get('settings', '')}: {outcome}, {row['seconds']:.1f} s")
    table(rows)


if __name__ == "__main__":
    main()
