"""How ops are written for array libraries: NumPy, JAX, torch, and plain Python floats.

A row is used only for an op that means the same at a set of probe points; every other op is replaced by its definition, one
level at a time. So the guarded `log` of update rules becomes an absolute value and the library's `log`, and the same
name with another meaning never takes a wrong row. Library functions are within a few ULP of the language's composites.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evosearch.backends.nonnegative import without_idle_abs
from evosearch.errors import ProgramError
from evosearch.language.infer import check_types
from evosearch.language.op import Op
from evosearch.language.program import Const, Instruction, Operand, Program
from evosearch.language.types import Type


@dataclass(frozen=True)
class Row:
    """One way to write an op; expressions are over the names a, b, c of its arguments.

    Attributes:
        meaning: what the row computes, in NumPy.
        array: for NumPy and JAX; `xp.` is the library.
        torch: for tensors.
        inplace: for tensors, into `a`; empty where there is no such method.
        foreach: the stem of torch's function for lists, as in `torch._foreach_add`; empty where there is none.
        python: for floats; `call(f, a)` is f(a) without Python's exceptions.
        where: whether the row takes arguments of these types.
    """

    meaning: Callable[..., Any]
    array: str
    torch: str
    inplace: str = ""
    foreach: str = ""
    python: str = ""
    where: Callable[[Sequence[Type | None]], bool] = lambda types: True  # noqa: ARG005 - None: a constant


def _unary(name: str, foreach: str = "", python: str = "") -> Row:
    """A function that NumPy, JAX and torch call by one name."""
    short = python or name.replace("arc", "a")
    return Row(getattr(np, name), f"xp.{name}(a)", f"a.{name}()", f"a.{name}_()", foreach, f"call(math.{short}, a)")


def _log_of_size(a: Any) -> Any:
    return np.log1p(np.where(a < -1.0, -2.0 - a, a))


def _arrays_and_constant(types: Sequence[Type | None]) -> bool:
    return list(types) == [Type.ARRAY, Type.ARRAY, None]


def _first_array(types: Sequence[Type | None]) -> bool:
    return types[0] is Type.ARRAY


_NEG = Row(np.negative, "-a", "-a", "a.neg_()", "neg", "-a")

ROWS: dict[str, tuple[Row, ...]] = {
    "add": (Row(np.add, "a + b", "a + b", "a.add_(b)", "add", "a + b"),),
    "sub": (Row(np.subtract, "a - b", "a - b", "a.sub_(b)", "sub", "a - b"),),
    "mul": (Row(np.multiply, "a * b", "a * b", "a.mul_(b)", "mul", "a * b"),),
    "div": (Row(np.divide, "a / b", "a / b", "a.div_(b)", "div", "div(a, b)"),),
    "neg": (_NEG,),
    "negative": (_NEG,),
    "square": (Row(np.square, "xp.square(a)", "a.square()", "a.square_()", "", "a * a"),),
    "reciprocal": (Row(np.reciprocal, "1.0 / a", "a.reciprocal()", "a.reciprocal_()", "reciprocal", "div(1.0, a)"),),
    "sqrt": (Row(np.sqrt, "xp.sqrt(a)", "a.sqrt()", "a.sqrt_()", "sqrt", "sqrt(a)"),),
    "abs": (Row(np.abs, "abs(a)", "a.abs()", "a.abs_()", "abs", "abs(a)"),),
    "sign": (Row(np.sign, "xp.sign(a)", "a.sign()", "a.sign_()", "sign", "sign(a)"),),
    "max": (Row(np.maximum, "xp.maximum(a, b)", "torch.maximum(a, b)", "", "maximum", "maximum(a, b)"),),
    "min": (Row(np.minimum, "xp.minimum(a, b)", "torch.minimum(a, b)", "", "minimum", "minimum(a, b)"),),
    "power": (Row(np.power, "xp.power(a, b)", "a ** b", "a.pow_(b)", "pow", "call(math.pow, a, b)"),),
    "interp": (
        Row(
            lambda a, b, c: (1.0 - c) * a + c * b, "(1.0 - c) * a + c * b", "a.lerp(b, c)", "a.lerp_(b, c)", "lerp",
            "(1.0 - c) * a + c * b", _arrays_and_constant,
        ),
    ),
    "clip": (
        Row(
            lambda a, b: np.clip(a, -np.abs(b), np.abs(b)), "xp.clip(a, -abs(b), abs(b))", "a.clamp(-abs(b), abs(b))",
            "a.clamp_(-abs(b), abs(b))", "", "max(-abs(b), min(abs(b), a))", _first_array,
        ),
    ),
    "cbrt": (Row(np.cbrt, "xp.cbrt(a)", "a.sign() * a.abs() ** (1 / 3)", "", "", "call(math.cbrt, a)"),),
    "exp10": (Row(lambda a: np.power(10.0, a), "xp.power(10.0, a)", "10.0 ** a", "", "", "call(math.pow, 10.0, a)"),),
    "exp2": (_unary("exp2"),),
    "exp": (_unary("exp", "exp"),),
    "expm1": (_unary("expm1", "expm1"),),
    "log": (_unary("log", "log"),),
    "log2": (_unary("log2", "log2"),),
    "log10": (_unary("log10", "log10"),),
    "log1p": (
        _unary("log1p", "log1p"),
        Row(
            _log_of_size, "xp.log1p(xp.where(a < -1.0, -2.0 - a, a))", "torch.where(a < -1.0, -2.0 - a, a).log1p()",
            python="call(math.log1p, a if a >= -1.0 else -2.0 - a)",
        ),
    ),
    "sin": (_unary("sin", "sin"),),
    "cos": (_unary("cos", "cos"),),
    "tan": (_unary("tan", "tan"),),
    "arcsin": (_unary("arcsin", "asin"),),
    "arccos": (_unary("arccos", "acos"),),
    "arctan": (_unary("arctan", "atan"),),
    "sinh": (_unary("sinh", "sinh"),),
    "cosh": (_unary("cosh", "cosh"),),
    "tanh": (_unary("tanh", "tanh"),),
    "arcsinh": (_unary("arcsinh"),),
    "arccosh": (_unary("arccosh"),),
    "arctanh": (_unary("arctanh"),),
    "norm": (Row(np.linalg.norm, "xp.sqrt(xp.sum(xp.square(a)))", "torch.linalg.vector_norm(a)", "", "norm",
                 "math.sqrt(sum(x * x for x in a))"),),
    "sigmoid": (Row(lambda a: 1.0 / (1.0 + np.exp(-a)), "1.0 / (1.0 + xp.exp(-a))", "a.sigmoid()", "a.sigmoid_()", "sigmoid"),),
    "softplus": (
        Row(lambda a: np.logaddexp(a, 0.0), "xp.logaddexp(a, 0.0)", "torch.nn.functional.softplus(a, threshold=40.0)"),
    ),
    # What is left of the core; update rules have none of these.
    "fma": (Row(lambda a, b, c: a * b + c, "a * b + c", "a * b + c"),),
    "copysign": (Row(np.copysign, "xp.copysign(a, b)", "torch.copysign(a, b)"),),
    "floor": (_unary("floor", "floor"),),
    "ceil": (_unary("ceil", "ceil"),),
    "trunc": (_unary("trunc", "trunc"),),
    "round": (Row(np.rint, "xp.rint(a)", "a.round()", "a.round_()", "round"),),
    "scale2": (Row(lambda a, b: np.ldexp(a, np.rint(b).astype(int)), "xp.ldexp(a, xp.rint(b))", "torch.ldexp(a, b.round())"),),
    "exponent": (
        Row(lambda a: np.where(a == 0.0, -np.inf, np.frexp(a)[1] - 1.0), "xp.frexp(a)[1] - 1.0",
            "torch.where(a == 0.0, -torch.inf, a.frexp().exponent - 1.0)"),
    ),
    "lt": (Row(np.less, "(a < b) * 1.0", "a < b"),),
    "le": (Row(np.less_equal, "(a <= b) * 1.0", "a <= b"),),
    "eq": (Row(np.equal, "(a == b) * 1.0", "a == b"),),
    "select": (Row(lambda a, b, c: np.where(a != 0.0, b, c), "xp.where(a != 0.0, b, c)", "torch.where(a, b, c)"),),
}  # fmt: skip
"""By op name, the candidates in the order of trying."""

_PROBES = np.array([0.0, 1e-9, -1e-9, 0.3, -0.3, 0.9, -0.9, 1.0, -1.0, 1.7, -1.7, 2.0, -3.0, 5.5, -7.25, 30.0])


@functools.lru_cache(maxsize=1024)  # it tries the op at thousands of points
def row_of(op: Op) -> Row | None:
    """The first row of the op's name that means what the op does; None where there is none."""
    grids = np.meshgrid(*[_PROBES] * op.arity)
    points = [grid.ravel() for grid in grids]
    with np.errstate(all="ignore"):
        wanted = np.asarray(op.reference(*points), dtype=np.float64)
        for row in ROWS.get(op.name, ()):
            if np.allclose(np.asarray(row.meaning(*points), dtype=np.float64), wanted, rtol=1e-11, atol=1e-14, equal_nan=True):
                return row
    return None


@dataclass(frozen=True)
class Lowered:
    """A program over ops that all have rows; constants folded, equal values computed once, nothing dead.

    Attributes:
        program: its instructions; reductions have no row.
        rows: one an instruction.
        types: of all values, inputs first.
    """

    program: Program
    rows: tuple[Row | None, ...]
    types: tuple[Type, ...]


def lower(program: Program) -> Lowered:
    """The program over ops that array libraries have.

    Raises:
        ProgramError: for an op that has neither a row nor a definition.
    """
    types: list[Type] = [variable.type for variable in program.signature.inputs]
    instructions: list[Instruction] = []
    names: list[str] = []
    shared: dict[tuple[object, ...], int] = {}

    def type_of(operand: Operand) -> Type | None:
        return None if isinstance(operand, Const) else types[operand]

    def place(op: Op, args: tuple[Operand, ...], name: str) -> Operand:
        if all(isinstance(arg, Const) for arg in args) and not op.reduces:
            with np.errstate(all="ignore"):
                return Const(float(op.reference(*(np.array([arg.hi]) for arg in args if isinstance(arg, Const)))[0]))
        row = row_of(op)
        if op.reduction is not None or (row is not None and row.where([type_of(arg) for arg in args])):
            key = (op, *((arg,) if isinstance(arg, int) else (arg.hi.hex(),) for arg in args))
            if key in shared:
                return shared[key]
            shared[key] = len(types)
            instructions.append(Instruction(op, args))
            names.append(name)
            result = op.rule([type_of(arg) or Type.REAL for arg in args])
            assert result is not None
            types.append(result)
            return len(types) - 1
        if op.composite is None:
            raise ProgramError(f"array libraries have no form of the op '{op.name}'; use ops that are made of others")
        return inline(op.composite, args, name)

    def inline(body: Program, args: tuple[Operand, ...], name: str) -> Operand:
        values: list[Operand] = list(args)
        for instruction in body.instructions:
            given = tuple(values[arg] if isinstance(arg, int) else arg for arg in instruction.args)
            values.append(place(instruction.op, given, name))
        (out,) = body.outputs
        return values[out] if isinstance(out, int) else out

    values: list[Operand] = list(range(program.n_inputs))
    rounded = program.rounded()
    for position, instruction in enumerate(rounded.instructions):
        given = tuple(values[arg] if isinstance(arg, int) else arg for arg in instruction.args)
        name = program.names[position] if position < len(program.names) else ""
        values.append(place(instruction.op, given, name))
    outputs = tuple(values[out] if isinstance(out, int) else out for out in rounded.outputs)
    return annotated(without_idle_abs(Program(program.signature, tuple(instructions), outputs, tuple(names))))


def annotated(program: Program) -> Lowered:
    """A program whose ops all have rows or are reductions, with its rows and types."""
    found = {instruction.op: row_of(instruction.op) for instruction in program.instructions if instruction.op.reduction is None}
    rows = tuple(found.get(instruction.op) for instruction in program.instructions)
    return Lowered(program, rows, check_types(program))


def literal(value: float) -> str:
    """A float as an argument of an expression."""
    text = re.sub(r"e([+-])0", r"e\1", repr(value)).replace("inf", "math.inf").replace("nan", "math.nan")
    return f"({text})" if text.startswith("-") else text


def free_name(given: str, position: int, living: Collection[str], reserved: Collection[str]) -> str:
    """The given name where it is one, no living value has it and it is not reserved; else one of instruction `position`."""
    if given not in living and given not in reserved and re.fullmatch(r"[a-zA-Z]\w*", given):
        return given
    number = position + 1
    while f"t{number}" in living:
        number += 1
    return f"t{number}"


def plain(expression: str) -> str:
    """The expression without parentheses that people would not write; "x + (-2.0)" becomes "x - 2.0", with the same bits."""
    text = re.sub(r" \+ \(-([^()]+)\)", r" - \1", expression)
    text = re.sub(r" - \(-([^()]+)\)", r" + \1", text)
    return re.sub(r"(^|[(,*/<>=?:] ?)\((-[\w.+-]+)\)(?! \*\*|\.)", r"\1\2", text)
