"""A search of microseconds that keeps the protocol's rules: islands of random draws with an archive across them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from evosearch.evaluation.target import ErrorMeasure, Target
from evosearch.language.infer import canonical_hash
from evosearch.language.op import OpSet
from evosearch.language.program import Const, Instruction, Program, function_signature
from evosearch.search.config import RunConfig
from evosearch.search.protocol import Entrant, Job, Payload, Told

ISLANDS = 4


def work(seed: int, island: int) -> dict[str, Any]:
    """One slice: three draws, each a program's cost and error."""
    rng = np.random.default_rng([seed, island])
    return {"costs": rng.integers(1, 9, size=3), "errors": rng.random(3), "evaluations": int(rng.integers(0, 4))}


def fail(seed: int, island: int) -> None:
    """A job that raises."""
    raise ValueError(f"no slice for {seed} and {island}")


def ctrl_c(progress: object) -> None:  # noqa: ARG001
    """A warm function in which the user presses Ctrl-C."""
    raise KeyboardInterrupt


class ToySearch:
    """Ends after `slices` jobs; a program of cost k is a chain of k additions."""

    warm: tuple[str, Payload] | None = None

    def __init__(self, ops: OpSet, seed: int = 1, slices: int = 40, window: int = 3, function: str = "toy_search:work") -> None:
        self.ops, self.window, self.slices, self.function = ops, window, slices, function
        self.rngs = [np.random.default_rng([seed, island]) for island in range(ISLANDS)]
        self.asked = self.told = 0
        self.seeds = np.zeros(ISLANDS, np.int64)
        self.best: dict[int, float] = {}
        self.last_key: str | None = None

    def closing(self) -> tuple[Job, ...]:
        """A toy confirms nothing."""
        return ()

    @property
    def finished(self) -> bool:
        return self.asked >= self.slices

    def ask(self) -> Job | None:
        island = self.asked % ISLANDS
        number = self.asked
        self.asked += 1
        seed = int(self.seeds[island]) * 1000 + number  # drawn when the island was told last
        return Job(number, self.function, {"seed": seed, "island": island})

    def tell(self, job: Job, result: Any) -> Told:
        assert job.number == self.told, "told out of order"
        self.told += 1
        island = job.payload["island"]
        self.seeds[island] = self.rngs[island].integers(1000)
        entrants = []
        for cost, error in zip(result["costs"].tolist(), result["errors"].tolist(), strict=True):
            if error < self.best.get(cost, 1.0):
                self.best[cost] = error
                entrants.append(self._entrant(cost, error))
        return Told(tuple(entrants), result["evaluations"], 10 * result["evaluations"], {"drawn": 3, "kept": len(entrants)})

    def _entrant(self, cost: int, error: float) -> Entrant:
        program = chain(self.ops, cost, error)
        metrics = {"error_real": error if cost % 2 else None, "error_float64": error, "error_sampled": error}
        parent, self.last_key = self.last_key, canonical_hash(program)
        return Entrant(self.last_key, program, cost, error, metrics, parent, ("insert",), 2)

    def state(self) -> dict[str, Any]:
        return {
            "told": self.told,
            "rngs": [rng.bit_generator.state for rng in self.rngs],
            "seeds": self.seeds,
            "best": dict(self.best),
            "last_key": self.last_key,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.told = self.asked = state["told"]
        for rng, saved in zip(self.rngs, state["rngs"], strict=True):
            rng.bit_generator.state = saved
        self.seeds, self.best, self.last_key = state["seeds"].copy(), dict(state["best"]), state["last_key"]


def chain(ops: OpSet, cost: int, value: float) -> Program:
    """x + value + value + ..., with `cost` additions."""
    add = ops["add"]
    constant = Const.nearest(Fraction(value))
    return Program(function_signature(), tuple(Instruction(add, (k, constant)) for k in range(cost)), (cost,))


def make_toy(config: RunConfig, _task: object, ops: OpSet, _confirm: str) -> ToySearch:
    """What stands in for `make_search` in tests of the API and the command line."""
    config.load_start(ops)  # refused where it cannot be read
    return ToySearch(ops, seed=config.search.seed)


def exp2_target() -> Target:
    """2^x on [0, 1], relative."""
    return Target("exp2", "2^x", lambda x, m: m.power(2, x), "0", "1", ErrorMeasure.RELATIVE)
