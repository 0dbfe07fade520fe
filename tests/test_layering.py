"""Imports only go down: which package may import which, checked over the import statements; and what is imported late."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

KERNEL_LAYERS = {"errors", "language", "backends"}
SEARCH_LAYERS = KERNEL_LAYERS | {"evolution", "evaluation", "search", "tables"}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "tables": {"errors"},  # tables of text
    "language": {"errors"},
    "backends": {"errors", "language"},
    "evolution": KERNEL_LAYERS,
    "evaluation": KERNEL_LAYERS,
    "search": KERNEL_LAYERS | {"evolution", "evaluation", "tables", "__init__"},  # the loader asks where the package is
    "winners": SEARCH_LAYERS,
    "export": SEARCH_LAYERS,
    "report": SEARCH_LAYERS,
    "record": SEARCH_LAYERS | {"winners", "export", "report"},
    "driver": SEARCH_LAYERS | {"winners", "record"},
    "api": SEARCH_LAYERS | {"winners", "report", "record", "driver"},
    "cli": SEARCH_LAYERS | {"report", "record", "api"},
    "__init__": {"api", "errors", "search"},
    "__main__": {"cli"},
    "primitives": KERNEL_LAYERS,
    "tasks": SEARCH_LAYERS | {"primitives"},
}
"""Each package or module and what it may import beside itself; `evosearch.` is left out."""

LATE = ("numba", "matplotlib", "torch", "mpmath", "flint", "deap")


def layer(module: str) -> str:
    """The part of the project that a module belongs to."""
    first, _, rest = module.partition(".")
    return first if first != "evosearch" else (rest.partition(".")[0] or "__init__")


def imports(tree: ast.AST) -> list[tuple[str, int]]:
    """Project modules that a file imports, at any depth, with the line."""
    found: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            package = node.module == "evosearch"
            names = [alias.name for alias in node.names if alias.name != "__version__"]  # anyone may read the version
            found += [(f"evosearch.{name}" if package else node.module, node.lineno) for name in names]
    return [(name, line) for name, line in found if name.partition(".")[0] in ("evosearch", "primitives", "tasks", "tests")]


def test_every_import_goes_down() -> None:
    wrong, seen = [], 0
    for path in sorted(path for package in ("evosearch", "primitives", "tasks") for path in (ROOT / package).rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        own = layer(module)
        for target, line in imports(ast.parse(path.read_text())):
            seen += 1
            if layer(target) not in MAY_IMPORT[own] | {own}:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {target}")
    assert wrong == []
    assert seen > 50


def test_the_test_sees_a_wrong_import() -> None:
    tree = ast.parse("def f():\n    from evosearch.search.store import Store\n    from evosearch import api\n")
    assert [(layer(name), line) for name, line in imports(tree)] == [("search", 2), ("api", 3)]
    assert "search" not in MAY_IMPORT["backends"] and "evaluation" not in MAY_IMPORT["evolution"]
    assert not any({"primitives", "tasks"} & allowed for own, allowed in MAY_IMPORT.items() if own not in ("tasks",))


@pytest.mark.parametrize("module", ["evosearch", "evosearch.cli"])
def test_heavy_packages_are_imported_late(module: str) -> None:
    code = f"import {module}, sys; print([name for name in {LATE!r} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.strip() == "[]"
