"""Generated kernels: one file per content, loaded once, compiled once on a machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evosearch.backends.cache import kernel_path, load_kernel_module
from evosearch.backends.kernels import assemble
from evosearch.backends.vm import load
from evosearch.errors import ConfigError
from primitives.arithmetic import CORE, FIELD

SOURCE = """\
from numba import njit

@njit(cache=True, error_model="numpy")
def twice(x):
    return x + x
"""

TWICE = f"""
from evosearch.backends.cache import load_kernel_module
twice = load_kernel_module({SOURCE!r}, "twice").twice
assert twice(1.5) == 3.0
print(len(twice.stats.cache_hits), len(twice.stats.cache_misses))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVOSEARCH_CACHE_DIR", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def test_equal_source_is_one_module_and_other_source_another_file(folder: Path) -> None:
    module = load_kernel_module(SOURCE, "twice")
    assert load_kernel_module(SOURCE, "twice") is module
    assert module.__file__ is not None and Path(module.__file__).parent == folder
    assert kernel_path(SOURCE + "\n", "twice") != kernel_path(SOURCE, "twice")
    assert list(folder.glob("*.tmp")) == []


def test_a_second_process_compiles_nothing() -> None:
    runs = [subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=True) for _ in range(2)]
    assert [run.stdout.split() for run in runs] == [["0", "1"], ["1", "0"]]


def test_a_module_that_does_not_load_leaves_no_trace() -> None:
    with pytest.raises(ZeroDivisionError):
        load_kernel_module("1 / 0", "broken")
    assert not [name for name in sys.modules if name.startswith("evosearch_kernels.broken")]


def test_an_unwritable_folder_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EVOSEARCH_CACHE_DIR", str(tmp_path / "file" / "kernels"))
    with pytest.raises(ConfigError, match="EVOSEARCH_CACHE_DIR"):
        load_kernel_module(SOURCE, "twice")


def test_kernel_sets_share_the_files_that_they_have_in_common() -> None:
    random, genome = "evosearch.evolution.random", "evosearch.evolution.genome"
    both, one, other = (assemble(ops, modules, "set") for ops, modules in (
        (FIELD, (random, genome)), (FIELD, (random,)), (CORE, (random, genome)),
    ))  # fmt: skip
    assert both.below is one.below is other.below
    assert both.forward is load(FIELD).forward
    assert both.settle is not other.settle  # it reads the table of ops
