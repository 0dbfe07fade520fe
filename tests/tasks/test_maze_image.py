"""The Hard Maze in pictures: what the robot sees, its network against a plain formulation, a search that starts to spread."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from plain_maze import distance_to_wall

import evosearch
from evosearch.evolution.seeds import Gene, Genome
from tasks.maze import ImageMaze
from tasks.maze.geometry import GOAL, START
from tasks.maze.image import PIXEL, VIEW, view
from tasks.maze.task import field, kernels_of_pictures

MAZE = ImageMaze(steps=30, hidden=5)


def plain_outputs(weights: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The network in float64, with convolutions from their definition."""
    first, bias1, second, bias2, hidden, bias3, outer, bias4 = (
        part.astype(np.float64) for part in MAZE.layout().split(weights).values()
    )

    def convolved(image: np.ndarray, filters: np.ndarray, bias: np.ndarray) -> np.ndarray:
        size = filters.shape[2]
        windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(1, 2))[:, ::2, ::2]
        return np.maximum(np.einsum("chwij,fcij->fhw", windows, filters) + bias[:, None, None], 0.0)

    seen = convolved(convolved(picture[None].astype(np.float64), first, bias1), second, bias2)
    return 1.0 / (1.0 + np.exp(-(outer @ np.tanh(seen.ravel() @ hidden + bias3) + bias4)))


def test_the_picture_is_the_maze_around_the_robot() -> None:
    picture = np.zeros((VIEW, VIEW), np.float32)
    for x, y, turns in ((*START, 0.0), (60.0, 30.0, 0.37)):
        c, s = math.cos(2.0 * math.pi * turns), math.sin(2.0 * math.pi * turns)
        kernels_of_pictures().view(x, y, c, s, field(), picture)
        for row, column in ((0, 0), (3, 11), (8, 9), (17, 5), (12, 16)):
            ahead, left = ((VIEW - 1) / 2.0 - row) * PIXEL, ((VIEW - 1) / 2.0 - column) * PIXEL
            px, py = x + ahead * c - left * s, y + ahead * s + left * c
            wall, goal = distance_to_wall(px, py) / PIXEL, math.dist((px, py), GOAL) / (2.0 * PIXEL)
            shown = max(0.0, 1.0 - wall) - max(0.0, 1.0 - goal)
            assert abs(picture[row, column] - shown) < 1.0 / PIXEL  # pixels of the map are one unit
        assert 0.05 < picture.mean() < 0.6 and picture.max() > 0.75
    assert picture.min() < -0.5  # the goal is in sight


def test_the_network_is_that_of_a_plain_formulation() -> None:
    weights = Genome(0.2, (Gene(3), Gene(4))).weights(MAZE.layout())
    c, s, turning, speed, heading = 1.0, 0.0, 0.0, 0.0, 0.0
    (x, y), picture = START, np.zeros((VIEW, VIEW), np.float32)
    path = MAZE.path(weights)
    for step in range(8):
        view(x, y, c, s, field(), picture)  # the kernel as plain Python
        turn, push = plain_outputs(weights, picture)
        turning, speed = turning + turn - 0.5, speed + push - 0.5
        x, y = x + c * speed, y + s * speed
        heading += math.radians(turning)
        c, s = math.cos(heading), math.sin(heading)
        assert path[step + 1] == pytest.approx((x, y), abs=1e-4)
    assert not (path[8] == START).any()


def test_a_search_in_pictures_spreads_and_is_the_same_again(tmp_path: Path) -> None:
    small = [("task.steps", 60), ("search.population", 20), ("search.parents", 4)]
    one, two = (
        evosearch.run("hard-maze-image", budget=60, workers=workers, overrides=small, out=tmp_path / f"{workers}")
        for workers in (0, 2)
    )
    places = np.array([kept.scores for kept in one.evaluations_kept()])
    assert (places == [kept.scores for kept in two.evaluations_kept()]).all() and len(places) == 60
    assert np.std(places[:, 1]) > 1.0 and one.front()[-1].metrics["weight_bytes"] == 4 * ImageMaze().layout().size
