"""Kernel modules: typed Python files whose functions are compiled together with an op set's interpreter.

A function decorated with `kernel` stays plain Python where its module is imported, so that it is typed, tested and
debugged as such. `assemble` writes the interpreter and each kernel module to a generated file of its own, where `kernel`
means `njit`. A file imports what it calls from the earlier ones by their names, which hold hashes of their contents: Numba's
cache cannot go stale, and what two sets of kernels share is compiled once.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import re
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from evosearch.backends.cache import load_kernel_module
from evosearch.backends.emit import fill
from evosearch.backends.encode import CONST_BASE, INPUT_BASE, TEMP_BASE
from evosearch.backends.vm import vm_source
from evosearch.errors import ConfigError
from evosearch.language.op import Op, OpSet

F = TypeVar("F", bound=Callable[..., Any])
_INTRINSICS = ("evosearch.backends.blocks", "evosearch.backends.tiles", "evosearch.backends.words")
"""Imports of kernel modules that stay in the generated file, with the hash of what they import."""
_DEFINITION = re.compile(r"^def (\w+)|^((?:\w+, )*\w+) = ", re.MULTILINE)
_DECORATOR = '@njit(cache=True, error_model="numpy")'
_HEAD = """\
from __future__ import annotations

import numpy as np
from numba import njit
from evosearch.backends.simd import LANES, dot, out_of_line
"""


def kernel(function: F) -> F:
    """Mark a function of a kernel module; `assemble` compiles it."""
    return function


def assemble(
    ops: OpSet, modules: tuple[str, ...], name: str, interpreter: Callable[[OpSet], str] = vm_source
) -> ModuleType:
    """An op set's interpreter, its tables and the named kernel modules, in this order, compiled, as one space of names.

    `interpreter` is `vm_source` for programs over points, `span_source` for update rules.
    """
    return _assemble_ops(ops.ops, modules, name, interpreter)


@functools.lru_cache(maxsize=16)  # writing the source takes milliseconds, and a candidate asks for it several times
def _assemble_ops(
    ops: tuple[Op, ...], modules: tuple[str, ...], name: str, interpreter: Callable[[OpSet], str]
) -> ModuleType:
    _refuse_same_names(modules)
    table, linked, homes = OpSet(name, ops), ModuleType(name), dict[str, str]()
    files = [("vm", "", interpreter(table)), ("tables", _HEAD, f"\n{_tables(table)}\n")]
    files += [(module.rpartition(".")[2], _HEAD, f"\n{_body(module)}\n") for module in modules]
    for file, head, body in files:
        tree = ast.parse(head + body)
        own = _bound(tree)
        read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & homes.keys() - own
        links = "".join(f"from {homes[name]} import {name}\n" for name in sorted(read))
        module = load_kernel_module(head + links + body, file)
        homes.update(dict.fromkeys(own, module.__name__))
        vars(linked).update((name, getattr(module, name)) for name in own)
    return linked


def _bound(tree: ast.Module) -> set[str]:
    """The names that a file defines or imports."""
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found


@functools.cache
def compile_modules(modules: tuple[str, ...], name: str) -> ModuleType:
    """One compiled module of the named kernel modules alone, for kernels that run no programs."""
    return load_kernel_module("\n\n".join([_HEAD.rstrip(), *(_body(module) for module in modules)]) + "\n", name)


def _refuse_same_names(modules: tuple[str, ...]) -> None:
    """All kernel modules of a set share one space of names, in which the last of two definitions would win."""
    owner: dict[str, str] = {}
    for module in modules:
        for function, constants in _DEFINITION.findall(_body(module)):
            for name in (function or constants).split(", "):
                if owner.setdefault(name, module) != module:
                    raise ConfigError(f"kernel modules {owner[name]} and {module} both define '{name}'; rename one of the two")


@functools.cache  # a slice asks for its kernels; a process goes on with the source that it started with
def _body(module: str) -> str:
    """A module's constants and kernels as source, with `kernel` replaced by `njit`; the rest stays where it is."""
    source = inspect.getsource(import_module(module))
    lines = source.splitlines()
    parts = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and any(isinstance(d, ast.Name) and d.id == "kernel" for d in node.decorator_list):
            first = node.body[1] if ast.get_docstring(node) else node.body[0]
            head, body = lines[node.lineno - 1 : first.lineno - 1], lines[first.lineno - 1 : node.end_lineno]
            parts.append("\n".join(["\n", _DECORATOR, *head, "    out_of_line()", *body]))
        elif isinstance(node, ast.ImportFrom) and node.module in _INTRINSICS:
            parts.append("\n".join([*lines[node.lineno - 1 : node.end_lineno], f"# {node.module} {_digest(node.module)}"]))
        elif isinstance(node, ast.Assign) and all(map(_is_constant, _values(module, node))):
            parts.append("\n".join(lines[node.lineno - 1 : node.end_lineno]))
    return "\n".join(parts)


def _values(module: str, node: ast.Assign) -> list[Any]:
    """What the names that an assignment sets hold."""
    names = [name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    return [getattr(import_module(module), name, None) for name in names]


def _is_constant(value: Any) -> bool:
    """Whether kernels can use it; a type alias or an object of the module's own cannot be pasted."""
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return isinstance(value, int | float | str | np.ndarray | np.generic)


def _digest(module: str) -> str:
    return hashlib.sha256(inspect.getsource(import_module(module)).encode()).hexdigest()[:16]


def _tables(ops: OpSet) -> str:
    """What variation knows of the ops, as constants and two small kernels: from the rows of the op table alone."""
    rows = list(ops)
    names = [op.name for op in rows]
    constants = {
        "INPUT_BASE": INPUT_BASE,
        "CONST_BASE": CONST_BASE,
        "TEMP_BASE": TEMP_BASE,
        "N_OPS": len(rows),
        "ADD": names.index("add") if "add" in names else -1,
        "SUB": names.index("sub") if "sub" in names else -1,
        "MUL": names.index("mul") if "mul" in names else -1,
        "DIV": names.index("div") if "div" in names else -1,
    }
    arrays = {
        "ARITY": [op.arity for op in rows],
        "COMMUTES": [int(op.commutative) for op in rows],
        "FAMILY": [_family(op) for op in rows],
    }
    text = "\n".join(f"{key} = {value}" for key, value in constants.items()) + "\n"
    text += "\n".join(f"{key} = np.array({value}, np.int64)" for key, value in arrays.items()) + "\n"
    neutral = [[_number(op.neutral[k] if k < len(op.neutral) else None) for k in range(3)] for op in rows]
    text += f"NEUTRAL = np.array({neutral}, np.float64)\n\n\n".replace("nan", "np.nan")
    return text + _inverse(rows)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _family(op: Op) -> int:
    """1 additive, 2 multiplicative, 0 neither: two constants in a chain of one family fold into one."""
    known = {value for value in op.neutral if value is not None}
    return {frozenset({0.0}): 1, frozenset({1.0}): 2}.get(frozenset(known), 0)


def _inverse(rows: list[Op]) -> str:
    """`inverse(op, k, r, other)`: argument k of a binary op from its result and its other argument; k = 2: both are equal."""
    lines = [_DECORATOR, "def inverse(op, k, r, other):"]
    for code, op in enumerate(rows):
        for k, template in enumerate(op.inverse):
            if template is not None:
                names = {"r": "r", "g": "g", "a": "other", "b": "other", "c": "other"}
                lines += [f"    if op == {code} and k == {k}:", f"        return {fill(template, names)}"]
    return "\n".join([*lines, "    return np.nan"])


