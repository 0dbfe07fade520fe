"""From a candidate to an entrant of the archive: polish, simplify, wrap, certify. Runs in a worker."""

from __future__ import annotations

import math
from typing import Any, Protocol

from evosearch.evaluation.certify import certify
from evosearch.evaluation.sampled import error_sampled
from evosearch.evaluation.target import Target
from evosearch.language.infer import cost
from evosearch.language.op import OpSet
from evosearch.language.program import Program
from evosearch.search.work import Problem, polished


class Confirming(Protocol):
    """What confirmation needs of a task."""

    def target(self) -> Target:
        """The function, the interval and the measure."""

    def wrap(self, core: Program, ops: OpSet) -> Program:
        """The whole program from the core."""

    def amend(self, program: Program) -> Program:
        """The program with constants moved to where the task's constraints hold, if they can be."""

    def unmet(self, program: Program) -> tuple[Any, ...]:
        """Constraints that the program does not meet."""


def confirm(problem: Problem, program: Program, task: Confirming, ops: OpSet) -> dict[str, Any]:
    """Make an entrant of a core program, or say why it is none.

    Args:
        problem: of the search that found it.
        program: over the core's variable, with least-squares constants.

    Returns:
        {"program", "cost", "error", "metrics"} of the whole program, or {"refused": reason}.
    """
    core, _ = polished(problem, program)
    whole = task.amend(task.wrap(core, ops))
    unmet = task.unmet(whole)
    if unmet:
        return {"refused": f"does not meet {', '.join(str(constraint) for constraint in unmet)}"}
    target = task.target()
    certificate = certify(whole, target)
    if certificate.has_pole or certificate.error_float64 == math.inf:
        return {"refused": certificate.reason or certificate.float_reason or "not finite"}
    sampled = error_sampled(whole, target)
    if not math.isfinite(sampled):
        return {"refused": "not finite at a sampled point"}
    error = sampled if certificate.error_real is None else certificate.error_real
    metrics = {
        "error_real": certificate.error_real,
        "error_float64": certificate.error_float64,
        "error_sampled": sampled,
        "certificate": "certified" if certificate.error_real is not None else f"sampled: {certificate.reason}",
        "pieces": certificate.pieces,
    }
    return {"program": whole, "cost": cost(whole, ops), "error": error, "metrics": metrics}
