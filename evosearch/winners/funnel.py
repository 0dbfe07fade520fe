"""The funnel: archive entrants compete on ever longer validation problems, and the last one is the winner of a run.

A score is the mean over problems of the log-ratio of the validation loss to the better of AdamW and Lion, all of them tuned
in the same way: below 0 is better than both. Each stage keeps its best; one that is not better than the baselines says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evosearch.errors import MissingDependencyError
from evosearch.evaluation.problems import Level, Trained, clipped
from evosearch.language.optimizer import read_rule
from evosearch.language.program import Program
from evosearch.winners.contenders import Contender, Point, baseline, candidate
from evosearch.winners.trials import Plan, Runner, Trial, load_ops, load_suite, run_trial
from evosearch.winners.tune import Scene, final_log_loss, log_loss, sweep


@dataclass(frozen=True)
class Stage:
    """What one stage found: scores by entrant (an id), and by problem."""

    level: Level
    scores: Mapping[int, float]
    problems: Mapping[int, Mapping[str, float]]


@dataclass(frozen=True)
class Funnelled:
    """What a funnel found.

    Attributes:
        winner: id of the best entrant of the last stage.
        stages: in order.
    """

    winner: int
    stages: tuple[Stage, ...]

    @property
    def beats(self) -> bool:
        """Whether the winner's last score is below 0."""
        return self.stages[-1].scores[self.winner] < 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        stages = [
            {"name": s.level.name, "horizon": s.level.horizon, "scores": {str(k): v for k, v in s.scores.items()},
             "problems": {str(k): dict(v) for k, v in s.problems.items()}}
            for s in self.stages
        ]  # fmt: skip
        return {"schema_version": 1, "winner": self.winner, "beats_baselines": self.beats, "stages": stages}


def funnel(entrants: Mapping[int, Program], suite: str, ops: str, runner: Runner, levels: Sequence[Level] = ()) -> Funnelled:
    """Choose among entrants, given best first: at each level the best `level.trials` of them compete.

    Raises:
        Stopped: where the runner was asked to stop; what is finished is in its book.
    """
    stages: list[Stage] = []
    left = list(entrants)
    for level in levels or load_suite(suite).protocol.levels:
        left = left[: level.trials]
        stage = compete({id: entrants[id] for id in left}, suite, ops, runner, level)
        stages.append(stage)
        left = sorted(left, key=lambda id: (stage.scores[id], id))
    return Funnelled(left[0], tuple(stages))


def compete(entrants: Mapping[int, Program], suite: str, ops: str, runner: Runner, level: Level) -> Stage:
    """One stage: every entrant and the baselines, tuned on every problem at the level's horizon."""
    loaded = load_suite(suite)
    names = [problem.name for problem in loaded.problems]
    rules = {f"#{id}": candidate(f"#{id}", program) for id, program in entrants.items()}
    rules |= {given.name: baseline(given, load_ops(ops)) for given in loaded.baselines}
    plans: dict[str, Plan[float]] = {}
    for name in names:
        scene = Scene(suite, ops, name, loaded.protocol, level.horizon)
        plans |= {f"{label}/{name}": tuned_loss(rule, scene, level.seeds) for label, rule in rules.items()}
    losses = runner.all(plans)
    known = {name: min(losses[f"{given.name}/{name}"] for given in loaded.baselines) for name in names}
    problems = {id: {name: clipped(losses[f"#{id}/{name}"] - known[name]) for name in names} for id in entrants}
    return Stage(level, {id: sum(found.values()) / len(found) for id, found in problems.items()}, problems)


def tuned_loss(contender: Contender, scene: Scene, seeds: int) -> Plan[float]:
    """Mean log-loss on the protocol's final seeds at the best rate of a sweep and its neighbours, with decays likewise."""
    first = scene.protocol.tuning_seeds[0]
    lr = yield from sweep(contender, scene, first)
    points = [Point(lr * factor) for factor in (1.0, 10.0**-0.5, 10.0**0.5)]
    points += [Point(lr, decay) for decay in (0.01, 0.1, 1.0)]
    results = yield [scene.trial(contender, point, first) for point in points]
    best = points[min(range(len(points)), key=lambda k: (log_loss(results[k]), k))]
    finals = yield [scene.trial(contender, best, seed) for seed in scene.protocol.final_seeds[:seeds]]
    return sum(final_log_loss(result) for result in finals) / len(finals)


VALIDATE = "evosearch.winners.funnel:validate"
"""A worker's job for a search that follows its record holders: payload as the arguments of `validate`."""


def validate(suite: str, ops: str, problem: str, rule: str, horizon: float = 1.0) -> float | None:
    """Mean log-loss of a rule (its text), tuned, on one validation problem; a few seconds. None where torch is missing.

    The score of a rule is `validation_score` of this on every problem, for it and for the baselines.
    """
    loaded = load_suite(suite)
    try:
        loaded[problem].check()
    except MissingDependencyError:
        return None
    contender = candidate("rule", read_rule(rule, load_ops(ops)))
    plan = tuned_loss(contender, Scene(suite, ops, problem, loaded.protocol, horizon), loaded.protocol.levels[0].seeds)
    asked: Sequence[Trial] = next(plan)
    while True:
        try:
            asked = plan.send([Trained.from_json(run_trial(**dataclasses.asdict(trial))) for trial in asked])
        except StopIteration as stop:
            return float(stop.value)
