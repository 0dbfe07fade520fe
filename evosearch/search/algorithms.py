"""From a run's configuration to its search: what the algorithms have in common, and which is which."""

from __future__ import annotations

import dataclasses
import sys
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np

from evosearch.errors import ConfigError
from evosearch.evolution.genome import MAX_INSTRUCTIONS
from evosearch.language.op import OpSet
from evosearch.search.config import FunctionTask, RunConfig, SearchConfig, Task
from evosearch.search.enumeration import EnumerationSearch
from evosearch.search.pareto import Confirm, ParetoSearch
from evosearch.search.policies.task import PolicyTask
from evosearch.search.protocol import Search
from evosearch.search.rules.task import RuleTask
from evosearch.search.work import Problem

FIT_POINTS, PROBE_POINTS, DENSE_POINTS = 32, 128, 1024
MOST_LEVELS = 64
STARTED = ("pareto", "hillclimb")
"""Algorithms that can start from a program; it is one of the core's variable where the target is factored."""


def make_search(config: RunConfig, task: Task, ops: OpSet, confirm: str) -> Search:
    """The search that a run file asks for.

    Args:
        confirm: "module:name" of the function that turns a candidate into an entrant, in a worker; called with `problem`,
            `program`, `task` and `ops`.

    Raises:
        ConfigError: where the settings do not go together.
    """
    if isinstance(task, RuleTask):
        from evosearch.search.rules.start import make_rule_search  # what functions do not need

        return make_rule_search(config, task)
    if isinstance(task, PolicyTask):
        from evosearch.search.policies.start import make_policy_search

        return make_policy_search(config, task)
    settings = config.search
    if not (isinstance(task, FunctionTask) and isinstance(settings, SearchConfig)):
        raise ConfigError(f"algorithm '{settings.algorithm}' needs a task of functions, not {type(task).__name__}")
    problem = make_problem(settings, task, ops)
    how = Confirm(confirm, {"task": task, "ops": ops})
    rules: dict[str, Any] = {
        "fuel": settings.fuel,
        "limit": MAX_INSTRUCTIONS - 1,
        "elites": settings.elites,
        "tournament": settings.tournament,
        "elitism": settings.elitism,
        "continuation": settings.continuation,
        "copying": settings.copying,
        "scratch": 0.0,
    }
    start = config.load_start(problem.ops)
    if start is not None and settings.algorithm not in STARTED:
        raise ConfigError(f"algorithm '{settings.algorithm}' takes no start program; use one of {', '.join(STARTED)}")
    members = settings.members
    alone = dataclasses.replace(settings, migration=sys.maxsize)
    match settings.algorithm:
        case "random":
            # most children from scratch are reducible and rejected, which takes time and counts as no work: shorter slices
            rules |= {"scratch": 1.0, "continuation": 0.0, "copying": 0.0, "fuel": settings.fuel / 4.0}
            settings = alone
        case "hillclimb":
            rules |= {"elites": 1, "elitism": 1.0, "continuation": 0.0, "copying": 0.0}
            members, settings = 1, alone
        case "nsga2":
            from evosearch.search.nsga2 import NSGA2Search  # DEAP is slow to import

            return NSGA2Search(settings, problem, rules, members, how)
        case "enumerate":
            return EnumerationSearch(settings, problem, task.wrapper_cost(ops), how)
    return ParetoSearch(settings, problem, rules, members, how, start)


def make_problem(settings: SearchConfig, task: FunctionTask, ops: OpSet) -> Problem:
    """The core's target at the points of a search, and costs as whole levels."""
    allowed = task.operations(ops)
    room = settings.max_cost - task.wrapper_cost(ops)
    costs = [Fraction(allowed.cost(op)).limit_denominator(1000) for op in allowed]
    if min(costs) <= 0:
        cheap = next(op.name for op, cost in zip(allowed, costs, strict=True) if cost <= 0)
        raise ConfigError(f"the cost of '{cheap}' must be above 0")
    denominator = lcm(*(cost.denominator for cost in costs))
    unit = Fraction(gcd(*(int(cost * denominator) for cost in costs)), denominator)
    levels = int(Fraction(room).limit_denominator(1000) / unit) + 1
    if levels < 2:
        raise ConfigError(f"search.max_cost = {settings.max_cost:g} leaves no room for an op; raise it")
    if levels > MOST_LEVELS:
        raise ConfigError(
            f"costs of {', '.join(f'{op.name} {allowed.cost(op):g}' for op in allowed)} up to {settings.max_cost:g} make "
            f"{levels} levels of cost, more than {MOST_LEVELS}; round the costs or lower search.max_cost"
        )
    points = (task.points(FIT_POINTS, "roots"), task.points(PROBE_POINTS), task.points(DENSE_POINTS, "roots"))
    fit, probe, dense = (np.array([p.x, p.hi, p.lo, p.weight]) for p in points)
    in_levels = np.array([int(cost / unit) for cost in costs], np.int64)
    return Problem(allowed, fit, probe, dense, in_levels, float(unit), levels)
