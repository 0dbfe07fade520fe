"""Real data for validation problems and test families: digits, tabular sets, Fashion-MNIST, texts; all offline.

scikit-learn's wheel and this package hold the data, except for Fashion-MNIST: Debian's `dataset-fashion-mnist`, or a
folder with the four original files that the environment variable EVOSEARCH_FASHION_MNIST names.
"""

from __future__ import annotations

import functools
import gzip
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.errors import MissingDependencyError, TaskError, nearest
from tasks.training.batches import GROWTH, NOISE, SHIFT, TURN
from tasks.training.data import digits, standard

Array = NDArray[Any]

FASHION_VARIABLE = "EVOSEARCH_FASHION_MNIST"
FASHION_FOLDERS = (Path("/usr/share/datasets/fashion-mnist"), Path("/usr/share/dataset-fashion-mnist"))
TEXTS = Path(__file__).parent.parent / "data"
COPIES, MOVES_SEED = 20, 20250807
"""Of each digit in "moved-digits", and what they are drawn with."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples in their original order.

    Attributes:
        x: float32 (n, features); images (n, side, side); a text's character codes int64 (n,).
        y: int64 (n,) classes, or float32 (n,) values of mean 0 and variance 1; for a text, `x` itself.
        classes: number of classes or characters; 0 for a regression.
        tested: examples from here on are for tests only (Fashion-MNIST's own test set); None where there is no such part.
        copies: so many examples, one after the other, were made of one original; a split keeps them together.
    """

    x: Array
    y: Array
    classes: int
    tested: int | None = None
    copies: int = 1


def load(name: str) -> Examples:
    """The data set called `name`: one of `NAMES`, or "text:FILE" for a text in `tasks/data` or a path of your own.

    Raises:
        TaskError: where it is missing, damaged or unknown, with the remedy.
    """
    return _load(name, os.environ.get(FASHION_VARIABLE, "") if name == "fashion-mnist" else "")


@functools.cache
def _load(name: str, folder: str) -> Examples:
    if name == "fashion-mnist":
        return _fashion(folder)
    kind, colon, rest = name.partition(":")
    if kind == "text" and colon:
        return _text(rest)
    if name not in _SKLEARN:
        raise TaskError(f"unknown data set '{name}'.{nearest(name, NAMES)} Or text:FILE for a text of your own.")
    return _SKLEARN[name]()


def _digits() -> Examples:
    known = digits()
    return Examples(known.x.reshape(-1, known.side, known.side), known.y.astype(np.int64), known.classes)


def _moved_digits() -> Examples:
    """The digits as in the proxies' "moved-digits", but drawn once: each shifted, turned, grown and with noise 20 times."""
    from scipy.ndimage import affine_transform

    plain, rng = _digits(), np.random.default_rng(MOVES_SEED)
    originals = np.repeat(plain.x, COPIES, axis=0)
    shifts, turns, growths = (rng.uniform(-1.0, 1.0, (len(originals), k)) for k in (2, 1, 1))
    angles, sizes = np.arctan(TURN / 2.0 * turns[:, 0]) * 2.0, 1.0 + GROWTH * growths[:, 0]
    middle, moved = (plain.x.shape[1] - 1) / 2.0, np.empty_like(originals)
    for k, (image, shift, angle, size) in enumerate(zip(originals, SHIFT * shifts, angles, sizes, strict=True)):
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / size
        affine_transform(image, matrix, middle - matrix @ (middle + shift), output=moved[k], order=1, mode="grid-constant")
    moved += rng.normal(0.0, NOISE, moved.shape).astype(np.float32)
    return Examples(moved, np.repeat(plain.y, COPIES), plain.classes, copies=COPIES)


def _table(loader: str, classes: int) -> Callable[[], Examples]:
    def read() -> Examples:
        try:
            from sklearn import datasets
        except ImportError:
            raise MissingDependencyError("the data sets need scikit-learn: pip install scikit-learn") from None
        bunch = getattr(datasets, loader)()
        x = standard(bunch.data)
        y = bunch.target.astype(np.int64) if classes else standard(bunch.target)
        return Examples(x, y, classes)

    return read


_SKLEARN: dict[str, Callable[[], Examples]] = {
    "digits": _digits,
    "moved-digits": _moved_digits,
    "breast-cancer": _table("load_breast_cancer", 2),
    "wine": _table("load_wine", 3),
    "iris": _table("load_iris", 3),
    "diabetes": _table("load_diabetes", 0),
}
NAMES = (*_SKLEARN, "fashion-mnist")


def _text(file: str) -> Examples:
    path = TEXTS / file if not Path(file).is_file() and (TEXTS / file).is_file() else Path(file)
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"cannot read the text '{file}': {error}; give a UTF-8 file, text:FILE") from None
    if len(content) < 10_000:
        raise TaskError(f"the text '{file}' has {len(content)} characters; a language model needs at least 10,000")
    characters = {character: code for code, character in enumerate(sorted(set(content)))}
    codes = np.fromiter((characters[character] for character in content), np.int64, len(content))
    return Examples(codes, codes, len(characters))


def _fashion(folder: str) -> Examples:
    places = [Path(folder)] if folder else [place for place in FASHION_FOLDERS if place.is_dir()]
    remedy = (
        "install it with `apt-get install dataset-fashion-mnist`, or put its four files (train-images-idx3-ubyte.gz, "
        f"train-labels-idx1-ubyte.gz, t10k-...) into a folder and set {FASHION_VARIABLE} to it"
    )
    if not places or not places[0].is_dir():
        raise TaskError(f"Fashion-MNIST is not here{f' ({folder} is no folder)' if folder else ''}; {remedy}")
    parts = [
        (_idx(places[0] / f"{part}-images-idx3-ubyte", 3, remedy), _idx(places[0] / f"{part}-labels-idx1-ubyte", 1, remedy))
        for part in ("train", "t10k")
    ]
    if any(len(images) != len(labels) or images.shape[1:] != (28, 28) or labels.max() > 9 for images, labels in parts):
        raise TaskError(f"the Fashion-MNIST files in {places[0]} do not fit together; {remedy}")
    x = np.concatenate([images for images, _ in parts]).astype(np.float32) / np.float32(255)
    y = np.concatenate([labels for _, labels in parts]).astype(np.int64)
    return Examples(x, y, 10, tested=len(parts[0][0]))


def _idx(path: Path, dimensions: int, remedy: str) -> Array:
    """An IDX file (the format of MNIST), packed or not: uint8 in so many dimensions."""
    packed = path.with_name(path.name + ".gz")
    try:
        data = gzip.decompress(packed.read_bytes()) if packed.is_file() else path.read_bytes()
        if data[:4] != bytes([0, 0, 8, dimensions]):
            raise ValueError(f"starts with {data[:4].hex()}")
        shape = np.frombuffer(data, ">u4", dimensions, 4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        found = packed if packed.is_file() else path
        raise TaskError(f"{found} is missing or damaged ({error}); {remedy}") from None
