"""A function of the user's own, from the module to the export: with a proof where it allows one, else "sampled" everywhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evosearch.cli import main

Captured = pytest.CaptureFixture[str]
MODULE = """
from mpmath import mp

def rigorous(x, m):
    return m.exp(-x) / (1 + x)

def opaque(x, m):
    with mp.workdps(60):
        return m.mpf(mp.exp(-mp.mpf(x)) / (1 + mp.mpf(x)))
"""
SMALL = ["--set", "search.islands=2", "--set", "search.max_cost=5", "--set", "search.fuel=5e6"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder."""
    (tmp_path / "own_functions.py").write_text(MODULE)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the loader appends the current folder
    monkeypatch.delitem(sys.modules, "own_functions", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "word", "other"), [("rigorous", "certified", "sampled"), ("opaque", "sampled", "certified")])
def test_a_user_s_function_from_run_to_verified_export(
    name: str, word: str, other: str, folder: Path, capsys: Captured
) -> None:
    task = ["--set", f"task.function=own_functions:{name}", "--set", 'task.interval=["0","1"]']
    assert main(["run", "exp2", *task, *SMALL, "--workers", "0", "--budget", "3000"]) == 0
    assert f"{name}(x) on [0, 1]" in capsys.readouterr().out

    assert main(["show", "exp2-1"]) == 0
    rows = re.findall(r"^ *\d+ +\d+ +\S+ +(certified|sampled) ", capsys.readouterr().out, re.MULTILINE)
    assert rows and set(rows) == {word}

    assert main(["show", "exp2-1", "--json"]) == 0
    best = json.loads(capsys.readouterr().out)["front"][-1]
    assert (best["certified_error"] is None) == (word == "sampled") and best["error"] < 0.01

    assert main(["inspect", "exp2-1", str(best["id"])]) == 0
    out = capsys.readouterr().out
    assert word in out and best["program"].strip() in out

    assert main(["export", "exp2-1", "--to", "python", "-o", "own.py"]) == 0
    assert f"({word})" in capsys.readouterr().out
    text = (folder / "own.py").read_text()
    assert word in text and (other == "sampled" or other not in text.split("def ")[0])
    done = subprocess.run([sys.executable, "own.py", "--verify"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_proof_script_is_refused_where_sollya_lacks_the_function(folder: Path, capsys: Captured) -> None:  # noqa: ARG001
    task = ["--set", "task.function=own_functions:rigorous", "--set", 'task.interval=["0","1"]']
    assert main(["run", "exp2", *task, *SMALL, "--workers", "0", "--budget", "500", "--quiet"]) == 0
    assert main(["export", "exp2-1", "--to", "proof"]) == 2
    error = capsys.readouterr().err
    assert "Sollya" in error and error.count("\n") == 1
