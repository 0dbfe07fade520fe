"""Programs as source that stands alone: one small pure `render(program, info) -> str` a target.

A function goes to the targets of `TARGETS`, an update rule to those of `RULE_TARGETS`, a policy to those of `POLICY_TARGETS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from evosearch.errors import ExportError, nearest
from evosearch.export.c import render_c
from evosearch.export.info import Bound, ExportInfo, ReferencePoint, bound, reference_points
from evosearch.export.numba import render_numba
from evosearch.export.policies import POLICY_TARGETS, PolicyInfo
from evosearch.export.python import render_python
from evosearch.export.rules.info import RuleInfo
from evosearch.export.rules.numpy import render_numpy, render_plain
from evosearch.export.rules.optax import render_optax
from evosearch.export.rules.torch import render_torch as render_rule_torch
from evosearch.export.torch import render_torch
from evosearch.export.verify import VerifyReport, verify_export
from evosearch.language.program import Program
from evosearch.search.policies.member import Policy

__all__ = [
    "POLICY_TARGETS",
    "RULE_TARGETS",
    "SUFFIXES",
    "TARGETS",
    "Bound",
    "ExportInfo",
    "PolicyInfo",
    "ReferencePoint",
    "RuleInfo",
    "VerifyReport",
    "bound",
    "reference_points",
    "render",
    "verify_export",
]

T = TypeVar("T")


def _render_proof(program: Program, info: ExportInfo) -> str:
    from evosearch.export.proof import render_proof  # needs python-flint; the other targets do not

    return render_proof(program, info)



TARGETS: Mapping[str, Callable[[Program, ExportInfo], str]] = MappingProxyType(
    {"python": render_python, "numba": render_numba, "torch": render_torch, "c": render_c, "proof": _render_proof}
)

RULE_TARGETS: Mapping[str, Callable[[Program, RuleInfo], str]] = MappingProxyType(
    {"torch": render_rule_torch, "optax": render_optax, "numpy": render_numpy, "python": render_plain}
)

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {"python": ".py", "numba": ".py", "numpy": ".py", "torch": ".py", "optax": ".py", "c": ".h", "proof": ".sollya"}
)
"""How a file of a target is usually called."""


def render(program: Program | Policy, target: str, info: ExportInfo | RuleInfo | PolicyInfo) -> str:
    """The source of `program` for a target: of TARGETS with an ExportInfo, RULE_TARGETS with a RuleInfo, or of POLICY_TARGETS.

    Raises:
        ExportError: for an unknown target, one that does not fit, or a program that the target cannot express.
    """
    if isinstance(program, Policy):
        assert isinstance(info, PolicyInfo)
        return _renderer(target, POLICY_TARGETS, "a policy")(program, info)
    if isinstance(info, RuleInfo):
        return _renderer(target, RULE_TARGETS, "an update rule")(program, info)
    assert isinstance(info, ExportInfo)
    return _renderer(target, TARGETS, "a function")(program, info)


def _renderer(target: str, mine: Mapping[str, T], what: str) -> T:
    if target in mine:
        return mine[target]
    if target in {*TARGETS, *RULE_TARGETS, *POLICY_TARGETS}:
        raise ExportError(f"{what} cannot be exported to {target}; it can to {', '.join(mine)}")
    raise ExportError(f"unknown export target '{target}'.{nearest(target, mine)}")
