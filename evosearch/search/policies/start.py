"""From a run's configuration to its search for policies."""

from __future__ import annotations

import json
from typing import cast

from evosearch.errors import ConfigError, ProgramError
from evosearch.evolution.seeds import SEED_BITS, Genome, Layout, initial_weights
from evosearch.search.config import RunConfig
from evosearch.search.policies.breeding import Strategy, Truncation, drawn
from evosearch.search.policies.member import Member
from evosearch.search.policies.search import PolicySearch
from evosearch.search.policies.settings import PolicySettings
from evosearch.search.policies.task import PolicyTask
from evosearch.search.protocol import Search


def make_policy_search(config: RunConfig, task: PolicyTask) -> Search:
    """The search that a run file asks for.

    Raises:
        ConfigError: where novelty is asked of a task without behaviour, or a genome to start from is of no use.
        ProgramError: where that genome is damaged, or is one of another network.
    """
    settings, layout, traits = cast(PolicySettings, config.search), task.layout(), task.traits()
    if settings.algorithm in ("novelty", "blend") and not traits.behaviour:
        raise ConfigError(f"algorithm '{settings.algorithm}' needs behaviour, which this task has not; use ga, random or es")
    start = _start(settings, layout)
    breeder: Truncation | Strategy
    if settings.algorithm == "es":
        seed = drawn(settings, "centre").getrandbits(SEED_BITS)
        breeder = Strategy(settings, layout, initial_weights(seed, layout) if start is None else start.weights(layout))
    elif start is not None and settings.algorithm == "random":
        raise ConfigError("algorithm 'random' draws every candidate from scratch and takes no start; use ga, novelty or es")
    else:
        breeder = Truncation(settings, None if start is None else Member.from_words(start.words()))
    run = json.dumps(config.identity(), sort_keys=True)
    return PolicySearch(run, settings, layout, breeder, traits)


def _start(settings: PolicySettings, layout: Layout) -> Genome | None:
    """The genome that the search starts from, if there is one; its power becomes the run's."""
    if not settings.start.strip():
        return None
    try:
        genome = Genome.from_text(settings.start, layout)
    except ProgramError as error:
        raise ProgramError(f"the start genome cannot be used: {error}") from None
    if abs(genome.sigma / settings.power - 1.0) > 1e-6:
        raise ConfigError(f"the start genome has power {genome.sigma:g}; go on with: --set search.power={genome.sigma:g}")
    return genome
