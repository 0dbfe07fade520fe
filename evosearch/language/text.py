"""The text form of programs: Python syntax, read by `ast` against an op table and never executed.

One call a line, constants in place::

    def f(x):
        t0 = add(x, 3.5)
        return div(2.25, t0)
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from evosearch.errors import ProgramError, nearest
from evosearch.language.infer import check_types
from evosearch.language.op import OpSet
from evosearch.language.program import (
    Const,
    Instruction,
    Operand,
    Program,
    Signature,
    Variable,
    function_signature,
)
from evosearch.language.types import Type

Header = Callable[[str, tuple[str, ...]], Signature]
"""From the name of a function and of its inputs to a signature; raises ProgramError where they do not make one."""


def to_text(program: Program) -> str:
    """The program as text; `parse` reads it back to an equal program."""
    names = [variable.name for variable in program.signature.inputs]
    last = len(program.instructions) - 1
    lines = [f"def {program.signature.name}({', '.join(names)}):"]

    def show(operand: Operand) -> str:
        return names[operand] if isinstance(operand, int) else str(operand)

    for position, instruction in enumerate(program.instructions):
        call = f"{instruction.op.name}({', '.join(show(arg) for arg in instruction.args)})"
        if position == last and program.outputs == (program.n_inputs + last,):
            return "\n".join([*lines, f"    return {call}"]) + "\n"
        names.append(_name(program, position, names))
        lines.append(f"    {names[-1]} = {call}")
    return "\n".join([*lines, f"    return {', '.join(show(out) for out in program.outputs)}"]) + "\n"


def _name(program: Program, position: int, taken: list[str]) -> str:
    """The given name where it hides no value that is read later, else the first free `t<k>`."""
    if position < len(program.names) and program.names[position]:
        name = program.names[position]
        if name not in taken or not _read_later(program, _holder(taken, name), position):
            return name
    k = position
    while f"t{k}" in taken:
        k += 1
    return f"t{k}"


def _holder(names: list[str], name: str) -> int:
    return len(names) - 1 - names[::-1].index(name)


def _read_later(program: Program, value: int, position: int) -> bool:
    later = program.instructions[position + 1 :]
    return value in program.outputs or any(value in instruction.args for instruction in later)


def parse(text: str, ops: OpSet, signature: Signature | Header | None = None) -> Program:
    """Read program text.

    Args:
        text: one function definition; see the module's example.
        ops: the ops that may be called.
        signature: what the program must take and return, or how that follows from its first line; without it, real inputs
            as named and one real output.

    Raises:
        ProgramError: with the line, the cause and what to do.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ProgramError(f"not valid syntax: {getattr(error, 'msg', error)}", getattr(error, "lineno", None)) from None
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef):
        raise ProgramError("a program is one function definition: def NAME(INPUTS): ...", 1)
    definition = tree.body[0]
    signature = _signature(definition, signature)
    reader = _Reader(text, ops, signature)
    *body, final = definition.body
    for statement in body:
        reader.assignment(statement)
    if not isinstance(final, ast.Return) or final.value is None:
        raise ProgramError("the last line must return the outputs, as in: return t3", final.lineno)
    outputs = reader.result(final)
    names = tuple(reader.names)
    if len(outputs) != len(signature.outputs):
        listed = ", ".join(variable.name for variable in signature.outputs)
        wanted, as_in = len(signature.outputs), f", as in: return {listed}" if len(signature.outputs) > 1 else ""
        raise ProgramError(f"'{signature.name}' must return {wanted} values, got {len(outputs)}{as_in}", final.lineno)
    program = Program(signature, tuple(reader.instructions), outputs, names)
    check_types(program, reader.lines)
    return program


def _signature(definition: ast.FunctionDef, wanted: Signature | Header | None) -> Signature:
    arguments = definition.args
    plain = not (arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults or arguments.posonlyargs)
    if not plain or definition.decorator_list:
        raise ProgramError("inputs must be plain names, without defaults or decorators", definition.lineno)
    names = tuple(argument.arg for argument in arguments.args)
    if wanted is None:
        if not names:
            raise ProgramError("a program takes at least one input", definition.lineno)
        return Signature(definition.name, tuple(Variable(name) for name in names), function_signature().outputs)
    if not isinstance(wanted, Signature):
        try:
            return wanted(definition.name, names)
        except ProgramError as error:
            raise ProgramError(str(error), definition.lineno) from None
    if len(names) != len(wanted.inputs):
        expected = ", ".join(variable.name for variable in wanted.inputs)
        raise ProgramError(f"inputs must be ({expected}), got ({', '.join(names)})", definition.lineno)
    inputs = tuple(Variable(name, variable.type) for name, variable in zip(names, wanted.inputs, strict=True))
    return Signature(definition.name, inputs, wanted.outputs)


class _Reader:
    """Turns statements into instructions; keeps which value each name holds."""

    def __init__(self, text: str, ops: OpSet, signature: Signature) -> None:
        self._source = text.encode().splitlines()  # a literal may have more digits than ast keeps
        self.ops = ops
        self.values = {variable.name: number for number, variable in enumerate(signature.inputs)}
        if len(self.values) != len(signature.inputs):
            raise ProgramError("two inputs have the same name", 1)
        self.instructions: list[Instruction] = []
        self.names: list[str] = []
        self.lines: list[int] = []
        self._offset = len(signature.inputs)
        keeps = any(variable.type is Type.ARRAY for variable in signature.outputs)
        self._about_state = " What lives from step to step must be an input and be returned." if keeps else ""

    def assignment(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
                value = self.call(call)
                self.names[-1] = name
                self.values[name] = value
            case ast.Assign(targets=[ast.Name(id=name)]):
                self.values[name] = self._variable_only(statement.value, statement.lineno)
            case _:
                raise ProgramError("each line must be 'NAME = OP(ARGUMENTS)'", statement.lineno)

    def _variable_only(self, node: ast.expr, line: int) -> int:
        operand = self.operand(node, line)
        if isinstance(operand, Const):
            raise ProgramError("a constant stands in place: write it as an argument of an op", line)
        return operand

    def call(self, call: ast.Call) -> int:
        line = call.lineno
        if not isinstance(call.func, ast.Name) or call.keywords:
            raise ProgramError("an op is called by its plain name with positional arguments", line)
        try:
            op = self.ops[call.func.id]
        except ProgramError as error:
            raise ProgramError(str(error), line) from None
        if len(call.args) != op.arity:
            raise ProgramError(f"{op.name} takes {op.arity} arguments, got {len(call.args)}", line)
        args = tuple(self.operand(arg, line) for arg in call.args)
        self.instructions.append(Instruction(op, args))
        self.names.append("")
        self.lines.append(line)
        return self._offset + len(self.instructions) - 1

    def operand(self, node: ast.expr, line: int) -> Operand:
        match node:
            case ast.Name(id=name) if name in self.values:
                return self.values[name]
            case ast.Name(id=name) if name in self.ops.constants:
                return Const(self.ops.constants[name])
            case ast.Name(id=name):
                hint = nearest(name, self.values)
                raise ProgramError(f"'{name}' is read before it is assigned.{hint}{self._about_state}", line)
            case ast.Constant():
                return self._constant(node, "", line)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as inner):
                return self._constant(inner, "-", line)
            case ast.Call():
                raise ProgramError("one call a line: give the inner call a name of its own", line)
        raise ProgramError("an argument must be a name or a decimal constant", line)

    def _constant(self, node: ast.Constant, sign: str, line: int) -> Const:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            raise ProgramError(f"{node.value!r} is not a number", line)
        literal = self._source[node.lineno - 1][node.col_offset : node.end_col_offset].decode()
        try:
            return Const.parse(sign + literal)
        except ProgramError as error:
            raise ProgramError(str(error), line) from None

    def result(self, statement: ast.Return) -> tuple[Operand, ...]:
        node = statement.value
        assert node is not None
        if isinstance(node, ast.Call):
            return (self.call(node),)
        nodes = node.elts if isinstance(node, ast.Tuple) else [node]
        return tuple(self.operand(element, statement.lineno) for element in nodes)
