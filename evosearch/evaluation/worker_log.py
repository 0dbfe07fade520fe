"""Log records of workers, on their way to the run's log file or to the parent's logging handlers.

A forked worker hands its records to its own `MultiProcessingHandler`, whose receiver runs in the zygote: with one queue
for all, a worker killed while it holds the queue's lock would silence the others for good. A spawned worker sends them
through the standard `QueueHandler` over its socket.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import threading
import time
from logging.handlers import QueueHandler
from pathlib import Path
from typing import Any

from multiprocessing_logging import MultiProcessingHandler

from evosearch.errors import ConfigError
from evosearch.evaluation.channel import Kind, Wire

FORMAT = "%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s"
STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
EXCEPTIONS = logging.Formatter()


class Limits(logging.Filter):
    """Cuts long records and drops those above a rate, before they leave the worker; says how many it dropped.

    It also turns a record into plain text, so that nothing in it can fail on the way.
    """

    def __init__(self, characters: int = 4_000, per_second: int = 100) -> None:
        super().__init__()
        self.characters, self.per_second = characters, per_second
        self._window, self._passed, self._dropped = float("-inf"), 0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes; shortens it in place."""
        now = time.monotonic()
        if now - self._window >= 1.0:
            self._window, self._passed = now, 0
        if self._passed >= self.per_second:
            self._dropped += 1
            return False
        self._passed += 1
        self._flatten(record)
        if self._dropped:
            record.msg += f" ({self._dropped} records before this one were dropped: over {self.per_second} a second)"
            self._dropped = 0
        return True

    def _flatten(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception as error:  # a message that does not fit its arguments must not fail the job
            text = f"{record.msg!r} % {record.args!r}: {error}"
        record.msg, record.args = self._cut(text), None
        if record.exc_info:
            record.exc_text = EXCEPTIONS.formatException(record.exc_info) if record.exc_info[0] else None
            record.exc_info = None
        if record.exc_text:
            record.exc_text = self._cut(record.exc_text)
        for name in record.__dict__.keys() - STANDARD:
            del record.__dict__[name]

    def _cut(self, text: str) -> str:
        rest = len(text) - self.characters
        return text if rest <= 0 else f"{text[: self.characters]}... ({rest} more characters)"


class FrameQueue:
    """Looks to a `QueueHandler` like a queue, and sends records as frames."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def put_nowait(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(ConnectionError):  # the parent is gone, and its loggers with it
            self._wire.send(Kind.LOG, 0, pickle.dumps(record, protocol=5))


def file_handler(path: Path) -> logging.Handler:
    """Appends records to the file, one a line; several handlers may share one file."""
    handler = logging.FileHandler(path, mode="a", encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler


def check_writable(path: Path) -> None:
    """Raise `ConfigError` where the log file cannot be written."""
    try:
        path.open("a").close()
    except OSError as error:
        raise ConfigError(f"the workers' log {path} cannot be written ({error.strerror}); choose another folder") from error


def sink(path: Path | None, wire: Wire) -> logging.Handler:
    """Where records go on leaving the workers: the file, or over the wire to the parent's loggers."""
    if path is not None:
        return file_handler(path)
    queue: Any = FrameQueue(wire)  # the handler puts and never gets
    return QueueHandler(queue)


def install(handler: logging.Handler, level: int) -> None:
    """Make `handler` the only one of this process; Python's warnings are logged too."""
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)


def emit_in_parent(body: bytes) -> None:
    """Give a worker's record to the logger of its name here."""
    record: logging.LogRecord = pickle.loads(body)
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


def receiver(name: str, target: logging.Handler) -> Any:
    """A `MultiProcessingHandler` for one worker that is about to be forked; its thread hands records to `target`."""
    return MultiProcessingHandler(name, sub_handler=target)


def leave_to_worker(handler: Any) -> None:
    """After the fork: close the writing end here, so that the worker's death ends the receiver when all is read."""
    handler.queue._writer.close()


def retire(handler: Any) -> None:
    """Close a dead worker's handler beside the loop: it waits for its receiver, up to seconds."""
    threading.Thread(target=handler.close, name="log-closer", daemon=True).start()
