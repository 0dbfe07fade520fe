"""One program of a run, laid out for a reader: text, formula, coefficients, errors, lineage."""

from __future__ import annotations

from collections.abc import Sequence

from evosearch.language.program import Program
from evosearch.report.formula import formula
from evosearch.report.table import Classical, best_classical, gain, scientific
from evosearch.search.store import StoredProgram

_MEANINGS = {
    "error_real": "coefficients as they are, exact arithmetic",
    "error_float64": "coefficients in float64, every operation rounded",
    "error_sampled": "largest at the sampled points",
}


def inspection(program: Program, stored: StoredProgram, lineage: Sequence[StoredProgram], classical: Classical) -> list[str]:
    """The lines that `inspect` prints."""
    certified = stored.certified_error is not None
    verdict = "certified on the whole interval" if certified else "sampled: there is no certificate for this program"
    lines = [f"program {stored.id}   cost {stored.cost:g}   error {stored.error:.6e}   {verdict}", ""]
    lines += [*stored.text.rstrip().splitlines(), "", *formula(program).splitlines(), ""]
    lines += _coefficients(program) + _errors(stored)
    best = best_classical(classical, stored.cost)
    if best:
        error, form = best
        lines += [f"best classical program of this cost: {scientific(error)} ({form}); gain {gain(error, stored.error)}", ""]
    return lines + _simplified(stored) + _lineage(lineage)


def _coefficients(program: Program) -> list[str]:
    constants = list(dict.fromkeys(program.constants))
    if not constants:
        return []
    width = max(len(str(constant)) for constant in constants)
    rows = [f"  c{k}  {c!s:<{width}}  float64 {c.hi!r} = {c.hi.hex()}" for k, c in enumerate(constants)]
    return ["coefficients", *rows, ""]


def _errors(stored: StoredProgram) -> list[str]:
    lines = ["errors"]
    for name, meaning in _MEANINGS.items():
        value = stored.metrics.get(name)
        kind = "sampled" if name == "error_sampled" else "certified" if value is not None else "no certificate"
        lines.append(f"  {name:<14} {'-' if value is None else f'{value:.6e}':>12}  {kind}; {meaning}")
    for name in sorted(set(stored.metrics) - set(_MEANINGS) - {"simplified"}):
        lines.append(f"  {name:<14} {stored.metrics[name]}")
    return [*lines, ""]


def _simplified(stored: StoredProgram) -> list[str]:
    steps = stored.metrics.get("simplified", ())
    return ["simplified, errors at the sampled points", *(f"  {step}" for step in steps), ""] if steps else []


def _lineage(lineage: Sequence[StoredProgram]) -> list[str]:
    lines = ["lineage, youngest first"]
    for program in lineage:
        how = ", ".join(program.operators) or "the start"
        skipped = f", {program.steps} steps between that were not kept" if program.steps else ""
        origin = f"from {program.parent} by " if program.parent is not None else "by " if program.operators else ""
        lines.append(f"  {program.id:>5}  cost {program.cost:g}  error {scientific(program.error)}  {origin}{how}{skipped}")
    return lines
