"""The pictures of a search for policies: scores by frames, and what a task draws of behaviours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np

from evosearch.report.pictures import DrawnRun
from evosearch.search.policies.breeding import archived
from evosearch.search.policies.settings import PolicySettings


def policy_curve(run: DrawnRun, id: int, path: Path) -> None:
    """What the task draws of a policy among all behaviours of its run; scores by frames where it draws nothing."""
    task, settings = run.task(), cast(PolicySettings, run.config.search)
    kept = run.evaluations_kept()
    if not (hasattr(task, "draw") and kept):
        return policy_front(run, path)
    from evosearch.report.plots import picture

    places = np.array([(*one.scores[1:], np.nan, np.nan)[:2] for one in kept])
    per = children(settings)
    generation = np.arange(len(kept)) // per
    memory = np.zeros(len(kept), bool)
    if settings.algorithm in ("novelty", "blend"):
        for number in range(len(kept) // per):
            memory[number * per : (number + 1) * per] = archived(settings, number, per)
    stored = run.program(id)
    with picture(path, (7.2, 6.4)) as axes:
        task.draw(axes, places, generation, memory, run.load(stored).weights())
        score, last = stored.metrics["score"], int(generation[-1])
        axes.set_title(f"{settings.algorithm}, policy {id}, score {score:.4g}; {last + 1} generations", fontsize=10)
    return None


def policy_front(run: DrawnRun, path: Path) -> None:
    """Best and median score of each generation, and the elites' tests, by frames of training."""
    from evosearch.report.plots import plot_scores

    settings = cast(PolicySettings, run.config.search)
    kept, per = run.evaluations_kept(), children(settings)
    frames = np.cumsum([one.work for one in kept], dtype=np.float64)
    scores = np.array([one.scores[0] if one.rung >= 0 else np.nan for one in kept])
    ends = range(per, len(kept) + 1, per)
    lines: dict[str, list[tuple[float, float]]] = {"best of a generation": [], "its median": []}
    for end in ends:
        own = scores[end - per : end]
        if not np.isnan(own).all():
            lines["best of a generation"].append((frames[end - 1], float(np.nanmax(own))))
            lines["its median"].append((frames[end - 1], float(np.nanmedian(own))))
    tests = [(float(p.metrics["frames"]["training"]), p.metrics["test"]) for p in run.programs]
    published: Any = getattr(run.task(), "published", dict)()
    plot_scores(lines, [(x, test) for x, test in tests if test["mean"] is not None], published, path, title=run.task_text)


def children(settings: PolicySettings) -> int:
    """How many a generation has; an evolution strategy adds its centre."""
    return settings.population + (settings.algorithm == "es")
