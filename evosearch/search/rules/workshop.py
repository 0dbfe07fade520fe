"""What a worker needs to try rules: made once a process, from the run's configuration alone."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from evosearch.backends import array_vm
from evosearch.backends.array_vm import encode_rule
from evosearch.errors import ConfigError, nearest
from evosearch.evaluation.fitness import Fitness, Score
from evosearch.evaluation.racing import draw_seeds
from evosearch.evaluation.rungs import Settings as RaceSettings
from evosearch.evaluation.training import Trainer
from evosearch.evolution.rules.genome import Genome, Grammar
from evosearch.evolution.rules.mutate import Limits
from evosearch.evolution.rules.probe import Probe
from evosearch.language.optimizer import optimizer_signature, read_rule, rule_signature
from evosearch.language.program import Program
from evosearch.search.config import RunConfig
from evosearch.search.loader import load_reference
from evosearch.search.rules.settings import RuleSettings
from evosearch.search.rules.task import RuleTask


class Scorer(Protocol):
    """`Fitness`, as far as a slice uses it."""

    @property
    def settings(self) -> RaceSettings: ...
    def score(self, rule: Program, rung: int, seeds: Sequence[int], hint: Any = None) -> Score: ...
    def learn(self, tuned: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, eq=False)
class Workshop:
    """What slices share; see `workshop`."""

    settings: RuleSettings
    grammar: Grammar
    limits: Limits
    fitness: Scorer
    probe: Probe

    def seeds(self, split: int) -> tuple[tuple[int, ...], ...]:
        """The seeds of each rung on one of the splits that slices take turns with."""
        return _race_seeds(self.settings.seed, split, tuple(rung.seeds for rung in self.fitness.settings.rungs))


@functools.cache
def _race_seeds(seed: int, split: int, counts: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(draw_seeds(seed, f"race {rung}", split, count) for rung, count in enumerate(counts))


@functools.cache
def workshop(run: str) -> Workshop:
    """The workshop of a run, from its `RunConfig.to_table` as JSON; one a process."""
    config = RunConfig.from_table("run", json.loads(run))
    settings, ops, task = cast(RuleSettings, config.search), config.load_ops(), cast(RuleTask, config.load_task())
    grammar = make_grammar(task, config)
    limits = Limits(settings.statements, settings.constant, settings.operators())
    states = len(grammar.states)
    probe = Probe(array_vm.load(ops), 16 * settings.statements, states)  # a sum is a few instructions
    return Workshop(settings, grammar, limits, Fitness(cast(Trainer, task), ops, settings.race), probe)


def make_grammar(task: RuleTask, config: RunConfig) -> Grammar:
    """What the run's rules are made of."""
    return Grammar(optimizer_signature(*task.inputs()), config.load_ops())


def initial_rules(config: RunConfig, grammar: Grammar) -> tuple[Genome, ...]:
    """What islands start from: the program of --from, or the rules of `initial`.

    Raises:
        ConfigError: for a name that the library has not.
        ProgramError: for a rule that this run cannot express.
    """
    start = config.load_start(grammar.ops, rule_signature)
    if start is not None:
        return (grammar.genome(start),)
    settings = cast(RuleSettings, config.search)
    if not settings.initial:
        return ()
    library = load_reference(settings.library, "search.library")
    for name in settings.initial:
        if name not in library:
            raise ConfigError(f"search.initial: unknown rule '{name}'.{nearest(name, library)}")
    return tuple(grammar.genome(read_rule(library[name], grammar.ops)) for name in settings.initial)


def warm(run: str, progress: Callable[[str], None]) -> None:
    """Load what workers call: the kernels of the interpreter and of all proxies."""
    progress("compiling the interpreter and the training kernels (once, about a minute)")
    shop = workshop(run)
    if isinstance(shop.fitness, Fitness):
        task, ops = shop.fitness.task, shop.grammar.ops
        rule = encode_rule(next(iter(task.baselines(ops).values())), ops)
        for proxy in task.proxies():
            task.train_rates(proxy, rule, ops, (1e-3,), 0, 1)


def tune_baselines(run: str, rung: int, proxy: int) -> dict[str, Any]:
    """Tune the baselines on one of a rung's proxies, for `Fitness.learn`."""
    return cast(Fitness, workshop(run).fitness).prepare(rung, proxy)
