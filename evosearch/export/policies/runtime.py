"""Functions that exported policies carry along, taken from here as source text, and how things become such text."""

from __future__ import annotations

import ast
import base64
import inspect
import json
import math
import textwrap
import zlib
from collections.abc import Callable, Generator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 110
"""Characters of a line of packed data."""


def source(function: Callable[..., Any]) -> str:
    """The source of a function without annotations, and without decorators but those of functools."""
    text = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    (node,) = ast.parse(text).body
    assert isinstance(node, ast.FunctionDef)
    lines = text.splitlines()
    for one in (*node.args.args, *node.args.kwonlyargs):
        one.annotation = None
    for each in ast.walk(node):
        if isinstance(each, ast.AnnAssign) and each.value is not None:
            line = lines[each.lineno - 1]
            lines[each.lineno - 1] = f"{line[: each.target.end_col_offset]} = {line[each.value.col_offset :]}"
    kept = [line for line in lines[: node.lineno - 1] if line.startswith("@functools.")]
    head = f"def {node.name}({ast.unparse(node.args)}):"
    body = [line.partition("  # noqa")[0] for line in lines[node.body[0].lineno - 1 :]]
    return "\n".join([*kept, head, *body]) + "\n"


def literal(value: Any) -> str:
    """Plain data or an array as source."""
    if isinstance(value, np.ndarray):
        return packed(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{literal(key)}: {literal(one)}' for key, one in value.items())}}}"
    if isinstance(value, tuple | list):
        items = [f"{literal(one)}," for one in value]
        short = sum(map(len, items)) < WIDTH
        return f"({' '.join(items)})" if short else "\n".join(["(", *(f"    {one}" for one in items), ")"])
    return json.dumps(value) if isinstance(value, str) else repr(value)


def packed(array: NDArray[Any]) -> str:
    """An array as a call of the exported `_array`."""
    little = array.astype(array.dtype.newbyteorder("<"))
    text = base64.b85encode(zlib.compress(little.tobytes(), 9)).decode()
    lines = "\n".join(f'    "{text[at : at + WIDTH]}"' for at in range(0, len(text), WIDTH))
    return f'_array("{little.dtype.str}", {array.shape}, (\n{lines}\n))'


def thinned(most: int) -> Generator[list[Any], Any, None]:
    """See `_thinned`; ready to be sent things."""
    keeper = _thinned(most)
    next(keeper)
    return keeper


def _thinned(most: int) -> Generator[list[Any], Any, None]:
    """Is sent things and keeps at most so many of them, evenly spread; sent None, it gives them back."""
    kept: list[Any] = []
    stride, count = 1, 0
    while True:
        thing = yield kept
        if thing is not None:
            if count % stride == 0:
                kept.append(thing)
            count += 1
            if len(kept) > most:
                del kept[1::2]
                stride *= 2


def _array(kind: str, shape: tuple[int, ...], text: str) -> NDArray[Any]:
    """An array that stands in this file as text."""
    return np.frombuffer(zlib.decompress(base64.b85decode(text)), kind).reshape(shape)
