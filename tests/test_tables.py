"""Frozen dataclasses from TOML tables."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from evosearch.errors import ConfigError
from evosearch.tables import from_table


class Colour(enum.StrEnum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True)
class Inner:
    depth: int


@dataclass(frozen=True)
class Outer:
    name: str
    rate: float = 1.0
    size: int | None = None
    pair: tuple[str | int | float, ...] = ()
    colour: Colour = Colour.RED
    colours: tuple[Colour, ...] = ()
    costs: Mapping[str, float] = field(default_factory=dict)
    inner: Inner = Inner(1)


def test_reads_every_kind_of_field():
    table = {
        "name": "a",
        "rate": 2,
        "size": 3,
        "pair": [0, "pi/4"],
        "colour": "green",
        "colours": ["red", "green"],
        "costs": {"div": 2},
        "inner": {"depth": 4},
    }
    assert from_table(Outer, table, "task") == Outer(
        "a", 2.0, 3, (0, "pi/4"), Colour.GREEN, (Colour.RED, Colour.GREEN), {"div": 2.0}, Inner(4)
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": "a", "sise": 1}, "unknown key 'task.sise'. Did you mean 'size'?"),
        ({}, "'task.name' is missing"),
        ({"name": 1}, "task.name must be a text, got 1"),
        ({"name": "a", "size": True}, "task.size must be a whole number, got True"),
        ({"name": "a", "size": 1.5}, "task.size must be a whole number"),
        ({"name": "a", "colour": "gren"}, "Did you mean 'green'?"),
        ({"name": "a", "colours": "red"}, "task.colours must be a list"),
        ({"name": "a", "pair": [[1], 2]}, "task.pair[0] must be"),
        ({"name": "a", "costs": {"div": "x"}}, "task.costs.div must be a number"),
        ({"name": "a", "inner": {"dept": 1}}, "unknown key 'task.inner.dept'. Did you mean 'depth'?"),
    ],
)
def test_says_what_is_wrong(table, message):
    with pytest.raises(ConfigError) as caught:
        from_table(Outer, table, "task")
    assert message in str(caught.value)
