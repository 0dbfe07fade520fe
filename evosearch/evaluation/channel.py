"""Messages between a pool and its processes: frames over a local stream socket.

The parent's end (`Channel`) never blocks: a worker in mid-job does not read, and waiting for it while it waits to be
read would lock both. The child's end (`Wire`) blocks and may be used from several threads.
"""

from __future__ import annotations

import enum
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

HEADER = struct.Struct("<BqQ")  # kind, number, size of the body
CHUNK = 1 << 20
SMALL = 1 << 16  # bytes of a body that goes with its header in one call: a second call may wake the other side twice
BUFFER = 1 << 22  # asked of the kernel (Linux often grants 200 KB): what fits travels while the other side is busy


class Kind(enum.IntEnum):
    """What a frame carries, and what its number says."""

    SETTINGS = 0  # to the zygote
    FORK = 1  # to the zygote, with the worker's socket; number = worker
    JOB = 2  # to a worker; number = job
    RESULT = 3  # number = job
    PROGRESS = 4  # text of the warm function
    READY = 5  # the warm function is done; body = its seconds
    FAILED = 6  # the warm function raised; body = the traceback
    EXITED = 7  # number = worker; body = its exit code
    LOG = 8  # a log record


class Frame(NamedTuple):
    kind: Kind
    number: int
    body: bytes


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets with room for large messages (as much as the system grants)."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return ours, theirs


def _parts(kind: Kind, number: int, body: bytes) -> tuple[bytes, ...]:
    """A frame as it is sent."""
    header = HEADER.pack(kind, number, len(body))
    return (header + body,) if len(body) <= SMALL else (header, body)


class Wire:
    """The child's end of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        self.socket = sock
        self._lock = threading.Lock()

    def send(self, kind: Kind, number: int = 0, body: bytes = b"") -> None:
        """Send a frame; raises `OSError` where the parent is gone."""
        with self._lock:
            for part in _parts(kind, number, body):
                self.socket.sendall(part)

    def receive(self) -> Frame | None:
        """Wait for a frame; None where the parent has closed its end or died."""
        header = self._read(HEADER.size)
        if header is None:
            return None
        kind, number, size = HEADER.unpack(header)
        body = self._read(size)
        return None if body is None else Frame(Kind(kind), number, body)

    def _read(self, size: int) -> bytes | None:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            try:
                count = self.socket.recv_into(view)
            except ConnectionError:
                return None
            if count == 0:
                return None
            view = view[count:]
        return bytes(data)


class Channel:
    """The parent's end of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.at_end = False  # the other side has closed or died, and all that it sent was read
        self._out: deque[memoryview] = deque()
        self._in = bytearray()

    def fileno(self) -> int:
        return self.socket.fileno()

    @property
    def pending(self) -> bool:
        """Whether something is left to send."""
        return bool(self._out)

    def send(self, kind: Kind, number: int = 0, body: bytes = b"") -> None:
        """Send as much of a frame as goes without waiting; `flush` sends the rest."""
        self._out.extend(map(memoryview, _parts(kind, number, body)))
        self.flush()

    def flush(self) -> None:
        """Send what goes without waiting."""
        while self._out:
            try:
                count = self.socket.send(self._out[0])
            except BlockingIOError:
                return
            except ConnectionError:  # the other side died; reading will say so
                self._out.clear()
                return
            self._out[0] = self._out[0][count:]
            if not self._out[0]:
                self._out.popleft()

    def receive(self) -> Iterator[Frame]:
        """Read once, up to `CHUNK` bytes, and yield the frames that are complete; sets `at_end`."""
        try:
            chunk = self.socket.recv(CHUNK)
        except BlockingIOError:
            return
        except ConnectionError:
            chunk = b""
        self.at_end = not chunk
        self._in += chunk
        while len(self._in) >= HEADER.size:
            kind, number, size = HEADER.unpack_from(self._in)
            end = HEADER.size + size
            if len(self._in) < end:
                return
            body = bytes(memoryview(self._in)[HEADER.size : end])
            del self._in[:end]
            yield Frame(Kind(kind), number, body)

    def drain(self) -> Iterator[Frame]:
        """Yield all frames that have arrived; for a side that has died."""
        while not self.at_end:
            before = len(self._in)
            frames = list(self.receive())
            yield from frames
            if not frames and len(self._in) == before:
                return

    def close(self) -> None:
        self.socket.close()
