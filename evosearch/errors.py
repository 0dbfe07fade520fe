"""Every error that evosearch raises on purpose.

::

    EvosearchError                 what a user can cause and mend; exit code 2
    ├── ProgramError               a program text or structure that is not valid
    ├── ConfigError                a run file, an option or a value that is not valid
    ├── TaskError                  a task, a target function or an interval that cannot be used
    ├── StoreError                 a run folder that is missing, damaged, newer or in the way
    ├── ExportError                a program that a target cannot express
    ├── MissingDependencyError     an optional package that is not installed
    └── WorkerError                a worker process that died

A message says what happened, with which value, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EvosearchError(Exception):
    """Base of all errors that evosearch raises on purpose; the command line exits with 2."""

    exit_code = 2


class ProgramError(EvosearchError):
    """A program that is not valid; `line` is the line number in its text, where known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.line = line


class ConfigError(EvosearchError):
    """A run file, an option or a value that is not valid."""


class TaskError(EvosearchError):
    """A task, a target function or an interval that cannot be used."""


class StoreError(EvosearchError):
    """A run folder that is missing, damaged, newer than this version or in the way."""


class ExportError(EvosearchError):
    """A program that an export target cannot express."""


class MissingDependencyError(EvosearchError):
    """An optional package that is not installed; the message has the command that installs it."""


class WorkerError(EvosearchError):
    """A worker process that died."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the known name nearest to `name`, else the list of known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f" Did you mean '{close[0]}'?"
    return f" Known: {', '.join(names)}." if names else ""
