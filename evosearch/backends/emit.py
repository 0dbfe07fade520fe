"""From op rows to statement text: shared by the interpreter kernels, the JIT and C.

Every statement sets one SSA name from SSA names and literals; composites are written out as the core ops they are made of.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from evosearch.errors import ProgramError
from evosearch.language.infer import expand
from evosearch.language.op import ARGUMENTS, Op
from evosearch.language.program import Const, Operand, Program

_PLACEHOLDER = re.compile(r"\b[abcrg]\b")
_HELPERS = ("scalar.py", "dd.py", "simd.py")


@dataclass(frozen=True)
class Dialect:
    """How one language writes statements.

    Attributes:
        name: for messages.
        template: an op's expression over `a b c`; empty where there is none.
        literal: a finite float64 as an expression that any template can take.
        statement: a format over `name` and `value`.
    """

    name: str
    template: Callable[[Op], str]
    literal: Callable[[float], str]
    statement: str


def _python_literal(value: float) -> str:
    return f"({value!r})" if str(value).startswith("-") else repr(value)


def _c_literal(value: float) -> str:
    mantissa, exponent = value.hex().split("p")
    text = f"{mantissa.rstrip('0').rstrip('.')}p{exponent}"
    return f"({text})" if text.startswith("-") else text


NUMBA = Dialect("Numba", lambda op: op.numba, _python_literal, "{name} = {value}")
C = Dialect("C", lambda op: op.c, _c_literal, "const double {name} = {value};")


def fill(template: str, names: Mapping[str, str]) -> str:
    """The template with its placeholders `a b c r g` replaced by `names`."""
    return _PLACEHOLDER.sub(lambda match: names[match[0]], template)


def statements(program: Program, dialect: Dialect, names: Sequence[str], prefix: str = "t") -> tuple[list[str], list[str]]:
    """The program over core ops as statements.

    Args:
        program: may hold composites.
        names: of the inputs in the dialect.
        prefix: values are named prefix0, prefix1, ...

    Returns:
        The statements, and the outputs as names or literals.

    Raises:
        ProgramError: where an op has no template for the dialect or a constant is not finite.
    """
    values = list(names)
    lines: list[str] = []

    def show(operand: Operand) -> str:
        return values[operand] if isinstance(operand, int) else dialect.literal(_finite(operand))

    body = expand(program)
    for position, instruction in enumerate(body.instructions):
        template = dialect.template(instruction.op)
        if not template:
            raise ProgramError(f"'{instruction.op.name}' has no {dialect.name} template; use the reference backend")
        value = fill(template, dict(zip(ARGUMENTS, map(show, instruction.args), strict=False)))
        values.append(f"{prefix}{position}")
        lines.append(dialect.statement.format(name=values[-1], value=value))
    return lines, [show(out) for out in body.outputs]


def dd_statements(program: Program, names: Sequence[str], prefix: str = "t") -> tuple[list[str], list[str]]:
    """The program as calls of double-double kernels: the value NAME is held as NAMEh and NAMEl; outputs are "hi, lo"."""
    values = list(names)
    lines: list[str] = []

    def show(operand: Operand) -> str:
        if isinstance(operand, int):
            return f"{values[operand]}h, {values[operand]}l"
        return f"{_python_literal(_finite(operand))}, {_python_literal(operand.lo)}"

    body = expand(program)
    for position, instruction in enumerate(body.instructions):
        if instruction.op.dd is None:
            raise ProgramError(f"'{instruction.op.name}' has no double-double kernel; use the reference backend")
        args = ", ".join(show(arg) for arg in instruction.args)
        name = f"{prefix}{position}"
        lines.append(f"{name}h, {name}l = {instruction.op.dd}({args})")
        values.append(name)
    return lines, [show(out) for out in body.outputs]


def adjoint_statements(program: Program, names: Sequence[str], prefix: str = "t") -> tuple[list[str], list[str]]:
    """Forward and reverse statements (Numba) of a program with one output whose adjoint is named `g`.

    Returns:
        The statements, and per input the expression of its adjoint ("" where no derivative flows).
    """
    body = expand(program)
    lines, _ = statements(body, NUMBA, names, prefix)
    values = [*names, *(f"{prefix}{position}" for position in range(len(body.instructions)))]
    shares: list[list[str]] = [[] for _ in values]
    if isinstance(body.outputs[0], int):
        shares[body.outputs[0]].append("g")
    for position in reversed(range(len(body.instructions))):
        value = body.n_inputs + position
        if not shares[value]:
            continue
        instruction = body.instructions[position]
        adjoint = f"{prefix}g{position}"
        lines.append(f"{adjoint} = {' + '.join(shares[value])}")
        given = [values[arg] if isinstance(arg, int) else _python_literal(_finite(arg)) for arg in instruction.args]
        filled = dict(zip(ARGUMENTS, given, strict=False)) | {"r": values[value], "g": adjoint}
        for number, (arg, template) in enumerate(zip(instruction.args, instruction.op.adjoint, strict=True)):
            if template is not None and isinstance(arg, int):
                lines.append(f"{adjoint}_{number} = {fill(template, filled)}")
                shares[arg].append(f"{adjoint}_{number}")
    return lines, [" + ".join(share) for share in shares[: body.n_inputs]]


def _finite(constant: Const) -> float:
    if not isfinite(constant.hi):
        raise ProgramError(f"constant {constant.hi} is not finite; compiled programs take finite constants only")
    return constant.hi


def numba_header(ops: Sequence[Op]) -> str:
    """Imports of a generated kernel module, with the hash of every helper file that its machine code will contain."""
    folder = Path(__file__).parent
    digests = [f"# {name} {hashlib.sha256((folder / name).read_bytes()).hexdigest()}" for name in _HELPERS]
    kernels = sorted({op.dd for op in ops if op.dd})
    imports = ["from evosearch.backends.scalar import exponent, fma, scale2"]
    if kernels:
        imports.insert(0, f"from evosearch.backends.dd import {', '.join(kernels)}")
    modules = ["import numpy as np", "from numba import njit"]
    return "\n".join(["# generated by evosearch", *digests, "", *modules, "", *imports, ""])


def core_ops(ops: Sequence[Op]) -> list[Op]:
    """The core ops that `ops` are made of, each once."""
    found: dict[str, Op] = {}
    for op in ops:
        inner = [step.op for step in expand(op.composite).instructions] if op.composite else [op]
        found.update((one.name, one) for one in inner)
    return list(found.values())


def indent(lines: Sequence[str], depth: int) -> str:
    """The lines, `depth` levels of four spaces deep, with an end of line each."""
    return "".join(f"{'    ' * depth}{line}\n" for line in lines)
