"""The pictures of a search for policies: scores by frames, and what a task draws of behaviours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from evosearch.report.pictures import DrawnRun
from evosearch.report.plots import Scores, picture, plot_scores
from evosearch.search.policies.breeding import archived
from evosearch.search.policies.settings import PolicySettings


def policy_curve(run: DrawnRun, id: int, path: Path) -> None:
    """What the task draws of a policy among all behaviours of its run; scores by frames where it draws nothing."""
    task, settings = run.task(), cast(PolicySettings, run.config.search)
    kept = run.evaluations_kept()
    if not (hasattr(task, "draw") and kept):
        return policy_front(run, path)
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


def policy_front(run: DrawnRun, path: Path, beside: Sequence[DrawnRun] = ()) -> None:
    """Best and median score of each generation, and the elites' tests, by frames; beside them what has been published."""
    task = run.task()
    published: Mapping[str, Any] = getattr(task, "published", dict)()
    others = [_scores(other, with_lines=False) for other in beside]
    plot_scores(_scores(run), others, published, path, title=run.task_text, threshold=task.traits().threshold)


def _scores(run: DrawnRun, *, with_lines: bool = True) -> Scores:
    """Frames are those of training and validation, as in the paper: what a budget is counted in."""
    settings = cast(PolicySettings, run.config.search)
    tests = []
    for program in run.programs:
        frames, test = program.metrics["frames"], program.metrics["test"]
        if test["mean"] is not None:
            half = 0.0 if test["low"] is None else (test["high"] - test["low"]) / 2.0
            tests.append((float(frames["training"] + frames["validation"]), test["mean"], half))
    end = float(sum(work for _number, work in run.work_of_slices()))
    return Scores(f"{settings.algorithm}, {run.name}", end, _generations(run, settings) if with_lines else {}, tests)


def _generations(run: DrawnRun, settings: PolicySettings) -> dict[str, list[tuple[float, float]]]:
    """Best and median score of the children of each whole generation."""
    kept, per = run.evaluations_kept(), children(settings)
    scores = np.array([one.scores[0] if one.rung >= 0 else np.nan for one in kept])
    numbers, work = np.array(run.work_of_slices() or [(0, 0)]).T
    spent = np.append(0.0, np.cumsum(work))
    lines: dict[str, list[tuple[float, float]]] = {"best of a generation": [], "its median": []}
    for end in range(per, len(kept) + 1, per):
        own = scores[end - per : end]
        next_one = kept[end].slice if end < len(kept) else numbers[-1] + 1
        if not np.isnan(own).all():
            frames = float(spent[np.searchsorted(numbers, next_one)])
            lines["best of a generation"].append((frames, float(np.nanmax(own))))
            lines["its median"].append((frames, float(np.nanmedian(own))))
    return lines


def children(settings: PolicySettings) -> int:
    """How many a generation has; an evolution strategy adds its centre."""
    return settings.population + (settings.algorithm == "es")
