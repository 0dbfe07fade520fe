"""Programs and update rules compiled one by one with Numba: for what runs long (funnel tasks, winners, exports)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evosearch.backends.cache import load_kernel_module
from evosearch.backends.emit import NUMBA, Dialect, indent, numba_header, statements
from evosearch.backends.flat import FlatStep, step_by
from evosearch.backends.reference import CHUNK, LANES, broadcast
from evosearch.backends.stages import NEEDED, OTHERS, REALS, SUMS, Stages, stages
from evosearch.language.infer import check_types, expand, without_dead_code
from evosearch.language.optimizer import GRADIENT, RATE, STEP, WEIGHT, check_rule, state_names
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


def compile_rule(rule: Program) -> FlatStep:
    """The rule as a function of flat vectors; compiled at its first call, and cached on disk.

    Raises:
        ProgramError: for a program that is no rule, and where an op has no Numba template.
    """
    return compile_rules([rule])[0]


def compile_rules(rules: Sequence[Program]) -> list[FlatStep]:
    """Several rules in one kernel file."""
    module = load_kernel_module(rule_source(rules), "jit")
    return [getattr(module, f"rule_{number}") for number in range(len(rules))]


def step(
    rule: Program, w: Sequence[ArrayLike], g: Sequence[ArrayLike], state: Sequence[Sequence[ArrayLike]], lr: float, step: float
) -> tuple[list[Array], list[list[Array]]]:
    """As the reference's `step`, compiled."""
    return step_by(compile_rule(rule), rule, w, g, state, lr, step)


def rule_source(rules: Sequence[Program]) -> str:
    """Source of a module with `rule_k(w, g, state, offsets, lr, step, update)` for rule k: see `FlatStep`."""
    imports = "from evosearch.backends.simd import dot\n"
    return "\n\n".join([numba_header(()) + imports, *(_rule(rule, number) for number, rule in enumerate(rules))])


_SUMS_APART = Dialect("Numba", lambda op: "a" if op.reduction else op.numba, NUMBA.literal, NUMBA.statement)
"""A sum's line is never written: its value is read from where the passes before have summed it."""


def _rule(rule: Program, number: int) -> str:
    """One function: a loop over the elements for each pass."""
    check_rule(rule)
    check_types(rule)
    staged = stages(without_dead_code(expand(rule)))
    lines, outputs = statements(staged.rule, _SUMS_APART, [f"x{k}" for k in range(rule.n_inputs)])
    states = range(len(state_names(rule)))
    fixed = {WEIGHT: "wt[i]", GRADIENT: "gt[i]", RATE: "lr", STEP: "step"}
    fixed |= {name: f"st{k}[i]" for k, name in enumerate(state_names(rule))}
    views = ["wt = w[begin:end]", "gt = g[begin:end]", "ut = update[begin:end]"]  # LLVM vectorises over them
    views += [f"st{k} = state[{k}, begin:end]" for k in states]
    named = [(f"x{k}", fixed[variable.name]) for k, variable in enumerate(rule.signature.inputs)]
    reals = [f"{name} = {value}" for name, value in named if value in (RATE, STEP)]
    loads = [f"{name} = {value}" for name, value in named if value not in (RATE, STEP)]
    passes = len(staged.bounds)
    body = [*reals, "bad = False", "tensors = len(offsets) - 1"]
    last = [
        *(_part(staged, lines, passes, REALS)),
        *views,
        "for i in range(len(ut)):",
        *_inner([*loads, *_part(staged, lines, passes, NEEDED, OTHERS), *_stores(outputs)], 1),
    ]
    if passes == 1:
        body += ["begin, end = offsets[0], offsets[tensors]", *last]
    else:
        body += [f"rows = np.ones(({len(_sums(staged)) + 1}, {CHUNK}))", f"sums = np.zeros(({len(_sums(staged))}, tensors))"]
        for done in range(1, passes):
            body += ["for t in range(tensors):", *_inner(_summing(staged, lines, views, loads, done), 1)]
        body += ["for t in range(tensors):", *_inner(["begin, end = offsets[t], offsets[t + 1]", *last], 1)]
    head = f"{_DECORATOR}\ndef rule_{number}(w, g, state, offsets, lr, step, update):\n"
    return head + indent([*body, "return not bad"], 1)


def _inner(lines: Sequence[str], depth: int) -> list[str]:
    return [f"{'    ' * depth}{line}" for line in lines]


def _sums(staged: Stages) -> list[int]:
    """Positions of the sums in the rule."""
    return [k for k, instruction in enumerate(staged.rule.instructions) if instruction.op.reduction]


def _part(staged: Stages, lines: Sequence[str], passes: int, *kinds: int) -> list[str]:
    """Statements of some kinds for the first `passes` depths; with the reals, the sums of earlier depths are read."""
    found = []
    for depth in range(passes):
        if REALS in kinds and depth > 0:
            for k in range(staged.bounds[depth - 1][SUMS], staged.bounds[depth - 1][SUMS + 1]):
                found.append(f"t{k} = {_place(staged, k)}")
        for kind in kinds:
            found += lines[staged.bounds[depth][kind] : staged.bounds[depth][kind + 1]]
    return found


def _place(staged: Stages, k: int) -> str:
    column = "t" if staged.rule.instructions[k].op.reduction == "tensor" else "0"
    return f"sums[{_sums(staged).index(k)}, {column}]"


def _summing(
    staged: Stages, lines: Sequence[str], views: Sequence[str], loads: Sequence[str], passes: int
) -> list[str]:
    """One tensor's share of the last of so many passes: chunks of elements into rows, then the rows' sums."""
    ranks = {k: rank for rank, k in enumerate(_sums(staged))}
    last = range(staged.bounds[passes - 1][SUMS], staged.bounds[passes - 1][SUMS + 1])
    given = [(k, staged.rule.instructions[k].args[0]) for k in last]
    values = [f"rows[{ranks[k]}, i] = {_name(staged, arg)}" for k, arg in given if isinstance(arg, int)]
    chunk = [
        f"end = min(begin + {CHUNK}, offsets[t + 1])",
        "size = end - begin",
        f"padded = (size + {LANES - 1}) // {LANES} * {LANES}",
        *views,
        "for i in range(len(ut)):",
        *_inner([*loads, *_part(staged, lines, passes, NEEDED), *values], 1),
    ]
    for k in last:
        chunk += [
            f"rows[{ranks[k]}, size:padded] = 0.0",
            f"{_place(staged, k)} += dot(rows, {ranks[k]}, rows, {len(ranks)}, padded)",
        ]
    over_chunks = f"for begin in range(offsets[t], offsets[t + 1], {CHUNK}):"
    return [*_part(staged, lines, passes, REALS), over_chunks, *_inner(chunk, 1)]


def _name(staged: Stages, value: int) -> str:
    inputs = staged.rule.n_inputs
    return f"x{value}" if value < inputs else f"t{value - inputs}"


def _stores(outputs: Sequence[str]) -> list[str]:
    """Update and states of one element, and whether they are finite."""
    targets = ["ut[i]", *(f"st{k}[i]" for k in range(len(outputs) - 1))]
    stores = [f"y{k} = {output}" for k, output in enumerate(outputs)]
    stores += [f"{target} = y{k}" for k, target in enumerate(targets)]
    return [*stores, *(f"bad |= y{k} - y{k} != 0.0" for k in range(len(outputs)))]
