"""How many seeds each algorithm solves at equal evaluations, with Wilson intervals.

    python tests/benchmarks/campaign_policies.py maze -o maze.jsonl         # novelty, ga, es, random, blend x 20 seeds
    python tests/benchmarks/campaign_policies.py cartpole -o cartpole.jsonl # 10 seeds, 10 s each
    python tests/benchmarks/campaign_policies.py maze-image --seeds 5 --seconds 300 --algorithms novelty ga -o image.jsonl

The evaluations of the maze are those that novelty search makes in `--seconds` on a seed that is not counted (`--evaluations`
sets them). Settings come from equal numbers of trials of each algorithm on seeds that are not counted. Each run is a line of
the file; what is there is not run again, so that the command can be stopped and given again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import evosearch
from evosearch.evaluation.statistics import wilson
from evosearch.search.machine import describe_machine

RUNS = {"maze": "hard-maze", "maze-image": "hard-maze-image"}
TUNED: dict[str, dict[str, Any]] = {
    "novelty": {},
    "ga": {},
    "es": {"power": 0.2, "rate": 0.2},
    "random": {},
    "blend": {"novelty": 0.95},
}
"""What the trials on the maze with range finders chose, where it is not what the run file has."""


def run_once(name: str, workers: int | None, **options: Any) -> dict[str, Any]:
    """One run in a folder that is thrown away, as plain data."""
    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    try:
        run = evosearch.run(name, workers=workers, out=folder / "run", **options)
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


def maze(arguments: argparse.Namespace, known: set[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Every algorithm on every seed."""
    count, name = arguments.evaluations, RUNS[arguments.task]
    if not count:
        options = {"seed": 101, "budget": f"{arguments.seconds:g}s", "overrides": [("search.until", "")]}
        count = run_once(name, arguments.workers, **options)["evaluations"]
        print(f"{count:,} evaluations in {arguments.seconds:g} s: give --evaluations {count} to go on with this campaign")
    for algorithm in arguments.algorithms:
        overrides = [(f"search.{key}", value) for key, value in TUNED[algorithm].items()] if arguments.task == "maze" else []
        for seed in range(1, arguments.seeds + 1):
            if (algorithm, seed) not in known:
                options = {"seed": seed, "budget": count, "algorithm": algorithm, "overrides": overrides}
                yield {"algorithm": algorithm, "seed": seed, **run_once(name, arguments.workers, **options)}


def cartpole(arguments: argparse.Namespace, known: set[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Seeds of the run file, solved where all test episodes score 500 within the time."""
    for seed in range(1, arguments.seeds + 1):
        if ("ga", seed) not in known:
            row = run_once("cartpole", arguments.workers, seed=seed, budget=f"{arguments.seconds:g}s")
            solved = row["test"] == 500.0 and row["seconds"] <= arguments.seconds
            yield {"algorithm": "ga", "seed": seed, **row, "solved": solved}


def table(rows: list[dict[str, Any]]) -> None:
    """Shares with intervals, and the evaluations of the seeds that were solved."""
    for algorithm in dict.fromkeys(row["algorithm"] for row in rows):
        own = [row for row in rows if row["algorithm"] == algorithm]
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
    parser.add_argument("--algorithms", nargs="+", default=list(TUNED), choices=list(TUNED))
    parser.add_argument("--workers", type=int)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.seeds = arguments.seeds or (20 if arguments.task in RUNS else 10)
    arguments.seconds = arguments.seconds or (60.0 if arguments.task in RUNS else 10.0)
    print(describe_machine())
    lines = arguments.output.read_text().splitlines() if arguments.output.exists() else []
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    known = {(row["algorithm"], row["seed"]) for row in rows}
    campaign = maze if arguments.task in RUNS else cartpole
    with arguments.output.open("a") as file:
        for row in campaign(arguments, known):
            rows.append(row)
            print(json.dumps(row), file=file, flush=True)
            outcome = "solved" if row["solved"] else row["score"]
            print(f"{row['algorithm']} seed {row['seed']}: {outcome}, {row['seconds']:.1f} s")
    table(rows)


if __name__ == "__main__":
    main()
