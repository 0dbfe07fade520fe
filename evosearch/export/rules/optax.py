"""An update rule as an `optax.GradientTransformation` in a file that stands alone."""

from __future__ import annotations

from evosearch.backends.arrays import lower
from evosearch.backends.torch_source import sums_over_all
from evosearch.export.rules.expressions import Statements
from evosearch.export.rules.info import RuleInfo
from evosearch.export.rules.prepared import prepare
from evosearch.export.rules.runtime import source
from evosearch.export.rules.selfcheck import CHECK_OPTAX, shared_fields
from evosearch.export.rules.template import indented, render
from evosearch.language.program import Program

_MODULE = '''\
"""$name: an optimizer for JAX as an optax transformation, found by program search.

$header

`python FILE --verify` checks this file against stored steps.
"""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

__all__ = ["$name"]

_STATES = $states


class State(NamedTuple):
    """Steps done, and the rule's state: trees like the parameters."""

    count: Any
$fields

def $name(learning_rate=$lr, weight_decay=$decay):
    """The rule above: `update` needs the parameters, and its result is added to them.

    State is float32 for parameters of lower precision. Complex parameters are refused.
#? reduces
    The rule sums over whole arrays, which is right for those that JAX shards.
#? end

    Args:
        learning_rate: a number, an array without dimensions, or a schedule of the number of steps done.$rate_note
        weight_decay: decoupled: learning_rate * weight_decay * w is subtracted as well;
            $decay_note.
    """

    def init(params):
        for leaf in jax.tree.leaves(params):
            if jnp.iscomplexobj(leaf):
                raise TypeError("$name does not support complex parameters: give it their real and imaginary parts")
        return State(jnp.zeros([], jnp.int32), *(jax.tree.map(lambda w: jnp.zeros_like(w, _dtype(w)), params) for _ in _STATES))

    def update(grads, state, params=None):
        if params is None:
            raise ValueError(optax.NO_PARAMS_MSG)
        lr = learning_rate(state.count) if callable(learning_rate) else learning_rate
        lr = jnp.asarray(lr, float)
#? counted
        step = (state.count + 1).astype(float)
#? end
        leaves, tree = jax.tree.flatten(params)
        columns = [tree.flatten_up_to(one) for one in (grads, *state[1:])]
        results = $run
        updates, *new = (tree.unflatten(column) for column in zip(*results)) if results else (params, *state[1:])
        return updates, State(optax.safe_increment(state.count), *new)

    return optax.GradientTransformation(init, update)


def _dtype(w):
    """Of the arithmetic and of the state."""
    return jnp.promote_types(w.dtype, jnp.float32)


def _step(p, grad, $rest):
    """What is added to one array, and its new state."""
    dtype = _dtype(p)
    w, g = p.astype(dtype), grad.astype(dtype)
#? in_turn
    update, *new = yield from _update(w, g, $rest)
#? else
    update, *new = _update(w, g, $rest)
#? end
    return -update.astype(p.dtype), *(value.astype(dtype) for value in new)


def _update(w, g, $rest):
    """The rule for one array: the update and the new state."""
$update


#? in_turn
$together


#? end
'''


def render_optax(rule: Program, info: RuleInfo) -> str:
    """The source of a module with one function that makes an optax transformation.

    Raises:
        ProgramError: where the program is no update rule, or has an op that JAX lacks.
        ExportError: for a rule that does not stay finite.
    """
    prepared = prepare(rule)
    lowered = lower(prepared.program)
    in_turn = sums_over_all(lowered.program)
    flags = {
        "counted": prepared.reads_step,
        "in_turn": in_turn,
        "reduces": any(instruction.op.reduces for instruction in lowered.program.instructions),
    }
    numbers = ", ".join(prepared.arguments[2 + len(prepared.states) :])
    steps = f"[_step(*one, {numbers}) for one in zip(leaves, *columns)]"
    fields = {
        **shared_fields(rule, prepared, info),
        "name": info.function_name,
        "fields": "".join(f"    {name}: Any\n" for name in prepared.states),
        "run": f"_together({steps})" if in_turn else steps,
        "update": indented(Statements(lowered, prepared, "jnp").lines),
        "together": source("_together").rstrip(),
    }
    return render(_MODULE + CHECK_OPTAX, flags, fields)
