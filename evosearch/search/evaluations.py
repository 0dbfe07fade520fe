"""Evaluations as a store keeps them: those of one told job in columns, as one row; there may be ten thousand a second."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_HEAD = struct.Struct("<III")  # stages, bytes of the operators' names, bytes of the texts
_COLUMNS = {"function": "<u8", "ancestor": "<u8", "work": "<i8", "live": "<i4", "rung": "<i2", "operator": "<u2"}
_SEPARATOR = "\0"
FIELDS = ("function", "rung", "scores", "live", "operator", "ancestor", "work", "text")
"""What `pack` wants."""


@dataclass(frozen=True)
class Evaluations:
    """What `pack` makes of so many evaluations."""

    count: int = 0
    data: bytes = b""


@dataclass(frozen=True)
class StoredEvaluation:
    """One evaluation, as it is read.

    Attributes:
        id: its place in the order of telling, from 1.
        slice: number of its job.
        function: hash of what the program computes, in hexadecimal.
        rung: the last stage of the race that it ran; below 0 where it is not valid.
        scores: fitness at each stage that was run.
        live: number of its operations.
        operator: that made it.
        ancestor: `function` of the nearest ancestor that was offered to the archive; "" for none.
        work: of its trainings.
        text: the program.
    """

    id: int
    slice: int
    function: str
    rung: int
    scores: tuple[float, ...]
    live: int
    operator: str
    ancestor: str
    work: int
    text: str


def pack(
    *,
    function: ArrayLike,
    rung: ArrayLike,
    scores: ArrayLike,
    live: ArrayLike,
    operator: Sequence[str],
    ancestor: ArrayLike,
    work: ArrayLike,
    text: Sequence[str],
) -> Evaluations:
    """The columns of n evaluations; see `StoredEvaluation`, whose hashes are here uint64 (0: no ancestor).

    Args:
        scores: (n, stages), NaN where a stage was not run.
    """
    names = {name: place for place, name in enumerate(dict.fromkeys(operator))}
    given = {"function": function, "ancestor": ancestor, "work": work, "live": live, "rung": rung}
    columns = {**given, "operator": [names[name] for name in operator]}
    table = np.asarray(scores, "<f8").reshape(len(operator), -1) if operator else np.empty((0, 0))
    known, texts = _SEPARATOR.join(names).encode(), _SEPARATOR.join(text).encode()
    parts = [np.asarray(columns[name], dtype).tobytes() for name, dtype in _COLUMNS.items()]
    head = _HEAD.pack(table.shape[1], len(known), len(texts))
    return Evaluations(len(operator), b"".join((head, *parts, table.tobytes(), known, texts)))


def unpack(evaluations: Evaluations, slice: int, first: int) -> Iterator[StoredEvaluation]:
    """One after another, with ids from `first`; ValueError or struct.error where the data was cut short."""
    count, data = evaluations.count, evaluations.data
    stages, names_size, texts_size = _HEAD.unpack_from(data)
    at = _HEAD.size

    def taken(dtype: str, number: int) -> NDArray[np.generic]:
        nonlocal at
        column = np.frombuffer(data, dtype, number, at)
        at += column.nbytes
        return column

    columns = {name: taken(dtype, count).tolist() for name, dtype in _COLUMNS.items()}
    scores = taken("<f8", count * stages).reshape(count, stages).tolist()
    size = at + names_size + texts_size
    if len(data) != size:
        raise ValueError(f"{len(data)} bytes of evaluations, not {size}")
    names = data[at : at + names_size].decode().split(_SEPARATOR)
    texts = data[at + names_size :].decode().split(_SEPARATOR)
    for place in range(count):
        ancestor = columns["ancestor"][place]
        yield StoredEvaluation(
            id=first + place,
            slice=slice,
            function=f"{columns['function'][place]:016x}",
            rung=columns["rung"][place],
            scores=tuple(score for score in scores[place] if score == score),
            live=columns["live"][place],
            operator=names[columns["operator"][place]],
            ancestor=f"{ancestor:016x}" if ancestor else "",
            work=columns["work"][place],
            text=texts[place],
        )
