"""The toy task of training as a run's task: a rule search of milliseconds, through the real interpreter and fitness."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toy_training import ToyTask

from evosearch.language.op import OpSet

RUN = """\
schema = 1
ops = "primitives.optimizer:OPTIMIZER"

[task]
use = "toy_rules:ToyRules"

[search]
islands = 3
population = 20
tournament = 5
patience = 4
fuel = 1e7
splits = 2
forget = 20
audits = 12

[search.race]
rungs = [
    { proxies = 1, seeds = 1, horizon = 0.5 },
    { proxies = 2, seeds = 2 },
]
tuning_seeds = 1
shrinks = []
"""


@dataclass
class ToyRules(ToyTask):
    """Two valleys to descend; others validate."""

    validation: str = "toy_suite:validation"

    def check(self, ops: OpSet) -> None:
        """Nothing can be missing."""

    def describe(self, ops: OpSet | None = None) -> str:  # noqa: ARG002
        return "two valleys"

    def inputs(self) -> tuple[int, bool]:
        return 2, True


def run_file(folder: Path) -> Path:
    """The run file, written to a folder."""
    path = folder / "valleys.toml"
    path.write_text(RUN)
    return path
