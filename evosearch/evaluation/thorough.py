"""Rates and decay of a rule tuned together on one proxy, as thoroughly as a comparison deserves: baselines and finalists alike.

The two belong together. Measured on the digits: Lion with a small decay is best at a rate of 0.006 and with one of 0.7 at
0.056, where its loss is a third lower; at 0.006 that decay gains nothing. And the choice is a noisy one: losses of one rule
differ by 0.2 to 0.4 in their logarithm from seed to seed, and hill climbing stops at dents. So whole ranges of rates are
looked at, and the best decays are compared on all seeds.
"""

from __future__ import annotations

from collections.abc import Sequence

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
COMPARED = 2
"""Decays that are compared on all seeds."""
REACH = KEPT + 1
"""Best rates of each that are."""


def tune_thoroughly(
    trainings: Trainings, ops: OpSet, proxy: Proxy, steps: int, seeds: Sequence[int], centre: int, shrinks: Sequence[float]
) -> Tuned:
    """The rates and the decay whose mean log loss over the kept rates and the seeds is least.

    Args:
        centre: exponent of the rate to start from.
        shrinks: see `decays_to_try`.
    """

    def losses(rates: Sequence[int], decay: float | None, count: int) -> list[float]:
        return trainings.mean_losses(proxy, steps, seeds[:count], rates, decay)

    def best(rates: Sequence[int], decay: float | None, count: int) -> list[tuple[float, int]]:
        return sorted(zip(losses(rates, decay, count), rates, strict=True))

    def looked(low: int, high: int, decay: float | None) -> list[tuple[float, int]]:
        """All rates of a range, best first."""
        low, high = max(low, LOWEST), min(high, HIGHEST)
        found = best(range(low, high + 1), decay, LOOKED)
        for _ in range(EXTENSIONS):
            at = found[0][1]  # where nothing trains the smallest
            edge = low - 1 if at == low else high + 1
            if at not in (low, high) or not LOWEST <= edge <= HIGHEST:
                break
            low, high = min(low, edge), max(high, edge)
            found = sorted([*found, *best([edge], decay, LOOKED)])
        return found

    def score(found: Sequence[tuple[float, int]]) -> float:
        return float(np.mean([loss for loss, _ in found[:KEPT]]))

    own = looked(centre - BELOW, centre + ABOVE, None)
    tried: dict[float | None, list[tuple[float, int]]] = {None: own}
    for decay in decays_to_try(trainings.rule, ops, own[0][1], steps, shrinks):
        tried[decay] = looked(own[0][1] - 2, own[0][1] + ABOVE, decay)  # the stronger the decay, the higher the best rate
    likely = sorted(tried, key=lambda decay: score(tried[decay]))[:COMPARED]
    final = {decay: best([rate for _, rate in tried[decay][:REACH]], decay, len(seeds)) for decay in likely}
    chosen = min(likely, key=lambda decay: score(final[decay]))
    return Tuned(tuple(rate for _, rate in final[chosen][:KEPT]), chosen)
