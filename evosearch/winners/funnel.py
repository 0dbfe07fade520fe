"""The funnel: archive entrants compete on ever longer validation problems, and the last one is the winner of a run.

A score is the mean over problems of the log-ratio of the validation loss to the better of AdamW and Lion, all of them tuned
in the same way: below 0 is better than both. Each stage keeps those of the best mean over the stages so far: the longest
trainings alone, on small data, say much about luck. A winner that is not better than the baselines says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from evosearch.errors import MissingDependencyError
from evosearch.evaluation.problems import Level, Trained, clipped
from evosearch.evaluation.rates import rate_of
from evosearch.evaluation.tuning import decays_to_try, gauge
from evosearch.language.optimizer import read_rule
from evosearch.language.program import Program
from evosearch.winners.contenders import Contender, Point, baseline, candidate
from evosearch.winners.trials import Plan, Runner, Trial, load_ops, load_suite, run_trial
from evosearch.winners.tune import Scene, final_log_loss, means, sweep

Id = TypeVar("Id")


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
        winner: id of the entrant of the last stage with the best mean over all stages.
        stages: in order.
    """

    winner: int
    stages: tuple[Stage, ...]

    @property
    def score(self) -> float:
        """The winner's mean over the stages."""
        return mean_score([stage.scores for stage in self.stages], self.winner)

    @property
    def beats(self) -> bool:
        """Whether the winner's score is below 0."""
        return self.score < 0.0

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
        scores = [each.scores for each in stages]
        left = sorted(left, key=lambda id: (mean_score(scores, id), id))
    return Funnelled(left[0], tuple(stages))


def mean_score(stages: Sequence[Mapping[Id, float]], entrant: Id) -> float:
    """Of an entrant that is in all of the stages, given as scores by entrant."""
    return sum(scores[entrant] for scores in stages) / len(stages)


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


SHRINKS = (0.3, 1.0)
"""Decays that are tried beside a rule's own: they shrink the weights by e^-s over a training. Whether a rule gains by them says
much about a problem and little about the rule, so that nobody is denied them."""


def tuned_loss(contender: Contender, scene: Scene, seeds: int) -> Plan[float]:
    """Mean log-loss on the protocol's final seeds, tuned on its tuning seeds: rates half a decade apart about the best of a
    sweep, decays at its rate and the next higher one, then neighbouring rates."""
    stride = gauge(contender.rule, load_ops(scene.ops)).stride
    rate = yield from sweep(contender, scene, scene.protocol.tuning_seeds[0])
    tried: dict[tuple[int, float | None], float] = {}

    def look(points: Sequence[tuple[int, float | None]]) -> Generator[Sequence[Trial], Sequence[Trained], None]:
        asked = [Point(rate_of(k), decay) for k, decay in points]
        tried.update(zip(points, (yield from means(contender, scene, asked)), strict=True))

    def best() -> tuple[int, float | None]:
        return min(tried, key=lambda point: (tried[point], point[0]))

    yield from look([(rate + offset * stride, None) for offset in (-2, 0, 2)])
    rate = best()[0]
    decays = _decays(contender, scene, rate)
    yield from look([(rate + offset * stride, decay) for decay in decays for offset in (0, 1)])
    rate, decay = best()
    near = [(rate + offset * stride, decay) for offset in (-1, 1)]
    yield from look([point for point in near if point not in tried])
    rate, decay = best()
    point = Point(rate_of(rate), decay)
    finals = yield [scene.trial(contender, point, seed) for seed in scene.protocol.final_seeds[:seeds]]
    return sum(final_log_loss(result) for result in finals) / len(finals)


def _decays(contender: Contender, scene: Scene, rate: int) -> list[float]:
    steps = max(1, round(load_suite(scene.suite)[scene.problem].steps * scene.horizon))
    if contender.decay is None:  # added outside, times the rate
        return [shrink / (steps * rate_of(rate)) for shrink in SHRINKS]
    return [decay for decay in decays_to_try(contender.rule, load_ops(scene.ops), rate, steps, SHRINKS) if decay]


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
