"""From a run's configuration to its search for update rules."""

from __future__ import annotations

import dataclasses
import json
from typing import cast

from evosearch.search.config import RunConfig
from evosearch.search.loader import load_reference
from evosearch.search.protocol import Search
from evosearch.search.rules.followed import Followed
from evosearch.search.rules.search import RuleSearch
from evosearch.search.rules.settings import RuleSettings
from evosearch.search.rules.task import RuleTask
from evosearch.search.rules.workshop import initial_rules, make_grammar


def make_rule_search(config: RunConfig, task: RuleTask) -> Search:
    """The search that a run file asks for; its record holders are followed where the task names a suite that validates.

    Raises:
        ConfigError, ProgramError: where the initial rules cannot be used.
        MissingDependencyError, TaskError: where a funnel follows whose torch or data is missing.
    """
    settings, grammar = cast(RuleSettings, config.search), make_grammar(task, config)
    run = json.dumps(config.identity(), sort_keys=True)
    settings = dataclasses.replace(settings, race=settings.race.fitted(len(task.proxies())))
    search = RuleSearch(run, settings, grammar.ops, initial_rules(config, grammar))
    reference = getattr(task, "validation", "")
    if not reference or not (settings.follow or settings.funnel):
        return search
    suite = load_reference(reference, "task.validation")()
    if settings.funnel:
        for problem in suite.problems:
            problem.check()  # what is missing is named now, not when the search is over
    return Followed(search, suite, reference, config.ops) if settings.follow else search
