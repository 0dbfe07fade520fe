"""Exported policies of Gymnasium and Atari: the episodes of the search, spaces of every kind, and what playing needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from evosearch.cli import main
from evosearch.evolution.seeds import Gene, Genome
from evosearch.export import PolicyInfo, render
from evosearch.search.policies.member import Policy
from tasks.environments import Atari, Environment

torch = pytest.importorskip("torch", reason="pip install 'evosearch[torch]'")
gymnasium = pytest.importorskip("gymnasium", reason="environments need the rl extra")


class Wandering(gymnasium.Env[Any, Any]):
    """Observations and actions of any kind; the score depends on every action."""

    def __init__(self, seen: Any, acted: Any) -> None:
        self.observation_space, self.action_space = seen, acted

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed, options=options)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        return self.observation_space.sample(), float(np.sum(np.asarray(action) * 1.7)), False, False, {}


SPACES = {
    "Squashed-v0": ("Box(-3.0, 3.0, (2, 2))", "Box(np.array([-1.0, 0.0]), np.array([1.0, 5.0]))"),
    "Cut-v0": ("Discrete(3, start=1)", "Box(-0.1, 0.1, (2,))"),
    "Choices-v0": ("MultiBinary(5)", "MultiDiscrete([3, 2])"),
}


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    spaces = {"np": np, **vars(gymnasium.spaces)}
    for name, (seen, acted) in SPACES.items():
        options = {"seen": eval(seen, spaces), "acted": eval(acted, spaces)}
        gymnasium.register(name, entry_point=Wandering, max_episode_steps=12, kwargs=options)


def module(text: str) -> ModuleType:
    loaded = ModuleType("exported")
    exec(compile(text, "exported.py", "exec"), loaded.__dict__)
    return loaded


def checked(task: Any, seeds: tuple[int, ...] = (3, 4)) -> ModuleType:
    """The exported module of some policy, whose episodes are those of the task."""
    policy = Policy(task.layout(), Genome(0.05, tuple(Gene(seed) for seed in (5, 6, 7))))
    weights = policy.weights()
    portable = task.portable(weights)
    text = render(policy, "torch", PolicyInfo("toy-1", 3, 1, "0.1.0", "", task.describe(), (), portable, seeds[0]))
    loaded = module(text)
    assert loaded._verify() == 0
    for seed, one in zip(seeds, task.episodes([weights], [seeds], "test")[0], strict=True):
        assert portable.episode(lambda observation: portable.decide(observation)[1], seed, None) == one.score
        assert portable.episode(loaded.act, seed, None) == pytest.approx(one.score, rel=1e-6)
    return loaded


@pytest.mark.parametrize(
    "task",
    [
        Environment("CartPole-v1", hidden=()),
        Environment("Squashed-v0", hidden=(4,), normalise=200, squash=True),
        Environment("json:Cut-v0", normalise=100),  # of a package that is imported first
        Environment("Choices-v0", steps=7),
    ],
    ids=lambda task: task.env,
)
def test_spaces_of_every_kind(task: Environment) -> None:
    checked(task)


@pytest.mark.parametrize("task", [Atari("Pong", "nature", steps=12), Atari("Frostbite", sticky=True, noops=3, steps=8)])
def test_atari_games(task: Atari) -> None:
    pytest.importorskip("ale_py", reason="pip install 'evosearch[rl]'")
    checked(task, (3,))


def test_playing_without_the_environment_names_what_to_install(tmp_path: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "pole.py"
    small = ["search.population=10", "search.parents=2", "search.candidates=2", "search.validation=3", "search.test=3"]
    options = [part for one in (*small, "search.until=") for part in ("--set", one)]
    assert main(["run", "cartpole", "--budget", "20", "--workers", "0", "--quiet", "--out", str(run), *options]) == 0
    assert main(["export", str(run), "--to", "torch", "-o", str(file)]) == 0
    without = (
        "import sys, runpy; sys.modules['gymnasium'] = None; sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], None, '__main__')"
    )
    command = [sys.executable, "-c", without, str(file), "--play", "2"]
    missing = subprocess.run(command, capture_output=True, text=True, check=False)
    assert missing.returncode == 2 and "pip install 'gymnasium[classic-control]' imageio" in missing.stderr
    loaded = module(file.read_text())
    loaded._play(2, 5, None)
