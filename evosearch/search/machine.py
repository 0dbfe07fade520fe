"""What a run was made on: one line for its record."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

_PACKAGES = ("numpy", "numba", "mpmath", "python-flint")


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine() -> str:
    """Processor, cores, system, Python and the versions of what computes."""
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)
    return f"{_processor()}, {usable_cores()} cores, {platform.system()}, Python {platform.python_version()}, {packages}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
