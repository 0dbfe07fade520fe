"""Resolves the references of run files ("module:attribute"), without letting a stranger's module take a shipped one's place."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import evosearch
from evosearch.errors import ConfigError, nearest

SHIPPED = ("primitives", "tasks")
"""Top-level packages that ship beside `evosearch`; their names are common enough for others to use them too."""


def shipped_folder(name: str) -> Path:
    """The folder of a package that ships beside `evosearch`, whatever else of that name is on the module path."""
    return Path(evosearch.__path__[0]).parent / name


def load_reference(reference: str, where: str = "reference") -> Any:
    """The attribute that "module:attribute" names; modules of the current folder come last.

    Args:
        reference: for example "primitives.arithmetic:FIELD" or a user's "mymodule:f".
        where: the key or option that holds the reference, for messages.

    Raises:
        ConfigError: where the form, the module or the attribute is wrong, the import fails, or a shipped package's
            name resolves to another file.
    """
    module_name, colon, attribute = reference.partition(":")
    if not (colon and module_name and attribute.isidentifier()):
        raise ConfigError(f'{where}: \'{reference}\' is not of the form "module:attribute", as in "mymodule:f"')
    module = _import(module_name, where)
    if not hasattr(module, attribute):
        public = (name for name in vars(module) if not name.startswith("_"))
        raise ConfigError(f"{where}: module '{module_name}' has no '{attribute}'.{nearest(attribute, public)}")
    return getattr(module, attribute)


def append_current_folder() -> None:
    """Let modules of the current folder be found, after everything that is installed."""
    current = str(Path.cwd())
    if current not in sys.path and "" not in sys.path:
        sys.path.append(current)


def _import(name: str, where: str) -> ModuleType:
    append_current_folder()
    package = name.partition(".")[0]
    if package in SHIPPED:
        _refuse_stranger(package)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise ConfigError(
                f"{where}: there is no module '{error.name}'; put {error.name.replace('.', '/')}.py into the current folder "
                f"({Path.cwd()}) or install it"
            ) from None
        raise ConfigError(f"{where}: module '{name}' needs '{error.name}', which is not installed") from None
    except Exception as error:
        raise ConfigError(f"{where}: importing '{name}' raised {type(error).__name__}: {error}; mend the module") from error


def _refuse_stranger(package: str) -> None:
    try:
        module = importlib.import_module(package)
    except ImportError:
        raise ConfigError(f"the package '{package}' of evosearch is missing; install evosearch again") from None
    found = [Path(entry).resolve() for entry in getattr(module, "__path__", [])] or [Path(str(module.__file__)).resolve()]
    if found[0] != shipped_folder(package).resolve():
        raise ConfigError(
            f"'{package}' resolves to {found[0]}, not to the package that ships with evosearch in {shipped_folder(package)}; "
            f"rename that {'folder' if found[0].is_dir() else 'file'} or start `evosearch` from another folder"
        )
