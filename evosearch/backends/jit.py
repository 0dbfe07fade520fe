"""Programs compiled one by one with Numba: for what runs long (funnel tasks, winners, exports)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evosearch.backends.cache import load_kernel_module
from evosearch.backends.emit import NUMBA, indent, numba_header, statements
from evosearch.backends.reference import broadcast
from evosearch.language.program import Program

Array = NDArray[np.float64]
Compiled = Callable[..., tuple[Array, ...]]
"""Takes the inputs as numbers or arrays, returns the outputs as float64 arrays of their common shape."""

_DECORATOR = '@njit(cache=True, error_model="numpy")'


def jit_source(programs: Sequence[Program]) -> str:
    """Source of a module with `sweep_k(inputs, outputs)` for program k: float64 (inputs, points) to (outputs, points)."""
    return "\n\n".join([numba_header(()), *(_sweep(program, number) for number, program in enumerate(programs))])


def _sweep(program: Program, number: int) -> str:
    names = [f"x{k}" for k in range(program.n_inputs)]
    lines, outputs = statements(program, NUMBA, names)
    loads = [f"x{k} = inputs[{k}, j]" for k in range(program.n_inputs)]
    stores = [f"outputs[{k}, j] = {output}" for k, output in enumerate(outputs)]
    head = f"{_DECORATOR}\ndef sweep_{number}(inputs, outputs):\n    for j in range(outputs.shape[1]):\n"
    return head + indent([*loads, *lines, *stores], 2)


def compile_program(program: Program) -> Compiled:
    """The program as a function of numbers or arrays; compiled at its first call, and cached on disk.

    Raises:
        ProgramError: where an op has no Numba template.
    """
    return compile_programs([program])[0]


def compile_programs(programs: Sequence[Program]) -> list[Compiled]:
    """Several programs in one kernel file."""
    module = load_kernel_module(jit_source(programs), "jit")
    return [_function(program, getattr(module, f"sweep_{number}")) for number, program in enumerate(programs)]


def _function(program: Program, sweep: Any) -> Compiled:
    def compiled(*inputs: ArrayLike) -> tuple[Array, ...]:
        arrays = broadcast(program, inputs)
        shape = arrays[0].shape if arrays else ()
        outputs = np.empty((len(program.outputs), int(np.prod(shape))))
        sweep(np.array([array.ravel() for array in arrays]).reshape(len(arrays), outputs.shape[1]), outputs)
        return tuple(output.reshape(shape) for output in outputs)

    return compiled
