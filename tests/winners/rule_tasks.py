"""Small training problems that tell update rules apart in milliseconds: quadratics with noise that has a long tail.

Its mean is zero and its median is not, as for gradients of rare features: a sign needs a long average before it. Curvatures and
noise span decades, so that a sign is needed. All seeds are one vector: they are for rules that work element by element.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from evosearch.backends.array_vm import KERNELS, encode_rule
from evosearch.backends.kernels import assemble
from evosearch.backends.vm import span_source
from evosearch.language.program import Program
from primitives.optimizer import OPTIMIZER

RATES = 2.0 ** np.arange(-13.0, 0.0)
STEPS = 250
NOISE = (0.002, 0.006)
RARE = 0.1
SIZE = 24
SCHEDULE = np.array([0.5 + 0.5 * float(np.cos(np.pi * step / STEPS)) for step in range(STEPS)])


def scores(rule: Program, seeds: Sequence[int]) -> list[float]:
    """The logarithm of the loss at the best three rates, for each problem and seed."""
    return [score for noise in NOISE for score in _scores(rule, noise, seeds)]


def _scores(rule: Program, noise: float, seeds: Sequence[int]) -> list[float]:
    losses = np.log(_losses(rule, noise, seeds))  # (rates, seeds)
    means = np.where(np.isfinite(losses).all(axis=1), losses.mean(axis=1), np.inf)
    best = np.argsort(means)[:3]
    return losses[best].mean(axis=0).tolist() if np.isfinite(means[best]).all() else []


def _losses(rule: Program, noise: float, seeds: Sequence[int]) -> np.ndarray:
    """The loss after the last step, (rates, seeds); the noise is the same at all rates."""
    drawn = [_problem(noise, seed) for seed in seeds]
    curvature, target, shaken = (np.concatenate(part, axis=-1) for part in zip(*drawn, strict=True))
    found = []
    encoded, kernels = encode_rule(rule, OPTIMIZER), assemble(OPTIMIZER, (*KERNELS, "rule_loop"), "rule tasks", span_source)
    tables = encoded.code, encoded.constants, encoded.outputs, encoded.depths
    regs, offsets = kernels.rule_registers(len(encoded.code), 1), np.array([0, target.size])
    for rate in RATES:
        w, state = np.zeros_like(target), np.zeros((encoded.states, target.size))
        kernels.descend(*tables, regs, offsets, curvature, target, shaken, rate * SCHEDULE, state, w)
        found.append(np.sum((curvature * (w - target) ** 2).reshape(len(seeds), SIZE), axis=1))
    return np.array(found)


@functools.cache
def _problem(noise: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Curvatures, targets, and the noise of each step."""
    rng = np.random.default_rng([seed, int(1000 * noise)])
    curvature = 0.02 * 10.0 ** -rng.uniform(0.0, 1.5, SIZE)
    scale = noise * 10.0 ** -rng.uniform(0.0, 1.0, SIZE)
    rare = rng.random((STEPS, SIZE)) < RARE
    return curvature, rng.normal(0.0, 1.0, SIZE), scale * np.where(rare, -(1.0 - RARE) / RARE, 1.0)
