"""Exported policies: the search's weights, outputs and actions where evosearch cannot be imported; a changed file fails."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import evosearch
from evosearch.cli import main
from evosearch.errors import ExportError
from evosearch.evolution.noise import FIRST_ROW, load, quantiles
from evosearch.evolution.seeds import Gene, Genome, Layer, Layout, weights_hash
from evosearch.export import PolicyInfo, render, verify_export
from evosearch.export.policies import generator, safetensors
from evosearch.search.policies.member import Policy
from tasks.maze import HardMaze, ImageMaze

torch = pytest.importorskip("torch", reason="pip install 'evosearch[torch]'")
MAZE = HardMaze(steps=120, hidden=6)
GENOME = Genome(0.4, tuple(Gene(seed) for seed in (7, 2**28 - 1, 5, 12345678)))


def policy(task: Any, genome: Genome = GENOME) -> Policy:
    return Policy(task.layout(), genome)


def exported(task: Any, genome: Genome = GENOME, **more: Any) -> str:
    made = policy(task, genome)
    rows = (("score", "-1 in 1 test episode"),)
    origin = ("maze-1", 3, 1, "0.1.0", "evosearch run maze", "a maze", rows)
    return render(made, "torch", PolicyInfo(*origin, task.portable(made.weights()), **more))


def module(text: str, file: Path | None = None) -> ModuleType:
    loaded = ModuleType("exported")
    loaded.__file__ = str(file)
    exec(compile(text, "exported.py", "exec"), loaded.__dict__)
    return loaded


@pytest.fixture(scope="module")
def maze_run(tmp_path_factory: pytest.TempPathFactory) -> evosearch.Run:
    folder = tmp_path_factory.mktemp("runs") / "maze"
    small = [("search.population", 40), ("search.until", ""), ("task.steps", 100)]
    return evosearch.run("hard-maze", budget=160, workers=0, overrides=small, out=folder)


def test_the_carried_generator_has_the_same_bits() -> None:
    assert generator._quantiles().tobytes() == quantiles()[:, FIRST_ROW:].tobytes()
    largest = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0, 1], np.uint32)
    drawn, value = np.zeros(5, np.float32), np.empty(5, np.float32)
    load().normals(largest, value, value.view(np.int32), quantiles(), np.float32(1.0), drawn)
    assert np.array_equal(generator._normals(largest), drawn)
    layers = (Layer("a", (41, 53), 0.25), Layer("b", (53,), 0.0), Layer("c", (53, 700), 1 / 3), Layer("d", (7,), 0.1))
    for layout in (Layout(layers), Layout(layers[:1]), Layout(layers[3:])):
        levels = Genome(0.002, (Gene(2**28 - 1), Gene(0, 15), Gene(77, 0), Gene(2**27, 8)))
        for genome in (levels, GENOME):
            tensors = tuple((one.name, one.shape, one.scale) for one in layout.layers)
            found = generator._unfold(genome.to_text(layout), tensors)
            assert found.tobytes() == genome.weights(layout).tobytes()


@pytest.mark.parametrize("task", [MAZE, ImageMaze(steps=60, hidden=4)], ids=["finders", "picture"])
def test_the_carried_maze_is_that_of_the_search(task: HardMaze | ImageMaze) -> None:
    for seed in range(2):
        weights = Genome(0.5, (Gene(seed), Gene(seed + 100))).weights(task.layout())
        decide = task.portable(weights).decide
        score = task.portable(weights).episode(lambda observation, decide=decide: decide(observation)[1], 0, None)
        assert score == task.episodes([weights], [(0,)], "test")[0][0].score
    assert module(exported(task))._verify() == 0


def test_a_file_checks_itself_and_plays_without_evosearch(
    maze_run: evosearch.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, picture = tmp_path / "maze.py", tmp_path / "maze.gif"
    best = maze_run.front()[-1]
    assert main(["export", str(maze_run.folder), "--to", "torch", "-o", str(path)]) == 0
    report = verify_export(path, "torch")
    assert report.passed, report.output
    assert "SHA-256 as stored" in report.output and report.output.endswith("ok")
    text = path.read_text()
    assert best.json["genome"] in text.replace('"\n    "', "") and max(map(len, text.splitlines())) <= 128
    pytest.importorskip("imageio", reason="pip install 'evosearch[rl]'")
    capsys.readouterr()
    module(text)._play(1, 5, str(picture))
    said = re.search(r"seed 5: score (.*)\n", capsys.readouterr().out)
    assert said is not None and float(said[1]) == pytest.approx(best.metrics["score"], abs=1e-3)
    assert picture.read_bytes().startswith(b"GIF8")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("torch.nn.Tanh()", "torch.nn.ReLU()", "outputs"),
        ("return outputs", "return 1.001 * outputs", "actions"),
        ("in genes[1:]", "in genes[2:]", "cut short or edited"),
        ("(13, 15, 26, 6,", "(13, 15, 26, 7,", "cut short or edited"),
        ("((11, 6), (1, 0))", "((6, 11), (0, 1))", "outputs"),
    ],
)
def test_a_changed_file_fails(before: str, after: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = exported(MAZE)
    assert module(text)._verify() == 0
    assert text.count(before) == 1
    capsys.readouterr()
    assert module(text.replace(before, after))._verify() == 1
    out = capsys.readouterr().out
    assert said in out and "FAILED" in out


def test_weights_beside_the_file(maze_run: evosearch.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, beside = tmp_path / "maze.py", tmp_path / "maze.safetensors"
    folder, id = str(maze_run.folder), maze_run.front()[-1].id
    arguments = ["export", folder, str(id), "--to", "torch", "-o", str(path)]
    assert main([*arguments, "--weights", str(beside)]) == 0
    assert module(path.read_text(), path)._verify() == 0
    reader = pytest.importorskip("safetensors.torch", reason="pip install safetensors")
    state = module(path.read_text(), path).policy().state_dict()
    stored = reader.load_file(beside)
    assert {name: tuple(one.shape) for name, one in stored.items()} == {name: tuple(one.shape) for name, one in state.items()}
    assert all(torch.equal(one.double(), state[name]) for name, one in stored.items())
    other = Policy(maze_run.task().layout(), Genome(0.1, (Gene(1),)))  # type: ignore[attr-defined]
    beside.write_bytes(safetensors(other, {"hidden.weight": ((11, 16), (1, 0))}))
    capsys.readouterr()
    assert module(path.read_text(), path)._verify() == 1
    assert "maze.safetensors holds other weights" in capsys.readouterr().out
    assert main([*arguments, "--force", "--weights", str(tmp_path / "elsewhere" / "x.safetensors")]) == 2
    assert "looks for its weights beside it" in capsys.readouterr().err
    assert main(arguments) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "after", "given", "said"),
    [
        ("in genes[1:]", "in genes[2:]", ["--play"], "the genome was cut short or edited"),
        ("", "", ["--gif", "no-such-folder/maze.gif"], "no-such-folder"),
        ("", "", ["--play", "-3"], "-3 is no whole number"),
    ],
)
def test_playing_fails_in_a_line(
    before: str, after: str, given: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("imageio", reason="pip install 'evosearch[rl]'")
    loaded = module(exported(MAZE).replace(before, after))
    monkeypatch.setattr("sys.argv", ["maze.py", *given])
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(loaded._main())
    assert ended.value.code == 2 and said in capsys.readouterr().err


def test_what_cannot_be_exported_says_so(maze_run: evosearch.Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(maze_run.folder)
    assert main(["export", folder, "--to", "torch", "--digits", "3"]) == 2
    assert "searches no functions, and only their constants are cut" in capsys.readouterr().err
    assert main(["export", folder, "--to", "c"]) == 2
    assert "a policy cannot be exported to c; it can to torch" in capsys.readouterr().err
    dense = Policy(MAZE.layout(), None, policy(MAZE).weights())
    origin = ("maze-1", 3, 1, "0.1.0", "", "a maze", ())
    info = PolicyInfo(*origin, MAZE.portable(dense.weights()))
    with pytest.raises(ExportError, match="no genome; give them a file: --weights"):
        render(dense, "torch", info)
    beside = PolicyInfo(*origin, info.portable, weights_file="x.safetensors")
    assert weights_hash(dense.weights()) in render(dense, "torch", beside)
