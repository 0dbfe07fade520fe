"""`LocalPool`: worker processes on this machine, kept busy without a thread in the parent."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from evosearch.errors import WorkerError
from evosearch.evaluation import worker_log
from evosearch.evaluation.channel import Channel, Frame, Kind, socket_pair
from evosearch.evaluation.launch import Launcher, SpawnLauncher, ZygoteLauncher, describe_exit, log_target, zygote_lost
from evosearch.evaluation.pool import PoolResult, Report, check_open, decode_result, encode_job
from evosearch.evaluation.worker import Settings

AHEAD = 2  # jobs a worker holds: the one it runs and the next, so that it never waits for a message
PATIENCE = 0.4  # seconds that processes get to hand on their logs before they are killed


@dataclass(frozen=True)
class _Job:
    job_id: int
    function: str
    body: bytes


@dataclass
class _Worker:
    number: int
    channel: Channel
    jobs: deque[_Job] = field(default_factory=deque)  # sent and not answered; the first one runs


class LocalPool:
    """Runs jobs in `workers` processes that outlive their jobs, are replaced when they die and die with the parent.

    Attributes:
        workers: how many jobs run at once.
        warm_seconds: how long the warm function took.
    """

    def __init__(
        self,
        workers: int,
        warm: str | None = None,
        log_path: str | Path | None = None,
        *,
        warm_payload: Mapping[str, Any] | None = None,
        progress: Report = lambda _line: None,
        log_level: int = logging.INFO,
        start_method: Literal["zygote", "spawn"] = "zygote" if hasattr(os, "fork") else "spawn",
    ) -> None:
        """Start the workers; returns when the warm function is done.

        Args:
            workers: at least 1.
            warm: "module:name" of a function that imports and compiles what jobs need (never torch), called once as
                `f(progress=report, **warm_payload)`; what it passes to `report` reaches `progress` here.
            log_path: file for the workers' log records; None gives them to this process's loggers, in `next`.
            log_level: lowest level that leaves a worker.
            start_method: "zygote", or "spawn" where processes cannot fork.

        Raises:
            WorkerError: the warm function failed. ConfigError: the log file cannot be written.
        """
        if workers < 1:
            raise WorkerError(f"a pool needs at least one worker, not {workers}")
        self.workers = workers
        self.warm_seconds = 0.0
        self._ready = False
        self._progress = progress
        self._waiting: deque[_Job] = deque()
        self._done: deque[PoolResult] = deque()
        self._alive: dict[int, _Worker] = {}
        self._started = 0
        self._closed = False
        self._selector = selectors.DefaultSelector()
        main_thread = threading.current_thread() is threading.main_thread()
        log = log_target(log_path)
        settings = Settings(warm, dict(warm_payload or {}), log, log_level, tied=main_thread)
        self._own_log = worker_log.file_handler(log) if log and start_method == "spawn" else None
        self._launcher: Launcher = SpawnLauncher(settings) if start_method == "spawn" else ZygoteLauncher(settings)
        try:
            self._start()
        except BaseException:  # also Ctrl-C while it compiles
            self.close()
            raise

    def submit(self, job_id: int, function: str, payload: Mapping[str, Any]) -> None:
        """See `Pool.submit`."""
        check_open(self._closed)
        self._waiting.append(_Job(job_id, function, encode_job(job_id, function, payload)))
        self._hand_out()

    def next(self, timeout: float | None = None) -> PoolResult | None:
        """See `Pool.next`; the parent also moves messages and log records only in here."""
        check_open(self._closed)
        deadline = None if timeout is None else time.monotonic() + timeout
        self._pump(0.0)  # keeps the workers fed, also where a result is at hand
        while not self._done:
            if not self._waiting and not any(worker.jobs for worker in self._alive.values()):
                return None
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._pump(left)
        return self._done.popleft()

    def close(self, kill: bool = True) -> None:
        """See `Pool.close`; with `kill` it takes less than a second, whatever the workers do."""
        if self._closed:
            return
        self._closed = True
        try:
            if not kill:
                self._finish()
        finally:
            for frame in self._launcher.close(PATIENCE if kill else 10 * PATIENCE):
                if frame.kind is Kind.LOG:
                    self._log(frame.body)
            for worker in self._alive.values():
                worker.channel.close()
            self._alive.clear()
            self._selector.close()
            if self._own_log is not None:
                self._own_log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _start(self) -> None:
        if self._launcher.control is None:
            self._start_worker()  # it warms itself, and fills the cache for the others
        else:
            self._selector.register(self._launcher.control, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while not self._ready:
            self._pump(None)
        while len(self._alive) < self.workers:
            self._start_worker()

    def _start_worker(self) -> _Worker:
        ours, theirs = socket_pair()
        with theirs:
            self._launcher.start(self._started, theirs)
        worker = _Worker(self._started, Channel(ours))
        self._started += 1
        self._alive[worker.number] = worker
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)
        return worker

    def _hand_out(self) -> None:
        """Give waiting jobs to the workers that hold fewest; a dead worker is replaced when there is work for it."""
        while self._waiting:
            free = [one for one in self._alive.values() if len(one.jobs) < AHEAD and not one.channel.at_end]
            if len(self._alive) < self.workers:
                worker = self._start_worker()
            elif free:
                worker = min(free, key=lambda one: len(one.jobs))
            else:
                return
            job = self._waiting.popleft()
            worker.jobs.append(job)
            worker.channel.send(Kind.JOB, job.job_id, job.body)
            self._watch(worker.channel, worker)

    def _watch(self, channel: Channel, worker: _Worker | None) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.pending else 0)
        if self._selector.get_key(channel).events != events:
            self._selector.modify(channel, events, worker)

    def _pump(self, timeout: float | None) -> None:
        """Wait for messages, move what can be moved, and hand out jobs."""
        for key, events in self._selector.select(timeout):
            worker: _Worker | None = key.data
            if worker is not None and worker.number not in self._alive:
                continue  # buried by a message of this very round
            channel = worker.channel if worker else self._launcher.control
            assert channel is not None
            if events & selectors.EVENT_WRITE:
                channel.flush()
                self._watch(channel, worker)
            if events & selectors.EVENT_READ:
                for frame in channel.receive():
                    self._handle(worker, frame)
                if channel.at_end:
                    self._lose(worker)
        if not self._closed:
            self._hand_out()

    def _handle(self, worker: _Worker | None, frame: Frame) -> None:
        match frame.kind:
            case Kind.RESULT if worker:
                job = worker.jobs.popleft()
                self._done.append(decode_result(job.job_id, frame.body))
            case Kind.LOG:
                self._log(frame.body)
            case Kind.PROGRESS if not self._ready:
                self._progress(frame.body.decode())
            case Kind.READY if not self._ready:
                self._ready, self.warm_seconds = True, pickle.loads(frame.body)
            case Kind.FAILED:
                raise WorkerError(f"the workers could not be prepared:\n{frame.body.decode()}")
            case Kind.EXITED if frame.number in self._alive:
                self._bury(self._alive[frame.number], pickle.loads(frame.body))

    def _log(self, body: bytes) -> None:
        if self._own_log is None:
            worker_log.emit_in_parent(body)
        else:
            self._own_log.handle(pickle.loads(body))

    def _lose(self, worker: _Worker | None) -> None:
        """A socket has ended: the zygote's ends the pool; a worker's exit code follows."""
        if worker is None:
            code = self._launcher.exit_code(None)
            self.close()
            raise zygote_lost(code)
        code = self._launcher.exit_code(worker.number)
        if code is not None:
            self._bury(worker, code)
        elif worker.number in self._alive:
            self._selector.unregister(worker.channel)

    def _bury(self, worker: _Worker, code: int) -> None:
        """Take a dead worker out: its job has crashed, the one behind it goes first to another worker."""
        for frame in worker.channel.drain():
            self._handle(worker, frame)
        if worker.channel.fileno() in self._selector.get_map():
            self._selector.unregister(worker.channel)
        worker.channel.close()
        del self._alive[worker.number]
        if not self._ready:
            raise WorkerError(f"a worker died while it was prepared ({describe_exit(code)})")
        if worker.jobs:
            job = worker.jobs.popleft()
            death = f"the worker died in {job.function} (job {job.job_id}): {describe_exit(code)}"
            self._done.append(PoolResult(job.job_id, None, death, "crashed"))
        self._waiting.extendleft(reversed(worker.jobs))

    def _finish(self) -> None:
        """Let the workers end the jobs that they were sent, and read what they say meanwhile."""
        self._waiting.clear()
        for worker in list(self._alive.values()):
            while worker.channel.pending and not worker.channel.at_end:
                self._pump(None)
        for worker in self._alive.values():
            with contextlib.suppress(OSError):  # it has died; its exit code is on the way
                worker.channel.socket.shutdown(socket.SHUT_WR)
        while self._alive:
            self._pump(None)
