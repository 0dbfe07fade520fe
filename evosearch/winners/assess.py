"""The assessment of a winner: tuned against tuned AdamW, Lion and SGD on test families that nobody selected on.

Phases: shape constants (the winner's two most sensitive, on validation problems), tuning (`tune`), and the comparison on
fresh seeds. All trials go through one book, so that an assessment that was stopped goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from evosearch.errors import ConfigError
from evosearch.evaluation.problems import Level, Suite, Trained
from evosearch.evaluation.rates import rate_of
from evosearch.language.program import Program
from evosearch.winners.contenders import SHAPES, Contender, Knob, Point, baseline, candidate, shape_knobs, shifted
from evosearch.winners.trials import Plan, Runner, Trial, load_ops, load_suite
from evosearch.winners.tune import SWEEP, SWEEP_HORIZON, Scene, Tuned, final_log_loss, sweep, tune

T = TypeVar("T")
WINNER = "winner"
UNTUNED = {"winner": "winner, own constants", "adamw": "adamw, own constants"}
"""Contenders whose learning rate alone is tuned."""

MEASURE_HORIZON = 0.05
TURN = math.sqrt(10.0)  # a shape constant's factor for its sensitivity
OVERHEAD = 1.25  # evaluations, extensions and sweeps that go on


@dataclass(frozen=True)
class Assessed:
    """All that an assessment measured.

    Attributes:
        contenders: with their shape constants; the winner first.
        tuned: by contender and problem.
        finals: by contender and problem, one a final seed.
        sensitivity: by the value of a constant of the winner, the mean change of its log-loss.
    """

    level: Level
    contenders: tuple[Contender, ...]
    tuned: Mapping[str, Mapping[str, Tuned]]
    finals: Mapping[str, Mapping[str, Sequence[Trained]]]
    sensitivity: Mapping[float, float]


@dataclass(frozen=True)
class Sources:
    """Where an assessment takes things from: references as a run file has them."""

    ops: str
    validation: str
    test: str


def assess(winner: Program, sources: Sources, level: Level, runner: Runner) -> Assessed:
    """Tune all contenders on every test family and compare them on fresh seeds.

    Raises:
        Stopped: where the runner was asked to stop; what is finished is in its book.
    """
    suite = load_suite(sources.test)
    sensitivity = runner.all({WINNER: _sensitivities(candidate(WINNER, winner), sources)})[WINNER]
    contenders = _contenders(winner, sensitivity, suite, sources.ops)
    pairs = [(c, scene) for c in contenders for scene in scenes(sources.test, sources.ops, level.horizon)]
    tuned = runner.all({_pair(c, scene): tune(c, scene, _trials(c, level)) for c, scene in pairs})
    finals = runner.all({_pair(c, scene): _compared(c, scene, tuned[_pair(c, scene)].point, level.seeds) for c, scene in pairs})

    return Assessed(level, contenders, _nested(tuned, contenders, suite), _nested(finals, contenders, suite), sensitivity)


def _nested(flat: Mapping[str, T], contenders: Sequence[Contender], suite: Suite) -> dict[str, dict[str, T]]:
    return {c.name: {problem.name: flat[f"{c.name}/{problem.name}"] for problem in suite.problems} for c in contenders}


def scenes(suite: str, ops: str, horizon: float) -> list[Scene]:
    """Every problem of a suite."""
    loaded = load_suite(suite)
    return [Scene(suite, ops, problem.name, loaded.protocol, horizon) for problem in loaded.problems]


def _pair(contender: Contender, scene: Scene) -> str:
    return f"{contender.name}/{scene.problem}"


def _trials(contender: Contender, level: Level) -> int:
    return level.trials if contender.tuned else max(3, level.trials // 3)  # one dimension instead of four


def _contenders(winner: Program, sensitivity: Mapping[float, float], suite: Suite, ops: str) -> tuple[Contender, ...]:
    first = candidate(WINNER, winner)
    ranked = sorted(shape_knobs(first), key=lambda knob: -sensitivity[knob.value])
    first = Contender(WINNER, winner, first.decay, tuple(ranked[:SHAPES]))
    known = [baseline(given, load_ops(ops)) for given in suite.baselines]
    missing = {"adamw", "lion"} - {contender.name for contender in known}
    if missing:
        raise ConfigError(f"the test suite has no baseline '{min(missing)}'; a winner is compared with adamw and lion")
    tuned = (first, *known)
    return (*tuned, *(contender.untuned(UNTUNED[contender.name]) for contender in tuned if contender.name in UNTUNED))


def _sensitivities(contender: Contender, sources: Sources) -> Plan[dict[float, float]]:
    """By constant, how much the validation losses change when it is turned up and down by half a decade."""
    knobs, changes = shape_knobs(contender), dict[float, list[float]]()
    for scene in scenes(sources.validation, sources.ops, 1.0):
        seed = scene.protocol.tuning_seeds[0]
        lr = rate_of((yield from sweep(contender, scene, seed)))
        base = (yield [scene.trial(contender, Point(lr), seed)])[0]
        points = [(knob, shifted(knob.value, factor)) for knob in knobs for factor in (1.0 / TURN, TURN)]
        results = yield [scene.trial(_with(contender, knob), Point(lr, None, (value,)), seed) for knob, value in points]
        for (knob, _), result in zip(points, results, strict=True):
            change = abs(min(final_log_loss(result), 10.0) - final_log_loss(base))
            changes.setdefault(knob.value, []).append(change)
    return {value: sum(found) / len(found) for value, found in changes.items()}


def _with(contender: Contender, knob: Knob) -> Contender:
    return Contender(contender.name, contender.rule, contender.decay, (knob,))


def _compared(contender: Contender, scene: Scene, point: Point, seeds: int) -> Plan[Sequence[Trained]]:
    """The trainings of the final seeds, scored on the test part."""
    rule, decay = contender.at(point)
    protocol = scene.protocol
    return (
        yield [
            Trial(scene.suite, scene.ops, scene.problem, rule, point.lr, decay, seed, scene.horizon, "test", protocol.points)
            for seed in protocol.final_seeds[:seeds]
        ]
    )


def measure(sources: Sources, runner: Runner) -> dict[str, float]:
    """Seconds of one training at horizon 1, by test family, as AdamW takes them on this machine."""
    suite = load_suite(sources.test)
    known = next(given for given in suite.baselines if given.name == "adamw")
    contender = baseline(known, load_ops(sources.ops))

    def plan(scene: Scene) -> Plan[float]:
        results = yield [scene.trial(contender, Point(1e-3), seed) for seed in (*suite.protocol.tuning_seeds, 0)[:2]]
        return min(result.seconds for result in results) / scene.horizon  # the first one also wakes torch up

    return runner.all({scene.problem: plan(scene) for scene in scenes(sources.test, sources.ops, MEASURE_HORIZON)})


def estimate(seconds: Mapping[str, float], suite: Suite, level: Level, workers: int) -> float:
    """Seconds that an assessment at a level takes, from what `measure` found."""
    protocol, full = suite.protocol, 1 + len(suite.baselines)
    finals = level.seeds + protocol.finalists * (len(protocol.tuning_seeds) - 1)
    tuned = full * (level.trials * (1.0 + 1.0 / 3.0) + finals + len(SWEEP) * SWEEP_HORIZON)
    untuned = len(UNTUNED) * (level.trials / 3.0 + finals + len(SWEEP) * SWEEP_HORIZON)
    return OVERHEAD * level.horizon * (tuned + untuned) * sum(seconds.values()) / max(1, workers)


def affordable(levels: Sequence[Level], costs: Sequence[float], budget: float) -> Level:
    """The most thorough level that fits the budget (seconds), else the coarsest."""
    for level, cost in zip(levels, costs, strict=True):
        if cost <= budget:
            return level
    return levels[-1]
