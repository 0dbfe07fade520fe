"""The search for update rules on two cores: proposals with training stubbed, and the race with all of it."""

from __future__ import annotations

from pathlib import Path

from conftest import Show

import evosearch
from evosearch.evaluation.local_pool import LocalPool
from evosearch.report.rules import PAPER

GOALS = {"distinct": 2000, "candidates": 80, "milliseconds": 20}
WORKERS = 2


def test_proposals(seconds: float, show: Show) -> None:
    """Mutation, abstract execution, probe and cache, with the parent's part; each worker a run of its own."""
    with LocalPool(WORKERS, warm_payload={}) as pool:
        for number in range(WORKERS):
            pool.submit(number, "rule_jobs:stubbed", {"seconds": seconds, "seed": 1 + number})
        results = [pool.next(None) for _ in range(WORKERS)]
    counted = []
    for result in results:
        assert result is not None and result.error is None, result and result.error
        counted.append(result.value)

    def rate(name: str) -> float:
        return sum(counters.get(name, 0.0) / counters["seconds"] for counters in counted)

    valid = rate("valid")
    rows = [
        ["proposals/s", f"{rate('proposals'):,.0f}", ""],
        ["valid/s", f"{valid:,.0f}", ""],
        ["distinct valid/s", f"{rate('distinct'):,.0f}", f"{GOALS['distinct']:,}"],
        ["cache hits by structure", f"{rate('hits structure') / valid:.1%}", ""],
        ["cache hits by function", f"{rate('hits function') / valid:.1%}", ""],
        ["dead statements", f"{rate('dead') / rate('statements'):.1%}", f"the paper: {PAPER['dead statements']:.1%}"],
    ]
    show(f"proposals for update rules with training stubbed, {WORKERS} workers", ("", "here", "goal"), rows)


def test_race(seconds: float, show: Show, tmp_path: Path) -> None:
    """The first minute of `evosearch run lion`, ten times as long as other competitors run."""
    run = evosearch.run(
        "lion", budget=f"{10 * seconds}s", workers=WORKERS, out=tmp_path / "run", overrides=[("search.follow", False)]
    )
    counters, valid = run.counters(), max(run.counters()["valid"], 1.0)
    stopped = sum(count for name, count in counters.items() if name.startswith("stopped "))
    finished, invalid = counters.get("finished", 0.0), counters.get("invalid training", 0.0)
    each = 1e3 * counters["kernel_seconds"] / max(stopped + finished + invalid, 1.0)
    hits = counters.get("hits structure", 0.0) + counters.get("hits function", 0.0)
    rows = [
        ["candidates/s, finished or stopped", f"{(stopped + finished) / run.seconds:.1f}", f"{GOALS['candidates']}"],
        ["  stopped in the race/s", f"{stopped / run.seconds:.1f}", ""],
        ["  finished/s", f"{finished / run.seconds:.2f}", ""],
        ["  invalid/s", f"{invalid / run.seconds:.1f}", ""],
        ["mean CPU cost, ms", f"{each:.1f}", f"{GOALS['milliseconds']}"],
        ["cache hits", f"{hits / valid:.1%}", f"the paper: {PAPER['cache hits']:.1%}"],
        ["dead statements", f"{counters['dead'] / counters['statements']:.1%}", f"the paper: {PAPER['dead statements']:.1%}"],
        ["audited hits that differ", f"{counters.get('audit differs', 0):.0f} of {counters.get('audited', 0):.0f}", "0"],
        ["seconds to prepare", f"{run.meta['warm_seconds']:.0f}", ""],
    ]
    show(f"the race for update rules, {WORKERS} workers, {run.seconds:.0f} s", ("", "here", "goal"), rows)
