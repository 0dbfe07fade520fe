"""From a candidate to an entrant of the archive: polish, simplify, wrap, certify. Runs in a worker."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from evosearch.errors import ConfigError
from evosearch.evaluation.balls import UnsupportedError
from evosearch.evaluation.certify import Certificate, certify, certify_real
from evosearch.evaluation.meaning import steps
from evosearch.evaluation.region import region
from evosearch.evaluation.sampled import error_sampled
from evosearch.evaluation.target import ErrorMeasure, Target
from evosearch.language.infer import cost
from evosearch.language.op import OpSet
from evosearch.language.program import Program
from evosearch.search.algorithms import DENSE_POINTS
from evosearch.search.work import Problem, polished
from evosearch.winners.fitter import Fitter, target_points
from evosearch.winners.shorten import PAIR_DIGITS, harmless, to_digits
from evosearch.winners.simplify import Version, shortening, simplify

HARMLESS = 2e-5
"""By how much simplification may raise the certified error, relatively."""

_AT_POINTS = 0.8 * HARMLESS  # of that, what is used up at the dense points; the true maximum lies between them


class Confirming(Protocol):
    """What confirmation needs of a task."""

    @property
    def digits(self) -> int | None:
        """The most decimal digits of a constant; None where they do not matter."""

    def target(self) -> Target:
        """The function, the interval and the measure."""

    def wrap(self, core: Program, ops: OpSet) -> Program:
        """The whole program from the core, whose constants it has and no others."""

    def amend(self, program: Program) -> Program:
        """The program with constants moved to where the task's constraints hold, if they can be."""

    def unmet(self, program: Program) -> tuple[Any, ...]:
        """Constraints that the program does not meet."""


@dataclass(frozen=True)
class Judged:
    """A whole program and what is proven of it.

    Attributes:
        error: the certified real error, else the sampled one; inf where the program is refused.
        refusal: why it is no entrant, or None.
        unbounded: why the function or an op allows no certificate; None where they do.
    """

    program: Program
    certificate: Certificate
    error: float
    refusal: str | None
    unbounded: str | None = None


def confirm(problem: Problem, program: Program, task: Confirming, ops: OpSet) -> dict[str, Any]:
    """Make an entrant of a core program, or say why it is none.

    Args:
        problem: of the search that found it.
        program: over the core's variable, with least-squares constants.

    Returns:
        {"program", "cost", "error", "metrics"} of the whole program, or {"refused": reason}. The program is the simplest one
        that meets the constraints and whose error is above that of the polished one by no more than `HARMLESS`.
    """
    core, _ = polished(problem, program)
    whole = task.amend(task.wrap(core, ops))
    proof = certify_real(whole, task.target())
    if proof.has_pole:
        return {"refused": proof.reason}
    most = _error(whole, proof, task) * (1.0 + HARMLESS)
    for version in _simplest_first(problem, core, task, ops):
        judged = judge(task.wrap(version.program, ops), task)
        if judged.refusal is None and judged.error <= most:
            return _entrant(judged, version.steps, task, ops)
    judged = judge(whole, task)
    return _entrant(judged, (), task, ops) if judged.refusal is None else {"refused": judged.refusal}


def _error(program: Program, proof: Certificate, task: Confirming) -> float:
    """What a simpler program is compared with; inf where the program is no entrant itself."""
    if task.unmet(program):
        return math.inf
    if proof.error_real is None:
        return math.inf if _no_bound(program, task.target()) is None else error_sampled(program, task.target())
    return proof.error_real


def cut(program: Program, task: Any, ops: OpSet, digits: int) -> dict[str, Any]:
    """A whole program with constants of at most so many decimal digits, as what `confirm` returns.

    Raises:
        ConfigError: for a number of digits that is not from 1 to `PAIR_DIGITS`.
        ProgramError: where the program is too large for the kernels.
    """
    if not 1 <= digits <= PAIR_DIGITS:
        raise ConfigError(f"constants have from 1 to {PAIR_DIGITS} digits, got {digits}")
    fitter = Fitter(task.operations(ops), target_points(task.target(), DENSE_POINTS))
    short = to_digits(fitter, program, digits)
    judged = judge(short, task)
    return _entrant(judged, (), task, ops) if judged.refusal is None else {"refused": judged.refusal}


def _entrant(judged: Judged, done: tuple[str, ...], task: Confirming, ops: OpSet) -> dict[str, Any]:
    proof = judged.certificate
    sampled = judged.error if proof.error_real is None else error_sampled(judged.program, task.target())
    if not math.isfinite(sampled):
        return {"refused": "not finite at a sampled point"}
    metrics = {
        "error_real": proof.error_real,
        "error_float64": proof.error_float64,
        "error_sampled": sampled,
        "certificate": "certified" if judged.unbounded is None else f"sampled: {judged.unbounded}",
        "pieces": proof.pieces,
        "simplified": list(done),
    }
    return {"program": judged.program, "cost": cost(judged.program, ops), "error": judged.error, "metrics": metrics}


def _simplest_first(problem: Problem, core: Program, task: Confirming, ops: OpSet) -> Iterator[Version]:
    """Simpler forms of the core, constants moved to where the constraints hold, before and after their digits are cut."""
    dense, sparse = Fitter(problem.ops, problem.dense), Fitter(problem.ops, problem.fit)
    reduced = simplify(core, problem.ops, dense, sparse)
    for base in [reduced, Version(core, dense.error(core))] if reduced.steps else [reduced]:
        few = base.program if task.digits is None else to_digits(dense, base.program, task.digits)
        amended = few.with_constants(task.amend(task.wrap(few, ops)).constants)
        error = dense.error(amended)
        for short in reversed(harmless(dense, amended, _AT_POINTS)):
            line = shortening(amended, short, error, dense.error(short))
            yield Version(short, error, (*base.steps, line))
        yield replace(base, program=amended, error=error)


def judge(program: Program, task: Confirming) -> Judged:
    """What is proven of a whole program, and whether it may enter the archive.

    Where the function or an op allows no bound, the program may: its error is then sampled. Where a bound could be had and
    was not found, it may not.
    """
    unmet, target = task.unmet(program), task.target()
    if unmet:
        return Judged(program, Certificate(None, None), math.inf, f"does not meet {', '.join(map(str, unmet))}")
    certificate = certify(program, target)
    unbounded = None if certificate.error_real is not None else _no_bound(program, target)
    refusal = _refusal(program, target, certificate, unbounded)
    if refusal is not None:
        return Judged(program, certificate, math.inf, refusal, unbounded)
    error = error_sampled(program, target) if certificate.error_real is None else certificate.error_real
    return Judged(program, certificate, error, None, unbounded)


def _refusal(program: Program, target: Target, certificate: Certificate, unbounded: str | None) -> str | None:
    """Why a program may not enter the archive: a pole, an infinity, or a bound that could be had and was not found."""
    if certificate.has_pole or math.inf in (certificate.error_real, certificate.error_float64):
        return certificate.reason or certificate.float_reason or "not finite"
    if certificate.error_real is not None:
        return None
    return certificate.reason if unbounded is None else _own_pole(program, target)


def _no_bound(program: Program, target: Target) -> str | None:
    """Why the function or an op allows no rigorous bound; None where they do."""
    try:
        steps(program)
        region(target)
    except UnsupportedError as reason:
        return str(reason)
    return None


def _own_pole(program: Program, target: Target) -> str | None:
    """Why the program by itself is not known to be bounded; None also where an op has no rigorous meaning."""
    nothing = replace(target, function=_zero, error=ErrorMeasure.ABSOLUTE, weight=None)
    if _no_bound(program, nothing) is not None:
        return None
    size = certify(program, nothing)
    if size.error_real is None or size.has_pole or math.inf in (size.error_real, size.error_float64):
        return size.reason or size.float_reason or "not finite"
    return None


def _zero(_x: Any, m: Any) -> Any:
    return m.mpf(0)
