"""The models that ship, as sizes for their kernels; and how a user's own model looks.

::

    @kernel                                # a module of your own, here myfile.py; see `tasks.training.models`
    def logits(m, w, x, n, z, f): ...      # z[:n] from the float32 weights w and the rows x[:n]

    @kernel
    def slopes(m, w, x, dz, n, g, f): ...  # g from dz, after `logits` of the same rows

    def build(sizes, data, batch):
        return Net(shapes=((data.x.shape[1], data.classes),), bounds=(0.1,), sizes=np.array([...]), room=0)

    MINE = Model("myfile", build)          # proxy field: model = "myfile:MINE"
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evosearch.errors import TaskError, nearest
from evosearch.search.loader import load_reference
from tasks.training.batches import TEXT
from tasks.training.data import Data
from tasks.training.models import (
    CHANNELS,
    CHAR,
    COLUMNS,
    CONTEXT,
    CONV,
    EMBEDDING,
    FRONT,
    KIND,
    LAYERS,
    MAPS,
    MLP,
    PATCHES,
    SIDE,
    TABLE,
    VOCABULARY,
)

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Net:
    """A model for one batch size.

    Attributes:
        shapes: of the parameter tensors, in the order of the flat weights.
        bounds: for each tensor: initial weights are uniform within +-bound.
        sizes: int64, what the model's kernels get as `m`.
        room: float32 values that they get as `f`, zero at first.
        work: multiplications an example of `logits`; without it, the number of weights.
        context: characters of a text that predict the next.
    """

    shapes: tuple[Shape, ...]
    bounds: tuple[float, ...]
    sizes: NDArray[np.int64]
    room: int
    work: int = 0
    context: int = 0

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(math.prod(shape) for shape in self.shapes)


@dataclass(frozen=True)
class Model:
    """A model: the module of its kernels `logits` and `slopes`, and `build(sizes, data, batch)`."""

    module: str
    build: Callable[[tuple[int, ...], Data, int], Net]


def mlp(sizes: tuple[int, ...], data: Data, batch: int) -> Net:
    """Dense layers with ReLU between; sizes: hidden units of each hidden layer."""
    if data.kind == TEXT:
        raise TaskError("model 'mlp' needs rows of numbers; a text goes with model 'char'")
    return _stack(MLP, {}, (), (), 0, (data.x.shape[1], *sizes, data.classes), batch)


def conv(sizes: tuple[int, ...], data: Data, batch: int) -> Net:
    """A 3x3 convolution, ReLU, 2x2 mean pooling, dense layers; sizes: channels, then hidden units."""
    side = data.side
    if not side or side % 2 or not sizes:
        raise TaskError("model 'conv' needs square images of an even side, and sizes = (channels, hidden units...)")
    channels = sizes[0]
    front = {SIDE: side, CHANNELS: channels}
    widths = (side * side // 4 * channels, *sizes[1:], data.classes)
    return _stack(CONV, front, ((9, channels), (channels,)), (math.sqrt(6 / 9), 0.0), 9 * channels * side * side, widths, batch)


def char(sizes: tuple[int, ...], data: Data, batch: int) -> Net:
    """Embeddings of the last characters, dense layers, the next character; sizes: characters, embedding, then hidden units."""
    if data.kind != TEXT or len(sizes) < 2:
        raise TaskError(
            "model 'char' needs a text, such as data = 'genesis', and sizes = (characters, embedding, hidden units...)"
        )
    context, width, *hidden = sizes
    front = {CONTEXT: context, EMBEDDING: width, VOCABULARY: data.classes}
    widths = (context * width, *hidden, data.classes)
    return _stack(CHAR, front, ((data.classes, width),), (1.0,), 0, widths, batch)


def _stack(
    kind: int, front: Mapping[int, int], shapes: Sequence[Shape], bounds: Sequence[float], work: int, widths: Shape, batch: int
) -> Net:
    """A front end's tensors and then dense layers, with the places of all matrices in the kernels' room."""
    layers = len(widths) - 1
    m = np.zeros(TABLE + (layers + 1) * COLUMNS, np.int64)
    m[KIND], m[LAYERS] = kind, layers
    for place, value in front.items():
        m[place] = value
    room = 0

    def matrix(rows: int, columns: int) -> int:
        nonlocal room
        room += _padded(rows) * _padded(columns)
        return room - _padded(rows) * _padded(columns)

    for layer, inputs in enumerate(widths):
        row = m[TABLE + layer * COLUMNS :]
        row[0], row[2], row[5] = inputs, matrix(batch, inputs), matrix(batch, inputs)
        if layer < layers:
            outputs = widths[layer + 1]
            row[1] = outputs
            row[3], row[4], row[6] = matrix(inputs, outputs), matrix(outputs, inputs), matrix(inputs, outputs)
    if kind == CONV:
        pixels = int(m[SIDE] ** 2)
        m[PATCHES], m[MAPS] = matrix(batch * pixels, 9), matrix(batch * pixels, int(m[CHANNELS]))
        m[FRONT] = matrix(9, int(m[CHANNELS]))
    pairs = list(itertools.pairwise(widths))
    dense = [shape for pair in pairs for shape in (pair, (pair[1],))]
    limits = [limit for inputs, _ in pairs for limit in (math.sqrt(6 / inputs), 0.0)]
    limits[-2] /= math.sqrt(2.0)  # no ReLU follows
    macs = work + sum(inputs * outputs for inputs, outputs in pairs)
    return Net((*shapes, *dense), (*bounds, *limits), m, room, macs, int(m[CONTEXT]))


def _padded(n: int) -> int:
    return (n + 15) // 16 * 16


_SHIPPED = "tasks.training.models"
MODELS: Mapping[str, Model] = {"mlp": Model(_SHIPPED, mlp), "conv": Model(_SHIPPED, conv), "char": Model(_SHIPPED, char)}
"""Models by the name that a proxy gives."""


def load_model(name: str) -> Model:
    """The model of that name, or the user's "module:attribute"; TaskError where it is none."""
    if ":" not in name and name not in MODELS:
        raise TaskError(f"unknown model '{name}'.{nearest(name, MODELS)} Your own: model = 'module:MODEL', a Model.")
    model = MODELS[name] if name in MODELS else load_reference(name, "model")
    if not isinstance(model, Model):
        raise TaskError(f"model '{name}' is no Model (tasks.training.Model) but {type(model).__name__}")
    return model
