"""What all commands share: exit codes, and how they print."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click

DONE, CHECK_FAILED, BAD_INPUT, GOAL_MISSED, INTERRUPTED = 0, 1, 2, 3, 130


def print_lines(lines: Iterable[str]) -> None:
    """Print each."""
    for line in lines:
        click.echo(line)


def print_json(data: dict[str, Any]) -> None:
    """Print as JSON; numbers that are not finite are refused."""
    click.echo(json.dumps(data, indent=2, allow_nan=False))
