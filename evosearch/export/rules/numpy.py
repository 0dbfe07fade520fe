"""An update rule as a NumPy module, or a module of plain Python, that stands alone."""

from __future__ import annotations

from evosearch.backends.arrays import lower
from evosearch.backends.torch_source import sums_over_all
from evosearch.errors import ExportError
from evosearch.export.rules.expressions import Statements
from evosearch.export.rules.info import RuleInfo
from evosearch.export.rules.prepared import prepare
from evosearch.export.rules.runtime import source
from evosearch.export.rules.selfcheck import CHECK_LISTS, CHECK_NUMPY, shared_fields
from evosearch.export.rules.template import indented, render
from evosearch.export.runtime import source as float_source
from evosearch.language.program import Program

_HELPERS = {"div": "_div", "sqrt": "_sqrt", "sign": "_sign", "maximum": "_maximum", "minimum": "_minimum"}
"""What plain Python calls, by the name in expressions; from `evosearch.export.runtime`."""

_MODULE = '''\
#? numpy
"""$name: an optimizer for NumPy, found by program search.
#? else
"""$name: an optimizer in plain Python, found by program search.
#? end

$header

`python FILE --verify` checks this file against stored steps.
"""

from __future__ import annotations

#? numpy
import sys

import numpy as np
#? else
import math
import sys
#? end

__all__ = ["$name"]

_STATES = $states


class $name:
#? numpy
    """Steps weights by the rule above: `optimizer.step(weights, gradients)`, lists of float arrays, weights in place.

    Arithmetic is at least that of the arrays and float32; so is the state.
#? else
    """Steps weights by the rule above: `optimizer.step(weights, gradients)`, lists of lists of floats, weights in place.
#? end

    Attributes:
        lr: learning rate; may be changed between steps.$rate_note
        weight_decay: decoupled: lr * weight_decay * w is subtracted as well;
            $decay_note.
        state: by tensor and name, zeros at first; with `count`, the steps done, all that must be saved to go on.
    """

    def __init__(self, lr=$lr, weight_decay=$decay):
        if not (lr >= 0.0 and weight_decay >= 0.0):
            raise ValueError(f"lr is {lr} and weight_decay {weight_decay}; neither must be negative")
        self.lr, self.weight_decay = lr, weight_decay
        self.state, self.count = [], 0

    def step(self, weights, gradients):
        """One step of all tensors."""
        if len(weights) != len(gradients) or (self.state and len(self.state) != len(weights)):
            raise ValueError(f"{len(weights)} weights, {len(gradients)} gradients, {len(self.state)} states; give one each")
        if not self.state:
#? numpy
            self.state = [{name: np.zeros(w.shape, _dtype(w)) for name in _STATES} for w in weights]
#? else
            self.state = [{name: [0.0] * len(w) for name in _STATES} for w in weights]
#? end
        self.count += 1
#? numpy
        tensors = [(w.astype(_dtype(w)), g.astype(_dtype(w)), s) for w, g, s in zip(weights, gradients, self.state)]
        with np.errstate(all="ignore"):
            results = $run
        for w, state, (update, *new) in zip(weights, self.state, results):
            w -= update.astype(w.dtype)
            state.update((name, value.astype(_dtype(w), copy=False)) for name, value in zip(_STATES, new))
#? else
        tensors = zip(weights, gradients, self.state)
        results = $run
        for w, state, (update, *new) in zip(weights, self.state, results):
            w[:] = [x - y for x, y in zip(w, update)]
            state.update(zip(_STATES, new))
#? end

    def _update(self, w, g, state):
        return _update(w, g, *state.values(), $call)


def _update(w, g, $rest):
    """The rule for one tensor: the update and the new state."""
$update


#? numpy
def _dtype(w):
    """Of the arithmetic and of the state."""
    return np.promote_types(w.dtype, np.float32)


#? end
#? in_turn
$together


#? end
$helpers'''


def render_numpy(rule: Program, info: RuleInfo) -> str:
    """The source of a module with one class that steps NumPy arrays."""
    return _render(rule, info, "np")


def render_plain(rule: Program, info: RuleInfo) -> str:
    """The source of a module with one class that steps lists of floats, and needs nothing but Python.

    Raises:
        ExportError: for an op that has no form for plain floats.
    """
    return _render(rule, info, "")


def _render(rule: Program, info: RuleInfo, library: str) -> str:
    prepared = prepare(rule)
    lowered = lower(prepared.program)
    for instruction, row in zip(lowered.program.instructions, lowered.rows, strict=True):
        if not library and row is not None and not row.python:
            raise ExportError(f"plain Python has no form of the op '{instruction.op.name}'; export to numpy")
    body = indented(Statements(lowered, prepared, library).lines)
    in_turn = sums_over_all(lowered.program)
    names = prepared.arguments[2 + len(prepared.states) :]
    real = "np.float64(self.{})" if library else "self.{}"  # NumPy's do not raise exceptions
    values = {"step": real.format("count"), "lr": real.format("lr"), "weight_decay": "self.weight_decay"}
    flags = {"numpy": bool(library), "in_turn": in_turn}
    fields = {
        **shared_fields(rule, prepared, info),
        "name": info.class_name,
        "run": "_together([self._update(*one) for one in tensors])" if in_turn else "[self._update(*one) for one in tensors]",
        "call": ", ".join(values[name] for name in names),
        "update": body,
        "together": source("_together").rstrip(),
        "helpers": "" if library else _helpers(body),
    }
    return render(_MODULE + (CHECK_NUMPY if library else CHECK_LISTS), flags, fields)


def _helpers(body: str) -> str:
    """The functions for floats that the body calls, under the names that it has for them."""
    found = [(name, kept) for name, kept in _HELPERS.items() if f"{name}(" in body.replace("math.sqrt(", "")]
    texts = [float_source(kept).replace(f"def {kept}(", f"def {name}(").rstrip() for name, kept in found]
    if "call(" in body:
        texts.append(source("call").rstrip())
    return "".join(f"{text}\n\n\n" for text in texts)
