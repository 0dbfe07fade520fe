"""The zygote: a process that imports and compiles once, then forks workers, which inherit all of it.

It is started by exec, so it has none of the parent's threads, files and locks, and it starts no threads but those that
receive log records. It leads a process group of its own: Ctrl-C in the terminal does not reach it or its workers, and
the parent can kill the group at one blow.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from typing import Any

from evosearch.evaluation import worker_log
from evosearch.evaluation.channel import HEADER, Kind, Wire
from evosearch.evaluation.worker import Settings, die_with_parent, prepare, serve


def main(descriptor: int) -> None:
    """Warm up, then fork workers until the parent closes the socket or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr  # its descriptor is that already; this one is flushed with every line
    multiprocessing.set_start_method("fork")
    control = Wire(socket.socket(fileno=descriptor))
    first = control.receive()
    if first is None:
        return
    settings: Settings = pickle.loads(first.body)
    if settings.tied:
        die_with_parent()
    worker_log.install(worker_log.sink(settings.log_path, control), settings.log_level)
    if prepare(control, settings):
        gc.freeze()  # a collection in a worker would touch, and so copy, every shared page
        Zygote(control, settings).run()


@dataclass(frozen=True)
class Worker:
    """A forked worker, as its zygote knows it; `log` is the handler that receives its records."""

    number: int
    process: ForkProcess
    log: Any


class Zygote:
    """Forks workers on request and reports their ends."""

    def __init__(self, control: Wire, settings: Settings) -> None:
        self._control = control
        self._settings = settings
        self._workers: dict[int, Worker] = {}  # by sentinel

    def run(self) -> None:
        """Serve until the parent is gone; then kill the workers and whatever they started."""
        try:
            while self._step():
                pass
        except Exception:  # said here, since this process ends by a kill
            traceback.print_exc()
        finally:
            for worker in self._workers.values():
                worker.process.kill()
            for worker in self._workers.values():
                worker.process.join()
                worker.log.close()
            if os.getpgrp() == os.getpid():
                os.killpg(0, signal.SIGKILL)

    def _step(self) -> bool:
        for ready in wait([self._control.socket, *self._workers]):
            if isinstance(ready, int):
                self._bury(self._workers.pop(ready))
            elif not self._take_request():
                return False
        return True

    def _take_request(self) -> bool:
        """Fork one worker; False at the end of the parent's requests."""
        try:
            header, descriptors, _flags, _address = socket.recv_fds(self._control.socket, HEADER.size, 1)
        except ConnectionError:
            return False
        if not header:
            return False
        _kind, number, _size = HEADER.unpack(header)
        with socket.socket(fileno=descriptors[0]) as sock:
            self._fork(number, sock)
        return True

    def _fork(self, number: int, sock: socket.socket) -> None:
        log = worker_log.receiver(f"log-{number}", worker_log.sink(self._settings.log_path, self._control))
        process = ForkProcess(target=self._become_worker, args=(os.getpid(), sock, log), name=f"worker-{number}")
        process.start()
        worker_log.leave_to_worker(log)
        self._workers[process.sentinel] = Worker(number, process, log)

    def _become_worker(self, zygote: int, sock: socket.socket, log: logging.Handler) -> None:
        die_with_parent()
        if os.getppid() != zygote:  # it died before we asked to die with it
            return
        self._control.socket.close()
        log.addFilter(worker_log.Limits())
        worker_log.install(log, self._settings.log_level)
        serve(Wire(sock))

    def _bury(self, worker: Worker) -> None:
        worker.process.join()
        worker_log.retire(worker.log)
        with contextlib.suppress(ConnectionError):  # the parent is gone too: the next step ends this process
            self._control.send(Kind.EXITED, worker.number, pickle.dumps(worker.process.exitcode))
