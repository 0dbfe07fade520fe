"""Run files, overrides and references."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evosearch.errors import ConfigError
from evosearch.search.config import RunConfig, parse_override, read_config, shipped_runs
from evosearch.search.loader import load_reference, shipped_folder

ROOT = shipped_folder("runs").parent


def test_the_shipped_run_files_differ_in_their_task_alone() -> None:
    configs = [config for config in map(read_config, shipped_runs()) if config.family == "function"]
    assert len({json.dumps([config.ops, config.identity()["search"]]) for config in configs}) == 1
    assert len({json.dumps(config.task, sort_keys=True) for config in configs}) == len(configs)


def test_a_run_file_becomes_a_task_and_an_op_set() -> None:
    config = read_config("exp2", [("costs", {"div": 4.0}), ("only", ["add", "div"])])
    ops = config.load_ops()
    assert [op.name for op in ops] == ["add", "div"] and ops.cost(ops["div"]) == 4.0
    assert config.load_task().target().name == "exp2"


def test_a_table_makes_the_same_run_again() -> None:
    config = read_config("exp2", [("search.seed", 7), ("costs.mul", 2)])
    assert RunConfig.from_table("exp2", json.loads(json.dumps(config.to_table()))).to_table() == config.to_table()


def test_the_identity_leaves_out_when_a_run_stops() -> None:
    config = read_config("exp2")
    assert config.with_search(budget="9h", until="error<1").identity() == config.identity()
    assert config.with_search(seed=2).identity() != config.identity()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=3", 3),
        ("a.b = 1e-3", 1e-3),
        ("a.b=true", True),
        ('a.b=["0", "pi/4"]', ["0", "pi/4"]),
        ('a.b="x=y"', "x=y"),
        ("a.b=erf", "erf"),
        ("a.b=mymodule:f", "mymodule:f"),
        ("a.b=pi/4", "pi/4"),
        ("a.b=1\nc = 2", "1\nc = 2"),
    ],
)
def test_an_override_is_a_toml_value_or_a_bare_word(text: str, value: object) -> None:
    assert parse_override(text) == ("a.b", value)


def test_a_run_file_of_the_user(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('schema = 1\nops = "primitives.arithmetic:FIELD"\n[task]\nuse = "tasks.approximation:Approximation"\n')
    assert read_config(file).name == "mine"
    file.write_text("schema = 2\n")
    with pytest.raises(ConfigError, match="schema is 2, this version reads `schema = 1`"):
        read_config(file)
    file.write_text("schema = \n")
    with pytest.raises(ConfigError, match=r"is not valid TOML: .*line 1"):
        read_config(file)


def test_a_module_of_the_current_folder_is_found_but_never_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "functions_of_mine.py").write_text("def f(x, m):\n    return x\n")
    (tmp_path / "json.py").write_text("raise RuntimeError('shadows the standard library')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert load_reference("functions_of_mine:f")(3, None) == 3
    assert load_reference("json:dumps") is json.dumps


def test_a_strangers_tasks_package_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("")
    code = "import sys; sys.path.append(sys.argv[1]); from evosearch.cli import main; sys.exit(main(['run', 'exp2']))"
    done = subprocess.run([sys.executable, "-c", code, str(ROOT)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"'tasks' resolves to {tmp_path / 'tasks.py'}, not to the package that ships with evosearch" in done.stderr
    assert "rename that file or start `evosearch` from another folder" in done.stderr
