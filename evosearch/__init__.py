"""Finds programs by evolution: `run`, `open` and `resume` a search from a notebook as from the command line.

>>> import evosearch
>>> run = evosearch.run("exp2", budget="60s")
>>> run.front()[-1].text
>>> run.export(to="c", output="exp2.h")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evosearch.api import Run, list_runs, open, resume, run
    from evosearch.search.observer import Observer

__version__ = "0.1.0"
__all__ = ["Observer", "Run", "__version__", "list_runs", "open", "resume", "run"]


def __getattr__(name: str) -> Any:
    """Import the API when it is first used, so that `evosearch --help` answers at once."""
    if name == "Observer":
        from evosearch.search.observer import Observer

        return Observer
    if name in __all__:
        from evosearch import api

        return getattr(api, name)
    raise AttributeError(f"module 'evosearch' has no attribute '{name}'")
