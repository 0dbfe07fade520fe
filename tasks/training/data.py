"""The data that proxies train on: scikit-learn's digits, as they are or moved afresh, and a public-domain text.

::

    def mine() -> Data:                    # proxy field: data = "myfile:mine"
        return Data(x, y, classes=3)
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.errors import MissingDependencyError, TaskError, nearest
from evosearch.search.loader import load_reference
from tasks.training.batches import IMAGES, ROWS, TEXT

TEXT_FILE = Path(__file__).parent.parent / "data" / "genesis.txt"
TEXT_HASH = "e7b72bfd25d395f55a3bd0c1ada5cbf3fd627f61734d239503d834ac9b5e23b6"
DIGITS_HASH = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
_AGAIN = "install it again: pip install --force-reinstall scikit-learn"
HELD = 5
"""One row in so many is kept for validation, unless the data say otherwise."""


@dataclass(frozen=True, eq=False)
class Data:
    """Examples of a classification.

    Attributes:
        x: float32 (rows, inputs), scaled to be about 1 in size; for TEXT the numbers of the characters, (characters, 1).
        y: float32 (rows,) labels 0 .. classes - 1; for TEXT empty.
        classes: how many.
        kind: of `tasks.training.batches`: ROWS, IMAGES (square, moved afresh at each draw) or TEXT.
        train: rows to train on, drawn anew by each seed; 0 for four in five.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    classes: int
    kind: int = ROWS
    train: int = 0

    @property
    def side(self) -> int:
        """Of square images, in pixels; 0 where rows are no images."""
        side = round(float(self.x.shape[1]) ** 0.5)
        return side if self.kind != TEXT and side * side == self.x.shape[1] else 0

    @property
    def held(self) -> int:
        """How many rows (characters) are kept for validation."""
        return len(self.x) - self.train if self.train else len(self.x) // HELD


@functools.cache
def digits() -> Data:
    """1,797 handwritten digits of 8 x 8 pixels, from 0 to 1 (inside scikit-learn; from the UCI repository)."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingDependencyError(
            "the digits are inside scikit-learn, which is not installed: pip install scikit-learn"
        ) from None
    try:
        pixels, labels = load_digits(return_X_y=True)
    except Exception as error:
        raise TaskError(f"scikit-learn's digits cannot be read ({error}); {_AGAIN}") from None
    found = hashlib.sha256(pixels.astype(np.uint8).tobytes() + labels.astype(np.uint8).tobytes()).hexdigest()
    if found != DIGITS_HASH:
        raise TaskError(f"scikit-learn's digits are not the 1,797 that are known (hash {found[:12]}); {_AGAIN}")
    return Data((pixels / 16.0).astype(np.float32), labels.astype(np.float32), 10)


def moved_digits() -> Data:
    """The digits, each shifted, turned, grown and made noisy afresh whenever it is drawn: none can be learnt by heart."""
    plain = digits()
    return Data(plain.x, plain.y, plain.classes, IMAGES)


@functools.cache
def digits_half() -> Data:
    """The digits, every other pixel scaled to mean 0 and variance 1; below five or not; 280 to train on, as in a table."""
    plain = digits()
    return Data(np.ascontiguousarray(standard(plain.x)[:, ::2]), (plain.y >= 5).astype(np.float32), 2, train=280)


def standard(values: NDArray[Any]) -> NDArray[np.float32]:
    """Columns of mean 0 and variance 1; constant ones of 0."""
    return np.asarray((values - values.mean(0)) / (values.std(0) + 1e-12), np.float32)


@functools.cache
def genesis() -> Data:
    """The Book of Genesis, King James Version, 196,818 characters of 60 kinds (see tasks/data/ORIGIN.md)."""
    try:
        content = TEXT_FILE.read_bytes()
    except OSError as error:
        raise TaskError(f"the text {TEXT_FILE} cannot be read ({error.strerror}); install evosearch again") from None
    if hashlib.sha256(content).hexdigest() != TEXT_HASH:
        raise TaskError(f"the text {TEXT_FILE} is not the one that ships; install evosearch again")
    kinds, numbers = np.unique(np.frombuffer(content, np.uint8), return_inverse=True)
    return Data(numbers.astype(np.float32).reshape(-1, 1), np.empty(0, np.float32), len(kinds), TEXT)


DATA: Mapping[str, Callable[[], Data]] = {
    "digits": digits,
    "moved-digits": moved_digits,
    "digits-half": digits_half,
    "genesis": genesis,
}
"""Data by the name that a proxy gives."""


@functools.cache
def load_data(name: str) -> Data:
    """The data of that name, or of the user's "module:function".

    Raises:
        TaskError: where it is unknown, absent, corrupt or not fit to train on; the message says what to do.
    """
    if ":" not in name and name not in DATA:
        raise TaskError(
            f"unknown data '{name}'.{nearest(name, DATA)} Your own: data = 'module:function', which returns a Data."
        )
    made = DATA[name] if name in DATA else load_reference(name, "data")
    try:
        data = made()
    except (TaskError, MissingDependencyError):
        raise
    except Exception as error:
        raise TaskError(f"data '{name}' raised {type(error).__name__}: {error}; mend the function or its file") from error
    if not isinstance(data, Data):
        raise TaskError(f"data '{name}' is no Data (tasks.training.Data) but {type(data).__name__}")
    _check(name, data)
    return data


def _check(name: str, data: Data) -> None:
    x, y = data.x, data.y
    wrong = None
    if x.dtype != np.float32 or x.ndim != 2 or not x.flags.c_contiguous:
        wrong = f"x must be float32 (rows, inputs), contiguous, got {x.dtype} {x.shape}"
    elif not np.isfinite(x).all():
        wrong = "x has values that are not finite; clean them"
    elif len(x) < 50:
        wrong = f"{len(x)} rows are too few; give at least 50"
    elif data.kind == IMAGES and not data.side:
        wrong = f"images must be square, got rows of {x.shape[1]} pixels"
    elif not 0 <= data.train < len(x):
        wrong = f"train must be 0 or leave rows for validation, got {data.train} of {len(x)}"
    else:
        labels = x[:, 0] if data.kind == TEXT else y
        if labels.dtype != np.float32 or labels.shape != (len(x),):
            wrong = f"y must be float32 ({len(x)},), got {labels.dtype} {labels.shape}"
        elif not (np.all(labels == np.floor(labels)) and labels.min() >= 0 and labels.max() < data.classes):
            wrong = f"labels must be whole numbers from 0 to {data.classes - 1}"
    if wrong:
        raise TaskError(f"data '{name}': {wrong}")
