"""Run an exported file's own check where evosearch cannot be imported."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evosearch.errors import ExportError
from evosearch.export.c import SELFTEST_MACRO

FORBIDDEN = ("evosearch", "primitives", "tasks")
"""A module that stands alone imports none of these."""

C_FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off")

_PYTHON = {"python": "", "numba": "numba", "numpy": "numpy", "torch": "torch", "optax": "optax"}
"""Targets that are Python modules, with what they need."""

_TIME_LIMIT = 300.0  # seconds; mpmath is slow on some special functions

_GUARD = """\
import runpy, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r} (blocked)", name=name)

blocked = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Blocker())
path = sys.argv[2]
sys.argv = [path, "--verify"]
runpy.run_path(path, run_name="__main__")
"""


@dataclass(frozen=True)
class VerifyReport:
    """What the check of an exported file said.

    Attributes:
        passed: True or False; None where it could not run on this machine (`output` says why).
        output: what it printed.
    """

    passed: bool | None
    output: str


def verify_export(path: str | Path, language: str, *, without: Sequence[str] = (), compiler: str | None = None) -> VerifyReport:
    """Check the exported file at `path` in a process of its own.

    Args:
        language: a target whose files check themselves: "python", "numba", "numpy", "torch", "optax" or "c".
        without: further modules that must not be importable, for example "mpmath".
        compiler: of C; $CC, cc, gcc or clang where None.

    Raises:
        ExportError: for a language that has no check of its own.
    """
    file = Path(path).absolute()
    if language in _PYTHON:
        needed = _PYTHON[language]
        if needed and importlib.util.find_spec(needed) is None:
            how = f"pip install 'evosearch[{language}]'" if language in ("torch", "optax") else f"pip install {needed}"
            return VerifyReport(None, f"not checked: {needed} is not installed; install it with: {how}")
        return _run([sys.executable, "-I", "-c", _GUARD, ",".join([*FORBIDDEN, *without]), str(file)])
    if language == "c":
        return _verify_c(file, compiler)
    raise ExportError(f"'{language}' files do not check themselves; {', '.join(_PYTHON)} and c do")


def _verify_c(file: Path, compiler: str | None) -> VerifyReport:
    candidates = [compiler] if compiler else [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    found = next((path for name in candidates if name and (path := shutil.which(name))), None)
    if found is None:
        return VerifyReport(None, "not checked: no C compiler was found; install gcc or clang, or set CC")
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "check")
        built = _run([found, *C_FLAGS, f"-D{SELFTEST_MACRO}", "-x", "c", str(file), "-o", program, "-lm"])
        return _run([program]) if built.passed else built


def _run(command: Sequence[str]) -> VerifyReport:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIME_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return VerifyReport(False, f"the check took more than {_TIME_LIMIT:.0f} s")
    return VerifyReport(done.returncode == 0, (done.stdout + done.stderr).strip())
