"""Templates of exported files: `$name` fields, and lines that are there only under a condition.

::

    #? counted
    kept where the flag `counted` is true
    #? else
    kept where it is not
    #? end
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import Template


def render(template: str, flags: Mapping[str, bool], fields: Mapping[str, str]) -> str:
    """The text of a template."""
    lines: list[str] = []
    open_flags: list[bool] = []
    for line in template.splitlines():
        mark = line.strip()
        if mark == "#? end":
            open_flags.pop()
        elif mark == "#? else":
            open_flags.append(not open_flags.pop())
        elif mark.startswith("#? "):
            open_flags.append(flags[mark[3:]])
        elif all(open_flags):
            lines.append(line)
    return Template("\n".join(lines) + "\n").substitute(fields)


def indented(lines: list[str] | tuple[str, ...], depth: int = 1) -> str:
    """The lines, so many levels of four spaces deep."""
    return "\n".join(f"{'    ' * depth}{line}" for line in lines)


def quoted(names: tuple[str, ...]) -> str:
    """A tuple of strings as source."""
    return f"({', '.join(json.dumps(name) for name in names)}{',' if len(names) == 1 else ''})"
