"""What ships agrees with what is there: packages, run files and their records, the versions pinned, and README."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

from evosearch import __version__
from evosearch.cli import _cli
from evosearch.search.config import parse_override, read_config, shipped_runs

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text()
SET_UP = "pip install -c constraints.txt -e '.[test]' && pytest"
BLOCKS = [(language, text) for language, text in re.findall(r"^```(\w*)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)]


def test_every_package_is_named_and_typed() -> None:
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob("[a-z]*/**/__init__.py")}
    named = PROJECT["tool"]["setuptools"]["packages"]
    assert set(named) == {name for name in there if name.partition(".")[0] not in ("build", "tests")}
    assert len(named) == len(set(named))
    for top in {name.partition(".")[0] for name in named}:
        assert (ROOT / top / "py.typed").is_file()
        assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"][top]


def test_the_version_is_written_once_in_two_places() -> None:
    assert PROJECT["project"]["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_what_the_project_needs_is_pinned() -> None:
    lines = (line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines())
    pinned = {name: version for name, _, version in (line.partition("==") for line in lines if line)}
    assert all(re.fullmatch(r"[0-9][0-9.]*", version) for version in pinned.values())
    project = PROJECT["project"]
    needed = {
        re.split(r"[<>=!~\[; ]", need)[0] for need in (*project["dependencies"], *project["optional-dependencies"]["test"])
    }
    assert needed - set(pinned) == set()


@pytest.mark.parametrize("name", sorted(shipped_runs()))
def test_a_shipped_run_file_can_be_searched(name: str) -> None:
    config = read_config(name)
    config.load_task().check(config.load_ops())
    if config.family == "function":
        assert config.search == read_config("exp2").search  # one set of search defaults serves all functions


@pytest.mark.parametrize("path", sorted((ROOT / "runs/records").glob("*.json")), ids=lambda path: path.stem)
def test_a_record_says_how_to_make_it_again(path: Path) -> None:
    record = json.loads(path.read_text())
    source = shlex.split(record["command"])
    assert source[:2] == ["evosearch", "run"] and source[2] in shipped_runs()
    assert record["front"] and record["machine"] and record["seed"] == record["config"]["search"]["seed"]
    cost, error = {"function": ("cost", "error"), "rule": ("size", "fitness"), "policy": ("genes", "score")}[
        record["config"].get("family", "function")
    ]
    sign = -1.0 if error == "score" else 1.0
    costs, errors = zip(*((row[cost], sign * row[error]) for row in record["front"]), strict=True)
    assert list(costs) == sorted(costs) and list(errors) == sorted(errors, reverse=True)


def test_readme_opens_with_a_picture_and_the_two_set_ups() -> None:
    picture = re.search(r"!\[.+\]\((\S+)\)", README)
    assert picture is not None and (ROOT / picture[1]).is_file()
    first, second = (text for language, text in BLOCKS if language == "sh" and text.startswith("pip install"))
    assert first.strip() == "pip install . && evosearch run exp2"
    assert second.strip() == SET_UP
    assert README.index(picture[0]) < README.index(first) < README.index(second) < README.index("\n## ")


def test_the_check_of_a_change_runs_the_set_up_of_readme() -> None:
    assert f'setup="{SET_UP}"' in (ROOT / ".ci/run").read_text()


def test_links_of_readme_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert links and [link for link in links if not (ROOT / link).exists()] == []


def commands() -> list[str]:
    """The `evosearch` commands of README."""
    lines = [line.strip().removeprefix("$ ") for _, text in BLOCKS for line in text.replace("\\\n", "").splitlines()]
    return [line for line in lines if line.startswith("evosearch ")]


@pytest.mark.parametrize("line", commands())
def test_a_command_of_readme_is_one(line: str) -> None:
    words = shlex.split(line.partition(" && ")[0].partition(" > ")[0], comments=True)
    command = _cli.get_command(click.Context(_cli), words[1])
    assert command is not None
    given = command.make_context(words[1], words[2:]).params
    if words[1] == "run" and given["source"] in shipped_runs():
        overrides = [parse_override(text) for text in given["overrides"]]
        search = {key: given[key] for key in ("seed", "budget", "until", "algorithm") if given[key] is not None}
        config = read_config(given["source"], [*overrides, *((f"search.{key}", value) for key, value in search.items())])
        config.load_ops(), config.load_task()


@pytest.mark.parametrize("text", [text for language, text in BLOCKS if language == "toml"])
def test_a_run_file_of_readme_is_one(text: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(text)
    config = read_config(tmp_path / "own.toml")
    assert config.load_task().describe(config.load_ops())


@pytest.mark.parametrize("text", [text for language, text in BLOCKS if language == "python"])
def test_python_of_readme_compiles(text: str) -> None:
    compile(text, "README.md", "exec")
