"""Tuning a contender on a problem: a sweep of learning rates, log-uniform trials, finalists on further seeds.

All contenders get the same procedure, the same number of trials and the same draws from the unit cube.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from evosearch.evaluation.problems import Protocol, Trained
from evosearch.evaluation.rates import rate_of
from evosearch.evaluation.tuning import Gauge, gauge
from evosearch.winners.contenders import Contender, Point, point_at
from evosearch.winners.trials import Plan, Trial, load_ops

DECADE = 4
"""Steps of the grid."""
SWEEP = (-2 * DECADE, -DECADE, 0, DECADE, 2 * DECADE)
"""Steps from the rate at which the rule's first steps have the usual size."""

SWEEP_HORIZON = 0.3
EDGE = 0.1
"""An optimum within so much of the range from an end is at that edge."""


@dataclass(frozen=True)
class Scene:
    """Where trials are done: suite, op set, problem, protocol and the horizon of the level."""

    suite: str
    ops: str
    problem: str
    protocol: Protocol
    horizon: float = 1.0

    def trial(self, contender: Contender, point: Point, seed: int, horizon: float = 1.0) -> Trial:
        """A trial that tunes."""
        rule, decay = contender.at(point)
        return Trial(self.suite, self.ops, self.problem, rule, point.lr, decay, seed, self.horizon * horizon)


@dataclass(frozen=True)
class Tuned:
    """What tuning found.

    Attributes:
        point: the best one, by its mean logarithm of the loss over the tuning seeds.
        tried: every point of the first tuning seed with its loss (infinite where invalid).
        extended: how often the range of learning rates was extended.
    """

    point: Point
    tried: tuple[tuple[Point, float], ...]
    extended: int


def tune(contender: Contender, scene: Scene, trials: int) -> Plan[Tuned]:
    """The plan that tunes a contender; a third of the trials again for each extension."""
    protocol = scene.protocol
    seed = protocol.tuning_seeds[0]
    centre = rate_of((yield from sweep(contender, scene, seed)))
    stride = _gauge(contender, scene).stride
    reach = (stride * protocol.spread, stride * protocol.spread)
    draws = np.random.default_rng(zlib.crc32(scene.problem.encode()))
    points = [point_at(contender, unit, centre, reach, protocol) for unit in _cube(draws, trials)]
    tried = list(zip(points, (yield from _losses(contender, scene, points, seed)), strict=True))
    extended = 0
    while extended < protocol.extensions and (side := _edge(tried)):
        low, high = (fold(point.lr for point, _ in tried) for fold in (min, max))
        half = 0.5 * stride  # of a decade
        middle = high * 10.0**half if side > 0 else low / 10.0**half
        points = [point_at(contender, unit, middle, (half, half), protocol) for unit in _cube(draws, max(1, trials // 3))]
        tried += zip(points, (yield from _losses(contender, scene, points, seed)), strict=True)
        extended += 1
    finalists = [point for point, _ in sorted(tried, key=lambda item: item[1])[: protocol.finalists]]
    scores = yield from means(contender, scene, finalists)
    best = min(range(len(finalists)), key=lambda k: (scores[k], k))
    return Tuned(finalists[best], tuple(tried), extended)


def sweep(contender: Contender, scene: Scene, seed: int) -> Generator[Sequence[Trial], Sequence[Trained], int]:
    """The rate (its exponent) about which to look further: the best of rates a decade apart, over a part of the horizon.

    Here and in `tune` a decade is one of the size of updates; see `Gauge`.
    """
    natural = _gauge(contender, scene)
    found: dict[int, float] = {}
    wanted = [natural.rate + offset * natural.stride for offset in SWEEP]
    while wanted:
        results = yield [scene.trial(contender, Point(rate_of(k)), seed, SWEEP_HORIZON) for k in wanted]
        found |= dict(zip(wanted, map(log_loss, results), strict=True))
        best = min(found, key=lambda k: (found[k], k))
        beyond = best + DECADE * natural.stride * (-1 if best == min(found) else 1)
        wanted = [beyond] if beyond not in found and len(found) < 2 * len(SWEEP) else []
    return min(found, key=lambda k: (found[k], k))


def _gauge(contender: Contender, scene: Scene) -> Gauge:
    return gauge(contender.rule, load_ops(scene.ops))


def log_loss(trained: Trained) -> float:
    """Logarithm of the loss; infinite where the training is invalid."""
    valid = trained.status == "ok" and math.isfinite(trained.loss)
    return math.log(max(trained.loss, 1e-12)) if valid else math.inf


def final_log_loss(trained: Trained) -> float:
    """Logarithm of the loss, where invalid of the untrained network's."""
    return math.log(max(trained.loss, 1e-12))


def _losses(
    contender: Contender, scene: Scene, points: Sequence[Point], seed: int
) -> Generator[Sequence[Trial], Sequence[Trained], list[float]]:
    results = yield [scene.trial(contender, point, seed) for point in points]
    return [log_loss(result) for result in results]


def means(
    contender: Contender, scene: Scene, points: Sequence[Point]
) -> Generator[Sequence[Trial], Sequence[Trained], list[float]]:
    """Of each point the mean log-loss over all tuning seeds."""
    seeds = scene.protocol.tuning_seeds
    results = yield [scene.trial(contender, point, seed) for point in points for seed in seeds]
    losses = [log_loss(result) for result in results]
    return [sum(losses[k : k + len(seeds)]) / len(seeds) for k in range(0, len(losses), len(seeds))]


def _cube(draws: np.random.Generator, count: int) -> list[list[float]]:
    """Points of the unit cube, one dimension stratified (learning rate) so that few trials cover its range."""
    units = draws.random((count, 4))
    units[:, 0] = (draws.permutation(count) + units[:, 0]) / count
    return [[float(u) for u in unit] for unit in units]


def _edge(tried: Sequence[tuple[Point, float]]) -> int:
    """-1 or 1 where the best learning rate is at the lower or upper edge of those tried, else 0."""
    rates = [math.log10(point.lr) for point, _ in tried]
    best = min(range(len(tried)), key=lambda k: (tried[k][1], k))
    if not math.isfinite(tried[best][1]):
        return -1  # nothing trains: smaller steps
    place = (rates[best] - min(rates)) / max(max(rates) - min(rates), 1e-9)
    return 1 if place > 1.0 - EDGE else -1 if place < EDGE else 0
