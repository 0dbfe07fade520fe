"""From what a run keeps of a policy to what its exported file says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from evosearch import __version__
from evosearch.errors import ExportError
from evosearch.export.policies.info import PolicyInfo
from evosearch.search.config import RunConfig
from evosearch.search.policies.elite import test_seeds
from evosearch.search.policies.member import Policy
from evosearch.search.policies.portable import PortableTask
from evosearch.search.policies.settings import PolicySettings
from evosearch.search.policies.task import PolicyTask
from evosearch.search.store import StoredProgram

PLAYED = 10
"""Episodes of `--play`, where they differ."""


def policy_info(
    run: str,
    config: RunConfig,
    meta: Mapping[str, Any],
    program: StoredProgram,
    policy: Policy,
    weights_file: str | None = None,
) -> PolicyInfo:
    """What is said of a policy of a run.

    Raises:
        ExportError: where the task does not say how its policies are exported.
    """
    task = config.load_task()
    if not isinstance(task, PortableTask):
        remedy = f"its genome is a line of text: evosearch inspect {run} {program.id}"
        raise ExportError(f"policy {program.id} cannot be written: its task has no method `portable`, which says how; {remedy}")
    known, noisy = program.metrics, cast(PolicyTask, task).traits().noisy
    rows = [("score", _mean({"mean": known["score"], "episodes": known["validation"]["episodes"]}, "validation"))]
    rows += [("test", _mean(known["test"], "test"))] if noisy else []
    if policy.genome is not None:
        small, large = known["genome_bytes"], known["weight_bytes"]
        rows.append(("genome", f"{small:,} bytes for {large:,} bytes of weights"))
    return PolicyInfo(
        run=run,
        program_id=program.id,
        seed=config.search.seed,
        version=str(meta.get("version", __version__)),
        command=str(meta.get("command", "")),
        task=str(meta["task"]),
        rows=tuple(rows),
        portable=task.portable(policy.weights()),
        played=test_seeds(cast(PolicySettings, config.search), noisy)[0],
        episodes=PLAYED if noisy else 1,
        known=_mean(known["test"], "test"),
        weights_file=weights_file,
    )


def _mean(spread: Mapping[str, Any], use: str) -> str:
    """Such as "497.3 (495.1 to 499.5) in 100 test episodes"."""
    if spread["mean"] is None:
        return f"unknown, for one of {spread['episodes']} {use} episodes failed"
    interval = "" if spread.get("low") is None else f" ({spread['low']:.6g} to {spread['high']:.6g})"
    plural = "s" if spread["episodes"] > 1 else ""
    return f"{spread['mean']:.6g}{interval} in {spread['episodes']} {use} episode{plural}"
