"""What searches have in common that make their jobs in `tell` and keep them in a queue until they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from evosearch.search.protocol import Job


class Ticket(Protocol):
    """A job that a search plans."""

    @property
    def number(self) -> int:
        """Of the job, in ask order."""


T = TypeVar("T", bound=Ticket)


class Queued(ABC, Generic[T]):
    """The asking side of an `evosearch.search.protocol.Search`: tickets wait in `_queue`, and are in `_open` until told."""

    def __init__(self) -> None:
        self._queue: deque[T] = deque()
        self._open: dict[int, T] = {}

    @property
    def window(self) -> int:
        """All that waits may be under way at once; the pool decides how much is."""
        return 1_000_000

    @property
    def finished(self) -> bool:
        """Evolution has no end of its own."""
        return False

    def ask(self) -> Job | None:
        """The next job of the queue; None where results must be told first."""
        if not self._queue:
            return None
        ticket = self._queue.popleft()
        self._open[ticket.number] = ticket
        return self._job(ticket)

    @abstractmethod
    def _job(self, ticket: T) -> Job:
        """The job of a ticket."""

    def _waiting(self) -> list[T]:
        """Tickets that are not told, in the order of their numbers: what is open, then what was not asked for."""
        return [*(ticket for _, ticket in sorted(self._open.items())), *self._queue]

    def _wait_again(self, tickets: Iterable[T]) -> None:
        """Restore the queue: what was open is asked for again."""
        self._queue, self._open = deque(tickets), {}

    def _close(self, wanted: Callable[[T], bool]) -> tuple[Job, ...]:
        """Keep the wanted tickets alone, and make their jobs, by number."""
        self._open = {ticket.number: ticket for ticket in self._waiting() if wanted(ticket)}
        return tuple(map(self._job, self._open.values()))
