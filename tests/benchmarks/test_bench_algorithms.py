"""The five algorithms on one task: best error per cost at equal work (instructions x points) and at equal time."""

from __future__ import annotations

import driving
from conftest import Show
from driving import Totals

from evosearch.search.config import ALGORITHMS

COSTS = range(3, 11)
MOST = 4
"""Times as long as the first one another algorithm may take for equal work; the table shows what it did."""


def line(totals: Totals) -> list[str]:
    """Best error at each cost or less."""
    best = [min((error for cost, error in totals.best.items() if cost <= level), default=float("inf")) for level in COSTS]
    return [f"{error:.1e}" for error in best]


def test_algorithms(seconds: float, show: Show) -> None:
    """Pareto search runs for `seconds`; the others until they have had as much time and as much work, within limits."""
    timed: dict[str, Totals] = {}
    worked: dict[str, Totals] = {}
    for name in ALGORITHMS:
        search = driving.search_for(algorithm=name, islands=2)
        driving.warm(search)
        goal = worked["pareto"].work if worked else 0

        def until(totals: Totals, goal: int = goal, name: str = name) -> bool:
            snapshot = Totals(totals.seconds, totals.work, totals.evaluations, dict(totals.best))
            if name not in timed and totals.seconds >= seconds:
                timed[name] = snapshot
            enough = totals.work >= goal if goal else totals.seconds >= seconds
            if name not in worked and (enough or totals.seconds >= MOST * seconds):
                worked[name] = snapshot
            return name in timed and name in worked

        end = driving.drive(search, until)
        timed.setdefault(name, end)
        worked.setdefault(name, end)
    for title, found in (("time", timed), ("work", worked)):
        rows = [
            [name, f"{totals.seconds:.1f}", f"{totals.work:.2g}", f"{totals.evaluations:,}", *line(totals)]
            for name, totals in found.items()
        ]
        columns = ("", "seconds", "work", "fitted", *(f"cost {cost}" for cost in COSTS))
        show(f"2^x on [0, 1], relative error, one thread, equal {title}: best error at each cost or less", columns, rows)
