"""Environments of Gymnasium: the network as a kernel, spaces that are not served, ids that are not known, CartPole solved."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evosearch
from evosearch.errors import MissingDependencyError, TaskError
from evosearch.language.op import OpSet
from tasks.environments import Environment
from tasks.environments.mlp import load, mlp_layout

gymnasium = pytest.importorskip("gymnasium", reason="environments need the rl extra")
NONE = OpSet("none", ())


class Breaking(gymnasium.Env[Any, Any]):
    """Raises in the third step of episodes with an odd seed."""

    observation_space = gymnasium.spaces.Discrete(3, start=1)
    action_space = gymnasium.spaces.Box(-2.0, 1.0, (2,), np.float32)

    def __init__(self) -> None:
        self.seed, self.count, self.actions = 0, 0, []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:  # noqa: ARG002
        self.seed, self.count = seed or 0, 0
        return 1, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        self.count += 1
        if self.count == 3 and self.seed % 2:
            raise RuntimeError("the motor is hot")
        return 1 + self.count % 3, 1.0, False, False, {}


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    gymnasium.register("Breaking-v0", entry_point=Breaking, max_episode_steps=5)
    gymnasium.register("Endless-v0", entry_point=Breaking)


def test_the_kernel_is_a_network_of_tanh_units() -> None:
    layout = mlp_layout(4, (7, 5), 3)
    rng = np.random.default_rng(0)
    weights, inputs = rng.normal(size=layout.size).astype(np.float32), rng.normal(size=4)
    values = np.zeros((2, 7))
    values[0, :4] = inputs
    best = load().mlp(weights, np.array([4, 7, 5, 3]), values)
    parts = list(layout.split(weights).values())
    hidden = np.tanh(np.tanh(inputs @ parts[0] + parts[1]) @ parts[2] + parts[3])
    expected = hidden @ parts[4] + parts[5]
    assert np.abs(values[0, :3] - expected).max() < 1e-7 and best == expected.argmax()
    values[0, 0] = np.inf
    assert load().mlp(weights * np.float32("nan"), np.array([4, 7, 5, 3]), values) == -1


def test_an_episode_is_a_function_of_weights_and_seed() -> None:
    task = Environment()
    task.check(NONE)
    weights = [np.full(task.layout().size, x, np.float32) for x in (0.1, -0.2)]
    seeds = [(5, 6), (5, 7)]
    once = task.episodes(iter(weights), seeds, "training")
    assert task.episodes(weights[::-1], seeds[::-1], "test")[::-1] == once
    assert all(one.score == one.frames > 0 and len(one.behaviour) == 4 for own in once for one in own)
    assert task.traits().threshold == 475.0 and once[0][0] != once[0][1]


def test_an_environment_that_raises_fails_its_episode_only() -> None:
    task = Environment("Breaking-v0", hidden=())
    weights = np.full(task.layout().size, 1e3, np.float32)  # actions are kept within their bounds
    good, bad, again = task.episodes([weights], [(2, 3, 4)], "training")[0]
    assert good.score == again.score == 5.0 and good.behaviour == (3.0,)
    assert np.isnan(bad.score) and bad.failure == "RuntimeError: the motor is hot"


@pytest.mark.parametrize(
    ("task", "error", "message"),
    [
        (Environment("CartPol-v1"), TaskError, r"no environment 'CartPol-v1'.*CartPole-v1.*pip install 'evosearch\[rl\]'"),
        (Environment("no_such_module:Foo-v1"), MissingDependencyError, "no_such_module"),
        (Environment("Blackjack-v1"), TaskError, "observations of Blackjack-v1 are Tuple.*Discrete"),
        (Environment("CartPole-v1", options={"speed": 3}), TaskError, "unexpected keyword argument 'speed'"),
        (Environment("CartPole-v1", hidden=(0,)), TaskError, "task.hidden must be from 1"),
        (Environment("Endless-v0"), TaskError, "no limit of steps; give one, as in --set task.steps=1000"),
    ],
)
def test_what_cannot_be_played_is_refused(task: Environment, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        task.check(NONE)


def test_without_gymnasium_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['gymnasium'] = None\n"
        "from evosearch.cli import main\n"
        "assert main(['list']) == 0\n"
        "sys.exit(main(['run', 'cartpole', '--out', 'never-made']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert ended.returncode == 2 and "pip install 'evosearch[rl]'" in ended.stderr and "cartpole" in ended.stdout
    assert not Path("never-made").exists()


def test_cartpole_is_solved(tmp_path: Path) -> None:
    cheap = [("search.validation", 20), ("search.test", 20), ("task.hidden", [16])]
    until = "score>=475"
    run = evosearch.run("cartpole", seed=101, workers=0, budget=2000, until=until, overrides=cheap, out=tmp_path / "pole")
    assert run.status == "goal" and run.show_json()["solved"] is True
    assert run.front()[-1].metrics["test"]["mean"] > 450.0
