"""The compiled search kernels of the field, and what tests need to drive them: genomes, benches, small problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.encode import encode
from evosearch.evolution.fit import C_LO, Bench, C, make_bench
from evosearch.evolution.genome import CONSTANT, MAX_INSTRUCTIONS
from evosearch.language.program import Const, Instruction, Operand, Program, function_signature
from evosearch.language.text import parse
from evosearch.search.algorithms import make_problem, make_search
from evosearch.search.config import SearchConfig, read_config
from evosearch.search.island import Child, Island, Rules, from_arrays, make_child
from evosearch.search.work import Problem, kernels, noise_floor
from primitives.arithmetic import FIELD
from tasks.approximation import Approximation

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

K: Any = kernels(FIELD)
"""The kernels; Numba compiles each when it is first called."""

OPS = {op.name: number for number, op in enumerate(FIELD)}
ROWS = MAX_INSTRUCTIONS + 4


class Genome:
    """A program in the arrays that kernels vary in place."""

    def __init__(self, g: Ints, c: Floats, n: int) -> None:
        self.g, self.c, self.n = g, c, n

    @classmethod
    def of(cls, text: str) -> Genome:
        """From program text of one input."""
        program = parse(text, FIELD)
        genome = cls(np.zeros((ROWS, 4), np.int64), np.zeros((ROWS, 3)), len(program.instructions))
        for i, instruction in enumerate(program.instructions):
            genome.g[i, 0] = OPS[instruction.op.name]
            for k, arg in enumerate(instruction.args):
                genome.g[i, k + 1] = CONSTANT if isinstance(arg, Const) else arg
                genome.c[i, k] = arg.hi if isinstance(arg, Const) else 0.0
        return genome

    @classmethod
    def random(cls, seed: int, rows: int = 0, digits: bool = False) -> Genome:
        """Random rows, some of them dead or reducible; constants near 1, or with `digits` powers of two of either sign."""
        rng = np.random.default_rng(seed)
        n = rows or int(rng.integers(1, 11))
        genome = cls(np.zeros((ROWS, 4), np.int64), np.zeros((ROWS, 3)), n)
        for i in range(n):
            recent = max(0, i - 2)
            genome.g[i, 0] = rng.integers(len(OPS))
            for k in (1, 2):
                genome.g[i, k] = rng.choice([CONSTANT, 0, i, int(rng.integers(recent, i + 1)), int(rng.integers(i + 1))])
            size = 2.0 ** rng.integers(-3, 4, 3) if digits else rng.uniform(0.5, 2.0, 3)
            genome.c[i] = size * rng.choice([-1.0, 1.0], 3)
        return genome

    def copy(self) -> Genome:
        return Genome(self.g.copy(), self.c.copy(), self.n)

    def settle(self) -> Genome:
        """The canonical form; n is INVALID where there is none."""
        other = self.copy()
        other.n = K.settle(other.g, other.c, self.n, np.zeros(ROWS, np.int64))
        return other

    @property
    def hash(self) -> int:
        return int(K.structure_hash(self.g, self.n, np.zeros(ROWS, np.uint64)))

    @property
    def rows(self) -> list[list[Any]]:
        """What counts of it: op, then an operand or (constant,) each."""
        cells: list[list[Any]] = []
        for i in range(self.n):
            operands = [(float(self.c[i, k]),) if self.g[i, k + 1] == CONSTANT else int(self.g[i, k + 1]) for k in range(2)]
            cells.append([int(self.g[i, 0]), *operands])
        return cells

    @property
    def program(self) -> Program:
        ops = list(FIELD)

        def operand(cell: Any) -> Operand:
            return Const(*cell) if isinstance(cell, tuple) else cell

        body = tuple(Instruction(ops[op], (operand(a), operand(b))) for op, a, b in self.rows)
        return Program(function_signature(), body, (self.n,))

    def values(self, x: Floats) -> list[Floats]:
        """By the NumPy reference: x, then the value of each row."""
        known = [x]
        with np.errstate(all="ignore"):
            for op, *operands in self.rows:
                arguments = [np.full_like(x, cell[0]) if isinstance(cell, tuple) else known[cell] for cell in operands]
                known.append(list(FIELD)[op].reference(*arguments))
        return known


class Fit:
    """A bench with the code and the constants of one program."""

    def __init__(self, bench: Bench, program: Program) -> None:
        encoded = encode(program, FIELD)
        self.bench, self.n, self.p = bench, len(encoded.code), len(encoded.hi)
        self.code = make_child().code
        self.code[: self.n] = encoded.code
        self.set(encoded.hi, encoded.lo)

    def set(self, hi: Sequence[float] | Floats, lo: Sequence[float] | Floats = ()) -> None:
        self.bench.m[C_LO, : self.p] = 0.0
        self.bench.m[C, : self.p] = hi
        if len(lo):
            self.bench.m[C_LO, : self.p] = lo

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The first arguments of every fitting kernel."""
        return self.bench, self.code, self.n, self.p

    @property
    def constants(self) -> Floats:
        return self.bench.m[C, : self.p].copy()

    def row(self, number: int) -> Floats:
        return self.bench.m[number, : self.bench.k[0]].copy()


def bench_of(hi: Floats, x: Floats, lo: Floats | None = None, weight: Floats | None = None) -> Bench:
    """A bench over given values."""
    return make_bench(x, hi, np.zeros_like(x) if lo is None else lo, np.ones_like(x) if weight is None else weight)


def task_bench(points: int = 32, nodes: Any = "roots", **task: Any) -> Bench:
    """A bench over the points of a task."""
    p = Approximation(**task).points(points, nodes)
    return make_bench(p.x, p.hi, p.lo, p.weight)


SETTINGS = SearchConfig(islands=3, elites=4, members=20, max_cost=6, fuel=2e6, migration=2, patience=60, isolation=4)


def problem_of(function: str = "exp2", max_cost: float = 6, **task: Any) -> Problem:
    """What a search needs of a task."""
    return make_problem(replace(SETTINGS, max_cost=max_cost), Approximation(function, **task), FIELD)


class Slice:
    """An island and all that a slice of it needs, as the search itself sets it up."""

    def __init__(self, run: str = "exp2", seed: int = 1, max_cost: float = 6, **rules: Any) -> None:
        config = replace(read_config(run), search=replace(SETTINGS, seed=seed, max_cost=max_cost))
        job = make_search(config, config.load_task(), FIELD, "").ask()
        assert job is not None
        self.problem: Problem = job.payload["problem"]
        self.bench, self.probe = (self.problem.bench(points) for points in (self.problem.fit, self.problem.probe))
        told = {**job.payload["rules"], **rules}
        self.rules = Rules(**told, floor=noise_floor(self.bench), costs=self.problem.costs)
        self.island: Island = from_arrays(job.payload["island"])
        self.child: Child = make_child()

    def evolve(self) -> Slice:
        """One slice of evolution."""
        K.evolve(self.island, self.bench, self.probe, self.child, self.rules)
        return self

    def put(self, genome: Genome) -> int:
        """Let the island consider a program and fit it; the niche of which it is the best, or INVALID."""
        self.child.g[: genome.n], self.child.c[: genome.n] = genome.g[: genome.n], genome.c[: genome.n]
        return int(K.consider(self.island, self.bench, self.probe, self.child, self.rules, genome.n, False))
