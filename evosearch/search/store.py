"""The store of a run: one SQLite file in the run's folder, without pickles.

Contract: what is written with one `commit` is there as a whole or not at all, and always as of one told result, so
that a run goes on from the last commit as if nothing had happened. Ids are small integers in the order of entry. An
entrant that is told again under its key keeps its id and lineage and takes the new program and metrics. Wall-clock
figures stand in columns of their own (`meta`, `slices.*_seconds`) or as the counter `kernel_seconds`, and in no `dump`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from evosearch.errors import StoreError
from evosearch.language.json_form import to_json
from evosearch.language.program import Program
from evosearch.language.text import to_text
from evosearch.search.evaluations import Evaluations, StoredEvaluation, unpack
from evosearch.search.protocol import Told, Written

SCHEMA = 2
FILE = "run.sqlite"
LOCK = "run.lock"
CLOSING = "closing_counters"
"""Meta value: what was counted after the last checkpoint."""
_APPLICATION = 0x45564F53  # "EVOS"
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE programs (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, slice INTEGER NOT NULL, cost REAL NOT NULL, error REAL NOT NULL,
    metrics TEXT NOT NULL, text TEXT NOT NULL, json TEXT NOT NULL, parent TEXT, operators TEXT NOT NULL, steps INTEGER NOT NULL,
    closing INTEGER NOT NULL
);
CREATE TABLE slices (
    number INTEGER PRIMARY KEY, evaluations INTEGER NOT NULL, work INTEGER NOT NULL, counters TEXT NOT NULL,
    busy_seconds REAL NOT NULL, waited_seconds REAL NOT NULL
);
CREATE TABLE checkpoint (part INTEGER PRIMARY KEY, data BLOB NOT NULL);
"""
_EVALUATED = "CREATE TABLE IF NOT EXISTS evaluated (slice INTEGER PRIMARY KEY, count INTEGER NOT NULL, data BLOB NOT NULL);"
"""What searches keep of every evaluation; the first runs have no such table."""


@dataclass(frozen=True)
class StoredProgram:
    """An archive entrant as the store keeps it; `parent` is the id of its nearest archived ancestor.

    `metrics` has `error_real`, `error_float64`, `error_sampled`, ... (null where unknown); `json` is the program's JSON form.
    """

    id: int
    key: str
    slice: int
    cost: float
    error: float
    metrics: Mapping[str, Any]
    text: str
    json: Mapping[str, Any]
    parent: int | None
    operators: tuple[str, ...]
    steps: int

    @property
    def certified_error(self) -> float | None:
        """The proven bound on the whole interval, or None where there is only a sampled maximum."""
        return self.metrics.get("error_real")


class Store:
    """An open run folder; `writable` holds the run's lock until `close`."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: IO[bytes] | None) -> None:
        self.folder = folder
        self._connection = connection
        self._lock = lock
        self._slices: list[tuple[Any, ...]] = []
        self._programs: list[dict[str, Any]] = []
        self._evaluated: list[tuple[Any, ...]] = []

    @classmethod
    def create(cls, folder: Path, meta: Mapping[str, Any]) -> Store:
        """Make a new run folder; StoreError where it cannot be written to or already holds a run."""
        if (folder / FILE).exists():
            raise StoreError(f"{folder} already holds a run; give another --out, or go on with: evosearch resume {folder}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = _lock(folder)
        except OSError as error:
            raise StoreError(f"cannot write to {folder}: {error.strerror}; give another folder with --out") from None
        with _explained(folder):
            connection = sqlite3.connect(folder / FILE, isolation_level=None)
            _prepare_writing(connection)
            connection.executescript(
                f"BEGIN; {_TABLES} {_EVALUATED} PRAGMA application_id={_APPLICATION}; PRAGMA user_version={SCHEMA}; COMMIT;"
            )
        store = cls(folder, connection, lock)
        store.write_meta(meta)
        return store

    @classmethod
    def open(cls, folder: Path, *, writable: bool = False) -> Store:
        """Open a run; StoreError where it is missing, damaged, newer, or (writable) in another process's hands."""
        file = folder / FILE
        if not file.is_file():
            raise StoreError(f"{folder} holds no run (there is no {FILE}); `evosearch list` shows the runs here")
        if writable and not os.access(file, os.W_OK):
            raise StoreError(f"cannot write to {file}; copy the run's folder to where you may write and resume the copy")
        lock = _lock(folder) if writable else None
        try:
            with _explained(folder):
                # SQLite cannot make its shared memory file in a read-only folder; nobody writes there, so read as is.
                mode = "rw" if writable else "ro" if os.access(folder, os.W_OK) else "ro&immutable=1"
                connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None)
                connection.execute("PRAGMA trusted_schema=OFF")
                _check(connection, folder)
                if writable:
                    _prepare_writing(connection)
                    connection.executescript(f"{_EVALUATED} PRAGMA user_version={SCHEMA};")
        except BaseException:
            if lock is not None:
                lock.close()
            raise
        return cls(folder, connection, lock)

    def close(self) -> None:
        """Close the file and give the lock back; what was recorded and not committed is dropped."""
        if self._lock is not None:
            # One plain file is left, which also a read-only folder may hold; while somebody reads, it stays in WAL mode.
            with suppress(sqlite3.OperationalError):
                self._connection.execute("PRAGMA busy_timeout=0")
                self._connection.execute("PRAGMA journal_mode=DELETE")
        self._connection.close()
        if self._lock is not None:
            self._lock.close()

    # Writing

    def record(
        self, number: int, told: Told, busy_seconds: float = 0.0, waited_seconds: float = 0.0, *, closing: bool = False
    ) -> None:
        """Keep what the told job `number` adds, until the next `commit`.

        With `closing` it was told out of turn, after the last checkpoint: only its programs are kept, until `reopen`; the sums
        of counters are then the meta value `CLOSING`.
        """
        if not closing:
            counters = json.dumps(dict(told.counters), sort_keys=True)
            self._slices.append((number, told.evaluations, told.work, counters, busy_seconds, waited_seconds))
            if told.evaluated.count:
                self._evaluated.append((number, told.evaluated.count, told.evaluated.data))
        for entrant in told.entrants:
            written = _written(entrant.program)
            self._programs.append(
                {
                    "key": entrant.key,
                    "slice": number,
                    "cost": float(entrant.cost),
                    "error": float(entrant.error),
                    "metrics": json.dumps(dict(entrant.metrics), sort_keys=True),
                    "text": written.text,
                    "json": json.dumps(written.data),
                    "parent": entrant.parent,
                    "operators": json.dumps(entrant.operators),
                    "steps": entrant.steps,
                    "closing": int(closing),
                }
            )

    def commit(self, checkpoint: list[bytes], meta: Mapping[str, Any]) -> None:
        """Write all that was recorded, the checkpoint's parts and new meta values in one transaction."""
        with _explained(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany("INSERT INTO slices VALUES (?, ?, ?, ?, ?, ?)", self._slices)
                self._connection.executemany(_UPSERT, self._programs)
                self._connection.executemany("INSERT INTO evaluated VALUES (?, ?, ?)", self._evaluated)
                if checkpoint:
                    self._connection.execute("DELETE FROM checkpoint")
                    self._connection.executemany("INSERT INTO checkpoint VALUES (?, ?)", enumerate(checkpoint))
                self._connection.executemany(_SET_META, _meta_rows(meta))
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
        self._slices.clear()
        self._programs.clear()
        self._evaluated.clear()

    def reopen(self) -> None:
        """Drop the programs that were told out of turn when the run stopped: they are confirmed again in their turn."""
        with _explained(self.folder):
            self._connection.execute("DELETE FROM programs WHERE closing = 1")
            self._connection.execute("DELETE FROM meta WHERE key = ?", (CLOSING,))

    def write_meta(self, meta: Mapping[str, Any]) -> None:
        """Write meta values only; what was recorded goes on waiting for its `commit`."""
        with _explained(self.folder):
            for row in _meta_rows(meta):
                self._connection.execute(_SET_META, row)

    # Reading

    def meta(self) -> dict[str, Any]:
        """All meta values by key."""
        with _explained(self.folder):
            return {key: json.loads(value) for key, value in self._connection.execute("SELECT key, value FROM meta")}

    def checkpoint(self) -> list[bytes]:
        """The parts of the last checkpoint; empty where none was written yet."""
        with _explained(self.folder):
            return [data for (data,) in self._connection.execute("SELECT data FROM checkpoint ORDER BY part")]

    def programs(self) -> list[StoredProgram]:
        """All archive entrants in the order of their ids."""
        with _explained(self.folder):
            return [_program(row) for row in self._connection.execute(_SELECT + " ORDER BY p.id")]

    def program(self, id: int) -> StoredProgram | None:
        """The program with that id."""
        with _explained(self.folder):
            row = self._connection.execute(_SELECT + " WHERE p.id = ?", (id,)).fetchone()
            return _program(row) if row else None

    def totals(self) -> dict[str, float]:
        """Sums over all slices: evaluations, work, busy_seconds, waited_seconds, and the number of slices."""
        columns = ("evaluations", "work", "busy_seconds", "waited_seconds")
        sums = ", ".join(f"COALESCE(SUM({column}), 0)" for column in columns)
        with _explained(self.folder):
            row = self._connection.execute(f"SELECT {sums}, COUNT(*) FROM slices").fetchone()
            return dict(zip((*columns, "slices"), row, strict=True))

    def counters(self) -> dict[str, float]:
        """Sums of the counters of all slices, and of what was told out of turn."""
        counted = "SELECT counters AS found FROM slices UNION ALL SELECT value FROM meta WHERE key = ?"
        query = f"SELECT each.key, SUM(each.value) FROM ({counted}), json_each(found) AS each GROUP BY each.key ORDER BY 1"
        with _explained(self.folder):
            return dict(self._connection.execute(query, (CLOSING,)))

    def work(self) -> list[tuple[int, int]]:
        """(number, work) of each slice, by its number."""
        with _explained(self.folder):
            return list(self._connection.execute("SELECT number, work FROM slices ORDER BY number"))

    def evaluations(self) -> Iterator[StoredEvaluation]:
        """Every evaluation that was kept, in the order of telling."""
        with _explained(self.folder):
            tables = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_master")}
            first = 1
            if "evaluations" in tables:  # of a run that was begun with schema 1
                rows = self._connection.execute("SELECT * FROM evaluations ORDER BY id")
                for id, slice, function, rung, scores, *rest in rows:
                    yield StoredEvaluation(id, slice, function, rung, tuple(json.loads(scores)), *rest)
                    first = id + 1
            if "evaluated" not in tables:
                return
            for slice, count, data in self._connection.execute("SELECT slice, count, data FROM evaluated ORDER BY slice"):
                yield from unpack(Evaluations(count, data), slice, first)
                first += count

    def dump(self) -> str:
        """The content in order and without wall-clock figures: equal for two runs that walked the same path."""
        with _explained(self.folder):
            lines = [json.dumps(["identity", self.meta().get("identity")], sort_keys=True)]
            for table, columns in _DUMPED.items():
                for row in self._connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1"):
                    lines.append(repr((table, *row)))
        return "\n".join(lines) + "\n"


_SET_META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
_UPSERT = """
INSERT INTO programs (key, slice, cost, error, metrics, text, json, parent, operators, steps, closing)
VALUES (:key, :slice, :cost, :error, :metrics, :text, :json, :parent, :operators, :steps, :closing)
ON CONFLICT (key) DO UPDATE SET
    cost = excluded.cost, error = excluded.error, metrics = excluded.metrics, text = excluded.text, json = excluded.json
"""
_SELECT = """
SELECT p.id, p.key, p.slice, p.cost, p.error, p.metrics, p.text, p.json, q.id, p.operators, p.steps
FROM programs p LEFT JOIN programs q ON q.key = p.parent
"""
_DUMPED = {
    "programs": "id, key, slice, cost, error, metrics, text, json, parent, operators, steps",
    "slices": "number, evaluations, work, json_remove(counters, '$.kernel_seconds')",
    "checkpoint": "part, data",
    "evaluated": "slice, count, data",
}


def _written(program: Program | Written) -> Written:
    return program if isinstance(program, Written) else Written(to_text(program), to_json(program))


def _meta_rows(meta: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, json.dumps(value, sort_keys=True)) for key, value in meta.items()]


def _program(row: tuple[Any, ...]) -> StoredProgram:
    id, key, slice, cost, error, metrics, text, json_form, parent, operators, steps = row
    operator_names = tuple(json.loads(operators))
    return StoredProgram(
        id, key, slice, cost, error, json.loads(metrics), text, json.loads(json_form), parent, operator_names, steps
    )


def _prepare_writing(connection: sqlite3.Connection) -> None:
    """Readers do not wait for the run, nor the run for them; a commit is safe when the process dies."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _check(connection: sqlite3.Connection, folder: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION:
        raise StoreError(f"{folder / FILE} is no run of evosearch, or was cut short; restore it from a copy or start a new run")
    if version > SCHEMA:
        raise StoreError(
            f"{folder} was written by a newer evosearch (store schema {version}, this version reads {SCHEMA}); "
            "upgrade: pip install -U evosearch"
        )
    ((verdict, *_),) = connection.execute("PRAGMA quick_check(1)").fetchall()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn what SQLite and JSON say into one StoreError with the remedy."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "locked" in str(error):
            remedy = "free the disk or end the other program, then resume"
            raise StoreError(f"cannot write to {folder / FILE}: {error}; {remedy}") from None
        raise StoreError(_damaged(folder, error)) from None
    except (sqlite3.DatabaseError, struct.error, ValueError) as error:
        raise StoreError(_damaged(folder, error)) from None


def _damaged(folder: Path, error: Exception) -> str:
    reason = " ".join(str(error).split())
    return f"{folder / FILE} is damaged or was cut short ({reason}); restore it from a copy or start a new run"


def _lock(folder: Path) -> IO[bytes]:
    """Take the run's lock, which the system gives back when the process ends, however it ends."""
    file = (folder / LOCK).open("ab")
    try:
        if os.name == "nt":  # pragma: no cover
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise StoreError(f"{folder} is being written by another evosearch; wait for it or stop it, then try again") from None
    return file


def is_being_written(folder: Path) -> bool:
    """Whether another process holds the run's lock now."""
    if not (folder / LOCK).exists() or not os.access(folder / LOCK, os.W_OK):
        return False
    try:
        with closing(_lock(folder)):
            return False
    except StoreError:
        return True
