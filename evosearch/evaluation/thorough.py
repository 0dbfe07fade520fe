"""Rates and decay of a rule tuned together on one proxy, as thoroughly as a comparison deserves: baselines and finalists alike.

The two belong together. Measured on the digits: Lion with a small decay is best at a rate of 0.006 and with one of 0.7 at
0.056, where its loss is a third lower; at 0.006 that decay gains nothing. And the choice is a noisy one: losses of one rule
differ by 0.2 to 0.4 in their logarithm from seed to seed, and hill climbing stops at dents. So whole ranges of rates are
looked at, the best decays are compared on all seeds, and the rates that are kept are neighbours: three that are best one by
one are lucky ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from evosearch.evaluation.rates import Tuned
from evosearch.evaluation.training import Proxy, Trainings
from evosearch.evaluation.tuning import HIGHEST, KEPT, LOWEST, decays_to_try
from evosearch.language.op import OpSet

EXTENSIONS = 8
"""Most steps by which an optimum at an edge extends a range of rates."""
LOOKED = 2
"""Seeds of the first look at all rates and decays."""
BELOW, ABOVE = 4, 4
"""Rates looked at on either side of the first one."""
FACTORS = (2.0, 2.0**0.5)
"""By which the best decay goes up and down while that is better. Measured: Lion on the digits, with the decay off by the square
root of 2, loses 15%."""
CLIMBS = 6
"""Most steps of each factor."""
COMPARED = 3
"""Decays that are compared on all seeds."""
MARGIN = 1
"""Rates on either side of each one's best neighbours that are."""


Losses = dict[int, float]
"""By rate, counted in strides of the rule's gauge from its natural rate."""


def tune_thoroughly(
    trainings: Trainings, ops: OpSet, proxy: Proxy, steps: int, seeds: Sequence[int], shrinks: Sequence[float]
) -> Tuned:
    """The neighbouring rates and the decay whose mean log loss over the rates and the seeds is least.

    Args:
        shrinks: see `decays_to_try`.
    """
    natural = trainings.gauge

    def exponent(rate: int) -> int:
        return natural.rate + rate * natural.stride

    def losses(rates: Sequence[int], decay: float | None, count: int) -> Losses:
        inside = [rate for rate in rates if LOWEST <= exponent(rate) <= HIGHEST]
        found = trainings.mean_losses(proxy, steps, seeds[:count], [exponent(rate) for rate in inside], decay)
        return dict(zip(inside, found, strict=True))

    def looked(low: int, high: int, decay: float | None) -> Losses:
        """All rates of a range, which goes on where its best one is an edge."""
        found = losses(range(low, high + 1), decay, LOOKED)
        for _ in range(EXTENSIONS):
            at = min(found, key=lambda rate: (found[rate], rate))  # where nothing trains the smallest
            if at not in (min(found), max(found)):
                break
            found |= losses([at - 1 if at == min(found) else at + 1], decay, LOOKED)
        return found

    own = looked(-BELOW, ABOVE, None)
    middle = _neighbours(own)[1][0]
    tried: dict[float | None, Losses] = {None: own}
    for tested in decays_to_try(trainings.rule, ops, exponent(middle), steps, shrinks):
        tried[tested] = looked(middle - 2, middle + ABOVE, tested)  # the stronger the decay, the higher the best rate
    _climb(tried, trainings.decay, lambda decay, at: looked(at - 2, at + 2, decay))
    likely = sorted(tried, key=lambda decay: _neighbours(tried[decay])[0])[:COMPARED]
    final: list[tuple[float, tuple[int, ...]]] = []
    for decay in likely:
        rates = _neighbours(tried[decay])[1]
        final.append(_neighbours(losses(range(min(rates) - MARGIN, max(rates) + MARGIN + 1), decay, len(seeds))))
    chosen = min(range(len(likely)), key=lambda k: final[k][0])
    return Tuned(tuple(exponent(rate) for rate in final[chosen][1]), likely[chosen])


def _climb(tried: dict[float | None, Losses], own: float | None, look: Callable[[float, int], Losses]) -> None:
    """Try more decays about the best of `tried`, which it adds to; `look` takes a decay and the middle of its rates."""
    for factor in FACTORS:
        for _ in range(CLIMBS):
            best = min(tried, key=lambda decay: _neighbours(tried[decay])[0])
            value = own if best is None else best
            near = {float(f"{value * change:.3g}") for change in (factor, 1.0 / factor)} - set(tried) if value else set()
            if not near:
                break
            at = _neighbours(tried[best])[1][0]
            tried |= {decay: look(decay, at) for decay in sorted(near)}


def _neighbours(found: Losses) -> tuple[float, tuple[int, ...]]:
    """The least mean loss of `KEPT` neighbouring rates, and these rates, best first; `found` has so many at least."""
    runs = [[start + k for k in range(KEPT)] for start in range(min(found), max(found) - KEPT + 2)]
    means = [float(np.mean([found[rate] for rate in run])) for run in runs]
    best = min(range(len(runs)), key=lambda k: (means[k], k))
    return means[best], tuple(sorted(runs[best], key=lambda rate: (found[rate], rate)))
