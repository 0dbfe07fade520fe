"""Atari games: the protocol beside ale-py's own environment, episodes that depend on their seeds alone, a whole run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evosearch
from evosearch.errors import MissingDependencyError, TaskError
from evosearch.evolution.seeds import initial_weights
from evosearch.language.op import OpSet
from evosearch.search.store import Store
from tasks.environments import Atari, emulator
from tasks.environments.atari import Console
from tasks.environments.emulator import SKIP, Emulator, Start, rom_name, title
from tasks.networks.architecture import IMAGES, SIDE

ale_py = pytest.importorskip("ale_py", reason="Atari games need the rl extra")
NONE = OpSet("none", ())
RUN = """\
schema = 1

[task]
use = "tasks.environments:Atari"
env = "Freeway"
network = "nature"
steps = 20

[search]
population = 4
parents = 2
power = 0.002
chunk = 1
candidates = 2
validation = 3
test = 4
budget = "8"
"""


@pytest.mark.parametrize("game", ["Frostbite", "Atlantis"])
def test_screens_and_rewards_are_those_of_ale(game: str) -> None:
    other = ale_py.AtariVectorEnv(
        rom_name(game), 1, max_num_frames_per_episode=20_000, noop_max=0, use_fire_reset=False, reward_clipping=False,
        full_action_space=True, num_threads=1,
    )  # fmt: skip
    machine = Emulator(game, 0.0, all_actions=True)
    console = Console(machine, np.zeros((IMAGES, SIDE, SIDE), np.float32), 0)
    theirs, _ = other.reset(seed=np.array([7]))
    console.start(Start(0, 0))
    rewards, differing = [], []
    for action in np.random.default_rng(0).integers(0, machine.actions, 150):
        order = [(console.oldest + n) % IMAGES for n in range(IMAGES)]
        ours = np.rint(console.planes[order] * 255.0).astype(np.int64)
        differing.append(np.abs(ours - theirs[0].astype(np.int64)))
        theirs, reward, ended, cut, _ = other.step(np.array([action]))
        before = console.score
        going = console.step(int(action))
        rewards.append((console.score - before, int(reward[0])))
        assert going == (not ended[0]) and not cut[0]
        if not going:
            break
    other.close()
    assert np.max(differing) <= 1 and np.mean(np.array(differing) > 0) < 1e-3
    assert len(rewards) > 50 and all(own == their for own, their in rewards)
    assert len({reward for reward, _ in rewards}) > 1, "nothing was rewarded, so nothing was compared"


def test_sticky_actions_stick() -> None:
    def screens(sticky: float, seed: int, action: int) -> list[int]:
        machine = Emulator("Frostbite", sticky, all_actions=True)
        machine.start(machine.begin(seed, 1))
        seen = []
        for n in range(60):
            machine.step(action if n % 2 else 0)
            seen.append(hash(machine.screens[1].tobytes()))
        return seen

    right = 3
    assert screens(1.0, 1, right) == screens(0.0, 1, 0), "only the first action, which waits, is ever pressed"
    assert screens(0.25, 1, right) == screens(0.25, 1, right) != screens(0.25, 2, right)
    assert screens(0.0, 1, right) == screens(0.0, 2, right) != screens(0.25, 1, right)


def test_an_episode_is_a_function_of_weights_and_seed() -> None:
    task = Atari(env="Frostbite", network="nature", steps=60)
    weights = [initial_weights(seed, task.layout()) for seed in range(2)]
    seeds = [0, 1, 2**31 - 1, 12345]
    together = task.episodes(weights, [seeds, seeds[::-1]], "validation")
    for flat, own, found in zip(weights, (seeds, seeds[::-1]), together, strict=True):
        for seed, episode in zip(own, found, strict=True):
            assert task.episodes([flat], [[seed]], "training") == [[episode]]
    assert all(0 < one.frames <= 240 and one.frames % SKIP == 0 and not one.failure for own in together for one in own)
    bad = np.full(task.layout().size, np.nan, np.float32)
    ((lost,),) = task.episodes([bad], [[0]], "training")
    assert np.isnan(lost.score) and lost.failure == "the network's outputs are not finite"


def test_a_game_ends_where_it_ends_and_waits_differ() -> None:
    task, down = Atari(env="Frostbite", network="nature", steps=1500), 5
    weights = np.zeros(task.layout().size, np.float32)
    weights[down - 18] = 1.0  # whatever it sees, it walks into the water
    ((first, second, again),) = task.episodes([weights], [[1, 2, 1]], "training")
    assert 400 < first.frames < 4 * 1500 and first == again and second.frames > 400
    machine = task._arcade.console(0).emulator
    starts = [machine.begin(seed, 30) for seed in range(300)]
    assert {start.wait for start in starts} == set(range(1, 31)) and {start.seed for start in starts} == {0}


def test_a_raising_emulator_fails_its_episode_alone() -> None:
    task = Atari(env="Freeway", network="nature", steps=10)
    weights = np.zeros(task.layout().size, np.float32)
    expected = task.episodes([weights], [[1, 2]], "training")

    def raising(action: int) -> int:
        raise RuntimeError(f"a wire came loose at {action}")

    task._arcade.console(1).emulator.step = raising  # type: ignore[method-assign]
    ((fine, failed),) = task.episodes([weights], [[1, 2]], "training")
    assert fine == expected[0][0] and np.isnan(failed.score)
    assert failed.failure == "RuntimeError: a wire came loose at 0"
    assert task.episodes([weights], [[1, 2]], "training") == expected


def test_runs_do_not_depend_on_workers_or_cuts(tmp_path: Path) -> None:
    file = tmp_path / "freeway.toml"
    file.write_text(RUN)

    def dump(run: Any) -> str:
        store = Store.open(run.folder)
        try:
            return store.dump()
        finally:
            store.close()

    one, two = (evosearch.run(file, out=tmp_path / f"{n}", workers=n) for n in (1, 2))
    cut = evosearch.run(file, budget=3, out=tmp_path / "cut", workers=0)
    resumed = evosearch.resume(cut.folder, budget=8, workers=0)
    assert dump(one) == dump(two) == dump(resumed)
    shown = one.show_json()
    assert shown["frames"]["training"] == 8 * 20 * SKIP
    assert shown["frames"]["validation"] == 2 * 2 * 3 * 20 * SKIP
    assert shown["human_normalised"] == shown["test"]["mean"] / 29.6


@pytest.mark.parametrize(("game", "said"), [("Frostbit", "the nearest known: Frostbite"), ("", "none is known that is")])
def test_unknown_games_are_named(game: str, said: str) -> None:
    with pytest.raises(TaskError, match=said) as caught:
        Atari(env=game).check(NONE)
    assert "pip install 'evosearch[rl]'" in str(caught.value)


def test_games_of_few_actions() -> None:
    few, all_of_them = (Emulator("Skiing", 0.0, all_actions) for all_actions in (False, True))
    assert (few.actions, all_of_them.actions) == (3, 18)
    assert all_of_them.step(17) == few.step(0), "an action that the game does not know waits"
    task = Atari(env="Skiing", network="nature", steps=3, all_actions=False)
    assert task.layout().layers[-1].size == 3
    ((episode,),) = task.episodes([initial_weights(0, task.layout())], [[1]], "training")
    assert episode.frames == 12 and not episode.failure


def test_names_of_games() -> None:
    for name in ("MsPacman", "ALE/MsPacman-v5", "MsPacmanNoFrameskip-v4", "ms_pacman"):
        assert rom_name(name) == "ms_pacman"
    assert title("ms_pacman") == "MsPacman"


def test_without_ale_py_the_install_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ale_py", None)
    emulator._ale.cache_clear()
    with pytest.raises(MissingDependencyError, match="ale-py, which is not installed: pip install"):
        Atari(env="Frostbite", network="nature", noops=29).check(NONE)
    assert Atari().layout().size == 4_052_658  # to read a genome the game is not needed
