"""Rates and decay of a rule tuned together on one proxy, as thoroughly as a comparison deserves: baselines and finalists alike.

The two belong together. Measured on the digits: Lion with a small decay is best at a rate of 0.006 and with one of 0.7 at
0.056, where its loss is a third lower; at 0.006 that decay gains nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evosearch.evaluation.training import Proxy, Trainings
from evosearch.evaluation.tuning import Tuned, coarse, decays_to_try, fine
from evosearch.language.op import OpSet

EXTENSIONS = 6


def tune_thoroughly(
    trainings: Trainings, ops: OpSet, proxy: Proxy, steps: int, seeds: Sequence[int], centre: int, shrinks: Sequence[float]
) -> Tuned:
    """The rates and the decay whose mean log loss over the kept rates and the seeds is least.

    A decay is chosen by its best rate half a decade apart, on the first seed; then its rates are tuned on all seeds, and it is
    kept where it beats the rule's own.

    Args:
        centre: exponent of the rate to start from.
        shrinks: see `decays_to_try`.
    """

    def around(start: int, decay: float | None) -> Tuned:
        def losses(rates: Sequence[int]) -> list[float]:
            return trainings.mean_losses(proxy, steps, seeds, rates, decay)

        return Tuned(fine(losses, coarse(losses, start, EXTENSIONS), EXTENSIONS), decay)

    def score(tuned: Tuned) -> float:
        return float(np.mean(trainings.mean_losses(proxy, steps, seeds, tuned.rates, tuned.decay)))

    def best_rate(decay: float | None) -> tuple[float, int]:
        def losses(rates: Sequence[int]) -> list[float]:
            return trainings.losses(proxy, steps, seeds[0], rates, decay)

        rate = coarse(losses, own.rates[0], EXTENSIONS)
        return losses([rate])[0], rate

    own = around(centre, None)
    decays = decays_to_try(trainings.rule, ops, own.rates[0], steps, shrinks)
    if not decays:
        return own
    found = {decay: best_rate(decay) for decay in decays}
    decay = min(found, key=lambda value: found[value])
    return min(own, around(found[decay][1], decay), key=score)
