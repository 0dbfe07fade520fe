"""From a run's configuration to its search for update rules."""

from __future__ import annotations

import json
from typing import cast

from evosearch.search.config import RunConfig
from evosearch.search.rules.search import RuleSearch
from evosearch.search.rules.settings import RuleSettings
from evosearch.search.rules.task import RuleTask
from evosearch.search.rules.workshop import initial_rules, make_grammar


def make_rule_search(config: RunConfig, task: RuleTask) -> RuleSearch:
    """The search that a run file asks for; ConfigError or ProgramError where its initial rules cannot be used."""
    grammar = make_grammar(task, config)
    run = json.dumps(config.identity(), sort_keys=True)
    initial = initial_rules(config, grammar)
    return RuleSearch(run, cast(RuleSettings, config.search), grammar.ops, initial)
