"""Record holders are followed on validation problems, and the search inside walks the path that it walks alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import toy_suite

from evosearch.evaluation.pool import resolve
from evosearch.language.optimizer import read_rule
from evosearch.search import checkpoint
from evosearch.search.protocol import Entrant, Job, Payload, Told
from evosearch.search.rules import followed
from evosearch.search.rules.followed import FIRST, Followed
from evosearch.winners.trials import load_ops
from primitives.rules import RULES

OPS = load_ops(toy_suite.OPS)
REFERENCE = "toy_suite:validation"


class Counting:
    """Two jobs are open at once; every seventh result is a record holder."""

    window = 2
    warm: tuple[str, Payload] | None = None
    finished = False

    def __init__(self) -> None:
        self.told: list[int] = []
        self.open: list[int] = []
        self.next = 0

    def ask(self) -> Job | None:
        if len(self.open) >= 2:
            return None
        self.open.append(self.next)
        self.next += 1
        return Job(self.open[-1], "builtins:dict", {"x": 1})

    def tell(self, job: Job, result: Any) -> Told:  # noqa: ARG002
        self.open.remove(job.number)
        self.told.append(job.number)
        if job.number % 7:
            return Told(evaluations=1)
        name = list(RULES)[job.number // 7]
        return Told((Entrant(name, read_rule(RULES[name], OPS), 3.0, -0.1, {"race": [0.0]}),), evaluations=1)

    def closing(self) -> tuple[Job, ...]:
        return ()

    def state(self) -> dict[str, Any]:
        return {"told": self.told, "next": min([self.next, *self.open])}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.told, self.next, self.open = list(state["told"]), state["next"], []


def drive(search: Followed, steps: int) -> list[tuple[int, Told]]:
    """As the loop does: ask what is to be had, tell in ask order."""
    jobs: list[Job] = []
    path = []
    for _ in range(steps):
        while (job := search.ask()) is not None:
            jobs.append(job)
        job = jobs.pop(0)
        path.append((job.number, search.tell(job, resolve(job.function)(**job.payload))))
    return path


def make() -> Followed:
    """A fresh one."""
    return Followed(Counting(), toy_suite.validation(), REFERENCE, toy_suite.OPS)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation after every second job."""
    monkeypatch.setattr(followed, "TURN", 2)


def test_record_holders_get_their_validation_score_in_order() -> None:
    search = make()
    path = drive(search, 40)
    scored = [entrant for number, told in path if number >= FIRST for entrant in told.entrants]
    assert [entrant.key for entrant in scored] == list(RULES)[: len(scored)] and len(scored) >= 2
    assert all(-1.0 <= entrant.metrics["validation"] <= 1.0 and entrant.metrics["race"] == [0.0] for entrant in scored)
    assert [number for number, _ in path if number < FIRST] == list(range(sum(number < FIRST for number, _ in path)))
    assert all(told.evaluations == 0 for number, told in path if number >= FIRST)


@pytest.mark.parametrize("stop", [1, 9, 10, 23])
def test_stop_and_resume_is_the_same_path(stop: int) -> None:
    whole = drive(make(), 30)
    first = make()
    path = drive(first, stop)
    saved = checkpoint.from_parts(checkpoint.to_parts(checkpoint.encode(first.state())))
    second = make()
    second.restore(checkpoint.decode(saved, OPS))
    assert path + drive(second, 30 - stop) == whole


def test_without_torch_the_score_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    from evosearch.errors import MissingDependencyError

    def missing(_self: object) -> None:
        raise MissingDependencyError("no torch")

    monkeypatch.setattr(toy_suite.Valley, "check", missing)
    path = drive(make(), 30)
    scored = [entrant for number, told in path if number >= FIRST for entrant in told.entrants]
    assert scored and all(entrant.metrics["validation"] is None for entrant in scored)
