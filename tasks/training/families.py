"""Test families: nobody selects on them. An assessment opens them once for a run, when its winner stands."""

from __future__ import annotations

from evosearch.evaluation.problems import Suite
from tasks.training.suites import read_suite


def suite() -> Suite:
    """The suite in `families.toml`, with the metrics, grids and seeds of every assessment."""
    return read_suite("families.toml")
