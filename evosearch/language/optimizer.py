"""Update rules: programs whose signature is `train`.

::

    def train(w, g, v1, v2, lr, step):
        m = interp(g, v1, 0.9)
        u = sign(m)
        v1 = interp(g, v1, 0.99)
        update = mul(u, lr)
        return update, v1, v2

A rule runs once a step for each parameter tensor, and the training loop then does `w = w - update`. Inputs are known by
name. `lr` (its value is tuned outside the rule) and `step` (1 at the first call) are reals, and may be left out; `w` and
`g` are arrays; every other input is an array of state that starts at zero and is returned, in the order of the inputs,
after `update`. A local that is read before it is assigned is an error: what lives from step to step is a state.
"""

from __future__ import annotations

from evosearch.errors import ProgramError
from evosearch.language.infer import ancestors
from evosearch.language.op import OpSet
from evosearch.language.program import Program, Signature, Variable
from evosearch.language.text import parse
from evosearch.language.types import Type

WEIGHT, GRADIENT, RATE, STEP, UPDATE = "w", "g", "lr", "step", "update"
_NO_STATE = frozenset({WEIGHT, GRADIENT, RATE, STEP})


def optimizer_signature(states: int = 2, step: bool = True) -> Signature:
    """`train(w, g, v1, ..., lr[, step]) -> update, v1, ...` with that many states."""
    names = (WEIGHT, GRADIENT, *(f"v{k}" for k in range(1, states + 1)), RATE, *((STEP,) if step else ()))
    return rule_signature("train", names)


def rule_signature(name: str, inputs: tuple[str, ...]) -> Signature:
    """The signature of a rule with the named inputs; ProgramError where it does not take w and g."""
    absent = [wanted for wanted in (WEIGHT, GRADIENT) if wanted not in inputs]
    if absent:
        raise ProgramError(
            f"an update rule takes w (weights) and g (gradient), got ({', '.join(inputs)}); "
            f"add {' and '.join(absent)}, as in: def train(w, g, v1, v2, lr, step):"
        )
    if UPDATE in inputs:
        raise ProgramError("'update' is what a rule returns, not an input; give the state another name")
    taken = tuple(Variable(given, Type.REAL if given in (RATE, STEP) else Type.ARRAY) for given in inputs)
    states = (variable for variable in taken if variable.name not in _NO_STATE)
    return Signature(name, taken, (Variable(UPDATE, Type.ARRAY), *states))


def read_rule(text: str, ops: OpSet) -> Program:
    """An update rule from its text; ProgramError with the line, the cause and what to do."""
    return parse(text, ops, rule_signature)


def state_names(rule: Program) -> tuple[str, ...]:
    """The rule's states in the order of its outputs."""
    return tuple(variable.name for variable in rule.signature.outputs[1:])


def check_rule(program: Program) -> None:
    """ProgramError where a program has not the signature of an update rule."""
    signature = program.signature
    names = tuple(variable.name for variable in signature.inputs)
    if rule_signature(signature.name, names) != signature:
        raise ProgramError(
            f"'{signature.name}' is no update rule: it must return update and then each state, as in: return update, v1, v2"
        )


def live_states(rule: Program) -> tuple[bool, ...]:
    """For each state whether any update, now or later, depends on it."""
    number = {variable.name: k for k, variable in enumerate(rule.signature.inputs)}
    inputs = [number[name] for name in state_names(rule)]
    needed = ancestors(rule, {rule.outputs[0]})
    while True:
        more = {out for given, out in zip(inputs, rule.outputs[1:], strict=True) if given in needed} - needed
        reached = needed | ancestors(rule, more)
        if reached == needed:
            return tuple(given in needed for given in inputs)
        needed = reached
