"""`from_table`: a frozen dataclass filled from a TOML table, with checks that name what is wrong and what is meant."""

from __future__ import annotations

import dataclasses
import enum
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from evosearch.errors import ConfigError, nearest

T = TypeVar("T")


def from_table(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """Fill dataclass `cls` from `table`, which stands at `where` in the run file (for messages, such as "task").

    Fields may be str, int, float, bool, an enum of strings, another dataclass, a union, and tuples and mappings of these.

    Raises:
        ConfigError: for an unknown key (with the nearest known one), a missing one, or a value of another type.
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for key in table:
        if key not in fields:
            raise ConfigError(f"unknown key '{where}.{key}'.{nearest(key, fields)}")
    values = {key: _read(hints[key], value, f"{where}.{key}") for key, value in table.items()}
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"'{where}.{name}' is missing; it must be {_describe(hints[name])}")
    return cls(**values)


def _read(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _read_union(args, value, where)
    if origin is tuple and isinstance(value, (list, tuple)):
        if args[-1] is Ellipsis:
            return tuple(_read(args[0], item, f"{where}[{number}]") for number, item in enumerate(value))
        if len(args) == len(value):
            return tuple(_read(arg, item, f"{where}[{n}]") for n, (arg, item) in enumerate(zip(args, value, strict=True)))
    if isinstance(value, Mapping):
        if dataclasses.is_dataclass(hint):
            return from_table(typing.cast(type[Any], hint), value, where)
        if origin is not None and issubclass(origin, Mapping):
            return {key: _read(args[1], item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(hint, type) and issubclass(hint, enum.StrEnum) and isinstance(value, str):
        if value not in [member.value for member in hint]:
            raise ConfigError(f"unknown value '{value}' of {where}.{nearest(value, (member.value for member in hint))}")
        return hint(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and type(value) is float and not math.isfinite(value):
        raise ConfigError(f"{where} must be a finite number, got {value}")
    if hint in (str, int, float, bool, type(None)) and type(value) is hint:
        return value
    raise ConfigError(f"{where} must be {_describe(hint)}, got {value!r}")


def _read_union(options: tuple[Any, ...], value: Any, where: str) -> Any:
    """The first option that reads the value; with a single option beside None, its own message."""
    some = [option for option in options if option is not type(None)]
    if len(some) == 1:
        return None if value is None else _read(some[0], value, where)
    for option in some:
        if option is type(value):
            return value
    for option in some:
        try:
            return _read(option, value, where)
        except ConfigError:
            continue
    raise ConfigError(f"{where} must be {' or '.join(map(_describe, some))}, got {value!r}")


_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", type(None): "absent"}


def _describe(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_describe(arg) for arg in args if arg is not type(None))
    if origin is tuple:
        if args[-1] is Ellipsis:
            return f"a list, each {_describe(args[0])}"
        return f"a list of {len(args)}, each {_describe(args[0])}"
    if isinstance(hint, type) and issubclass(hint, enum.StrEnum):
        return " or ".join(f"'{member.value}'" for member in hint)
    return _NAMES.get(hint, "a table")
