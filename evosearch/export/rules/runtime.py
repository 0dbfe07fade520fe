"""Functions that exported optimizers carry along, taken from here as source text: the problem that they check themselves on."""

from __future__ import annotations

import inspect


def source(name: str) -> str:
    """The source of a function of this file."""
    return inspect.getsource(globals()[name])


def problem(step: int, count: int) -> list[float]:
    """The numbers of a step; see `_numbers`."""
    return _numbers(step, count)


def _numbers(step: int, count: int) -> list[float]:
    """Made-up gradients of a step, some of them zero and of sizes 0.01 to 10; step 0 has the first weights."""
    numbers = [((7919 * k + 104729 * step + 31 * k * k * step) % 2003 - 1001) / 2003 for k in range(count)]
    return [0.0 if step and (k + step) % 11 == 0 else x * (1.0, 0.01, 10.0)[k % 3] for k, x in enumerate(numbers)]
