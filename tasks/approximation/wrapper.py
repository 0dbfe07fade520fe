"""The wrapper of a factored target: a core program in u becomes the whole program in x."""

from __future__ import annotations

from evosearch.evaluation.target import Form
from evosearch.language.op import OpSet
from evosearch.language.program import Instruction, Operand, Program, function_signature


def wrapper_cost(form: Form, ops: OpSet) -> float:
    """What the wrapper adds to the cost of the core: x^2, and for the odd form the product with x."""
    uses = {Form.PLAIN: 0, Form.EVEN: 1, Form.ODD: 2}[form]
    return uses * ops.cost(ops["mul"]) if uses else 0.0


def wrap(core: Program, form: Form, ops: OpSet) -> Program:
    """g(x^2) or x g(x^2) for the core program g(u), with the core's constants."""
    if form is Form.PLAIN:
        return core
    mul = ops["mul"]

    def moved(operand: Operand) -> Operand:
        return operand + 1 if isinstance(operand, int) else operand

    body = [Instruction(mul, (0, 0))]
    body += [Instruction(item.op, tuple(moved(arg) for arg in item.args)) for item in core.instructions]
    output = moved(core.outputs[0])
    if form is Form.ODD:
        body.append(Instruction(mul, (0, output)))
        output = len(body)
    return Program(function_signature(core.signature.name), tuple(body), (output,))
