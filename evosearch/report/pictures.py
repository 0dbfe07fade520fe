"""The pictures of a run by family: one program (or how its fitness came about), and the front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from evosearch.report.table import Classical
from evosearch.search.config import RunConfig
from evosearch.search.evaluations import StoredEvaluation
from evosearch.search.store import StoredProgram


class DrawnRun(Protocol):
    """What pictures know of a run."""

    task_text: str
    config: RunConfig

    @property
    def name(self) -> str: ...
    @property
    def programs(self) -> Sequence[StoredProgram]: ...
    def front(self) -> Sequence[StoredProgram]: ...
    def program(self, id: int) -> StoredProgram: ...
    def load(self, program: StoredProgram) -> Any: ...
    def evaluations_kept(self) -> Sequence[StoredEvaluation]: ...
    def work_of_slices(self) -> Sequence[tuple[int, int]]: ...
    def task(self) -> Any: ...
    def classical(self) -> Classical: ...


def function_curve(run: DrawnRun, id: int, path: Path) -> None:
    """The error of a program along the interval."""
    from evosearch.report.curve import error_curve
    from evosearch.report.plots import plot_curve

    program, target = run.program(id), run.task().target()
    bound = program.certified_error
    kind = "sampled" if bound is None else "certified"
    title = f"{run.task_text}: program {id}, cost {program.cost:g}, error {program.error:.2e} ({kind})"
    plot_curve(error_curve(run.load(program), target), path, title=title, measure=target.error.value, bound=bound)


def function_front(run: DrawnRun, path: Path, _beside: Sequence[DrawnRun] = ()) -> None:
    """Error against cost, beside the classical programs."""
    from evosearch.report.plots import plot_front

    found = [(program.cost, program.error) for program in run.front()]
    known = [(cost, error) for cost, error, _form in run.classical() if not found or cost <= found[-1][0]]
    plot_front(found, known, path, title=run.task_text, label=f"largest {run.task().target().error.value} error")


def rule_curve(run: DrawnRun, id: int, path: Path) -> None:
    """The record holders as they entered, up to this rule: in the race, on fresh seeds, on validation problems."""
    from evosearch.report.plots import plot_records

    holders = [program for program in run.programs if program.id <= id]
    rows = {
        "in the race": [(program.metrics.get("race") or [None])[-1] for program in holders],
        "on fresh seeds": [program.error for program in holders],
        "on validation problems": [program.metrics.get("validation") for program in holders],
    }
    lines = {
        name: [(program.id, math.exp(value)) for program, value in zip(holders, values, strict=True) if value is not None]
        for name, values in rows.items()
    }
    plot_records(lines, path, title=f"{run.task_text}: rules that entered the archive, to {id}")


def rule_front(run: DrawnRun, path: Path, _beside: Sequence[DrawnRun] = ()) -> None:
    """Loss over the better baseline's against size."""
    from evosearch.report.plots import plot_front

    found = [(program.cost, math.exp(program.error)) for program in run.front()]
    plot_front(found, (), path, title=run.task_text, label="loss over that of the better of AdamW and Lion")


def policy_curve(run: DrawnRun, id: int, path: Path) -> None:
    """What the task draws of a policy among all behaviours of its run."""
    from evosearch.report import behaviour

    behaviour.policy_curve(run, id, path)


def policy_front(run: DrawnRun, path: Path, beside: Sequence[DrawnRun] = ()) -> None:
    """Scores by frames."""
    from evosearch.report import behaviour

    behaviour.policy_front(run, path, beside)
