"""Environments of Gymnasium: the network as a kernel, spaces that are not served, ids that are not known, CartPole solved."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evosearch
from evosearch.cli import main
from evosearch.errors import MissingDependencyError, TaskError
from evosearch.evolution.seeds import Gene, Genome
from evosearch.language.op import OpSet
from evosearch.search.store import Store
from tasks.environments import Environment
from tasks.environments.mlp import load, mlp_layout
from tasks.environments.scaling import observe
from tasks.environments.spaces import acting, reading

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


class Leaving(Breaking):
    """Ends the process that plays it."""

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:  # noqa: ARG002
        raise SystemExit(3)


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    gymnasium.register("Leaving-v0", entry_point=Leaving, max_episode_steps=5)
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
    ((left,),) = Environment("Leaving-v0", hidden=()).episodes([weights], [(0,)], "training")
    assert np.isnan(left.score) and left.failure == "SystemExit: 3"


@pytest.mark.parametrize(
    ("task", "error", "message"),
    [
        (Environment("CartPol-v1"), TaskError, r"no environment 'CartPol-v1'.*CartPole-v1.*pip install 'evosearch\[rl\]'"),
        (Environment("no_such_module:Foo-v1"), MissingDependencyError, "no_such_module"),
        (Environment("Blackjack-v1"), TaskError, "observations of Blackjack-v1 are Tuple.*Discrete"),
        (Environment("ALE/Frostbite-v5"), TaskError, "tasks.environments:Atari --set task.env=Frostbite"),
        (Environment("CartPole-v1", normalise=-1), TaskError, "task.normalise must be from 0"),
        (Environment("CartPole-v1", options={"speed": 3}), TaskError, "unexpected keyword argument 'speed'"),
        (Environment("CartPole-v1", hidden=(0,)), TaskError, "task.hidden must be from 1"),
        (Environment("Endless-v0"), TaskError, "no limit of steps; give one, as in --set task.steps=1000"),
    ],
)
def test_what_cannot_be_played_is_refused(task: Environment, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        task.check(NONE)


def test_observations_are_scaled_by_random_play_and_nothing_else() -> None:
    task = Environment("Pendulum-v1", hidden=(4,), normalise=3000)
    task.check(NONE)
    weights = [Genome(0.5, (Gene(n), Gene(n + 50))).weights(task.layout()) for n in range(3)]
    seeds = [(n,) for n in range(3)]
    once = task.episodes(weights, seeds, "training")
    scaling, again = task.player.scaling, observe(lambda: gymnasium.make(task.env), task.player.reading, task.normalise)
    assert scaling is not None and scaling.shift.tolist() == again.shift.tolist()
    assert task.episodes(weights[::-1], seeds[::-1], "validation")[::-1] == once  # it does not move with what is played
    assert 0.0 < 1.0 / scaling.factor[2] < 8.0 and abs(scaling.shift[2]) < 3.0  # the speed is within 8
    assert replace(task, normalise=0).episodes(weights, seeds, "training") != once
    row = np.array([1e9, -1e9, scaling.shift[2]])
    scaling.apply(row)
    assert row.tolist() == [5.0, -5.0, 0.0]


def test_statistics_outlive_an_environment_that_raises() -> None:
    scaling = observe(lambda: gymnasium.make("Breaking-v0"), Environment("Breaking-v0").player.reading, 300)
    assert np.isfinite(scaling.shift).all() and scaling.shift.sum() == pytest.approx(1.0)


def test_actions_of_every_kind_stay_in_their_space() -> None:
    outputs = np.array([0.5, -3.0, 0.2, 2.0, -0.25])
    spaces = gymnasium.spaces
    box = spaces.Box(np.array([-1.0, 0.0], np.float32), np.array([1.0, 4.0], np.float32))
    assert acting(box, "x").action(0, outputs).tolist() == [0.5, 0.0]
    assert acting(box, "x", squash=True).action(0, np.array([0.5, -0.5])).tolist() == [0.5, 1.0]
    many = spaces.MultiDiscrete([3, 2], start=[5, 0])
    chosen = acting(many, "x")
    assert chosen.size == 5 and chosen.action(3, outputs).tolist() == [5, 0] and many.contains(chosen.action(3, outputs))
    with pytest.raises(TaskError, match="spreads actions over their bounds"):
        acting(spaces.Box(-np.inf, np.inf, (2,)), "x", squash=True)
    with pytest.raises(TaskError, match=r"the actions of x are Dict.*it gives Discrete, MultiDiscrete"):
        acting(spaces.Dict({"a": box}), "x")
    with pytest.raises(TaskError, match="an image needs a convolutional network"):
        reading(spaces.Box(0, 255, (84, 84, 3), np.uint8), "x")


@pytest.mark.parametrize(("env", "place"), [("Swimmer-v5", 2), ("HalfCheetah-v5", 1), ("Hopper-v5", 1), ("Humanoid-v5", 2)])
def test_mujoco_is_a_function_of_weights_and_seed(env: str, place: int) -> None:
    pytest.importorskip("mujoco", reason="these environments need MuJoCo, of the rl extra")
    task = Environment(env, hidden=(), steps=20, normalise=60, squash=True)
    task.check(NONE)
    weights = [Genome(0.3, (Gene(n), Gene(n + 9))).weights(task.layout()) for n in range(2)]
    first, second = task.episodes(weights, [(1, 2), (1,)], "training")
    assert task.episodes(weights[::-1], [(1,), (2, 1)], "test") == [second, first[::-1]]
    assert first[0].score != second[0].score and not any(one.failure for one in (*first, *second))
    assert len(first[0].behaviour) == place and first[0].behaviour != second[0].behaviour
    assert task.traits().behaviour.startswith("the last x_position")


def test_a_run_goes_on_when_an_environment_raises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = [("task.env", "Breaking-v0"), ("search.population", 12), ("search.parents", 4), ("search.test", 6)]
    options = [*small, ("search.validation", 4), ("search.until", "")]
    run = evosearch.run("cartpole", workers=0, budget=36, overrides=options, out=tmp_path / "breaking")
    failed = run.show_json()["failed_episodes"]
    assert run.evaluations >= 36 and 10 < failed < run.counters()["frames training"]
    assert main(["show", str(run.folder)]) == 0
    assert f"{failed:,} episodes failed in the environment" in capsys.readouterr().out


def test_a_run_with_scaled_observations_is_the_same_in_pieces_and_in_workers(tmp_path: Path) -> None:
    task = [("task.env", "Pendulum-v1"), ("task.steps", 30), ("task.normalise", 200), ("task.squash", True)]
    sizes = [("population", 6), ("parents", 3), ("validation", 4), ("batch", 3), ("test", 4)]
    options = [*task, *((f"search.{name}", size) for name, size in sizes), ("search.until", "")]

    def dump(name: str, budget: int, workers: int) -> str:
        folder = tmp_path / name
        if folder.exists():
            evosearch.resume(folder, budget=budget, workers=workers)
        else:
            evosearch.run("cartpole", budget=budget, workers=workers, overrides=options, out=folder)
        store = Store.open(folder)
        try:
            return store.dump()
        finally:
            store.close()

    whole = dump("whole", 18, 0)
    assert dump("pieces", 6, 0) != whole and dump("pieces", 18, 2) == whole


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
