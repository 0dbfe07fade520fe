"""What workers do in the benchmark of the rule search: the whole pipeline of proposals with the trainings stubbed."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from typing import Any

from evosearch.evaluation.fitness import Score
from evosearch.evaluation.rungs import Settings as RaceSettings
from evosearch.language.infer import canonical_hash
from evosearch.language.program import Program
from evosearch.search.config import read_config
from evosearch.search.rules.search import RuleSearch
from evosearch.search.rules.slices import Slice
from evosearch.search.rules.start import make_rule_search
from evosearch.search.rules.workshop import workshop


class Stub:
    """Scores a rule by its hash: no training."""

    settings = RaceSettings()

    def score(self, rule: Program, rung: int, seeds: object, hint: object = None) -> Score:  # noqa: ARG002
        """Uniform on the first rung; none goes on."""
        fitness = 0.1 + 0.9 * int(canonical_hash(rule)[:8], 16) / 2**32
        return Score(fitness, "ok", (), {}, {}, 0)


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
    """Ask for a slice, run it, tell it."""
    job = search.ask()
    assert job is not None
    arguments = {name: value for name, value in job.payload.items() if name != "run"}
    result = Slice(shop, **arguments).run()
    search.tell(job, result)
    return result["counters"]
