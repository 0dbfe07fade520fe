"""What a run file's [task] becomes where update rules are searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from evosearch.language.op import OpSet
from evosearch.language.program import Program

if TYPE_CHECKING:
    from evosearch.evaluation.training import Outcome, Proxy


@runtime_checkable
class RuleTask(Protocol):
    """A task that trains: proxies, and the baselines that a rule is measured against."""

    def check(self, ops: OpSet) -> None:
        """TaskError where the task cannot be searched with these ops, such as for data that is not there."""

    def describe(self, ops: OpSet | None = None) -> str:
        """One line for people."""

    def inputs(self) -> tuple[int, bool]:
        """How many states a rule has, and whether it knows the number of the step."""

    def proxies(self) -> Sequence[Proxy]:
        """From cheap to dear; the first is what rung 0 trains."""

    def train_rates(
        self, proxy: Any, rule: Any, ops: OpSet, rates: Sequence[float], seed: int, steps: int
    ) -> Sequence[Outcome]:
        """Train an encoded rule from scratch; see `evosearch.evaluation.training`."""

    def baselines(self, ops: OpSet) -> Mapping[str, Program]:
        """The rules that a candidate is measured against, by name."""
