"""A worker process: takes one job after another from its socket until the parent closes it."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evosearch.evaluation import worker_log
from evosearch.evaluation.channel import Kind, Wire
from evosearch.evaluation.pool import run_job, warm_up

ENVIRONMENT = {
    **{
        f"{library}_NUM_THREADS": "1"  # one worker a core; a thread pool would also not survive the fork
        for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA")
    },
    "VECLIB_MAXIMUM_THREADS": "1",
    "PYTHONHASHSEED": "0",  # the order of a set of strings must not differ from run to run
}


@dataclass(frozen=True)
class Settings:
    """What a zygote or a spawned worker is told first.

    Attributes:
        warm: "module:name" of the warm function, called as `f(progress=report, **warm_payload)`; None for none.
        log_path: file for log records; None sends them to the parent's loggers.
        log_level: lowest level that leaves a worker.
        tied: whether to die with the parent's thread, which must then be its main thread.
    """

    warm: str | None
    warm_payload: Mapping[str, Any]
    log_path: Path | None
    log_level: int
    tied: bool = False


def serve(wire: Wire) -> None:
    """Run the jobs of the socket; return when the parent closes it or dies."""
    since = time.perf_counter()
    while (frame := wire.receive()) is not None:
        result, since = run_job(frame.number, frame.body, since)
        try:
            wire.send(Kind.RESULT, frame.number, result)
        except ConnectionError:
            return


def prepare(wire: Wire, settings: Settings) -> bool:
    """Run the warm function and tell the parent how it went; False where it failed."""

    def progress(line: str) -> None:
        wire.send(Kind.PROGRESS, 0, line.encode())

    try:
        seconds = warm_up(settings.warm, settings.warm_payload, progress)
    except (Exception, SystemExit):
        wire.send(Kind.FAILED, 0, traceback.format_exc().encode())
        return False
    wire.send(Kind.READY, 0, pickle.dumps(seconds))
    return True


def spawned(sock: socket.socket, settings: Settings) -> None:
    """Entry of a worker where processes cannot fork: it warms itself, from the cache after the first one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(ENVIRONMENT)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    wire = Wire(sock)
    handler = worker_log.sink(None, wire)
    handler.addFilter(worker_log.Limits())
    worker_log.install(handler, settings.log_level)
    if prepare(wire, settings):
        serve(wire)


def die_with_parent() -> None:
    """Have Linux kill this process when the thread that started it ends; elsewhere the closed socket ends it."""
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
