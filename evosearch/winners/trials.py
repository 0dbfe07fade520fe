"""Trials: trainings that a comparison asks for, each done once and kept in a file at once.

A trial is known by its content, so that whoever asks for it again (a resumed assessment, a later stage) gets what was
kept. Plans ask: a plan is a generator that yields trials, is sent their results in the same order, and returns what it
found; plans go on side by side, and each is a function of its own results alone. So neither the number of workers nor a
stop changes anything.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from evosearch.errors import ConfigError, StoreError
from evosearch.evaluation.pool import Pool
from evosearch.evaluation.problems import Part, Setting, Suite, Trained
from evosearch.language.op import OpSet
from evosearch.language.optimizer import read_rule
from evosearch.search.loader import load_reference
from evosearch.search.loop import POLL_SECONDS, Interrupt

T = TypeVar("T")
SCHEMA = 1


@dataclass(frozen=True)
class Trial:
    """One training: the rule's text on a problem of a suite, with what `Setting` has.

    Attributes:
        suite: reference to a function that returns the suite, "module:function".
        ops: reference to the op set.
    """

    suite: str
    ops: str
    problem: str
    rule: str
    lr: float
    decay: float = 0.0
    seed: int = 0
    horizon: float = 1.0
    part: Part = "valid"
    points: int = 0

    @functools.cached_property
    def key(self) -> str:
        """Hash of the content."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()[:24]


Plan = Generator[Sequence[Trial], Sequence[Trained], T]


def run_trial(**trial: Any) -> dict[str, Any]:
    """A worker's job: train, and return `Trained` as plain data."""
    asked = Trial(**trial)
    rule = read_rule(asked.rule, load_ops(asked.ops))
    setting = Setting(asked.lr, asked.decay, asked.seed, asked.horizon, asked.part, asked.points)
    return load_suite(asked.suite)[asked.problem].train_rule(rule, setting).to_json()


JOB = "evosearch.winners.trials:run_trial"


@functools.cache
def load_suite(reference: str) -> Suite:
    """The suite that "module:function" names."""
    suite = load_reference(reference, "suite")()
    if not isinstance(suite, Suite):
        raise ConfigError(f"'{reference}' returns no Suite but {type(suite).__name__}")
    return suite


@functools.cache
def load_ops(reference: str) -> OpSet:
    """The op set that "module:attribute" names."""
    ops = load_reference(reference, "ops")
    if not isinstance(ops, OpSet):
        raise ConfigError(f"'{reference}' is no OpSet but {type(ops).__name__}")
    return ops


class TrialBook:
    """Finished trials in a file of JSON lines; each is there at once, and a line that was cut off by a crash is dropped."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; StoreError where it is damaged, newer or cannot be written."""
        self.path = path
        self._others: dict[str, Trained] = {}
        self._found, size = _read_trials(path)
        try:
            self._file: IO[bytes] = path.open("r+b" if path.exists() else "w+b")
            self._file.truncate(size)
            self._file.seek(0, os.SEEK_END)
            if not size:
                self._write({"schema_version": SCHEMA})
        except OSError as error:
            raise StoreError(f"cannot write to {path}: {error.strerror}; make its folder writable") from None

    def borrow(self, path: Path) -> None:
        """Trials that only the book at `path` has are written here too where they are asked for; that one is only read."""
        self._others.update(_read_trials(path)[0])

    def _write(self, row: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(row, allow_nan=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __len__(self) -> int:
        return len(self._found)

    def get(self, trial: Trial) -> Trained | None:
        """What was kept of a trial, here or in a book to borrow from."""
        if trial.key not in self._found and trial.key in self._others:
            self.keep(trial, self._others[trial.key])
        return self._found.get(trial.key)

    def keep(self, trial: Trial, trained: Trained) -> None:
        """Write a finished trial."""
        self._write({"key": trial.key, "trial": dataclasses.asdict(trial), "trained": trained.to_json()})
        self._found[trial.key] = trained

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _read_trials(path: Path) -> tuple[dict[str, Trained], int]:
    """The trials of a book by their keys, none where there is no file, and the bytes of its whole lines."""
    found = dict[str, Trained]()
    try:
        content = path.read_bytes() if path.exists() else b""
        size = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:size].decode().splitlines()):
            row = json.loads(line)
            if number == 0 and row["schema_version"] > SCHEMA:
                raise StoreError(f"{path} was written by a newer version; update evosearch to read it")
            if number:
                found[row["key"]] = Trained.from_json(row["trained"])
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}; make it readable") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is damaged ({error}); move it away to begin the trials again") from None
    return found, size


@contextmanager
def trial_book(path: Path) -> Iterator[TrialBook]:
    """A book that is closed in the end."""
    book = TrialBook(path)
    try:
        yield book
    finally:
        book.close()


class Stopped(Exception):  # noqa: N818 - no error
    """The plans were asked to stop; what is finished is in the book."""


def drive(
    plans: Mapping[str, Plan[T]],
    book: TrialBook,
    pool: Pool,
    interrupt: Interrupt,
    observe: Callable[[Trial, Trained], None] = lambda _trial, _trained: None,
) -> dict[str, T]:
    """Run plans side by side until all have returned; by their names what they returned.

    Raises:
        Stopped: where `interrupt` asks for it.
        WorkerError: where a trial failed; everything finished is in the book.
    """
    done: dict[str, T] = {}
    asked: dict[str, Sequence[Trial]] = {}  # by plan, where it has not returned
    askers: dict[str, list[str]] = {}  # by key, the plans that wait for it
    running: dict[int, tuple[str, Trial]] = {}  # by job, with its key
    numbers = itertools.count(1)

    def advance(name: str) -> None:
        """Let a plan go on for as long as the book has what it asks; submit what is lacking."""
        plan, lacking = plans[name], dict[str, Trial]()
        try:
            while not lacking:
                asked[name] = plan.send([_kept(book, one) for one in asked[name]]) if name in asked else next(plan)
                lacking = {trial.key: trial for trial in asked[name] if book.get(trial) is None}
        except StopIteration as stop:
            asked.pop(name, None)
            done[name] = stop.value
            return
        for key, trial in lacking.items():
            if key not in askers:
                number = next(numbers)
                running[number] = key, trial
                pool.submit(number, JOB, dataclasses.asdict(trial))
            askers.setdefault(key, []).append(name)

    for name in plans:
        advance(name)
    while asked:
        if interrupt.requested:
            raise Stopped
        result = pool.next(POLL_SECONDS)
        if result is None:
            continue
        key, trial = running.pop(result.job_id)
        trained = Trained.from_json(result.value_of(f"a trial on '{trial.problem}'"))
        book.keep(trial, trained)
        observe(trial, trained)
        for name in askers.pop(key):
            if all(book.get(one) is not None for one in asked[name]):
                advance(name)
    return done


@dataclass(frozen=True)
class Runner:
    """Where plans are run and trials kept; `observe` is told of each trial that was run."""

    book: TrialBook
    pool: Pool
    interrupt: Interrupt
    observe: Callable[[Trial, Trained], None] = lambda _trial, _trained: None

    def all(self, plans: Mapping[str, Plan[T]]) -> dict[str, T]:
        """See `drive`."""
        return drive(plans, self.book, self.pool, self.interrupt, self.observe)


def _kept(book: TrialBook, trial: Trial) -> Trained:
    found = book.get(trial)
    assert found is not None
    return found
