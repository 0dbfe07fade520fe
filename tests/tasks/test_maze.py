"""The Hard Maze: geometry, sensors and dynamics against a plain formulation, the goal, and a search that solves it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from plain_maze import distance_to_wall

import evosearch
from evosearch.cli import main
from evosearch.evolution.seeds import Gene, Genome
from evosearch.search.config import read_config
from tasks.maze import HardMaze
from tasks.maze.geometry import GOAL, START, WALLS
from tasks.maze.kernel import RADIUS, RANGE, REACHED
from tasks.maze.task import kernels

MAZE = HardMaze(steps=150, hidden=5)


def sight(x: float, y: float, angle: float) -> float:
    """Distance to the nearest wall in a direction (radians), by solving for each wall."""
    seen = [RANGE]
    for x1, y1, x2, y2 in WALLS:
        matrix = np.array([[math.cos(angle), x1 - x2], [math.sin(angle), y1 - y2]])
        if abs(np.linalg.det(matrix)) > 1e-9:
            along, across = np.linalg.solve(matrix, [x1 - x, y1 - y])
            if along >= 0.0 and 0.0 <= across <= 1.0:
                seen.append(float(along))
    return min(seen)


def plain_episode(weights: np.ndarray, maze: HardMaze) -> list[tuple[float, float]]:
    """The robot in plain Python."""
    parts = maze.layout().split(weights)
    w1, b1, w2, b2 = (part.astype(np.float64) for part in parts.values())
    x, y = START
    heading = speed = turning = 0.0
    path = [START]
    for _ in range(maze.steps):
        finders = [sight(x, y, heading + math.radians(a)) / RANGE for a in (-90, -45, 0, 45, 90, 180)]
        bearing = (math.atan2(GOAL[1] - y, GOAL[0] - x) - heading + math.pi / 4) % (2.0 * math.pi)
        radar = [1.0 if int(bearing // (math.pi / 2)) == n else 0.0 for n in range(4)]
        inner = np.tanh(np.array([1.0, *finders, *radar]) @ w1 + b1)
        turn, push = 1.0 / (1.0 + np.exp(-(w2 @ inner + b2)))
        turning = min(max(turning + turn - 0.5, -3.0), 3.0)
        speed = min(max(speed + push - 0.5, -3.0), 3.0)
        new = x + math.cos(heading) * speed, y + math.sin(heading) * speed
        heading += math.radians(turning)
        if distance_to_wall(*new) >= RADIUS:
            x, y = new
        path.append((x, y))
        if math.hypot(x - GOAL[0], y - GOAL[1]) <= REACHED:
            break
    return path


@pytest.mark.parametrize("seed", range(4))
def test_the_robot_goes_where_a_plain_formulation_says(seed: int) -> None:
    weights = Genome(0.5, (Gene(seed), Gene(seed + 100))).weights(MAZE.layout())
    path, expected = MAZE.path(weights), np.array(plain_episode(weights, MAZE))
    assert len(path) == 151 and np.abs(path[:100] - expected[:100]).max() < 1e-4
    (ended,) = MAZE.episodes([weights], [(0,)], "training")[0]
    assert ended.behaviour == tuple(path[-1]) and ended.frames == 150
    assert ended.score == pytest.approx(-math.dist(path[-1], GOAL))


def test_the_robot_never_touches_a_wall_and_stops_at_the_goal() -> None:
    maze = HardMaze()
    layout, ends = maze.layout(), []
    for seed in range(60):
        path = maze.path(Genome(0.5, (Gene(seed), Gene(seed))).weights(layout))
        assert min(distance_to_wall(x, y) for x, y in path[::20]) >= RADIUS - 1e-9
        ends.append(path[-1])
    assert np.std(ends, axis=0).min() > 20.0
    start, near = np.array(START), np.array([START[0] + 30.0, START[1]])
    weights, path = np.ones((1, layout.size)), np.empty((401, 2))
    done = kernels().episode(weights[0], 16, 400, np.array([[1e6], [0.0], [1.0], [0.0], [1.0]]), start, near, path)
    assert 0 < done < 400
    assert math.dist(path[done], near) <= REACHED < math.dist(path[done - 1], near)


def test_novelty_solves_it_and_the_way_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = read_config("hard-maze").search
    run = evosearch.run("hard-maze", seed=101, budget=40_000, workers=0, out=tmp_path / "maze")
    assert config.algorithm == "novelty" and run.status == "goal"
    best = run.front()[-1]
    assert best.metrics["solved"] and best.metrics["score"] > -REACHED
    assert main(["inspect", str(run.folder), str(best.id), "-o", str(tmp_path / "maze.png")]) == 0
    assert main(["replay", str(run.folder), str(best.id)]) == 0
    assert capsys.readouterr().out.count("as stored") == 2
    assert (tmp_path / "maze.png").read_bytes().startswith(b"\x89PNG")
    kept = run.evaluations_kept()
    places = np.array([one.scores[1:] for one in kept])
    assert len(kept) == run.evaluations and all(one.scores[0] < 0.0 for one in kept)
    assert places.min() > 0.0 and places.max() < 210.0
