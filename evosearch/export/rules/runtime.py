"""Functions that exported optimizers carry along, taken from here as source text: the problem that they check themselves on."""

from __future__ import annotations

import inspect
import math


def source(name: str) -> str:
    """The source of a function of this file."""
    return inspect.getsource(globals()[name]).replace("  # type: ignore[no-untyped-def]", "")


def problem(step: int, count: int) -> list[float]:
    """The numbers of a step; see `_numbers`."""
    return _numbers(step, count)


def _numbers(step: int, count: int) -> list[float]:
    """Made-up gradients of a step, some of them zero and of sizes 0.01 to 10; step 0 has the first weights."""
    numbers = [((7919 * k + 104729 * step + 31 * k * k * step) % 2003 - 1001) / 2003 for k in range(count)]
    return [0.0 if step and (k + step) % 11 == 0 else x * (1.0, 0.01, 10.0)[k % 3] for k, x in enumerate(numbers)]


def _together(updates):  # type: ignore[no-untyped-def]
    """Run generators in lockstep: what they yield is added up, and each is sent the sum; returns their results."""
    total = None
    while True:
        parts, results = [], []
        for update in updates:
            try:
                parts.append(update.send(total))
            except StopIteration as done:
                results.append(done.value)
        if not parts:
            return results
        total = sum(parts)


def call(function, *args):  # type: ignore[no-untyped-def]
    """function(*args), nan or an infinity where Python raises an exception."""
    try:
        return function(*args)
    except OverflowError:
        return math.inf
    except ValueError:  # outside of its domain, or a pole
        return -math.inf if function in (math.log, math.log2, math.log10, math.log1p) and args[0] in (0.0, -1.0) else math.nan
