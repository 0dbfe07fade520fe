"""What `evosearch replay` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evosearch.report.policies import genes


def replayed(result: Mapping[str, Any]) -> list[str]:
    """The policy that was rebuilt, its weights and its score beside what the run kept."""
    name = f"policy {result['id']}" if result["id"] is not None else "an ancestor that was not archived"
    lines = [f"{name}, {genes(result['genes'])}"]
    if result["genome"] is not None:
        lines.append(f"genome   {result['genome']}")
    known = result["stored_weights"]
    verdict = "no hash was stored" if known is None else "as stored" if result["same_weights"] else f"DIFFERENT, stored {known}"
    lines.append(f"weights  {result['weights']}   {verdict}")
    stored = result["stored_score"]
    played = f"{result['episodes']} {result['use']} episode{'s' if result['episodes'] > 1 else ''}"
    if stored is None:
        verdict = "no score was stored"
    elif result["same_score"]:
        verdict = "as stored"
    else:
        verdict = f"stored {stored!r}; scores are the same on the same machine and libraries only"
    return [*lines, f"score    {result['score']!r} in {played}   {verdict}"]
