"""The search for policies: generations of children, and elites that are chosen on episodes of their own.

Jobs are chunks of children, then (where episodes differ) candidates for the elite, all of one generation at once; and the test
of a new elite, which runs beside the next generation and chooses nothing. Everything follows from the order in which results
are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evosearch.evolution.seeds import Layout
from evosearch.search.evaluations import Evaluations, pack
from evosearch.search.policies.breeding import Breeder, Brood, Floats, training_seeds
from evosearch.search.policies.elite import Elites, test_seeds, validation_seeds
from evosearch.search.policies.member import FRESH, child_key
from evosearch.search.policies.settings import PolicySettings
from evosearch.search.policies.task import Traits
from evosearch.search.protocol import Job, Payload, Told
from evosearch.search.queued import Queued

CHILDREN = "evosearch.search.policies.jobs:run_children"
CANDIDATE = "evosearch.search.policies.jobs:run_candidate"
WARM = "evosearch.search.policies.jobs:warm"

Kind = Literal["children", "validation", "test"]

_OPERATORS = {1: "mutation", -1: "mirror", 0: "centre"}


@dataclass(frozen=True)
class _Ticket:
    """A job in the making: children `first` to `stop`, or episodes `first` to `stop` of a candidate's validation or test."""

    number: int
    kind: Kind
    first: int
    stop: int
    key: str = ""  # of the champion that is tested; the number of the candidate that is validated


@dataclass(frozen=True, eq=False)
class _Origins:
    """The parents of a brood in columns, and at the end, where `FRESH` points, what stands for none.

    Attributes:
        keys, numbers: their keys as bytes and as numbers.
        genes: of a child.
    """

    keys: list[bytes]
    numbers: NDArray[np.uint64]
    genes: NDArray[np.int64]

    @classmethod
    def of(cls, brood: Brood) -> _Origins:
        keys = [base.key for base in brood.bases]
        numbers = np.array([*(int.from_bytes(key, "big") for key in keys), 0], np.uint64)
        return cls([*keys, b""], numbers, np.array([*(base.size + base.is_list for base in brood.bases), 1]))


class PolicySearch(Queued[_Ticket]):
    """See the module; a `evosearch.search.protocol.Search`."""

    def __init__(self, run: str, settings: PolicySettings, layout: Layout, breeder: Breeder, traits: Traits) -> None:
        """`run` is the run's configuration as JSON, from which workers make what they need."""
        super().__init__()
        self._run, self._settings, self._breeder, self._noisy = run, settings, breeder, traits.noisy
        self._elites = Elites(settings, layout, traits)
        self._generation = self._next = self._owed = 0
        self._frames = {"training": 0, "validation": 0, "test": 0}
        self._failure = ""
        self._start()

    @property
    def warm(self) -> tuple[str, Payload] | None:
        """Compile the kernels, and whatever else the task prepares."""
        return WARM, {"run": self._run}

    def closing(self) -> tuple[Job, ...]:
        """The tests that are not done."""
        return self._close(lambda ticket: ticket.kind == "test")

    def tell(self, job: Job, result: Any) -> Told:
        """Take a result; a generation ends with its last one."""
        ticket = self._open.pop(job.number)
        frames = int(np.sum(result["frames"]))
        use = "training" if ticket.kind == "children" else ticket.kind
        self._frames[use] += frames
        self._failure = result["failures"][-1] if result["failures"] else self._failure
        counters = {f"frames {use}": float(frames), "failed episodes": float(len(result["failures"]))}
        work = 0 if ticket.kind == "test" else frames
        if ticket.kind == "test":
            entrant = self._elites.take_test(ticket.key, ticket.first, result)
            return Told(entrants=() if entrant is None else (entrant,), work=work, counters=counters)
        evaluated = Evaluations()
        if ticket.kind == "children":
            evaluated = self._take_children(ticket, result)
        else:
            self._elites.take_validation(int(ticket.key), ticket.first, result["scores"])
        count = evaluated.count
        if not any(other.kind == ticket.kind for other in chain(self._open.values(), self._queue)):
            # The last children count when their generation ends, so that a run that stops there has its elite.
            self._owed += count
            counters["generations"] = self._advance(ticket.kind)
            count, self._owed = (self._owed, 0) if counters["generations"] else (0, self._owed)
        return Told(evaluations=count, work=work, counters=counters, evaluated=evaluated, note=self._note())

    def _note(self) -> str:
        champion = self._elites.current
        lines = [] if champion is None else [f"generation {self._generation}, elite {champion.score:.6g}"]
        return "; ".join([*lines, *([f"an episode failed: {self._failure}"] if self._failure else [])])

    # A generation

    def _start(self) -> None:
        """Make the children of a generation, and their jobs; tests of the last elite come before them."""
        self._brood: Brood = self._breeder.brood(self._generation)
        count = len(self._brood.children)
        self._origins = _Origins.of(self._brood)
        self._seeds = training_seeds(self._settings, self._generation, self._brood.children[:, 2].tolist())
        self._scores: Floats = np.full(count, np.nan)
        self._behaviour: Floats = np.empty((count, 0))
        first, most = 0, self._settings.chunk
        while first < count:  # smaller jobs at the end, for all workers wait for the last one
            stop = min(count, first + (most if count - first > most else -(-most // 4)))
            self._add("children", first, stop)
            first = stop

    def _add(self, kind: Kind, first: int, stop: int, key: str = "") -> None:
        self._queue.append(_Ticket(self._next, kind, first, stop, key))
        self._next += 1

    def _job(self, ticket: _Ticket) -> Job:
        if ticket.kind == "children":
            rows = self._brood.children[ticket.first : ticket.stop]
            used = sorted(set(rows[:, 0].tolist()) - {FRESH})
            renamed = {FRESH: FRESH, **{base: place for place, base in enumerate(used)}}
            children = rows.copy()
            children[:, 0] = [renamed[base] for base in rows[:, 0].tolist()]
            bases = [self._brood.bases[base].sent for base in used]
            seeds = self._seeds[ticket.first : ticket.stop]
            return Job(ticket.number, CHILDREN, {"run": self._run, "bases": bases, "children": children, "seeds": seeds})
        if ticket.kind == "validation":
            member, played = self._elites.candidates[int(ticket.key)], validation_seeds(self._settings, self._generation)
        else:
            member, played = self._elites.tested(ticket.key), test_seeds(self._settings, self._noisy)
        played = played[ticket.first : ticket.stop]
        return Job(ticket.number, CANDIDATE, {"run": self._run, "data": member.sent, "seeds": played, "use": ticket.kind})

    def _take_children(self, ticket: _Ticket, result: Any) -> Evaluations:
        place = slice(ticket.first, ticket.stop)
        self._scores[place] = result["scores"]
        behaviour = result["behaviour"]
        if behaviour.shape[1] > self._behaviour.shape[1]:
            self._behaviour = np.full((len(self._scores), behaviour.shape[1]), np.nan)
        self._behaviour[place, : behaviour.shape[1]] = behaviour
        return _evaluated(self._origins, self._brood.children[place], result)

    def _advance(self, done: Kind) -> float:
        """What follows on a stage that is complete; how many generations that ends."""
        if done == "children":
            self._elites.propose(self._brood, self._scores, self._generation)
            if self._noisy and self._elites.candidates:
                for place in range(len(self._elites.candidates)):
                    self._add_episodes("validation", self._settings.validation, str(place))
                return 0.0
        champion = self._elites.choose(self._generation, self._frames)
        elite = self._elites.current
        member = None if elite is None else elite.member
        self._breeder.select(self._generation, self._brood, self._scores, self._behaviour, member)
        self._generation += 1
        if champion is not None:
            self._add_episodes("test", len(test_seeds(self._settings, self._noisy)), champion.member.key.hex())
        self._start()
        return 1.0

    def _add_episodes(self, kind: Kind, count: int, key: str) -> None:
        batch = self._settings.batch or self._settings.validation
        for first in range(0, count, batch):
            self._add(kind, first, min(first + batch, count), key)

    # Stop and go on

    def state(self) -> dict[str, Any]:
        """All that is needed to go on; the children follow from the parents."""
        return {
            "breeder": self._breeder.state(),
            "elites": self._elites.state(),
            "generation": self._generation,
            "next": self._next,
            "owed": self._owed,
            "tickets": [astuple(ticket) for ticket in self._waiting()],
            "frames": dict(self._frames),
            "failure": self._failure,
            "scores": self._scores,
            "behaviour": self._behaviour,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._breeder.restore(state["breeder"])
        self._generation = state["generation"]
        self._start()
        self._elites.restore(state["elites"])
        self._next, self._owed, self._frames = state["next"], state["owed"], dict(state["frames"])
        self._failure = state["failure"]
        self._scores, self._behaviour = state["scores"], state["behaviour"]
        self._wait_again(_Ticket(*row) for row in state["tickets"])


def _evaluated(origins: _Origins, children: NDArray[np.int64], result: Mapping[str, Any]) -> Evaluations:
    """From the rows of a brood and what became of them."""
    rows, base = children.tolist(), children[:, 0]
    keys = [origins.keys[place] if sign == 0 else child_key(origins.keys[place], word) for place, word, sign in rows]
    return pack(
        function=np.frombuffer(b"".join(keys), ">u8") ^ (children[:, 2] < 0).astype(np.uint64),
        rung=-np.isnan(result["scores"]).astype(np.int64),
        scores=np.column_stack([result["scores"], result["behaviour"]]),
        live=origins.genes[base],
        operator=["initial" if place == FRESH else _OPERATORS[sign] for place, _, sign in rows],
        ancestor=origins.numbers[base],
        work=result["frames"],
        text=[str(word) for _, word, _ in rows],
    )
