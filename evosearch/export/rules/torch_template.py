"""The text of an exported torch optimizer; see `template` for its conditions.

Flags: counted (the rule reads the step's number), in_turn (it sums over all tensors), reduces (it sums at all), math,
kernel (it is there in the form for numbers that are tensors, which torch.compile and CUDA graphs want).
"""

OPTIMIZER = '''\
"""$name: an optimizer for torch, found by program search.

$header

#? in_turn
`python FILE --verify` checks this file against stored steps.
#? else
`python FILE --verify` checks this file against stored steps; `--verify compiled` checks the path by torch.compile, too.
#? end
"""

from __future__ import annotations

#? in_turn
#? else
import functools
#? end
#? math
import math
#? end
import sys

import torch
from torch.optim import Optimizer

__all__ = ["$name"]

_RULE = "$identity"  # tells its state from that of other rules
_STATES = $states


class $name(Optimizer):
    """Steps every parameter by the rule above; learning rate and weight decay may differ by group.

    State is float32 for parameters of lower precision. Sparse and complex gradients are refused.
#? reduces
    The rule sums over whole tensors: sharded ones (DTensor) are refused, and those that FSDP flattens would be wrong.
#? end

    Args:
        params: parameters or groups of them, as for every torch optimizer.
        lr: learning rate, a number or a tensor.$rate_note
        weight_decay: decoupled: lr * weight_decay * w is subtracted as well;
            $decay_note.
        maximize: climb instead of descend.
        foreach: step lists of tensors at once; None: where all parameters of a group are on CUDA.
#? counted
        capturable: keep the step's number on the parameter's device, for CUDA graphs; tensor by tensor then.
#? end
#? in_turn
#? else
        compiled: by torch.compile, one kernel for parameters of all shapes; the first step takes some seconds.
#? end
    """

    def __init__(
        self,
        params,
        lr=$lr,
        weight_decay=$decay,
        *,
        maximize=False,
        foreach=None,
#? counted
        capturable=False,
#? end
#? in_turn
#? else
        compiled=False,
#? end
    ):
        if isinstance(lr, torch.Tensor) and lr.numel() != 1:
            raise ValueError(f"Tensor lr must be 1-element, got shape {tuple(lr.shape)}")
        if not lr >= 0.0:
            raise ValueError(f"lr is {lr}; it must not be negative")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay is {weight_decay}; it must not be negative")
#? in_turn
#? else
        if foreach and compiled:
            raise ValueError("foreach and compiled are two ways to step; choose one")
#? end
        defaults = {"lr": lr, "weight_decay": weight_decay, "maximize": maximize, "foreach": foreach, "rule": _RULE}
#? counted
        defaults["capturable"] = capturable
#? end
#? in_turn
#? else
        defaults["compiled"] = compiled
#? end
        super().__init__(params, defaults)

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)

    def load_state_dict(self, state_dict):
        """As for every torch optimizer, but state keeps its precision; ValueError for the state of another rule."""
        for group in state_dict["param_groups"]:
            if group.get("rule") != _RULE:
                raise ValueError(f"this is the state of another optimizer (rule {group.get('rule')}), not of $name ({_RULE})")
        loaded = {}
        last = self.register_load_state_dict_pre_hook(lambda _, given: loaded.update(given))  # after hooks that change it
        try:
            super().load_state_dict(state_dict)
        finally:
            last.remove()
        numbers = [number for group in loaded["param_groups"] for number in group["params"]]
        params = [p for group in self.param_groups for p in group["params"]]
        for number, p in zip(numbers, params):
            for name, value in loaded["state"].get(number, {}).items():
                if name in _STATES:  # which torch has cast to the parameter's dtype
                    self.state[p][name] = value.to(p.device, _dtype(p), copy=True)

    @torch.no_grad()
    def step(self, closure=None):
        """One step of all parameters that have a gradient; returns the loss of `closure`, where given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
#? in_turn
        running = []
#? end
        for group in self.param_groups:
            tensors = [(p, p.grad, *self._state(p, group)) for p in group["params"] if p.grad is not None]
            lr, foreach, maximize = group["lr"], group["foreach"], group["maximize"]
            if isinstance(lr, torch.Tensor):
#? counted
                lr = lr.reshape(()) if group["capturable"] else lr.item()
#? else
                lr = lr.item()
#? end
            numbers = (lr, group["weight_decay"])
            if foreach is None:
                foreach = all(one[0].is_cuda for one in tensors)
#? in_turn
#? counted
            if group["capturable"]:
                running += [_apply_kernel(maximize, *one, *numbers) for one in tensors]
            elif foreach:
#? else
            if foreach:
#? end
                running += [_apply_lists(maximize, *batch, *numbers) for batch in _batches(tensors)]
            else:
                running += [_apply(_update, maximize, *one, *numbers) for one in tensors]
        _together(running)
#? else
            if group["compiled"]:
                for one in tensors:
                    _apply_compiled(maximize, *one, *numbers)
#? counted
            elif group["capturable"]:
                for one in tensors:
                    _apply_kernel(maximize, *one, *numbers)
#? end
            elif foreach:
                for batch in _batches(tensors):
                    _apply_lists(maximize, *batch, *numbers)
            else:
                for one in tensors:
                    _apply(_update, maximize, *one, *numbers)
#? end
        return loss

    def _state(self, p, group):
#? counted
        """State and step of `p`, made at its first step; RuntimeError for a gradient that this optimizer cannot take."""
#? else
        """The state of `p`, made at its first step; RuntimeError for a gradient that this optimizer cannot take."""
#? end
        if p.grad.layout != torch.strided:
            raise RuntimeError("$name does not support sparse gradients: make them dense, or use torch.optim.SparseAdam")
        if p.is_complex():
            raise RuntimeError("$name does not support complex parameters: give it torch.view_as_real of them")
#? reduces
        if hasattr(p, "placements"):
            raise RuntimeError("$name sums over whole tensors and does not support sharded ones (DTensor): keep them whole")
#? end
        state = self.state[p]
        if not state:
            for name in _STATES:
                state[name] = torch.zeros_like(p, dtype=_dtype(p), memory_format=torch.preserve_format)
#? counted
            state["step"] = torch.zeros((), dtype=torch.float32, device=p.device if group["capturable"] else "cpu")
        state["step"] += 1
        step = state["step"].double() if group["capturable"] else state["step"].item()
        return [*(state[name] for name in _STATES), step]
#? else
        return [state[name] for name in _STATES]
#? end


def _dtype(p):
    """Of the arithmetic and of the state."""
    return torch.promote_types(p.dtype, torch.float32)


def _batches(tensors):
    """The tensors in lists that can be stepped at once."""
    batches = {}
    for one in tensors:
        p, grad = one[:2]
#? counted
        batches.setdefault((p.device, p.dtype, grad.dtype, one[-1]), []).append(one)
    for key, batch in batches.items():
        yield [*map(list, zip(*(one[:-1] for one in batch))), key[-1]]
#? else
        batches.setdefault((p.device, p.dtype, grad.dtype), []).append(one)
    for batch in batches.values():
        yield map(list, zip(*batch))
#? end


def _apply(update, maximize, p, grad, *rest):
    """Step one tensor by `update`."""
    w, g = p.to(_dtype(p)), grad.to(_dtype(p))
#? in_turn
    yield from update(w, -g if maximize else g, *rest)
#? else
    update(w, -g if maximize else g, *rest)
#? end
    if w is not p:
        p.copy_(w)


def _apply_lists(maximize, p, grad, *rest):
    """Step the tensors of a batch."""
    dtype = _dtype(p[0])
    w, g = [x.to(dtype) for x in p], [x.to(dtype) for x in grad]
#? in_turn
    yield from _update_lists(w, torch._foreach_neg(g) if maximize else g, *rest)
#? else
    _update_lists(w, torch._foreach_neg(g) if maximize else g, *rest)
#? end
    if p[0].dtype is not dtype:
        torch._foreach_copy_(p, w)


#? in_turn
def _together(running):
    """Run generators in lockstep: what they yield is added up, and each is sent the sum."""
    totals = [None] * len(running)
    while running:
        parts, further = [], []
        for generator, total in zip(running, totals):
            try:
                parts.append(generator.send(total))
                further.append(generator)
            except StopIteration:
                pass
        running, totals = further, [sum(x.to(part.device) for x in parts) for part in parts]
#? end
#? kernel
#? in_turn


#? end
def _apply_kernel(maximize, $flat, $numbers):
    """Step one tensor by numbers that may be tensors."""
#? in_turn
    return _apply(_update_kernel, maximize, $flat, *_coefficients($numbers))
#? else
    _apply(_update_kernel, maximize, $flat, *_coefficients($numbers))
#? end
#? end
#? in_turn
#? else


def _apply_compiled(maximize, $flat, $numbers):
    """Step one tensor by a kernel that all share; tensors without a flat view and single numbers go without."""
    tensors = [$flat]
    if p.numel() < 2 or not all(x.is_contiguous() for x in tensors):
        _apply_kernel(maximize, *tensors, $numbers)
        return
    _compiled()(_update_kernel, maximize, *(x.view(-1) for x in tensors), *_as_tensors(_dtype(p), $numbers))


@functools.lru_cache(maxsize=8)  # most tensors are at the same step
def _as_tensors(dtype, $numbers):
    """The coefficients as tensors: floats would be compiled in."""
    return [torch.as_tensor(x, dtype=dtype) for x in _coefficients($numbers)]


@functools.cache
def _compiled():
    return torch.compile(_apply, dynamic=True)
#? end


def _update($tensors, $numbers):
    """Step one tensor, weights and state in place."""
$update


def _update_lists($tensors, $numbers):
    """Step lists of tensors."""
$update_lists
#? kernel


def _coefficients($numbers):
    """The numbers of a step, which all tensors share."""
$coefficients


def _update_kernel($tensors, $given):
    """Step one tensor: what is compiled to one pass, and what takes numbers on the device."""
$update_kernel
#? end


'''
