"""Pools: who runs the jobs. A job names its function as "module:name" and carries plain data.

All pools hand payloads and values over as pickles (protocol 5) that only this program's own processes write and read,
so a job can change nothing in its caller and every pool gives the same results.
"""

from __future__ import annotations

import functools
import importlib
import operator
import pickle
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from evosearch.errors import WorkerError

Status = Literal["ok", "error", "crashed"]
Report = Callable[[str], None]
"""Takes a line of progress, such as "compiling the interpreter kernel"."""


@dataclass(frozen=True)
class PoolResult:
    """What became of a job.

    Attributes:
        job_id: as submitted.
        value: what the function returned; None unless `status` is "ok".
        error: the traceback of an exception in the job, or how its worker died; None where the job went well.
        status: "ok"; "error" (the function raised); "crashed" (the worker died: a native fault, out of memory, a kill).
        seconds: in the function.
        waited: seconds from the end of the worker's last function (or its start) to this one: messages and idling.
    """

    job_id: int
    value: Any
    error: str | None = None
    status: Status = "ok"
    seconds: float = 0.0
    waited: float = 0.0

    def value_of(self, job: str) -> Any:
        """The value; WorkerError, with the traceback as a note, where the job ("job 3 (module:function)") failed."""
        if self.error is None:
            return self.value
        failure = WorkerError(f"{job} failed: {self.error.strip().splitlines()[-1]}")
        failure.add_note(self.error)
        raise failure


class Pool(Protocol):
    """Runs jobs and hands their results out in the order in which they finish.

    How many workers there are changes the order and the speed, never a value: the caller tells results in ask order.
    """

    @property
    def workers(self) -> int:
        """How many jobs run at once."""

    @property
    def warm_seconds(self) -> float:
        """How long the warm function took (compiling or loading kernels), before the first job."""

    def submit(self, job_id: int, function: str, payload: Mapping[str, Any]) -> None:
        """Have `function` called with the payload as keyword arguments; return at once.

        Raises:
            WorkerError: the payload cannot be pickled, or the pool is closed.
        """

    def next(self, timeout: float | None) -> PoolResult | None:
        """The next finished job; None after `timeout` seconds (None: no limit), at once where no job is open.

        Raises:
            WorkerError: the pool is closed or has lost the process that starts its workers.
        """

    def close(self, kill: bool = True) -> None:
        """Stop the workers: in mid-job, or after the jobs that they were sent. Results not yet taken are lost."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...


class InProcessPool:
    """Runs each job in the caller, in the order of submission, when its result is asked for."""

    workers = 1

    def __init__(
        self, warm: str | None = None, warm_payload: Mapping[str, Any] | None = None, progress: Report = lambda _line: None
    ) -> None:
        self.warm_seconds = warm_up(warm, warm_payload or {}, progress)
        self._open: deque[tuple[int, bytes]] = deque()
        self._closed = False

    def submit(self, job_id: int, function: str, payload: Mapping[str, Any]) -> None:
        """See `Pool.submit`."""
        check_open(self._closed)
        self._open.append((job_id, encode_job(job_id, function, payload)))

    def next(self, timeout: float | None = None) -> PoolResult | None:  # noqa: ARG002 - nobody to wait for
        """See `Pool.next`; runs one job, however long it takes."""
        check_open(self._closed)
        if not self._open:
            return None
        job_id, body = self._open.popleft()
        result, _end = run_job(job_id, body, since=time.perf_counter())
        return decode_result(job_id, result)

    def close(self, kill: bool = True) -> None:  # noqa: ARG002 - nobody to kill
        """See `Pool.close`."""
        self._open.clear()
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def check_open(closed: bool) -> None:
    """Raise `WorkerError` where the pool is closed."""
    if closed:
        raise WorkerError("the pool is closed; make a new one")


@functools.cache
def resolve(reference: str) -> Callable[..., Any]:
    """The function that "module:name" names; `name` may have dots."""
    module, colon, name = reference.partition(":")
    if not (module and colon and name):
        raise WorkerError(f"'{reference}' names no function; write it as module:name")
    function: Callable[..., Any] = operator.attrgetter(name)(importlib.import_module(module))
    return function


def warm_up(function: str | None, payload: Mapping[str, Any], progress: Report) -> float:
    """Call the warm function with `progress` and the payload as keyword arguments; return the seconds it took."""
    if function is None:
        return 0.0
    start = time.perf_counter()
    resolve(function)(progress=progress, **payload)
    return time.perf_counter() - start


def encode_job(job_id: int, function: str, payload: Mapping[str, Any]) -> bytes:
    """The job as `run_job` takes it."""
    try:
        return pickle.dumps((function, dict(payload)), protocol=5)
    except Exception as error:  # pickle raises whatever the object's own hooks raise
        message = f"job {job_id}: the payload of {function} cannot be sent to a worker ({error}); send plain data"
        raise WorkerError(message) from error


def run_job(job_id: int, body: bytes, since: float) -> tuple[bytes, float]:
    """Run what `encode_job` gave; `since` is when the worker's last function ended, on the clock of `perf_counter`.

    Returns:
        the result as `decode_result` takes it, and when the function ended.
    """
    start = time.perf_counter()
    end = None
    try:
        name, payload = pickle.loads(body)
        function = resolve(name)
        start = time.perf_counter()
        value = function(**payload)
        end = time.perf_counter()
        return pickle.dumps(PoolResult(job_id, value, seconds=end - start, waited=start - since), protocol=5), end
    except (Exception, SystemExit):  # also of a value that cannot be pickled
        end = end or time.perf_counter()
        result = PoolResult(job_id, None, traceback.format_exc(), "error", end - start, start - since)
        return pickle.dumps(result, protocol=5), end


def decode_result(job_id: int, body: bytes) -> PoolResult:
    """The result that `run_job` encoded."""
    try:
        result: PoolResult = pickle.loads(body)
    except Exception:  # a value whose own hooks fail here
        return PoolResult(job_id, None, traceback.format_exc(), "error")
    return result
