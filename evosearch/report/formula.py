"""A program as a formula for people: infix, with as few parentheses as real arithmetic allows.

A value that is used more than once gets a line of its own::

    t0 = x + 3.5
    f(x) = t0^2 - 2.25 / t0
"""

from __future__ import annotations

from typing import NamedTuple

from evosearch.language.infer import without_dead_code
from evosearch.language.op import Op
from evosearch.language.program import Const, Operand, Program


class _Text(NamedTuple):
    text: str
    level: int  # how tightly its outermost operation binds


_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(1, 6)
_INFIX = {"add": ("+", _SUM), "sub": ("-", _SUM), "mul": ("*", _PRODUCT), "div": ("/", _PRODUCT)}


def formula(program: Program, digits: int | None = 6) -> str:
    """The formula; constants with so many significant digits, or all of them with None."""
    program = without_dead_code(program)
    names = [variable.name for variable in program.signature.inputs]
    uses = [sum(i.args.count(value) for i in program.instructions) for value in range(len(names) + len(program.instructions))]
    lines: list[str] = []
    texts = [_Text(name, _ATOM) for name in names]

    def show(operand: Operand) -> _Text:
        return texts[operand] if isinstance(operand, int) else _constant(operand, digits)

    for number, instruction in enumerate(program.instructions):
        text = _apply(instruction.op, [show(arg) for arg in instruction.args])
        value = program.n_inputs + number
        if uses[value] + (value in program.outputs) > 1:
            name = f"t{len(lines)}"
            lines.append(f"{name} = {text.text}")
            text = _Text(name, _ATOM)
        texts.append(text)
    results = ", ".join(show(output).text for output in program.outputs)
    return "\n".join([*lines, f"{program.signature.name}({', '.join(names)}) = {results}"])


def _constant(constant: Const, digits: int | None) -> _Text:
    text = str(constant) if digits is None else f"{constant.hi:.{digits}g}"
    text = text.removesuffix(".0")
    return _Text(text, _SIGN if text.startswith("-") else _ATOM)


def _apply(op: Op, args: list[_Text]) -> _Text:
    if op.name in _INFIX:
        return _infix(*_INFIX[op.name], *args)
    if op.name == "neg":
        return _Text(f"-{_wrap(args[0], _POWER)}", _SIGN)
    if op.name == "square":
        return _Text(f"{_wrap(args[0], _ATOM)}^2", _POWER)
    if op.name == "reciprocal":
        return _Text(f"1 / {_wrap(args[0], _SIGN)}", _PRODUCT)
    return _Text(f"{op.name}({', '.join(arg.text for arg in args)})", _ATOM)


def _infix(symbol: str, level: int, left: _Text, right: _Text) -> _Text:
    if level == _SUM and right.level == _SIGN:  # x + -2 is x - 2
        return _Text(f"{_wrap(left, level)} {'-' if symbol == '+' else '+'} {right.text[1:]}", level)
    # + and * are associative in real arithmetic; - and / are not
    needed = level if symbol in "+*" else level + 1
    right_text = f"({right.text})" if right.level == _SIGN else _wrap(right, needed)
    return _Text(f"{_wrap(left, level)} {symbol} {right_text}", level)


def _wrap(text: _Text, level: int) -> str:
    return text.text if text.level >= level else f"({text.text})"
