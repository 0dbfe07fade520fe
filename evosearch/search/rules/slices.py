"""One slice of an island's evolution: propose, look up, race, until the fuel is used up. Runs in a worker."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from evosearch.evaluation.fitness import Score
from evosearch.evaluation.racing import Race, from_plain, plain, race
from evosearch.evolution.rules.abstract import Meaning, execute
from evosearch.evolution.rules.genome import Genome
from evosearch.evolution.rules.mutate import propose, scratch
from evosearch.language.program import Program
from evosearch.language.text import to_text
from evosearch.search.rules.archive import Bar, beats
from evosearch.search.rules.island import Island, Lineage, Member, Paused
from evosearch.search.rules.memory import INVALID, Known, Seen, Verdict
from evosearch.search.rules.workshop import Workshop, workshop

START = "start"
"""Operator of the rules that an island starts from. They are trained to the end, so that what only starts fast does not take
their place before it has come as far, and are not offered to the archive."""
PROPOSAL = 3e5
"""Work that a proposal counts for the fuel, beside its trainings: half a millisecond."""
AUDITED = 0.05
"""Difference of fitness up to which an audited cache hit is called equal. What differs by more are rules that take signs of
nearly equal averages: the same on the whole probe, and now and then another in a training. Rounding errors alone move 1 rule of
400 so far."""


def run_slice(
    run: str,
    island: str,
    number: Sequence[int],
    seen: Seen,
    hurdles: Sequence[float],
    bars: Sequence[Bar],
    audits: int,
    baselines: Mapping[str, Any],
) -> dict[str, Any]:
    """One slice.

    Args:
        run: the run's configuration; see `workshop`.
        island: its state; see `Island.text`.
        number: of the island, of its restarts, and of the slice.
        seen: what is known of other rules.
        hurdles: of all rungs but the last.
        bars: of rules that the lineage has offered to the archive; who beats all of at most its size is offered.
        audits: how many cache hits to train again.
        baselines: see `Fitness.learn`.

    Returns:
        the island's new state under "island"; under "rows" what was trained, in columns; "hits" by hash; "offers" to the
        archive; "best" rung and fitness of the members; "counters"; "work"; "seconds" of the processor in races.
    """
    shop = workshop(run)
    shop.fitness.learn(baselines)
    return Slice(shop, island, number, seen, hurdles, bars, audits).run()


class Slice:
    """The state of a slice."""

    def __init__(
        self,
        shop: Workshop,
        island: str,
        number: Sequence[int],
        seen: Seen,
        hurdles: Sequence[float],
        bars: Sequence[Bar],
        audits: int,
    ) -> None:
        self._shop, self._island, self._known, self._hurdles = shop, Island.read(island), Known(seen), hurdles
        self._bars, self._audits = list(bars), audits
        self._split = number[-1] % shop.settings.splits
        self._rng = Random(":".join(map(str, (shop.settings.seed, *number))))
        self._hits: Counter[int] = Counter()
        self._counters: Counter[str] = Counter()
        self._rows: list[dict[str, Any]] = []
        self._offers: list[dict[str, Any]] = []
        self._work, self._seconds = 0, 0.0

    def run(self) -> dict[str, Any]:
        """Propose and race until the fuel is used up."""
        paused, self._island.paused = self._island.paused, None
        if paused is not None:
            self._go_on(paused)
        while self._fuel > 0.0:
            self._counters["proposals"] += 1
            drawn = self._draw()
            if drawn is not None:
                self._try(*drawn)
        return {
            "island": self._island.text(),
            "rows": {name: [row[name] for row in self._rows] for name in (self._rows[0] if self._rows else ())},
            "hits": dict(self._hits),
            "offers": self._offers,
            "best": None if (best := self._island.best()) is None else (best.rung, best.fitness),
            "counters": {name: float(count) for name, count in self._counters.items()},
            "work": self._work,
            "seconds": self._seconds,
        }

    @property
    def _fuel(self) -> float:
        return self._shop.settings.fuel - self._work - PROPOSAL * self._counters["proposals"]

    def _draw(self) -> tuple[Genome, Meaning, str, Lineage] | None:
        """What to try next: what waits, a child, or a rule from scratch."""
        shop, rng, island = self._shop, self._rng, self._island
        if island.waiting:
            genome = island.waiting.popleft()
            meaning = execute(genome, shop.grammar)
            if not isinstance(meaning, Meaning):
                self._counters[f"invalid {meaning.reason}"] += 1
                return None
            return genome, meaning, START, Lineage()
        if not island.members or shop.settings.algorithm == "random":
            genome, meaning, drafts = scratch(rng, shop.grammar, shop.limits, shop.settings.scratch)
            self._counters["invalid drafts"] += drafts
            return genome, meaning, "scratch", Lineage()
        parent = island.parent(rng, self._contenders())
        other, refused = island.parent(rng, 1), dict[str, int]()
        child = propose(parent.genome, rng, shop.grammar, shop.limits, other.genome, refused)
        for reason, count in refused.items():
            self._counters[f"invalid {reason}"] += count
        return None if child is None else (*child, parent.lineage.by(child[2]))

    def _contenders(self) -> int:
        return 1 if self._shop.settings.algorithm == "mutation" else self._shop.settings.tournament

    def _try(self, genome: Genome, meaning: Meaning, operator: str, lineage: Lineage) -> None:
        """Look a valid rule up or race it, and let it live where it is worth it."""
        counters = self._counters
        counters["valid"] += 1
        counters["statements"] += len(genome)
        counters["dead"] += len(genome) - meaning.live
        known, structure = self._known, meaning.key
        key = known.function(structure)
        verdict = None if key is None else known.verdict(key)
        if key is not None and verdict is not None:
            self._hit(key, "structure")
        else:
            key = self._shop.probe.key(meaning.encoded)
            if key is None:
                self._counters["invalid not finite"] += 1
                return
            verdict = known.verdict(key)
            if verdict is not None:
                self._hit(key, "function")
                self._audit(meaning.program, verdict)
                known.call(structure, key)
        if verdict is None:
            self._race(genome, meaning, key, operator, lineage)
        elif verdict.rung != INVALID:
            self._live(Member(genome, key, verdict, lineage))

    def _hit(self, key: int, cause: str) -> None:
        self._hits[key] += 1
        self._counters[f"hits {cause}"] += 1

    def _go_on(self, paused: Paused) -> None:
        """With the race that the last slice had no fuel for."""
        meaning = execute(paused.genome, self._shop.grammar)
        assert isinstance(meaning, Meaning)
        key = self._shop.probe.key(meaning.encoded)
        assert key is not None
        tuned = from_plain(paused.tuned)
        begun = tuple(Score(fitness, "ok", (), tuned, {}, work) for fitness, work in paused.scores)
        self._race(paused.genome, meaning, key, paused.operator, paused.lineage, paused.split, begun)

    def _race(
        self,
        genome: Genome,
        meaning: Meaning,
        key: int,
        operator: str,
        lineage: Lineage,
        split: int | None = None,
        begun: tuple[Score, ...] = (),
    ) -> None:
        """Train a rule as far as hurdles and fuel let it; where its race has ended, keep the result and let it live."""
        shop, split = self._shop, self._split if split is None else split
        started = time.process_time()
        hurdles = [math.inf] * len(self._hurdles) if operator == START else self._hurdles
        result = race(shop.fitness, meaning.program, hurdles, shop.seeds(split), begun, self._fuel)  # type: ignore[arg-type]
        self._seconds += time.process_time() - started
        self._work += result.work - sum(score.work for score in begun)
        if result.paused:
            ran = tuple((score.fitness, score.work) for score in result.scores)
            self._island.paused = Paused(genome, operator, lineage, split, ran, plain(result.last.tuned))
            return
        valid = result.last.status == "ok"
        rung = len(result.scores) - 1 if valid else INVALID
        verdict = Verdict(rung, result.last.fitness, result.scores[0].fitness, split)
        self._known.add(meaning.key, key, verdict)
        self._counters["finished" if result.finished else f"stopped {rung}" if valid else "invalid training"] += 1
        self._keep(meaning, key, operator, lineage, verdict, result)
        if result.finished and operator != START and beats(self._bars, meaning.live, result.last.fitness):
            self._offer(genome, meaning, key, result, lineage)
            lineage = Lineage(key)  # of its descendants
        if valid:
            self._live(Member(genome, key, verdict, lineage))

    def _keep(self, meaning: Meaning, key: int, operator: str, lineage: Lineage, verdict: Verdict, result: Race) -> None:
        """The row of an evaluation."""
        scores = [score.fitness for score in result.scores]
        missing = [float("nan")] * (len(self._hurdles) + 1 - len(scores))
        self._rows.append(
            {
                "structure": meaning.key,
                "function": key,
                "rung": verdict.rung,
                "split": verdict.split,
                "scores": scores + missing,
                "live": meaning.live,
                "operator": operator,
                "ancestor": lineage.ancestor,
                "work": result.work,
                "text": to_text(meaning.program),
            }
        )

    def _offer(self, genome: Genome, meaning: Meaning, key: int, result: Race, lineage: Lineage) -> None:
        self._bars.append((meaning.live, result.last.fitness))
        self._offers.append(
            {
                "genome": genome,
                "text": to_text(meaning.program),
                "live": meaning.live,
                "key": key,
                "race": [score.fitness for score in result.scores],
                "ancestor": lineage.ancestor,
                "operators": lineage.operators,
                "steps": lineage.steps,
            }
        )

    def _audit(self, program: Program, verdict: Verdict) -> None:
        """Train a rule that only shares its hash with a known one: is its score the same?"""
        if self._audits <= 0 or verdict.rung == INVALID:
            return
        self._audits -= 1
        score = self._shop.fitness.score(program, 0, self._shop.seeds(verdict.split)[0])
        self._work += score.work
        same = score.status == "ok" and abs(score.fitness - verdict.first) <= AUDITED
        self._counters.update({"audited": 1, "audit differs": int(not same)})

    def _live(self, member: Member) -> None:
        """The member joins; the oldest leaves where there is no room, or for a hill climber whoever is worse."""
        island, settings = self._island, self._shop.settings
        if settings.algorithm == "hillclimb":
            if not island.members or member.verdict.rank <= island.members[0].verdict.rank:
                island.members.clear()
                island.members.append(member)
            return
        island.members.append(member)
        if len(island.members) > settings.population:
            island.members.popleft()
