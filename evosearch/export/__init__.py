"""Programs as source that stands alone: one small pure `render(program, info) -> str` a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from evosearch.errors import ExportError, nearest
from evosearch.export.c import render_c
from evosearch.export.info import Bound, ExportInfo, ReferencePoint, bound, reference_points
from evosearch.export.numba import render_numba
from evosearch.export.python import render_python
from evosearch.export.verify import VerifyReport, verify_export
from evosearch.language.program import Program

__all__ = [
    "SUFFIXES",
    "TARGETS",
    "Bound",
    "ExportInfo",
    "ReferencePoint",
    "VerifyReport",
    "bound",
    "reference_points",
    "render",
    "verify_export",
]

Renderer = Callable[[Program, ExportInfo], str]


def _render_proof(program: Program, info: ExportInfo) -> str:
    from evosearch.export.proof import render_proof  # needs python-flint; the other targets do not

    return render_proof(program, info)


TARGETS: Mapping[str, Renderer] = MappingProxyType(
    {"python": render_python, "numba": render_numba, "c": render_c, "proof": _render_proof}
)

SUFFIXES: Mapping[str, str] = MappingProxyType({"python": ".py", "numba": ".py", "c": ".h", "proof": ".sollya"})
"""How a file of a target is usually called."""


def render(program: Program, target: str, info: ExportInfo) -> str:
    """The source of `program` for a target of `TARGETS`.

    Raises:
        ExportError: for an unknown target, or a program that the target cannot express.
    """
    if target not in TARGETS:
        raise ExportError(f"unknown export target '{target}'.{nearest(target, TARGETS)}")
    return TARGETS[target](program, info)
