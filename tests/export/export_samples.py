"""Programs and their export info for the tests of the exporters."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from evosearch.evaluation.target import ErrorMeasure, Target
from evosearch.export import ExportInfo
from evosearch.language.program import Program
from evosearch.language.text import parse
from evosearch.language.types import comparison
from primitives.arithmetic import CORE


def exp2(x: Any, m: Any) -> Any:
    return m.power(2, x)


EXP2 = Target("exp2", "2^x", exp2, "0", "1", ErrorMeasure.RELATIVE)

EXP2_PROGRAM = parse(
    """
def f(x):
    t0 = add(x, -3.4071170711604637)
    t1 = div(-8.22256877888296, t0)
    return add(-1.4142135623730967, t1)
""".strip(),
    CORE,
)
"""Largest relative error 8.70e-4."""

RATIO_PROGRAM = parse(
    """
def f(x):
    t0 = div(1.0, x)
    t1 = add(t0, 1.0)
    return div(1.0, t1)
""".strip(),
    CORE,
)
"""x / (1 + x), with an infinite intermediate at zero."""

RATIO = Target("ratio", "x/(1 + x)", lambda x, _: x / (1 + x), "0", "2", ErrorMeasure.RELATIVE)


def info(target: Target = EXP2, error_float64: float | None = 8.699e-4, **changes: Any) -> ExportInfo:
    fields: dict[str, Any] = {
        "run": "exp2-1",
        "program_id": 12,
        "seed": 1,
        "version": "0.1.0",
        "command": "evosearch run exp2 --seed 1",
        "target": target,
        "cost": 3.0,
        "error_real": error_float64,
        "error_float64": error_float64,
        "error_sampled": 8.697e-4,
    }
    return ExportInfo(**(fields | changes))


def load(text: str) -> ModuleType:
    """The module that the text defines."""
    module = ModuleType("exported")
    exec(compile(text, "exported.py", "exec"), module.__dict__)
    return module


def one_op(name: str) -> Program:
    """The op on x and a constant; a truth value chooses between two others."""
    calls = {1: f"{name}(x)", 2: f"{name}(x, -1.5)", 3: f"{name}(x, -1.5, x)"}
    line = f"return {calls[CORE[name].arity]}"
    if CORE[name].rule is comparison:
        line = f"t = {calls[2]}\n    return select(t, x, 0.25)"
    if name == "select":
        line = "t = lt(x, 1.5)\n    return select(t, -2.5, x)"
    return parse(f"def f(x):\n    {line}", CORE)
