"""What is shown of update rules: their front by size, where the work went, one rule in detail."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from evosearch.evaluation.rates import rate_of
from evosearch.report.table import Member, aligned
from evosearch.search.store import StoredProgram

PAPER = {"cache hits": 0.891, "dead statements": 0.698}
"""Shares in the Lion paper (arXiv 2302.06675, section 2.2)."""


def live_table(front: Iterable[Member], _baseline: object = ()) -> list[str]:
    """size, fitness, and the loss over that of the better baseline; one line a rule."""
    rows = [["size", "fitness", "loss", "validation"]]
    rows += [[f"{m.cost:g}", fitness(m.error), ratio(m.error), ratio(validation(m.metrics))] for m in front]
    return aligned(rows)


def front_table(front: Iterable[Any], _baseline: object = ()) -> list[str]:
    """id, size, fitness on fresh seeds and in the race, loss over each baseline's, validation."""
    rows = [["id", "size", "fitness", "in the race", "loss / AdamW", "loss / Lion", "validation"]]
    for m in front:
        race = m.metrics.get("race") or [None]
        against = [ratio(m.metrics.get(name)) for name in ("adamw", "lion")]
        rows.append([str(m.id), f"{m.cost:g}", fitness(m.error), fitness(race[-1]), *against, ratio(validation(m.metrics))])
    return aligned(rows)


def validation(metrics: Mapping[str, Any]) -> float | None:
    """Log-ratio on the validation problems, where a rule was tried on them."""
    value = metrics.get("validation")
    return float(value) if isinstance(value, (int, float)) else None


def fitness(value: float | None) -> str:
    """A log-ratio with its sign, or "-" where unknown."""
    return "-" if value is None else f"{value:+.3f}"


def ratio(value: float | None) -> str:
    """The ratio of losses of a log-ratio, or "-" where unknown."""
    return "-" if value is None else f"{math.exp(value):.3f}x"


def short(member: Member) -> str:
    """The worth of a rule in a word."""
    return fitness(member.error)


def line(program: StoredProgram) -> str:
    """A rule in a line."""
    worth = f"fitness {fitness(program.error)} ({ratio(program.error)} the loss)"
    simplified = " before it was simplified" if program.metrics.get("rewritten") else ""
    return f"rule {program.id}, size {program.cost:g}, {worth}{simplified}"


def json_row(program: StoredProgram) -> dict[str, Any]:
    """What `show --json` says of a rule."""
    known = program.metrics
    return {
        "id": program.id,
        "size": program.cost,
        "fitness": _finite(program.error),
        **{name: known.get(name) for name in ("adamw", "lion", "accuracy", "proxies", "race", "p", "validation")},
        "program": program.text,
    }


def remarks(_front: Sequence[StoredProgram], counters: Mapping[str, float], seconds: float) -> list[str]:
    """Where the work went, beside the paper's shares."""
    valid, distinct = counters.get("valid", 0.0), counters.get("distinct", 0.0)
    if not valid:
        return []
    lines = ["fitness: logarithm of the validation loss over that of the better of tuned AdamW and Lion, on fresh seeds"]
    rate = distinct / max(seconds, 1e-9)
    trained = f"{distinct:,.0f} distinct and trained ({rate:,.0f}/s)"
    lines.append(f"{counters['proposals']:,.0f} proposals, {valid:,.0f} valid, {trained}")
    lines += [_shares(counters, valid), _stages(counters), *_refusals(counters)]
    if audited := counters.get("audited"):
        lines.append(f"of {audited:.0f} cache hits that were trained again, {counters.get('audit differs', 0.0):.0f} differ")
    return lines


def _shares(counters: Mapping[str, float], valid: float) -> str:
    hits = {name: counters.get(f"hits {name}", 0.0) for name in ("structure", "function")}
    dead = counters.get("dead", 0.0) / max(counters.get("statements", 0.0), 1.0)
    causes = ", ".join(f"{count / valid:.1%} by {name}" for name, count in hits.items())
    cache = f"cache hits {sum(hits.values()) / valid:.1%} ({causes}; the paper: {PAPER['cache hits']:.1%})"
    return f"{cache}, dead statements {dead:.1%} (the paper: {PAPER['dead statements']:.1%})"


def _stages(counters: Mapping[str, float]) -> str:
    """Where the race stopped candidates."""
    stopped = sorted((name, count) for name, count in counters.items() if name.startswith("stopped "))
    others = sum(counters.get(name, 0.0) for name in ("finished", "invalid training"))
    trained = max(sum(count for _, count in stopped) + others, 1.0)
    ended = [f"{count / trained:.1%} stopped by rung {name.split()[1]}" for name, count in stopped]
    ended += [f"{counters.get(name, 0.0) / trained:.1%} {name.split()[0]}" for name in ("finished", "invalid training")]
    return f"{', '.join(ended)}; {counters.get('entered', 0.0):.0f} entered, {counters.get('refused', 0.0):.0f} refused"


def _refusals(counters: Mapping[str, float]) -> list[str]:
    causes = {name.removeprefix("invalid "): count for name, count in counters.items() if name.startswith("invalid ")}
    causes.pop("training", None)
    shown = ", ".join(f"{name} {count:,.0f}" for name, count in sorted(causes.items()))
    return [f"drafts refused before any training: {shown}"] if shown else []


def inspection(_program: object, stored: StoredProgram, lineage: Sequence[StoredProgram], _baseline: object = ()) -> list[str]:
    """The lines that `inspect` prints of a rule."""
    known = stored.metrics
    lines = [f"rule {stored.id}   size {stored.cost:g}   fitness {fitness(stored.error)} ({ratio(stored.error)} the loss)", ""]
    lines += [*stored.text.rstrip().splitlines(), "", "on fresh seeds, loss over the better baseline's"]
    lines += [f"  {name:<16} {ratio(value)}" for name, value in (known.get("proxies") or {}).items()]
    for name, meaning in (("adamw", "over AdamW's"), ("lion", "over Lion's"), ("validation", "on validation problems")):
        lines.append(f"  {meaning:<16} {ratio(known.get(name))}")
    tuned = known.get("tuned") or {}
    lines += ["", "best learning rates, best first, and weight decay", *(f"  {k:<16} {_tuning(v)}" for k, v in tuned.items())]
    lines += ["", _confirmed(known.get("confirmation") or {}), "", "lineage, youngest first"]
    for rule in lineage:
        how = ", ".join(rule.operators) or "an initial rule"
        skipped = f", {rule.steps} steps between that were not kept" if rule.steps else ""
        origin = f"from {rule.parent} by " if rule.parent is not None else "by " if rule.operators else ""
        lines.append(f"  {rule.id:>5}  size {rule.cost:g}  fitness {fitness(rule.error)}  {origin}{how}{skipped}")
    return lines


def _tuning(tuned: Mapping[str, Any]) -> str:
    rates = ", ".join(f"{rate_of(exponent):.2g}" for exponent in tuned["rates"])
    return f"{rates:<28} {'as the rule has it' if tuned['decay'] is None else format(tuned['decay'], '.3g')}"


def _confirmed(found: Mapping[str, Any]) -> str:
    """What the reference backend says of it."""
    if not found:
        return "not confirmed by the reference backend"
    if found["refusal"] is not None:
        return f"refused by the reference backend: {found['refusal']}"
    losses = f"loss {found['loss']:.4g}, by the reference {found['loss_reference']:.4g}"
    return f"confirmed by the reference backend: {found['steps']} steps, largest difference {found['difference']:.2g}; {losses}"


def next_line(name: str, _run_file: str, _front: Sequence[StoredProgram], best: int) -> str:
    """What to type next."""
    return (
        f"next: evosearch inspect {name} {best} · evosearch assess {name} · "
        f"evosearch simplify {name} {best} · evosearch export {name} {best} --to torch -o rule.py"
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


COMPARED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "fitness": lambda row: fitness(row["fitness"]),
    "validation": lambda row: ratio(row["validation"]),
    "test ratio": lambda row: "{:.3f} [{:.3f}, {:.3f}] ".format(*row["test"]) + row["level"] if row["test"] else "not assessed",
}
"""Columns of a comparison of runs."""
