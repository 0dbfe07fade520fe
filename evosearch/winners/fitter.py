"""Measuring and refitting one program outside a search, by the search's compiled kernels."""

from __future__ import annotations

from collections.abc import Collection
from math import cos, pi
from typing import Any

import numpy as np
from mpmath import MPContext
from numpy.typing import NDArray

from evosearch.backends.encode import CONST_BASE, TEMP_BASE, encode
from evosearch.errors import ProgramError
from evosearch.evaluation.target import Target
from evosearch.evolution.fit import C_LO, FULL, LO, TARGET, WEIGHT, C, make_bench
from evosearch.evolution.genome import MAX_CONSTANTS, MAX_INSTRUCTIONS
from evosearch.language.op import OpSet
from evosearch.language.program import Const, Program
from evosearch.search.work import kernels

_DIGITS = 60  # decimal, of target values before they become pairs of doubles


class Fitter:
    """A target at some points, and the kernels that compare programs with it.

    Programs have one input, and their last instruction is their output.
    """

    def __init__(self, ops: OpSet, points: NDArray[np.float64]) -> None:
        """`points`: (4, n) x, target (high and low parts) and weight; n a multiple of `simd.LANES`."""
        self._ops, self._kernels, self._bench = ops, kernels(ops), make_bench(*points)
        self._free: list[int] = []

    @property
    def scale(self) -> float:
        """The largest weighted value of the target."""
        n = self._bench.k[0]
        return float(np.max(np.abs(self._bench.m[TARGET, :n] * self._bench.m[WEIGHT, :n])))

    def error(self, program: Program) -> float:
        """The largest weighted error at the points, in double-double; inf where a value is not finite."""
        code = self._load(program, range(len(program.constants)))
        self._kernels.loss_dd(self._bench, code, len(code), 0, C)
        return float(self._kernels.largest(self._bench))

    def least_squares(self, program: Program) -> tuple[Program, float]:
        """The program with constants fitted in float64 from where they stand, and the root mean square error."""
        code = self._load(program, ())
        bench, p = self._bench, len(self._free)
        bench.m[C_LO] = 0.0
        loss = self._kernels.levenberg_marquardt(bench, code, len(code), p, int(bench.k[FULL]), 1e-3, 1e-2)
        return self._taken(program), float(np.sqrt(loss / bench.k[0]))

    def minimax(self, program: Program, steps: int, fixed: Collection[int] = ()) -> tuple[Program, float]:
        """The program with minimax constants, but for the `fixed` ones, and its largest error; see `evolution.polish`."""
        code = self._load(program, fixed)
        error = self._kernels.polish(self._bench, code, len(code), len(self._free), steps)
        return self._taken(program), float(error)

    def _load(self, program: Program, fixed: Collection[int]) -> NDArray[np.int16]:
        """Put the constants into the bench and return the code; fixed constants get registers that no kernel writes."""
        if len(program.instructions) > MAX_INSTRUCTIONS or len(program.constants) > MAX_CONSTANTS:
            size = f"{len(program.instructions)} instructions and {len(program.constants)} constants"
            raise ProgramError(f"a program of {size} is too large to fit; at most {MAX_INSTRUCTIONS} and {MAX_CONSTANTS}")
        encoded, m = encode(program, self._ops), self._bench.m
        self._free = [k for k in range(len(encoded.hi)) if k not in fixed]
        order = self._free + [k for k in range(len(encoded.hi)) if k in fixed]
        m[C, : len(order)], m[C_LO, : len(order)] = encoded.hi[order], encoded.lo[order]
        for register, k in enumerate(order):
            m[CONST_BASE + register], m[LO + CONST_BASE + register] = encoded.hi[k], encoded.lo[k]
        code, operands = encoded.code.copy(), encoded.code[:, 1:]
        constant = (operands >= CONST_BASE) & (operands < TEMP_BASE)
        code[:, 1:][constant] = CONST_BASE + np.argsort(order)[operands[constant] - CONST_BASE]
        return code

    def _taken(self, program: Program) -> Program:
        constants, m = list(program.constants), self._bench.m
        for register, k in enumerate(self._free):
            constants[k] = Const(float(m[C, register]), float(m[C_LO, register]))
        return program.with_constants(tuple(constants))


def target_points(target: Target, n: int) -> NDArray[np.float64]:
    """(4, n) x, high and low parts of the whole function, and the error's weight, at Chebyshev roots."""
    m = MPContext()
    m.dps = _DIGITS
    lower, upper = target.bounds(m)
    rows = []
    for k in range(n):
        x = float((lower + upper) / 2 - (upper - lower) / 2 * m.mpf(cos(pi * (2 * k + 1) / (2 * n))))
        value = m.mpf(target.function(m.mpf(x), m))
        weight = target.weigh(m.mpf(x), value, m)
        rows.append((x, float(value), float(value - m.mpf(float(value))), float(weight)))
    return np.array(rows).T.copy()


def one_output(program: Program) -> bool:
    """Whether the kernels can run the program: its output is an instruction's value."""
    output: Any = program.outputs[0]
    return isinstance(output, int) and output >= program.n_inputs
