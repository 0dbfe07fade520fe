"""A folder to run in, with the toy search in the place of the algorithms."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from toy_search import make_toy


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder; every algorithm is the toy search."""
    monkeypatch.setitem(sys.modules, "evosearch.search.algorithms", SimpleNamespace(make_search=make_toy))  # type: ignore[arg-type]
    monkeypatch.setattr(sys, "path", [*sys.path])  # the loader appends the current folder
    monkeypatch.chdir(tmp_path)
    return tmp_path
