"""Kernels of the models that ship: a stack of dense layers with ReLU, behind nothing, a convolution or an embedding.

`logits` and `slopes` are what a model's kernel module must define. Weights `w` and gradient `g` are flat, the parameter
tensors one after the other. `m` holds the sizes and places that `tasks.training.nets` wrote: see the constants below.
`f` is room that keeps the activations from `logits` to `slopes`; matrices in it have rows of a multiple of 16 columns, so
that products go by whole blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evosearch.backends.blocks import block
from evosearch.backends.kernels import kernel

Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

KIND, LAYERS, SIDE, CHANNELS, CONTEXT, EMBEDDING, VOCABULARY, PATCHES, MAPS, FRONT = range(10)
"""Places in `m`: the model's kind, dense layers, then sizes and places of its front end."""
MLP, CONV, CHAR = range(3)
"""Kinds."""
TABLE, COLUMNS = 10, 7
"""A row a layer from here on: inputs, outputs, then places in `f`: activations (its input), weights, their transpose, the
gradient of the activations, the gradient of the weights; a last row for the stack's output."""


@kernel
def product(
    a: Singles,
    a0: int,
    ai: int,
    ak: int,
    b: Singles,
    b0: int,
    bk: int,
    c: Singles,
    c0: int,
    rows: int,
    depth: int,
    columns: int,
) -> None:
    """c[i, j] = sum over k of a[i, k] b[k, j]: rows are filled up to 4, columns to 16, which is the row length of c."""
    width = (columns + 15) // 16 * 16
    for i in range(0, rows, 4):
        for j in range(0, width, 16):
            block(a, a0 + i * ai, ai, ak, b, b0 + j, bk, c, c0 + i * width + j, width, depth)


@kernel
def pack(w: Singles, at: int, rows: int, columns: int, f: Singles, to: int, transposed: int) -> None:
    """Copy a dense matrix to padded rows at `to`, and its transpose to padded rows at `transposed` (-1: not)."""
    width, height = (columns + 15) // 16 * 16, (rows + 15) // 16 * 16
    for i in range(rows):
        for j in range(columns):
            f[to + i * width + j] = w[at + i * columns + j]
    if transposed >= 0:
        for j in range(columns):
            for i in range(rows):
                f[transposed + j * height + i] = w[at + i * columns + j]


@kernel
def unpack(f: Singles, at: int, rows: int, columns: int, g: Singles, to: int) -> None:
    """Copy a padded matrix to a dense one."""
    width = (columns + 15) // 16 * 16
    for i in range(rows):
        for j in range(columns):
            g[to + i * columns + j] = f[at + i * width + j]


@kernel
def add_bias_relu(f: Singles, at: int, rows: int, columns: int, w: Singles, bias: int, relu: bool) -> None:
    """Add a bias to each row of a padded matrix, and cut below 0; NaN stays."""
    width = (columns + 15) // 16 * 16
    for i in range(rows):
        row = at + i * width
        for j in range(columns):
            value = f[row + j] + w[bias + j]
            f[row + j] = np.float32(0.0) if relu and value < 0.0 else value


@kernel
def column_sums(f: Singles, at: int, rows: int, columns: int, g: Singles, to: int) -> None:
    """Sum a padded matrix over its rows, in their order."""
    width = (columns + 15) // 16 * 16
    for j in range(columns):
        g[to + j] = 0.0
    for i in range(rows):
        for j in range(columns):
            g[to + j] += f[at + i * width + j]


@kernel
def front_size(m: Ints) -> int:
    """Number of weights before the dense layers."""
    if m[KIND] == CONV:
        return 10 * int(m[CHANNELS])
    return int(m[VOCABULARY] * m[EMBEDDING]) if m[KIND] == CHAR else 0


@kernel
def logits(m: Ints, w: Singles, x: Singles, n: int, z: Singles, f: Singles) -> None:
    """Logits of the first n rows of x.

    Args:
        x: (batch, inputs).
        z: (batch, classes, filled up to 16).
    """
    if m[KIND] == CONV:
        convolve(m, w, x, n, f)
    elif m[KIND] == CHAR:
        embed(m, w, x, n, f)
    else:
        first = m[TABLE + 2]
        width = (m[TABLE] + 15) // 16 * 16
        for i in range(n):
            for j in range(m[TABLE]):
                f[first + i * width + j] = x[i, j]
    at = front_size(m)
    for layer in range(m[LAYERS]):
        row = TABLE + layer * COLUMNS
        inputs, outputs, here, there = m[row], m[row + 1], m[row + 2], m[row + COLUMNS + 2]
        width = (outputs + 15) // 16 * 16
        pack(w, at, inputs, outputs, f, m[row + 3], m[row + 4] if layer > 0 or m[KIND] != MLP else -1)
        product(f, here, (inputs + 15) // 16 * 16, 1, f, m[row + 3], width, f, there, n, inputs, outputs)
        add_bias_relu(f, there, n, outputs, w, at + inputs * outputs, layer + 1 < m[LAYERS])
        at += (inputs + 1) * outputs
    last = m[TABLE + m[LAYERS] * COLUMNS + 2]
    for i in range(n):
        for j in range(z.shape[1]):
            z[i, j] = f[last + i * z.shape[1] + j]


@kernel
def slopes(m: Ints, w: Singles, x: Singles, dz: Singles, n: int, g: Singles, f: Singles) -> None:
    """The gradient g of all weights, after `logits` of the same rows, from the gradient dz of the logits."""
    end = TABLE + m[LAYERS] * COLUMNS
    for i in range(n):
        for j in range(dz.shape[1]):
            f[m[end + 5] + i * dz.shape[1] + j] = dz[i, j]
    at = w.shape[0]
    for layer in range(m[LAYERS] - 1, -1, -1):
        row = TABLE + layer * COLUMNS
        inputs, outputs, here, slope = m[row], m[row + 1], m[row + 2], m[row + COLUMNS + 5]
        width, height = (outputs + 15) // 16 * 16, (inputs + 15) // 16 * 16
        at -= (inputs + 1) * outputs
        column_sums(f, slope, n, outputs, g, at + inputs * outputs)
        product(f, here, 1, height, f, slope, width, f, m[row + 6], inputs, n, outputs)
        unpack(f, m[row + 6], inputs, outputs, g, at)
        if layer > 0 or m[KIND] != MLP:
            product(f, slope, width, 1, f, m[row + 4], height, f, m[row + 5], n, outputs, inputs)
        if layer > 0:
            for i in range(n * height):
                f[m[row + 5] + i] = f[m[row + 5] + i] if f[here + i] > 0.0 else np.float32(0.0)
    if m[KIND] == CONV:
        convolve_back(m, n, g, f)
    elif m[KIND] == CHAR:
        embed_back(m, x, n, g, f)


@kernel
def embed(m: Ints, w: Singles, x: Singles, n: int, f: Singles) -> None:
    """The embeddings of the context's characters, one after the other; x holds the characters' numbers."""
    width, size = (m[CONTEXT] * m[EMBEDDING] + 15) // 16 * 16, m[EMBEDDING]
    for i in range(n):
        for k in range(m[CONTEXT]):
            to, at = m[TABLE + 2] + i * width + k * size, int(x[i, k]) * size
            for j in range(size):
                f[to + j] = w[at + j]


@kernel
def embed_back(m: Ints, x: Singles, n: int, g: Singles, f: Singles) -> None:
    """The gradient of the embeddings."""
    width, size = (m[CONTEXT] * m[EMBEDDING] + 15) // 16 * 16, m[EMBEDDING]
    for i in range(m[VOCABULARY] * size):
        g[i] = 0.0
    for i in range(n):
        for k in range(m[CONTEXT]):
            at, to = m[TABLE + 5] + i * width + k * size, int(x[i, k]) * size
            for j in range(size):
                g[to + j] += f[at + j]


@kernel
def convolve(m: Ints, w: Singles, x: Singles, n: int, f: Singles) -> None:
    """A 3x3 convolution with zeros around the image, ReLU, and the mean of each 2x2 square: (n, side/2, side/2, channels)."""
    side, channels = m[SIDE], m[CHANNELS]
    width = (channels + 15) // 16 * 16
    patches_of(x, n, side, f, m[PATCHES])
    pack(w, 0, 9, channels, f, m[FRONT], -1)
    product(f, m[PATCHES], 16, 1, f, m[FRONT], width, f, m[MAPS], n * side * side, 9, channels)
    add_bias_relu(f, m[MAPS], n * side * side, channels, w, 9 * channels, True)
    half = side // 2
    row = (half * half * channels + 15) // 16 * 16
    for i in range(n):
        for p in range(half):
            for q in range(half):
                at = m[MAPS] + ((i * side + 2 * p) * side + 2 * q) * width
                to = m[TABLE + 2] + i * row + (p * half + q) * channels
                for c in range(channels):
                    upper = f[at + c] + f[at + width + c]
                    lower = f[at + side * width + c] + f[at + (side + 1) * width + c]
                    f[to + c] = (upper + lower) * np.float32(0.25)


@kernel
def convolve_back(m: Ints, n: int, g: Singles, f: Singles) -> None:
    """The gradient of the convolution; the maps become their own gradient."""
    side, channels = m[SIDE], m[CHANNELS]
    width, half = (channels + 15) // 16 * 16, side // 2
    row = (half * half * channels + 15) // 16 * 16
    for i in range(n):
        for p in range(side):
            for q in range(side):
                to = m[MAPS] + ((i * side + p) * side + q) * width
                at = m[TABLE + 5] + i * row + ((p >> 1) * half + (q >> 1)) * channels
                for c in range(channels):
                    f[to + c] = f[at + c] * np.float32(0.25) if f[to + c] > 0.0 else np.float32(0.0)
    column_sums(f, m[MAPS], n * side * side, channels, g, 9 * channels)
    product(f, m[PATCHES], 1, 16, f, m[MAPS], width, f, m[FRONT], 9, n * side * side, channels)
    unpack(f, m[FRONT], 9, channels, g, 0)


@kernel
def patches_of(x: Singles, n: int, side: int, f: Singles, to: int) -> None:
    """The 3x3 neighbourhood of each pixel, as rows of 16 of which 9 count."""
    for i in range(n):
        for p in range(side):
            for q in range(side):
                at = to + ((i * side + p) * side + q) * 16
                for k in range(9):
                    r, c = p + k // 3 - 1, q + k % 3 - 1
                    inside = 0 <= r < side and 0 <= c < side
                    f[at + k] = x[i, r * side + c] if inside else np.float32(0.0)
