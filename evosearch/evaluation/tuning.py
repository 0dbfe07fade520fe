"""The learning rate and the weight decay of a rule, tuned on one proxy: coarse first, then neighbours on a grid.

Rates lie on one geometric grid, RATIO^k, so that a rule's result at a rate is the same whoever asks for it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.array_vm import encode_rule, load
from evosearch.evaluation.decay import find_decay, with_decay
from evosearch.evaluation.rates import RATIO, rate_of
from evosearch.language.op import OpSet
from evosearch.language.program import Program

Array = NDArray[np.float64]

LOWEST, HIGHEST = -80, 16
"""Ends of the grid of rates: 1e-20, which a rule may take the cube root of, and 1e4."""

COARSE = 2
"""Steps of the grid between two rates of the coarse look."""

STEP_SIZE = 1.5e-2
"""Root mean square of an update at the natural rate. Measured over 16 known optimizers on 7 small networks: the best rate is
within half a decade of it for nearly all, on either side."""

KEPT = 3
"""Fitness is the mean over so many rates: the best single rate is a lucky one.

They lie close together. Measured over 28 rules on four proxies, rank correlation with held-out problems, on the seeds that
tuned / on fresh ones: three rates that span half a decade 0.89 / 0.91, a whole decade 0.52 / 0.82, the best rate alone
0.90 / 0.91; for the 16 rules within 20% of AdamW 0.82 / 0.88, -0.42 / 0.72 and 0.85 / 0.81.
"""

_PROBE_STEPS, _PROBE_RATE, _APART = 8, 1e-3, 2


Losses = Callable[[Sequence[int]], list[float]]
"""Logarithms of the loss at rates (their exponents), +inf where a training is invalid; several at once share their batches."""


@dataclass(frozen=True)
class Gauge:
    """How a rule reads its learning rate.

    What lr = 0.001 means to one rule, 0.1 means to another; and one that takes the cube root of lr hardly notices what
    another one fails by: the mean over neighbouring rates would flatter it (a search found this out within minutes).

    Attributes:
        rate: exponent of the rate at which the rule's first updates have a size of about `STEP_SIZE`.
        stride: steps of the grid between two neighbours, which differ by about RATIO in the size of their updates.
    """

    rate: int
    stride: int = 1


MAX_STRIDE = 6
"""A rule that reads lr as its sixth root or not at all has neighbours so far apart."""


def gauge(rule: Program, ops: OpSet) -> Gauge:
    """The gauge of a rule, found without a training: a few steps on made-up gradients (a mean and noise) show it."""
    rate = _natural(_size(rule, ops, _PROBE_RATE))
    change = _size(rule, ops, rate_of(rate + _APART)) / max(_size(rule, ops, rate_of(rate)), 1e-300)
    if not (math.isfinite(change) and change > 0.0):
        return Gauge(rate)
    power = math.log(change) / (_APART * math.log(RATIO))
    return Gauge(rate, max(1, min(MAX_STRIDE, round(1.0 / max(power, 1.0 / MAX_STRIDE)))))


def _natural(size: float) -> int:
    if not (math.isfinite(size) and size > 0.0):
        return round(math.log(_PROBE_RATE, RATIO))
    return max(LOWEST, min(HIGHEST, round(math.log(STEP_SIZE * _PROBE_RATE / size, RATIO))))


def _size(rule: Program, ops: OpSet, lr: float) -> float:
    """Root mean square of the first updates."""
    updates = _first_updates(rule, ops, lr, _PROBE_STEPS)
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean(updates * updates)))


def decays_to_try(rule: Program, ops: OpSet, rate: int, steps: int, shrinks: Sequence[float]) -> tuple[float, ...]:
    """0, and values of the rule's decay constant that shrink the weights by about e^-s over a training, for each s.

    What a constant of 0.1 means depends on the rule (whether lr multiplies it, and how large lr is), so that no fixed values
    would do. Found without a training: the update is linear in the constant. () for a rule without an identifiable decay.
    """
    decay = find_decay(rule)
    if decay is None:
        return ()
    one, none = (_first_updates(with_decay(rule, decay, value), ops, rate_of(rate), 1)[0] for value in (1.0, 0.0))
    with np.errstate(all="ignore"):
        share = float(np.median((one - none) / _made_up()[0]))  # of a weight that goes in one step, for a constant of 1
    if not math.isfinite(share) or share == 0.0:
        return (0.0,)
    return (0.0, *(float(f"{shrink / (steps * share):.3g}") for shrink in shrinks))


def _first_updates(rule: Program, ops: OpSet, lr: float, steps: int) -> Array:
    """Updates (steps, weights) on made-up weights, which stay, and gradients."""
    encoded, kernels = encode_rule(rule, ops), load(ops)
    start, gradients, offsets = _made_up()
    regs = kernels.rule_registers(len(encoded.code), len(offsets) - 1)
    state, updates = np.zeros((encoded.states, start.size)), np.empty((steps, start.size))
    for step in range(steps):
        kernels.apply_rule(
            encoded.code, encoded.constants, encoded.outputs, encoded.depths, regs,
            start, gradients[step], state, offsets, lr, step + 1.0, updates[step],
        )  # fmt: skip
    return updates


@functools.cache
def _made_up() -> tuple[Array, Array, NDArray[np.int64]]:
    """Weights, gradients (steps, weights) and the offsets of two tensors."""
    draw = np.random.default_rng(0)
    weights, mean = draw.normal(0.0, 0.1, size=200), draw.normal(0.0, 0.01, size=200)
    return weights, mean + draw.normal(0.0, 0.01, size=(_PROBE_STEPS, 200)), np.array([0, 192, 200], np.int64)


def coarse(losses: Losses, centre: int, stride: int, extensions: int) -> int:
    """The best of rates half a decade apart about `centre`; an optimum at an edge extends the range."""
    return _widened(_around(losses, centre, COARSE * stride), losses, COARSE * stride, extensions)


def fine(losses: Losses, centre: int, stride: int, extensions: int) -> tuple[int, ...]:
    """The best `KEPT` rates among the neighbours of `centre`, best first; an optimum at an edge extends the range."""
    found = _around(losses, centre, stride)
    _widened(found, losses, stride, extensions)
    return tuple(sorted(found, key=lambda k: (found[k], k))[:KEPT])


def _around(losses: Losses, centre: int, apart: int) -> dict[int, float]:
    rates = (centre - apart, centre, centre + apart)
    return dict(zip(rates, losses(rates), strict=True))


def _widened(found: dict[int, float], losses: Losses, apart: int, extensions: int) -> int:
    """Extend `found` towards its best rate while that is an edge; return the best (of equals the smallest)."""
    for _ in range(extensions):
        best = _least(found)
        if best == min(found):  # also where nothing trains: smaller
            edge = best - apart
        elif best == max(found):
            edge = best + apart
        else:
            break
        if not LOWEST <= edge <= HIGHEST:
            break
        (found[edge],) = losses([edge])
    return _least(found)


def _least(found: Mapping[int, float]) -> int:
    return min(found, key=lambda k: (found[k], k))
