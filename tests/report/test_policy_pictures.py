"""Pictures of policies: scores by frames as they were spent, beside other runs of the task and published scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_policies

import evosearch
from evosearch.cli import main
from evosearch.report import behaviour
from tasks.environments.published import published


def start(folder: Path, name: str, noise: float = 0.5, **options: Any) -> evosearch.Run:
    file = folder / "hill.toml"
    file.write_text(toy_policies.RUN)
    return evosearch.run(file, budget=100, workers=0, overrides=[("task.noise", noise)], out=folder / name, **options)


def test_scores_stand_at_the_frames_that_were_spent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, other = start(tmp_path, "one"), start(tmp_path, "two", algorithm="random")
    scores = behaviour._scores(run)
    spent, kept = 20 * 10 + 4 * 5 * 10, run.evaluations_kept()  # children, and validation of the candidates
    best = [max(one.scores[0] for one in kept[first : first + 20]) for first in range(0, 100, 20)]
    assert scores.lines["best of a generation"] == [(spent * (n + 1), score) for n, score in enumerate(best)]
    assert scores.end == 5 * spent == run.totals["work"]
    first = run.programs[0].metrics
    half = (first["test"]["high"] - first["test"]["low"]) / 2
    assert scores.tests[0] == (spent, first["test"]["mean"], half) and len(scores.tests) == len(run.programs)

    picture = tmp_path / "scores.png"
    command = ["show", str(run.folder), "--picture", str(picture), "--beside", str(other.folder)]
    assert main(command) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    alone = picture.read_bytes()
    assert main(command[:4]) == 0 and picture.read_bytes() != alone
    assert main(["show", str(run.folder), "--beside", str(other.folder)]) == 2
    assert main([*command[:5], str(start(tmp_path, "three", noise=0.0).folder)]) == 2
    assert "only where both search policies for one task" in capsys.readouterr().err


def test_published_scores_are_by_game() -> None:
    frostbite = published("Frostbite")
    assert (27.5e6, 2290.0) in frostbite["GA, three runs of the ICLR 2019 report"] and published("Pong") == {}
    assert all(np.array(points).shape[1] == 2 for game in ("Frostbite", "Atlantis") for points in published(game).values())
