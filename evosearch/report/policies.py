"""What is shown of policies: elites by the number of their mutations, frames by kind, one genome in detail."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from evosearch.report.table import Member, aligned
from evosearch.search.store import StoredProgram

USES = ("training", "validation", "test")
LATEST = 12
"""So many elites fit on a screen."""


def live_table(front: Iterable[Member], _baseline: object = ()) -> list[str]:
    """genes, score, test mean, generation; one line a policy, the latest ones."""
    rows = [["genes", "score", "test mean", "generation", "solved"]]
    for m in list(front)[-LATEST:]:
        known = m.metrics
        rows.append([f"{m.cost:g}", score(known["score"]), _test(known), str(known["generation"]), _yes(known["solved"])])
    return aligned(rows)


def front_table(front: Iterable[Any], _baseline: object = ()) -> list[str]:
    """id, genes, bytes of the genome, score of selection, test mean with its interval, generation, frames until then."""
    rows = [["id", "genes", "bytes", "score", "test mean", "generation", "frames", "solved"]]
    for m in front:
        known = m.metrics
        size, spent = _number(known["genome_bytes"]), f"{sum(known['frames'].values()):,}"
        shown = [score(known["score"]), _test(known), str(known["generation"]), spent, _yes(known["solved"])]
        rows.append([str(m.id), f"{m.cost:g}", size, *shown])
    return aligned(rows)


def score(value: float | None) -> str:
    """Six digits, or "-" where unknown."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.6g}"


def short(member: Member) -> str:
    """The worth of a policy in a word."""
    return score(member.metrics["score"])


def line(program: StoredProgram) -> str:
    """A policy in a line."""
    return f"policy {program.id}, {genes(program.cost)}, score {short(program)}"


def genes(count: float) -> str:
    """Such as "1 gene"."""
    return f"{count:g} gene{'' if count == 1 else 's'}"


def json_row(program: StoredProgram) -> dict[str, Any]:
    """What `show --json` says of a policy."""
    names = ("score", "solved", "generation", "frames", "validation", "test", "human_normalised", "weights")
    known = program.metrics
    return {
        "id": program.id,
        "genes": program.cost,
        **{name: known.get(name) for name in names},
        "genome_bytes": known.get("genome_bytes"),
        "weight_bytes": known.get("weight_bytes"),
        "genome": program.json.get("genome"),
    }


def extra_json(front: Sequence[StoredProgram], counters: Mapping[str, float]) -> dict[str, Any]:
    """Of the whole run: whether the task is solved, frames by kind, the elite's test mean with its interval."""
    elite = front[-1].metrics if front else {}
    return {
        "solved": elite.get("solved", False),
        "frames": {use: int(counters.get(f"frames {use}", 0.0)) for use in USES},
        "generations": int(counters.get("generations", 0.0)),
        "failed_episodes": int(counters.get("failed episodes", 0.0)),
        "test": elite.get("test"),
        "human_normalised": elite.get("human_normalised"),
    }


def remarks(front: Sequence[StoredProgram], counters: Mapping[str, float], seconds: float) -> list[str]:
    """Frames by kind, failures, and whether validation counts the task as solved."""
    counts = {use: counters.get(f"frames {use}", 0.0) for use in USES}
    kinds = ", ".join(f"{count:,.0f} {use}" for use, count in counts.items())
    rate = sum(counts.values()) / max(seconds, 1e-9)
    lines = [f"frames: {kinds} ({rate:,.0f}/s); {counters.get('generations', 0.0):,.0f} generations"]
    if failed := counters.get("failed episodes", 0.0):
        lines.append(f"{failed:,.0f} episodes failed in the environment, and with them their candidates")
    if front and front[-1].metrics["solved"] is not None:
        lines.append(f"the task is {'' if front[-1].metrics['solved'] else 'not '}solved")
    return lines


def inspection(policy: Any, stored: StoredProgram, lineage: Sequence[StoredProgram], _baseline: object = ()) -> list[str]:
    """The lines that `inspect` prints of a policy."""
    known = stored.metrics
    lines = [f"policy {stored.id}   score {score(known['score'])}   generation {known['generation']}", ""]
    if policy.genome is not None:
        small, large = known["genome_bytes"], known["weight_bytes"]
        lines += _wrapped(policy.genome.to_text(policy.layout))
        lines += ["", f"genome {small:,} bytes for {large:,} bytes of weights, {large / small:,.1f} times smaller"]
        lines += [f"{genes(len(policy.genome.genes))} of power {policy.genome.sigma:g}"]
    else:
        lines += [f"{policy.layout.size:,} weights of an evolution strategy, which has no genome"]
    lines += [f"SHA-256 of the weights {known['weights']}"]
    lines += ["weights are the same on every machine; scores are where the environment computes the same", ""]
    lines += [f"  {layer.name:<16} {'x'.join(map(str, layer.shape)):>12}" for layer in policy.layout.layers]
    lines += ["", *(_spread_line(name, known[name]) for name in ("validation", "test"))]
    if known.get("human_normalised") is not None:
        lines.append(f"human-normalised {known['human_normalised']:.1%} (0%: a random player, 100%: a human)")
    lines += ["frames until then: " + ", ".join(f"{known['frames'][use]:,} {use}" for use in USES), ""]
    lines.append("lineage, youngest first")
    for one in lineage:
        skipped = f", {one.steps} mutations between that were not kept" if one.steps else ""
        origin = f"from {one.parent} by {', '.join(one.operators)}" if one.parent is not None else ", ".join(one.operators)
        lines.append(f"  {one.id:>5}  genes {one.cost:g}  score {score(one.metrics['score'])}  {origin}{skipped}")
    return lines


def next_line(name: str, _run_file: str, _front: Sequence[StoredProgram], best: int) -> str:
    """What to type next."""
    export = f"evosearch export {name} {best} --to torch -o policy.py"
    return f"next: evosearch inspect {name} {best} · evosearch show {name} --picture scores.png · {export}"


def _test(known: Mapping[str, Any]) -> str:
    test = known["test"]
    if test["mean"] is None:
        return "failed"
    half = "" if test["low"] is None else f" ± {score((test['high'] - test['low']) / 2.0)}"
    return score(test["mean"]) + half


def _spread_line(name: str, known: Mapping[str, Any]) -> str:
    interval = "" if known["low"] is None else f", 95% interval {score(known['low'])} to {score(known['high'])}"
    played = f"{known['episodes']} episode{'s' if known['episodes'] > 1 else ''}"
    return f"{name:<10} {played}, mean {score(known['mean'])}{interval}, least {score(known['least'])}"


def _wrapped(text: str, width: int = 100) -> list[str]:
    return [text[start : start + width] for start in range(0, len(text), width)]


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _yes(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


COMPARED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "frames": lambda row: f"{row['work']:,}",
    "score": lambda row: score(row["score"]),
    "test mean": lambda row: "-" if row["test"] is None else _test(row),
    "human-normalised": lambda row: "" if row["human_normalised"] is None else f"{row['human_normalised']:.1%}",
    "solved": lambda row: _yes(row["solved"]),
}
"""Columns of a comparison of runs."""
