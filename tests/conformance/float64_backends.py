"""Backends under test: each is a function from many programs to their results."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evosearch.backends import jit, vm
from evosearch.backends.c import C_HEADER, c_function
from evosearch.language.program import Program
from primitives.arithmetic import CORE

Array = NDArray[np.float64]
Backend = Callable[[Sequence[Program], Array], list[list[Array]]]
"""Programs of three inputs, and points (3, n), to the outputs of each program."""

FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-O2", "-shared", "-fPIC"]


def run_vm(programs: Sequence[Program], points: Array) -> list[list[Array]]:
    return [list(vm.evaluate(program, CORE, *points)) for program in programs]


def run_jit(programs: Sequence[Program], points: Array) -> list[list[Array]]:
    return [list(compiled(*points)) for compiled in jit.compile_programs(programs)]


def c_backend(compiler: str, folder: Path) -> Backend:
    def run(programs: Sequence[Program], points: Array) -> list[list[Array]]:
        source = C_HEADER
        for number, program in enumerate(programs):
            source += c_function(program, f"f{number}") + _sweep(number, len(program.outputs))
        build = Path(tempfile.mkdtemp(dir=folder))  # a library is loaded once for each path
        (build / "programs.c").write_text(source)
        library = build / "programs.so"
        subprocess.run([compiler, *FLAGS, "-o", str(library), str(build / "programs.c"), "-lm"], check=True)
        loaded = ctypes.CDLL(str(library))
        return [_call(loaded[f"sweep{number}"], program, points) for number, program in enumerate(programs)]

    return run


def _sweep(number: int, outputs: int) -> str:
    call = f"f{number}(x[j], x[n + j], x[2 * n + j]"
    body = f"out[j] = {call});" if outputs == 1 else f"{call}, out + {outputs} * j);"
    return f"void sweep{number}(const double *x, double *out, long n)\n{{\n    for (long j = 0; j < n; j++) {body}\n}}\n"


def _call(sweep: ctypes._NamedFuncPointer, program: Program, points: Array) -> list[Array]:
    count = points.shape[1]
    out = np.empty((count, len(program.outputs)))
    pointer = ctypes.POINTER(ctypes.c_double)
    given = np.ascontiguousarray(points)
    sweep(given.ctypes.data_as(pointer), out.ctypes.data_as(pointer), ctypes.c_long(count))
    return list(out.T)
