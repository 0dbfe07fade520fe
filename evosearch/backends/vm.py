"""The interpreter: kernels generated from an op set that run any encoded program over many points at once.

`vm_source` writes three Numba functions:

    forward(code, n, regs, points)              values: regs float64 (registers, >= points), inputs and constants filled
    backward(code, n, regs, adj, points)        adjoints after `forward`: adj like regs, zero but for the seeds in the
                                                output's row; the rows of the constants are then the Jacobian
    forward_dd(code, n, hi, lo, points)         values in double-double, regs as two arrays

`span_source` writes `span`, the one that update rules need.

Row i of `code` (see `evosearch.backends.encode`) sets register TEMP_BASE + i. Each op is one loop over the points, which
LLVM vectorises; composites are written out inside their loop.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evosearch.backends.cache import load_kernel_module
from evosearch.backends.emit import NUMBA, adjoint_statements, core_ops, dd_statements, fill, indent, numba_header, statements
from evosearch.backends.encode import CONST_BASE, INPUT_BASE, TEMP_BASE, Encoded, encode
from evosearch.backends.reference import broadcast
from evosearch.errors import ProgramError
from evosearch.language.op import ARGUMENTS, Op, OpSet
from evosearch.language.program import Instruction, Program, Signature, Variable

Array = NDArray[np.float64]

_LONG = 8
"""An op of more lines is a function of its own in `span`: LLVM is faster on many small functions than on a large one."""
_ROWS = "from evosearch.backends.rows import address, peek, poke\nfrom evosearch.backends.simd import out_of_line\n"
_ROWS += f"# rows.py {sha256((Path(__file__).parent / 'rows.py').read_bytes()).hexdigest()}"
_DECORATOR = '@njit(cache=True, error_model="numpy")'


def vm_source(ops: OpSet) -> str:
    """Source of a module with `forward`, `backward` and `forward_dd` for the ops of a set."""
    functions = (
        _function("forward(code, n, regs, points)", "range(n)", [_branch(_forward_loop(op)) for op in ops]),
        _function("backward(code, n, regs, adj, points)", "range(n - 1, -1, -1)", [_branch(_backward_loop(op)) for op in ops]),
        _function("forward_dd(code, n, hi, lo, points)", "range(n)", [_branch(_dd_loop(op)) for op in ops]),
    )
    return "\n\n".join([numba_header(core_ops(ops.ops)), *functions])


def span_source(ops: OpSet) -> str:
    """Source of a module with `span(code, start, stop, rows, points)`: values of a range of instructions, and nothing else.

    `rows` is int64 (registers,): the address of each register's row, so that inputs stay where they are.
    """
    parts = [numba_header(()), _ROWS]
    branches = []
    for op in ops:
        branch = [] if op.reduces else _branch(_span_loop(op))  # what reduces is taken apart before it is encoded
        if len(branch) > _LONG:
            name, rows = f"span_{op.name}", ", ".join([*(f"r{a}" for a in ARGUMENTS[: op.arity]), "rr"])
            parts.append(f"{_DECORATOR}\ndef {name}({rows}, points):\n    out_of_line()\n" + indent(branch, 1))
            branch = [f"{name}({rows}, points)"]
        branches.append(branch)
    return "\n\n".join([*parts, _function("span(code, start, stop, rows, points)", "range(start, stop)", branches, "rows[{}]")])


def _span_loop(op: Op) -> list[str]:
    lines, (result,) = statements(_core(op), NUMBA, ARGUMENTS[: op.arity])
    return [*(f"{name} = peek(r{name}, j)" for name in ARGUMENTS[: op.arity]), *lines, f"poke(rr, j, {result})"]


def _branch(loop: list[str]) -> list[str]:
    return ["for j in range(points):", *(f"    {line}" for line in loop)] if loop else []


def _function(head: str, order: str, branches: list[list[str]], register: str = "{}") -> str:
    """One kernel: an if/elif chain on the op's code.

    Registers are read as regs[ra, j] and not through a row, since Numba would count references to each row.
    """
    numbers = [f"r{name} = {register.format(f'code[i, {k}]')}" for k, name in enumerate(ARGUMENTS, start=1)]
    text = f"{_DECORATOR}\ndef {head}:\n    for i in {order}:\n"
    text += indent(["op = code[i, 0]", *numbers, f"rr = {register.format(f'{TEMP_BASE} + i')}"], 2)
    for number, branch in enumerate(branches):
        text += indent([f"{'elif' if number else 'if'} op == {number}:"], 2) + indent(branch or ["pass"], 3)
    return text


def _core(op: Op) -> Program:
    """The op as a program: its own definition, or one instruction."""
    if op.composite is not None:
        return op.composite
    inputs = tuple(Variable(name) for name in ARGUMENTS[: op.arity])
    body = (Instruction(op, tuple(range(op.arity))),)
    return Program(Signature(op.name, inputs, (Variable("result"),)), body, (op.arity,))


def _loads(op: Op, file: str, suffix: str = "") -> list[str]:
    return [f"{name}{suffix} = {file}[r{name}, j]" for name in ARGUMENTS[: op.arity]]


def _forward_loop(op: Op) -> list[str]:
    lines, (result,) = statements(_core(op), NUMBA, ARGUMENTS[: op.arity])
    return [*_loads(op, "regs"), *lines, f"regs[rr, j] = {result}"]


def _dd_loop(op: Op) -> list[str]:
    lines, (result,) = dd_statements(_core(op), ARGUMENTS[: op.arity])
    return [*_loads(op, "hi", "h"), *_loads(op, "lo", "l"), *lines, f"hi[rr, j], lo[rr, j] = {result}"]


def _backward_loop(op: Op) -> list[str]:
    names = ARGUMENTS[: op.arity]
    if op.composite is not None:
        lines, shares = adjoint_statements(op.composite, names)
    else:
        filled = {name: name for name in (*names, "r", "g")}
        lines = ["r = regs[rr, j]"]
        shares = [fill(template, filled) if template else "" for template in op.adjoint]
    updates = [f"adj[r{name}, j] += {share}" for name, share in zip(names, shares, strict=True) if share]
    return [*_loads(op, "regs"), "g = adj[rr, j]", *lines, *updates] if updates else []


def load(ops: OpSet) -> ModuleType:
    """The compiled kernels of an op set."""
    return load_kernel_module(vm_source(ops), "vm")


def evaluate(program: Program, ops: OpSet, *inputs: ArrayLike) -> tuple[Array, ...]:
    """As the reference's `evaluate`, by the interpreter."""
    points = broadcast(program, inputs)
    encoded = encode(program, ops)
    regs, _ = registers(encoded, points)
    load(ops).forward(encoded.code, len(encoded.code), regs, regs.shape[1])
    return tuple(regs[out].reshape(points[0].shape) for out in encoded.outputs)


def evaluate_dd(program: Program, ops: OpSet, *inputs: ArrayLike) -> tuple[tuple[Array, Array], ...]:
    """(hi, lo) an output, in double-double, with the constants' low parts; inputs are float64."""
    points = broadcast(program, inputs)
    encoded = encode(program, ops)
    hi, lo = registers(encoded, points)
    load(ops).forward_dd(encoded.code, len(encoded.code), hi, lo, hi.shape[1])
    return tuple((hi[out].reshape(points[0].shape), lo[out].reshape(points[0].shape)) for out in encoded.outputs)


def gradients(program: Program, ops: OpSet, *inputs: ArrayLike) -> tuple[Array, Array]:
    """Derivatives of the first output by the inputs (inputs, *shape) and by the constants (constants, *shape)."""
    points = broadcast(program, inputs)
    encoded = encode(program, ops)
    regs, _ = registers(encoded, points)
    kernels, size = load(ops), regs.shape[1]
    kernels.forward(encoded.code, len(encoded.code), regs, size)
    adj = np.zeros_like(regs)
    adj[encoded.outputs[0]] = 1.0
    kernels.backward(encoded.code, len(encoded.code), regs, adj, size)
    by_inputs = adj[INPUT_BASE : INPUT_BASE + len(points)]
    by_constants = adj[CONST_BASE : CONST_BASE + len(encoded.hi)]
    return by_inputs.reshape(-1, *points[0].shape), by_constants.reshape(-1, *points[0].shape)


def registers(encoded: Encoded, points: list[Array]) -> tuple[Array, Array]:
    """Register files (hi, lo) with inputs and constants in place."""
    if not points:
        raise ProgramError("a program without inputs has no points; give it one")
    size = points[0].size
    hi = np.zeros((TEMP_BASE + len(encoded.code), size))
    lo = np.zeros_like(hi)
    hi[INPUT_BASE : INPUT_BASE + len(points)] = [array.ravel() for array in points]
    hi[CONST_BASE : CONST_BASE + len(encoded.hi)] = encoded.hi[:, None]
    lo[CONST_BASE : CONST_BASE + len(encoded.lo)] = encoded.lo[:, None]
    return hi, lo
