"""What a user may get wrong with functions, numbers and folders of their own: one line, and nothing is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evosearch.cli import main

Captured = pytest.CaptureFixture[str]
MODULE = """
import math
calls = []
def raises(x, m):
    raise RuntimeError("no data")
def raises_late(x, m):
    if x > 0.99:
        raise ValueError("beyond the table")
    return m.exp(x)
def counts(x, m):
    calls.append(x)
    return m.exp(x) + len(calls)
def coarse(x, m):
    return math.exp(x)
def alone(x):
    return x
def nothing(x, m):
    return None
def root(x, m):
    return m.sqrt(x - 0.5)
def zero(x, m):
    return m.exp(x) - 1
table = [1, 2]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with a module of the user's functions."""
    (tmp_path / "wrong_functions.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the loader appends the current folder
    monkeypatch.delitem(sys.modules, "wrong_functions", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(arguments: list[str], capsys: Captured) -> str:
    """The one line that the command says."""
    assert main(["run", "exp2", "--workers", "0", "--budget", "100", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("error: ") and captured.err.count("\n") == 1
    return captured.err


FUNCTIONS = {
    "raises": "'raises' at x = 0: RuntimeError: no data; a function is f(x, m), defined on all of the interval",
    "raises_late": "'raises_late' at x = 1: ValueError: beyond the table",
    "counts": "'counts' is not deterministic: at x = 0 it gave 2, then",
    "coarse": "is a float, which has 53 bits only: compute with m.exp, m.sin, ... in place of math or numpy",
    "alone": "takes 1 positional argument but 2 were given; a function is f(x, m)",
    "nothing": "'nothing' at x = 0 is no real number (None)",
    "root": "'root' at x = 0 is complex; choose an interval where it is real",
    "zero": "'zero' is zero at x = 0, where relative error has no meaning; use task.error = 'absolute'",
    "table": "'wrong_functions:table' is no function f(x, m) but list",
    "missing": "module 'wrong_functions' has no 'missing'",
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_that_cannot_be_searched_is_refused_before_anything_is_written(
    name: str, folder: Path, capsys: Captured
) -> None:
    task = {"function": f"wrong_functions:{name}", "interval": '["0", "1"]', "error": "relative"}
    options = [word for key, value in task.items() for word in ("--set", f"task.{key}={value}")]
    assert FUNCTIONS[name] in refused(options, capsys)
    assert not (folder / "runs").exists()


SETTINGS = {
    "search.fuel=inf": "search.fuel must be a finite number, got inf",
    "search.max_cost=nan": "search.max_cost must be a finite number, got nan",
    "costs={mul=nan}": "costs.mul must be a finite number, got nan",
    "costs={mul=0}": "the cost of 'mul' must be above 0",
    "search.max_cost=1000": "round the costs or lower search.max_cost",
    "search.islands=0": "search.islands must be at least 1, got 0",
    "search.islands=x": "search.islands must be a whole number, got 'x'",
    "search.elitism=2": "search.elitism is a share, from 0 to 1, got 2",
    'task.interval=["1","0"]': "the interval [1, 0] is empty; the lower bound comes first",
    'task.interval=["0","inf"]': "cannot read the bound 'inf'",
    'task.interval=["0","1e400"]': "is too large for float64; choose a smaller interval",
    "task.error=relativ": "unknown value 'relativ' of task.error. Did you mean 'relative'?",
    "task.form=odd": "form = 'odd' does not fit 'exp2'",
    "search.start=xx": "the start program cannot be used: line 1: a program is one function definition",
    "schema=2": "schema is 2, this version reads `schema = 1`",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_without_sense_is_refused_before_anything_is_written(setting: str, folder: Path, capsys: Captured) -> None:
    assert SETTINGS[setting] in refused(["--set", setting], capsys)
    assert not (folder / "runs").exists()


def test_a_file_in_the_place_of_the_runs_folder_is_kept(folder: Path, capsys: Captured) -> None:
    (folder / "runs").write_text("mine")
    assert "cannot write to runs: Not a directory; give a folder of your own with --out" in refused([], capsys)
    assert (folder / "runs").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which not even root may write")
def test_a_folder_that_is_not_writable_is_named(folder: Path, capsys: Captured) -> None:  # noqa: ARG001
    assert "cannot write to /proc/run" in refused(["--out", "/proc/run"], capsys)
