"""A search's state as JSON text and `.npy` blobs, without pickles: reading a store runs no code of whoever wrote it.

Plain data goes through: None, booleans, numbers, text, bytes, lists, tuples, dictionaries, NumPy arrays and scalars,
programs. What JSON lacks is written as an object with one key that starts with "$".
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evosearch.errors import EvosearchError, StoreError
from evosearch.language.json_form import from_json, to_json
from evosearch.language.op import OpSet
from evosearch.language.program import Program


@dataclass(frozen=True)
class Checkpoint:
    """An encoded state: `text` is JSON and refers to `blobs` (`.npy` bytes) by position."""

    text: str
    blobs: tuple[bytes, ...]


def encode(state: Mapping[str, Any]) -> Checkpoint:
    """Encode a state; TypeError (our own bug) where it holds anything but plain data."""
    blobs: list[bytes] = []

    def plain(value: Any) -> Any:
        match value:
            case None | bool() | int() | float() | str():
                return value.item() if isinstance(value, np.generic) else value
            case np.ndarray() | np.generic():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.asarray(value), allow_pickle=False)
                blobs.append(buffer.getvalue())
                return {"$npy" if isinstance(value, np.ndarray) else "$scalar": len(blobs) - 1}
            case bytes():
                return {"$bytes": base64.b64encode(value).decode()}
            case list():
                return [plain(item) for item in value]
            case tuple():
                return {"$tuple": [plain(item) for item in value]}
            case Program():
                return {"$program": to_json(value)}
            case Mapping():
                if all(isinstance(key, str) and not key.startswith("$") for key in value):
                    return {key: plain(item) for key, item in value.items()}
                return {"$dict": [[plain(key), plain(item)] for key, item in value.items()]}
        raise TypeError(f"a search's state must be plain data, got {type(value).__name__}")

    text = json.dumps(plain(state), separators=(",", ":"))
    return Checkpoint(text, tuple(blobs))


def decode(checkpoint: Checkpoint, ops: OpSet) -> dict[str, Any]:
    """The state that `encode` was given; StoreError where it is damaged."""

    def array(position: int) -> Any:
        return np.lib.format.read_array(io.BytesIO(checkpoint.blobs[position]), allow_pickle=False)

    def restore(value: Any) -> Any:
        match value:
            case list():
                return [restore(item) for item in value]
            case {"$npy": position}:
                return array(position)
            case {"$scalar": position}:
                return array(position)[()]
            case {"$bytes": text}:
                return base64.b64decode(text)
            case {"$tuple": items}:
                return tuple(restore(item) for item in items)
            case {"$program": data}:
                return from_json(data, ops)
            case {"$dict": pairs}:
                return {restore(key): restore(item) for key, item in pairs}
            case dict():
                return {key: restore(item) for key, item in value.items()}
        return value

    try:
        state = restore(json.loads(checkpoint.text))
    except (ValueError, IndexError, TypeError, EvosearchError) as error:
        raise StoreError(f"the checkpoint cannot be read ({error}); what was found can still be shown and exported") from None
    if not isinstance(state, dict):
        raise StoreError("the checkpoint is no search state; what was found can still be shown and exported")
    return state


def from_parts(parts: Sequence[bytes]) -> Checkpoint:
    """The checkpoint from its stored parts: JSON first, then the blobs."""
    return Checkpoint(parts[0].decode(), tuple(parts[1:]))


def to_parts(checkpoint: Checkpoint) -> list[bytes]:
    """What a store keeps of a checkpoint, in order."""
    return [checkpoint.text.encode(), *checkpoint.blobs]
