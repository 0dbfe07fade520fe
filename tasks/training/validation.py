"""Validation problems: they rank what the search found, and choose the winner. No test family shares their data."""

from __future__ import annotations

from evosearch.evaluation.problems import Suite
from tasks.training.suites import read_suite


def suite() -> Suite:
    """The suite in `validation.toml`: tabular sets, a text at another size, digits with other nets than the proxies'."""
    return read_suite("validation.toml")
