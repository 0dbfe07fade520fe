"""A search whose record holders are followed: trained on validation problems, with their score stored beside their fitness.

The search inside never learns of it. What fitness gains and validation does not is meta-overfitting; the curve of both says
when it begins. The jobs take turns with the search's own by number, so that they change nothing but where the time goes.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, cast

from evosearch.evaluation.problems import Suite, validation_score
from evosearch.language.program import Program
from evosearch.language.text import to_text
from evosearch.search.protocol import Entrant, Job, Payload, Search, Told

VALIDATE = "evosearch.winners.funnel:validate"
FIRST = 1 << 40
"""Numbers of these jobs start here, far above the search's own."""

TURN = 24
"""Jobs of the search between two of these, which take about a second: a tenth of the time."""

HORIZON = 0.5


class Followed:
    """A `evosearch.search.protocol.Search` around another one."""

    def __init__(self, inner: Search, suite: Suite, reference: str, ops: str) -> None:
        """`reference` and `ops` are what the suite and the op set are called in the run file."""
        self._inner, self._reference, self._ops = inner, reference, ops
        self._problems = [problem.name for problem in suite.problems]
        self._baselines = [given.rule for given in suite.baselines]
        self._losses: dict[str, dict[str, float | None]] = {}  # by a rule's text and problem
        self._waiting: deque[tuple[str, str]] = deque()  # (text, problem)
        self._entrants: dict[str, Entrant] = {}  # by text, until their score is known
        self._open: dict[int, tuple[str, str]] = {}
        self._asked = self._due = 0
        self._order: deque[int] = deque()  # all open jobs, the search's too
        self._again: deque[int] = deque()  # those that were open when the run stopped
        for text in self._baselines:
            self._follow(text)

    @property
    def window(self) -> int:
        """The search's own."""
        return self._inner.window

    @property
    def warm(self) -> tuple[str, Payload] | None:
        """The search's own; workers import torch when they first need it."""
        return self._inner.warm

    @property
    def finished(self) -> bool:
        """Whether the search is."""
        return self._inner.finished

    def ask(self) -> Job | None:
        """The search's next job, or a training on a validation problem where one is due."""
        if self._again:
            number = self._again.popleft()
            job = self._job(number) if number >= FIRST else self._inner.ask()
        elif self._waiting and self._due >= TURN:
            self._due = 0
            self._open[FIRST + self._asked] = self._waiting.popleft()
            job = self._job(FIRST + self._asked)
            self._asked += 1
        else:
            job = self._inner.ask()
        if job is not None:
            self._order.append(job.number)
        return job

    def _job(self, number: int) -> Job:
        text, problem = self._open[number]
        payload = {"suite": self._reference, "ops": self._ops, "problem": problem, "rule": text, "horizon": HORIZON}
        return Job(number, VALIDATE, payload)

    def tell(self, job: Job, result: Any) -> Told:
        """Take a result; an entrant is told again when its validation score is known."""
        if job.number in self._order:
            self._order.remove(job.number)
        if job.number >= FIRST:
            text, problem = self._open.pop(job.number)
            self._losses.setdefault(text, {})[problem] = result
            entrants = self._scored()
            return Told(entrants=entrants, counters={"validated": float(len(entrants))})
        self._due += 1
        told = self._inner.tell(job, result)
        for entrant in told.entrants:
            text = to_text(cast(Program, entrant.program))
            self._entrants[text] = entrant
            self._follow(text)
        return told

    def _follow(self, text: str) -> None:
        if text not in self._losses:
            self._losses[text] = {}
            self._waiting.extend((text, problem) for problem in self._problems)

    def _scored(self) -> tuple[Entrant, ...]:
        """The entrants whose losses, and the baselines', are complete now."""
        if any(len(self._losses[text]) < len(self._problems) for text in self._baselines):
            return ()
        known = [self._losses[text] for text in self._baselines]
        ready = [text for text in self._entrants if len(self._losses[text]) == len(self._problems)]
        return tuple(_with_score(self._entrants.pop(text), self._losses[text], known) for text in ready)

    def closing(self) -> tuple[Job, ...]:
        """The search's own; whoever waits here is judged by the funnel."""
        return self._inner.closing()

    def state(self) -> dict[str, Any]:
        """The search's state and what is followed."""
        names = [item.name for item in dataclasses.fields(Entrant)]
        return {
            "search": self._inner.state(),
            "losses": {text: dict(losses) for text, losses in self._losses.items()},
            "waiting": list(self._waiting),
            "open": dict(self._open),
            "order": [*self._order, *self._again],
            "counts": [self._asked, self._due],
            "entrants": [{name: getattr(entrant, name) for name in names} for entrant in self._entrants.values()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._inner.restore(state["search"])
        self._losses = {text: dict(losses) for text, losses in state["losses"].items()}
        self._waiting = deque(state["waiting"])
        self._asked, self._due = state["counts"]
        self._entrants = {to_text(fields["program"]): Entrant(**fields) for fields in state["entrants"]}
        self._open = dict(state["open"])
        self._order, self._again = deque(), deque(state["order"])


def _with_score(entrant: Entrant, losses: Mapping[str, float | None], known: Sequence[Mapping[str, float | None]]) -> Entrant:
    complete = [dict[str, float]() for _ in range(1 + len(known))]
    for given, full in zip((losses, *known), complete, strict=True):
        full.update((problem, loss) for problem, loss in given.items() if loss is not None)
    whole = all(len(full) == len(losses) for full in complete)  # not so without torch
    score = validation_score(complete[0], complete[1:]) if whole else None
    return dataclasses.replace(entrant, metrics={**entrant.metrics, "validation": score})
