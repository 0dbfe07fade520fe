"""The search for update rules: islands of regularized evolution, one memory of what was tried, one archive.

First the baselines are tuned. Then jobs are slices of islands, and entries: the measurement of a rule that a slice offers, on
fresh seeds beside the archive's rule that it would replace. Everything follows from the order in which results are told; the
next slice of an island is made when its last one is told, and knows of the others what was told by then.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evosearch.evaluation.racing import Hurdles
from evosearch.evolution.rules.genome import Genome, from_plain
from evosearch.language.infer import canonical_hash
from evosearch.language.op import OpSet
from evosearch.language.optimizer import read_rule
from evosearch.search.evaluations import FIELDS, Evaluations, pack
from evosearch.search.protocol import Entrant, Job, Payload, Told
from evosearch.search.queued import Queued
from evosearch.search.rules.archive import Archive, Bar, Kept, Lineage, beats
from evosearch.search.rules.island import Island
from evosearch.search.rules.memory import Memory
from evosearch.search.rules.settings import RuleSettings

SLICE = "evosearch.search.rules.slices:run_slice"
ENTRY = "evosearch.search.rules.entry:run_entry"
BASELINE = "evosearch.search.rules.workshop:tune_baselines"
WARM = "evosearch.search.rules.workshop:warm"
AUDITS = 2
"""Cache hits that a slice trains again, until there were enough."""
ENTRIES = 0.2
"""Most of the work that may go into entries: what they prove is worth less than what is still to be found."""


@dataclass(frozen=True)
class _Ticket:
    """A job in the making, with all that it may know; kept in the state, so that the same job can be asked again.

    Attributes:
        number: of the job.
        island: whose slice it is, or which island offers the rule.
        turn: how often the island was started anew, and how many slices it has had since.
        seen: how many entries the memory had.
        hurdles, bars, audits: see `slices.run_slice`.
        baseline: (rung, proxy) to tune the baselines on, instead of a slice.
        offer: the rule to measure, instead of a slice.
        incumbent: text and tuned constants of the archive's rule beside it; None where there is none.
    """

    number: int
    island: int
    turn: tuple[int, int] = (0, 0)
    seen: int = 0
    hurdles: tuple[float, ...] = ()
    bars: tuple[tuple[int, float], ...] = ()
    audits: int = 0
    baseline: tuple[int, int] | None = None
    offer: Mapping[str, Any] | None = None
    incumbent: tuple[str, Mapping[str, Any]] | None = None


class RuleSearch(Queued[_Ticket]):
    """See the module; a `evosearch.search.protocol.Search`."""

    def __init__(self, run: str, settings: RuleSettings, ops: OpSet, initial: Sequence[Genome]) -> None:
        """`run` is the run's configuration as JSON, from which workers make what they need."""
        super().__init__()
        self._run, self._settings, self._ops, self._initial = run, settings, ops, tuple(initial)
        count = settings.islands
        self._islands = [Island(waiting=deque(self._initial)).text() for _ in range(count)]
        self._turns = [(0, 0)] * count
        self._improved = [0] * count  # the slice of an island's last improvement
        self._best: list[tuple[int, float] | None] = [None] * count
        self._memory = Memory(settings.memory, len(settings.race.rungs), settings.forget)
        self._hurdles = [Hurdles(settings.race) for _ in range(count)]  # an island's own: fast starters would stop all others
        self._archive = Archive()
        self._offers: list[tuple[Lineage, Mapping[str, Any]]] = []
        self._reported: dict[int, tuple[str | None, int]] = {}  # functional hash: entrant's key, nearest ancestor
        self._work = self._entry_work = 0
        self._audits = settings.audits
        self._tickets = 0
        self._baselines: dict[str, Any] = {}
        rungs = enumerate(settings.race.rungs)
        trained = {(rung.horizon, proxy): (at, proxy) for at, rung in rungs for proxy in range(rung.proxies)}
        self._untuned = len(trained)
        for baseline in sorted(trained.values(), reverse=True):  # the dear ones first
            self._queue.append(_Ticket(self._next_number(), 0, baseline=baseline))

    @property
    def warm(self) -> tuple[str, Payload] | None:
        """Compile the kernels."""
        return WARM, {"run": self._run}

    def _job(self, ticket: _Ticket) -> Job:
        if ticket.baseline is not None:
            rung, proxy = ticket.baseline
            return Job(ticket.number, BASELINE, {"run": self._run, "rung": rung, "proxy": proxy})
        common = {"run": self._run, "baselines": dict(self._baselines)}
        if ticket.offer is not None:
            entry = {"text": ticket.offer["text"], "number": ticket.number, "incumbent": ticket.incumbent}
            return Job(ticket.number, ENTRY, {**common, **entry})
        payload = {
            **common,
            "island": self._islands[ticket.island],
            "number": (ticket.island, *ticket.turn),
            "seen": self._memory.seen(ticket.seen),
            "hurdles": ticket.hurdles,
            "bars": ticket.bars,
            "audits": ticket.audits,
        }
        return Job(ticket.number, SLICE, payload)

    def closing(self) -> tuple[Job, ...]:
        """The entries that are under way, and the best offer that still waits."""
        if self._offers and not self._entering():
            self._queue.append(self._entry_ticket())
        return self._close(lambda ticket: ticket.offer is not None)

    def tell(self, job: Job, result: Any) -> Told:
        """Take a result; only here are new jobs made."""
        ticket = self._open.pop(job.number)
        if ticket.baseline is not None:
            return self._tell_baseline(result)
        told = self._tell_entry(ticket, result) if ticket.offer is not None else self._tell_slice(ticket, result)
        if self._offers and not self._entering() and self._entry_work <= ENTRIES * self._work:
            self._queue.append(self._entry_ticket())
        return told

    def _tell_baseline(self, result: Mapping[str, Any]) -> Told:
        """Once all baselines are tuned the islands start."""
        self._baselines.update(result)
        self._untuned -= 1
        if not self._untuned:
            for number in range(self._settings.islands):
                self._add_slice(number)
        return Told()

    def _add_slice(self, number: int) -> None:
        audits = min(self._audits, AUDITS)
        self._audits -= audits
        self._queue.append(
            _Ticket(
                self._next_number(), number, self._turns[number], self._memory.count, self._hurdles[number].values(),
                self._bars((number, self._turns[number][0])), audits,
            )
        )  # fmt: skip

    def _entering(self) -> list[tuple[Lineage, Mapping[str, Any]]]:
        """The offers that are measured now."""
        return [((ticket.island, ticket.turn[0]), ticket.offer) for ticket in self._waiting() if ticket.offer is not None]

    def _bars(self, lineage: Lineage) -> tuple[Bar, ...]:
        """What a rule of a lineage must beat in its race to be offered: the lineage's archive, and what it has offered."""
        offered = [(of["live"], of["race"][-1]) for own, of in (*self._entering(), *self._offers) if own == lineage]
        return (*self._archive.bars(lineage), *offered)

    def _next_number(self) -> int:
        self._tickets += 1
        return self._tickets - 1

    def _tell_slice(self, ticket: _Ticket, result: Any) -> Told:
        number, rows = ticket.island, result["rows"]
        distinct = self._memory.add(rows, result["hits"])
        for scores in rows.get("scores", ()):
            self._hurdles[number].tell([score for score in scores if score == score])
        self._work += result["work"]
        self._audits += int(ticket.audits - result["counters"].get("audited", 0))
        self._islands[number] = result["island"]
        self._turns[number] = (ticket.turn[0], ticket.turn[1] + 1)
        self._take_offers((number, ticket.turn[0]), result["offers"])
        self._age(number, result["best"])
        self._add_slice(number)
        self._memory.drop(min(other.seen for other in self._waiting() if other.offer is None))
        counters = {"kernel_seconds": result["seconds"], "distinct": float(distinct), **result["counters"]}
        evaluated = pack(**{name: rows[name] for name in FIELDS}) if rows else Evaluations()
        return Told(evaluations=evaluated.count, work=result["work"], counters=counters, evaluated=evaluated)

    def _take_offers(self, lineage: Lineage, offers: Sequence[Mapping[str, Any]]) -> None:
        """Keep what beats all that its lineage offered before; the slice could not know what was told since it was asked."""
        for offer in offers:
            live, fitness = offer["live"], offer["race"][-1]
            if offer["key"] in self._reported:
                continue  # another lineage was first
            self._reported[offer["key"]] = (None, offer["ancestor"])
            if beats(self._bars(lineage), live, fitness):
                self._offers = [
                    (own, other)
                    for own, other in self._offers
                    if own != lineage or other["live"] < live or other["race"][-1] < fitness
                ]
                self._offers.append((lineage, offer))

    def _age(self, number: int, best: tuple[int, float] | None) -> None:
        """Start an island anew that has found nothing for long: from the best rules and from the initial ones in turn."""
        restarts, slices = self._turns[number]
        before = self._best[number]
        if best is not None and (before is None or (-best[0], best[1]) < (-before[0], before[1])):
            self._best[number], self._improved[number] = (best[0], best[1]), slices
        if slices - self._improved[number] < self._settings.patience:
            return
        known = [kept.genome for kept in self._archive.front()]
        again = known if restarts % 2 == 0 and known else self._initial
        self._turns[number], self._improved[number], self._best[number] = (restarts + 1, 0), 0, None
        self._islands[number], self._hurdles[number] = Island(waiting=deque(again)).text(), Hurdles(self._settings.race)

    def _entry_ticket(self) -> _Ticket:
        """The best offer that waits, beside its lineage's best rule of at most its size."""
        lineage, offer = min(self._offers, key=lambda item: (item[1]["race"][-1], item[1]["live"]))
        self._offers.remove((lineage, offer))
        rival = self._archive.rival(lineage, offer["live"])
        incumbent = (rival.text, rival.tuned) if rival else None
        return _Ticket(self._next_number(), lineage[0], (lineage[1], 0), offer=offer, incumbent=incumbent)

    def _tell_entry(self, ticket: _Ticket, result: Any) -> Told:
        assert ticket.offer is not None
        self._entry_work += result["work"]
        if not result["entered"]:
            return Told(work=result["work"], counters={"refused": 1.0})
        offer = ticket.offer
        program = read_rule(offer["text"], self._ops)
        key, (parent, gone) = canonical_hash(program), self._ancestor(offer["ancestor"])
        self._reported[offer["key"]] = (key, self._reported[offer["key"]][1])
        self._archive.add(
            Kept(
                lineage=(ticket.island, ticket.turn[0]),
                live=offer["live"],
                fitness=result["fitness"],
                race=offer["race"][-1],
                key=key,
                text=offer["text"],
                tuned=result["metrics"]["tuned"],
                genome=from_plain(offer["genome"]),
            )
        )
        entrant = Entrant(
            key=key,
            program=program,
            cost=float(offer["live"]),
            error=result["fitness"],
            metrics={**result["metrics"], "race": offer["race"]},
            parent=parent,
            operators=tuple(offer["operators"]),
            steps=max(offer["steps"] - 1, 0) + gone,
        )
        return Told(entrants=(entrant,), work=result["work"], counters={"entered": 1.0})

    def _ancestor(self, key: int) -> tuple[str | None, int]:
        """Key of the nearest archived ancestor from an offered rule on, and how many were passed over."""
        passed, seen = 0, set()
        while key in self._reported and key not in seen:
            seen.add(key)
            name, parent = self._reported[key]
            if name is not None:
                return name, passed
            passed, key = passed + 1, parent
        return None, passed

    def state(self) -> dict[str, Any]:
        """All of the search as plain data."""
        tickets = self._waiting()
        return {
            "islands": list(self._islands),
            "turns": list(self._turns),
            "improved": list(self._improved),
            "best": list(self._best),
            "memory": self._memory.state(),
            "hurdles": [hurdles.state() for hurdles in self._hurdles],
            "archive": self._archive.state(),
            "offers": list(self._offers),
            "reported": [[key, name, parent] for key, (name, parent) in self._reported.items()],
            "work": [self._work, self._entry_work],
            "audits": self._audits,
            "baselines": [dict(self._baselines), self._untuned],
            "tickets": self._tickets,
            "waiting": [{item.name: getattr(ticket, item.name) for item in dataclasses.fields(ticket)} for ticket in tickets],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; jobs that were open are asked again."""
        self._islands, self._turns, self._improved = (list(state[name]) for name in ("islands", "turns", "improved"))
        self._best = list(state["best"])
        self._offers = [(tuple(lineage), offer) for lineage, offer in state["offers"]]
        self._memory.restore(state["memory"])
        self._hurdles = [Hurdles(self._settings.race, of) for of in state["hurdles"]]
        self._archive = Archive(state["archive"])
        self._reported = {key: (name, parent) for key, name, parent in state["reported"]}
        self._work, self._entry_work = state["work"]
        self._baselines, self._untuned = dict(state["baselines"][0]), state["baselines"][1]
        self._audits, self._tickets = state["audits"], state["tickets"]
        self._wait_again(_Ticket(**fields) for fields in state["waiting"])
