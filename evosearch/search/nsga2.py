"""NSGA-II over (cost, error), as in AutoNumerics-Zero (Real et al. 2023): populations of programs of all costs as islands.

Exchange, restarts, archive and confirmation are those of `ParetoSearch`; a slice is some generations of one population.
"""

from __future__ import annotations

import numpy as np

from evosearch.search.generations import levels_of, make_population
from evosearch.search.island import COUNT, ERROR, KEY, Island
from evosearch.search.pareto import ParetoSearch, Place


class NSGA2Search(ParetoSearch):
    """Populations under NSGA-II; see `evosearch.search.protocol.Search`."""

    slice_function = "evosearch.search.generations:run_generations"
    warm_function = "evosearch.search.generations:warm"

    def _empty(self, seed: int) -> Island:
        return make_population(seed, self._members)

    def _leaders(self, island: Island) -> dict[int, Place]:
        count = int(island.sizes[0, COUNT])
        levels = levels_of(island, self._problem.costs)[:count]
        leaders: dict[int, Place] = {}
        for place in np.argsort(island.values[0, :count, ERROR], kind="stable").tolist():
            if int(island.notes[0, place, KEY]) not in self._banned:
                leaders.setdefault(int(levels[place]), (0, place))
        return dict(sorted(leaders.items()))
