"""One slice of an island's evolution: propose, look up, race, until the fuel is used up. Runs in a worker."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from evosearch.backends.array_vm import encode_rule
from evosearch.evaluation.racing import Race, plain, race
from evosearch.evolution.rules.abstract import Meaning, execute
from evosearch.evolution.rules.genome import Genome
from evosearch.evolution.rules.mutate import propose, scratch
from evosearch.language.program import Program
from evosearch.language.text import to_text
from evosearch.search.rules.island import Island, Lineage, Member
from evosearch.search.rules.memory import INVALID, Known, Seen, Verdict
from evosearch.search.rules.workshop import Workshop, workshop

PROPOSAL = 3e5
"""Work that a proposal counts for the fuel, beside its trainings: half a millisecond."""
AUDITED = 0.05
"""Difference of fitness up to which an audited cache hit is called equal: trainings amplify rounding errors."""


def run_slice(
    run: str,
    island: str,
    number: Sequence[int],
    seen: Seen,
    hurdles: Sequence[float],
    bars: Sequence[tuple[int, float]],
    audits: int,
) -> dict[str, Any]:
    """One slice.

    Args:
        run: the run's configuration; see `workshop`.
        island: its state; see `Island.text`.
        number: of the island, of its restarts, and of the slice.
        seen: what is known of other rules.
        hurdles: of all rungs but the last.
        bars: (live statements, fitness) of rules offered to the archive; who beats all of at most its size is offered.
        audits: how many cache hits to train again.

    Returns:
        the island's new state under "island"; under "rows" what was trained, in columns; "hits" by hash; "offers" to the
        archive; "best" rung and fitness of the members; "counters"; "work"; "seconds" of the processor in races.
    """
    return Slice(workshop(run), island, number, seen, hurdles, bars, audits).run()


class Slice:
    """The state of a slice."""

    def __init__(
        self,
        shop: Workshop,
        island: str,
        number: Sequence[int],
        seen: Seen,
        hurdles: Sequence[float],
        bars: Sequence[tuple[int, float]],
        audits: int,
    ) -> None:
        self._shop, self._island, self._known, self._hurdles = shop, Island.read(island), Known(seen), hurdles
        self._bars, self._audits = list(bars), audits
        self._split = number[-1] % shop.settings.splits
        self._seeds = shop.seeds(self._split)
        self._rng = Random(":".join(map(str, (shop.settings.seed, *number))))
        self._hits: Counter[int] = Counter()
        self._counters: Counter[str] = Counter()
        self._rows: list[dict[str, Any]] = []
        self._offers: list[dict[str, Any]] = []
        self._work, self._seconds = 0, 0.0

    def run(self) -> dict[str, Any]:
        """Propose and race until the fuel is used up."""
        fuel = self._shop.settings.fuel
        while self._work + PROPOSAL * self._counters["proposals"] < fuel:
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

    def _draw(self) -> tuple[Genome, Meaning, str, Lineage] | None:
        """What to try next: what waits, a child, or a rule from scratch."""
        shop, rng, island = self._shop, self._rng, self._island
        if island.waiting:
            genome = island.waiting.popleft()
            meaning = execute(genome, shop.grammar)
            if not isinstance(meaning, Meaning):
                self._counters[f"invalid {meaning.reason}"] += 1
                return None
            return genome, meaning, "start", Lineage()
        if not island.members or shop.settings.algorithm == "random":
            genome, meaning, drafts = scratch(rng, shop.grammar, shop.limits, shop.settings.scratch)
            self._counters["invalid drafts"] += drafts
            return genome, meaning, "scratch", Lineage()
        parent = island.parent(rng, self._contenders())
        refused: dict[str, int] = {}
        child = propose(parent.genome, rng, shop.grammar, shop.limits, rng.choice(island.members).genome, refused)
        for reason, count in refused.items():
            self._counters[f"invalid {reason}"] += count
        return None if child is None else (*child, parent.lineage.by(child[2]))

    def _contenders(self) -> int:
        return 1 if self._shop.settings.algorithm == "mutation" else self._shop.settings.tournament

    def _try(self, genome: Genome, meaning: Meaning, operator: str, lineage: Lineage) -> None:
        """Look a valid rule up or race it, and let it live where it is worth it."""
        self._counters.update(valid=1, statements=len(genome), dead=len(genome) - meaning.live)
        known, structure = self._known, meaning.key
        key = known.functions.get(structure)
        verdict = None if key is None else known.verdicts.get(key)
        if key is not None and verdict is not None:
            self._hit(key, "structure")
        else:
            key = self._shop.probe.key(encode_rule(meaning.program, self._shop.grammar.ops))
            if key is None:
                self._counters["invalid not finite"] += 1
                return
            verdict = known.verdicts.get(key)
            if verdict is not None:
                self._hit(key, "function")
                self._audit(meaning.program, verdict)
                known.functions[structure] = key
        if verdict is None:
            verdict = self._race(genome, meaning, key, operator, lineage)
        if verdict.rung != INVALID:
            self._live(Member(genome, key, verdict, self._offered(key, lineage)))

    def _hit(self, key: int, cause: str) -> None:
        self._hits[key] += 1
        self._counters[f"hits {cause}"] += 1

    def _race(self, genome: Genome, meaning: Meaning, key: int, operator: str, lineage: Lineage) -> Verdict:
        started = time.process_time()
        result = race(self._shop.fitness, meaning.program, self._hurdles, self._seeds)  # type: ignore[arg-type]
        self._seconds += time.process_time() - started
        self._work += result.work
        reached = len(result.scores) - 1
        valid = result.last.status == "ok"
        rung = reached if valid else INVALID
        verdict = Verdict(rung, result.last.fitness, result.scores[0].fitness, self._split)
        self._known.add(meaning.key, key, verdict)
        outcome = "finished" if result.finished else f"stopped {reached}" if valid else "invalid training"
        self._counters.update({"distinct": 1, outcome: 1})
        scores = [score.fitness for score in result.scores]
        missing = [float("nan")] * (len(self._hurdles) + 1 - len(scores))
        self._rows.append(
            {
                "structure": meaning.key,
                "function": key,
                "rung": verdict.rung,
                "scores": scores + missing,
                "live": meaning.live,
                "operator": operator,
                "ancestor": lineage.ancestor,
                "work": result.work,
                "text": to_text(meaning.program),
            }
        )
        if result.finished and self._beats(meaning.live, result.last.fitness):
            self._offer(genome, meaning, key, result, lineage)
        return verdict

    def _beats(self, live: int, fitness: float) -> bool:
        return all(fitness < bar for size, bar in self._bars if size <= live)

    def _offer(self, genome: Genome, meaning: Meaning, key: int, result: Race, lineage: Lineage) -> None:
        self._bars.append((meaning.live, result.last.fitness))
        self._offers.append(
            {
                "genome": genome,
                "text": to_text(meaning.program),
                "live": meaning.live,
                "key": key,
                "race": [score.fitness for score in result.scores],
                "tuned": plain(result.last.tuned),
                "metrics": dict(result.last.metrics),
                "ancestor": lineage.ancestor,
                "operators": lineage.operators,
                "steps": lineage.steps,
            }
        )

    def _offered(self, key: int, lineage: Lineage) -> Lineage:
        """The lineage of descendants: an offered rule is their ancestor."""
        return Lineage(key) if any(offer["key"] == key for offer in self._offers) else lineage

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
