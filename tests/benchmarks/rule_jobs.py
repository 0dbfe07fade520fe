"""What workers do in the benchmark of the rule search: the whole pipeline of proposals with the trainings stubbed."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from typing import Any

from evosearch.evaluation.fitness import WORST, Score
from evosearch.evaluation.rungs import Settings as RaceSettings
from evosearch.language.infer import canonical_hash
from evosearch.language.program import Program
from evosearch.search.config import read_config
from evosearch.search.rules.search import SLICE, RuleSearch
from evosearch.search.rules.slices import Slice
from evosearch.search.rules.start import make_rule_search
from evosearch.search.rules.workshop import workshop


class Stub:
    """Scores a rule by its hash: no training."""

    settings = RaceSettings()

    def score(self, rule: Program, rung: int, seeds: object, hint: object = None) -> Score:  # noqa: ARG002
        """Uniform on the first rung; none passes the second."""
        fitness = WORST if rung else 0.1 + 0.9 * int(canonical_hash(rule)[:8], 16) / 2**32
        return Score(fitness, "ok", (), {}, {}, 0)

    def learn(self, tuned: object) -> None:
        """Nothing: it compares with nobody."""


def stubbed(seconds: float, seed: int) -> dict[str, float]:
    """Counters of a run whose trainings cost nothing, slices and the parent's part of them in one process."""
    config = read_config("lion", [("search.seed", seed), ("search.follow", False), ("search.audits", 0)])
    search = make_rule_search(config, config.load_task())  # type: ignore[arg-type]
    assert isinstance(search, RuleSearch)
    shop = dataclasses.replace(workshop(search._run), fitness=Stub())
    counters: Counter[str] = Counter()
    slice_of(search, shop)  # warm
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        counters.update(slice_of(search, shop))
    return {**counters, "seconds": time.perf_counter() - start}


def slice_of(search: RuleSearch, shop: Any) -> dict[str, float]:
    """Ask for a slice, run it, tell it; baselines are not tuned."""
    while (job := search.ask()) is not None and job.function != SLICE:
        search.tell(job, {})
    assert job is not None
    arguments = {name: value for name, value in job.payload.items() if name not in ("run", "baselines")}
    result = Slice(shop, **arguments).run()
    return dict(search.tell(job, result).counters)
