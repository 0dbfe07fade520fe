"""Programs on torch tensors: functions that autograd can follow, and update rules that step a model's parameters.

Arithmetic is that of the tensors' own dtype, and library functions take the place of composites (they are within a few
ULP of them), so the results are those of the reference to rounding, not to the bit.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from evosearch.backends.arrays import lower
from evosearch.backends.lockstep import together
from evosearch.backends.torch_lines import function_lines
from evosearch.backends.torch_source import Form, sums_over_all, torch_source
from evosearch.errors import MissingDependencyError, ProgramError
from evosearch.language.optimizer import check_rule, state_names
from evosearch.language.program import Program

try:
    import torch
    from torch import Tensor
except ImportError:
    raise MissingDependencyError("torch is not installed; install it with: pip install 'evosearch[torch]'") from None

Tensors = Sequence[Tensor]

_together: Callable[[Sequence[Any]], list[Any]] = together


def compile_function(program: Program) -> Callable[..., tuple[Tensor, ...]]:
    """The program as a function from tensors, of shapes that broadcast, to the tuple of its outputs; differentiable."""
    lowered = lower(program)
    lines, outputs = function_lines(lowered)
    names = ", ".join(variable.name for variable in program.signature.inputs)
    return _defined(f"def f({names}):\n", [*lines, f"return {', '.join(outputs)},"])


@dataclass(frozen=True)
class TorchRule:
    """An update rule that steps tensors in place.

    Attributes:
        rule: the program.
        run: `(w, g, STATES, lr, step)`, over lists; the weights and the states change in place.
    """

    rule: Program
    run: Callable[..., Any]

    def init(self, params: Tensors) -> list[list[Tensor]]:
        """The state before the first step, (states, tensors): zeros, at least float32."""
        return [
            [torch.zeros_like(p, dtype=torch.promote_types(p.dtype, torch.float32)) for p in params]
            for _ in state_names(self.rule)
        ]

    @torch.no_grad()
    def step(
        self, params: Tensors, grads: Tensors, state: Sequence[list[Tensor]], lr: float | Tensor, step: float | Tensor
    ) -> None:
        """One step of all parameters (all groups in one call, where the rule sums over all tensors), in place.

        Args:
            params, grads: one gradient a parameter, of its shape and device.
            state: from `init`; changes in place.
            lr, step: learning rate; number of the step, 1 at the first.
        """
        w, g = ([x.to(torch.promote_types(x.dtype, torch.float32)) for x in tensors] for tensors in (params, grads))
        self.run(w, g, *state, lr, step)
        for p, stepped in zip(params, w, strict=True):
            if stepped is not p:
                p.copy_(stepped)


def compile_rule(rule: Program, *, foreach: bool = True, compiled: bool = False) -> TorchRule:
    """The rule for tensors.

    Args:
        rule: with the signature of `evosearch.language.optimizer`.
        foreach: by torch's functions for lists of tensors; else tensor by tensor, which the CPU does not mind.
        compiled: through `torch.compile`, tensor by tensor, one kernel for all sizes; a first step takes seconds then.
            Not for rules that sum over all tensors.

    Raises:
        ProgramError: where the program is no rule, or cannot be run so.
    """
    check_rule(rule)
    lowered = lower(rule)
    in_turn = sums_over_all(lowered.program)
    if compiled and in_turn:
        raise ProgramError("a rule that sums over all tensors is not compiled tensor by tensor; use foreach=True")
    states = ", ".join(["w", "g", *state_names(rule)])
    if compiled:
        source = torch_source(lowered, Form.KERNEL)
        kernel = _defined(f"def update({', '.join([states, *source.given])}):\n", source.lines)
        numbers = _defined("def numbers(lr, step):\n", [*source.numbers, f"return [{', '.join(source.given)}]"])
        return TorchRule(rule, functools.partial(_run_compiled, kernel, torch.compile(kernel, dynamic=True), numbers))
    source = torch_source(lowered, Form.LISTS if foreach else Form.TENSOR)
    run = _defined(f"def update({states}, lr, step):\n", source.lines)
    if foreach:
        return TorchRule(rule, functools.partial(_run_lists, run) if in_turn else run)
    return TorchRule(rule, functools.partial(_run_tensors, run, in_turn))


def _run_lists(run: Callable[..., Any], *given: Any) -> None:
    _together([run(*given)])


def _run_tensors(run: Callable[..., Any], in_turn: bool, *given: Any) -> None:
    *tensors, lr, step = given
    running = [run(*one, lr, step) for one in zip(*tensors, strict=True)]
    if in_turn:
        _together(running)


def _run_compiled(kernel: Callable[..., Any], compiled: Callable[..., Any], numbers: Callable[..., Any], *given: Any) -> None:
    """Flat views share one kernel; what has none, or is too small to share it, goes without."""
    *tensors, lr, step = given
    known = numbers(lr, step)
    for one in zip(*tensors, strict=True):
        if one[0].numel() < 2 or not all(x.is_contiguous() for x in one):
            kernel(*one, *known)
        else:  # a float would be compiled in
            compiled(*(x.view(-1) for x in one), *(torch.as_tensor(x, dtype=one[0].dtype) for x in known))


def _defined(head: str, body: Sequence[str]) -> Callable[..., Any]:
    """The function that source made from op rows and numbers defines; no text of a user enters it."""
    names: dict[str, Any] = {"torch": torch, "math": math}
    exec(compile(head + "".join(f"    {line}\n" for line in body), "<evosearch torch>", "exec"), names)
    function: Callable[..., Any] = names[head[4 : head.index("(")]]
    return function
