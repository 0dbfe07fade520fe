"""How a local pool starts its workers: through a zygote, or by spawn where processes cannot fork."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path
from select import select
from typing import Protocol

from evosearch.errors import WorkerError
from evosearch.evaluation import worker, worker_log
from evosearch.evaluation.channel import HEADER, Channel, Frame, Kind, socket_pair


class Launcher(Protocol):
    """Starts workers and knows their ends."""

    @property
    def control(self) -> Channel | None:
        """What the pool must read beside its workers; None where there is nothing."""

    def start(self, number: int, sock: socket.socket) -> None:
        """Start a worker at the other end of `sock`, which the caller closes afterwards."""

    def exit_code(self, number: int | None) -> int | None:
        """The exit code of a worker (or, number None, of the process behind `control`) whose socket has ended.

        Returns:
            None where an EXITED frame will bring it.
        """

    def close(self, patience: float) -> list[Frame]:
        """End all processes, by force after `patience` seconds; returns the frames that still arrived."""


class ZygoteLauncher:
    """Has a zygote fork the workers."""

    def __init__(self, settings: worker.Settings) -> None:
        ours, theirs = socket_pair()
        path = [str(entry) for entry in sys.path]
        # -P and the parent's own path: neither the current folder nor anything else comes before the parent's modules.
        code = f"import sys; sys.path[:] = {path!r}; from evosearch.evaluation.zygote import main; main({theirs.fileno()})"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a job prints must not mix with this program's output
                pass_fds=[theirs.fileno()],
                process_group=0,
                env=os.environ | worker.ENVIRONMENT,
            )
        self.control: Channel = Channel(ours)
        self.control.send(Kind.SETTINGS, 0, pickle.dumps(settings, protocol=5))

    def start(self, number: int, sock: socket.socket) -> None:
        """See `Launcher.start`."""
        try:
            socket.send_fds(self.control.socket, [HEADER.pack(Kind.FORK, number, 0)], [sock.fileno()])
        except ConnectionError as error:
            raise zygote_lost(self.exit_code(None)) from error

    def exit_code(self, number: int | None) -> int | None:
        """See `Launcher.exit_code`."""
        return self._process.wait() if number is None else None

    def close(self, patience: float) -> list[Frame]:
        """See `Launcher.close`; the zygote kills its workers and hands on their last log records."""
        frames: list[Frame] = []
        with contextlib.suppress(OSError):  # it has died already
            self.control.socket.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + patience
        while not self.control.at_end and (left := deadline - time.monotonic()) > 0:
            if select([self.control], [], [], left)[0]:
                frames += self.control.receive()
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the group has ended by itself
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.control.close()
        return frames


class SpawnLauncher:
    """Starts each worker as a fresh interpreter."""

    control = None

    def __init__(self, settings: worker.Settings) -> None:
        self._settings = settings
        self._processes: dict[int, SpawnProcess] = {}

    def start(self, number: int, sock: socket.socket) -> None:
        """See `Launcher.start`."""
        process = multiprocessing.get_context("spawn").Process(
            target=worker.spawned, args=(sock, self._settings), name=f"worker-{number}", daemon=True
        )
        process.start()
        self._processes[number] = process

    def exit_code(self, number: int | None) -> int | None:
        """See `Launcher.exit_code`."""
        if number is None:
            return None
        process = self._processes.pop(number)
        process.join(1.0)
        process.kill()  # its socket has ended, so it is no use, whatever it still does
        process.join()
        return process.exitcode

    def close(self, patience: float) -> list[Frame]:  # noqa: ARG002 - a kill needs none
        """See `Launcher.close`."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.join()
        self._processes.clear()
        return []


def zygote_lost(code: int | None) -> WorkerError:
    """The error where the zygote has died, and the workers with it."""
    return WorkerError(f"the process that starts workers has died ({describe_exit(code)}); resume the run to go on")


def describe_exit(code: int | None) -> str:
    """An exit code in words."""
    if code is None or code >= 0:
        return f"exit code {code}"
    hint = ", often the system's answer to a lack of memory" if code == -signal.SIGKILL else ""
    return f"signal {signal.Signals(-code).name}{hint}"


def log_target(path: str | Path | None) -> Path | None:
    """The log file as an absolute path, checked to be writable."""
    if path is None:
        return None
    absolute = Path(path).absolute()
    worker_log.check_writable(absolute)
    return absolute
