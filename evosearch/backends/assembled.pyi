"""What `evosearch.backends.kernels.assemble` puts before the kernel modules, for the type checker only."""

import numpy as np
from numpy.typing import NDArray

ADD: int
SUB: int
MUL: int
DIV: int
N_OPS: int
ARITY: NDArray[np.int64]
COMMUTES: NDArray[np.int64]
FAMILY: NDArray[np.int64]
NEUTRAL: NDArray[np.float64]

def inverse(op: int, k: int, r: float, other: float) -> float: ...
def forward(code: NDArray[np.int16], n: int, regs: NDArray[np.float64], points: int) -> None: ...
def span(
    code: NDArray[np.int16], start: int, stop: int, rows: NDArray[np.int64], points: int | np.int64
) -> None: ...
def backward(
    code: NDArray[np.int16], n: int, regs: NDArray[np.float64], adj: NDArray[np.float64], points: int
) -> None: ...
def forward_dd(code: NDArray[np.int16], n: int, hi: NDArray[np.float64], lo: NDArray[np.float64], points: int) -> None: ...
