"""Jobs for the tests of the pools: plain functions that workers import."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

WARMTH: list[int] = []
log = logging.getLogger("pool_jobs")


def warm(progress: Any, degree: int) -> None:
    progress("compiling")
    WARMTH.append(degree)
    log.info("warmed to %d", degree)


def warm_badly(progress: Any) -> None:
    progress("about to fail")
    raise ValueError("no such kernel")


def warmth() -> tuple[list[int], bool]:
    return WARMTH, "torch" in sys.modules


def square(x: Any) -> Any:
    return x * x


def spoil(values: np.ndarray) -> float:
    values[:] = -1.0
    return float(values.sum())


def raise_error(text: str) -> None:
    raise ValueError(text)


def leave() -> None:
    sys.exit("the job leaves")


def unpicklable() -> Any:
    return lambda: None


class Poisoned:
    def __reduce__(self) -> Any:
        return raise_error, ("cannot be read",)


def poisoned() -> Poisoned:
    return Poisoned()


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def grind(started: str, rounds: int = 500_000_000) -> bytes:
    """One native call that no signal handler can interrupt."""
    Path(started).write_text(str(os.getpid()))
    return hashlib.pbkdf2_hmac("sha256", b"a", b"b", rounds)


def die(number: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)
    time.sleep(10)


def interrupt_me() -> str:
    os.kill(os.getpid(), signal.SIGINT)
    return "alive"


def surroundings() -> dict[str, Any]:
    folder = Path("/proc/self/fd")
    targets = [str(entry.readlink()) for entry in folder.iterdir() if entry.is_symlink()]
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "threads": os.environ["OMP_NUM_THREADS"],
        "files": [target for target in targets if target.startswith("/") and "/proc/" not in target],
    }


def talk(text: str, times: int = 1, rest: float = 0.0) -> int:
    for number in range(times):
        log.info("%s %d", text, number)
    time.sleep(rest)
    return os.getpid()


def complain() -> None:
    warnings.warn("a strange number", RuntimeWarning, stacklevel=1)
    try:
        raise KeyError("x")
    except KeyError:
        log.exception("went wrong", extra={"lock": lambda: None})


def where(module: str) -> str:
    return str(__import__(module).VALUE)


def shout() -> None:
    print("from a job")


def warm_for_long(progress: Any, started: str) -> None:
    progress("compiling")
    grind(started)


def die_talking(text: str, rest: float) -> None:
    """Die while the record is on its way, or soon after."""
    talk(text, rest=rest)
    die()
