"""Reads a suite from its TOML file: problems, baselines and the protocol of their use."""

from __future__ import annotations

import functools
import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evosearch.errors import ConfigError
from evosearch.evaluation.problems import Baseline, Protocol, Suite
from evosearch.tables import from_table
from primitives.rules import RULES
from tasks.training.torch_problem import TorchProblem

FOLDER = Path(__file__).parent


@functools.cache
def read_suite(file: str | Path) -> Suite:
    """The suite in a TOML file, of this folder where the name is relative and no file of the current one.

    Raises:
        ConfigError: for an unknown key, a value of another type, or a file that cannot be read.
    """
    path = Path(file) if Path(file).is_file() else FOLDER / file
    try:
        content = path.read_bytes()
        table = tomllib.loads(content.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read the suite {path}: {error}") from None
    problems = tuple(from_table(TorchProblem, item, "problem") for item in _tables(table, "problem", path))
    baselines = tuple(_baseline(item) for item in _tables(table, "baseline", path))
    protocol = from_table(Protocol, table.get("protocol", {}), "protocol")
    return Suite(problems, baselines, protocol, hashlib.sha256(content).hexdigest()[:16])


def _baseline(table: Mapping[str, Any]) -> Baseline:
    name = table.get("rule", "")
    return from_table(Baseline, {**table, "rule": RULES.get(name, name)}, "baseline")


def _tables(table: Mapping[str, Any], key: str, path: Path) -> list[Mapping[str, Any]]:
    items = table.get(key, [])
    if not (isinstance(items, list) and items):
        raise ConfigError(f"the suite {path} has no [[{key}]]; give at least one")
    return items
