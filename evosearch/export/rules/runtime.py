"""Functions that exported optimizers carry along, taken from here as source text: the problem that they check themselves on."""

from __future__ import annotations

import inspect
import math

from evosearch.backends.lockstep import together as _together  # noqa: F401 - its source is exported


def source(name: str) -> str:
    """The source of a function that this file has, under the name that it has here."""
    function = globals()[name]
    text = inspect.getsource(function).replace(f"def {function.__name__}(", f"def {name}(")
    return text.replace("  # type: ignore[no-untyped-def]", "")


def problem(step: int, count: int) -> list[float]:
    """The numbers of a step; see `_numbers`."""
    return _numbers(step, count)


def _numbers(step: int, count: int) -> list[float]:
    """Made-up gradients of a step, some of them zero and of sizes 0.01 to 10; step 0 has the first weights."""
    numbers = [((7919 * k + 104729 * step + 31 * k * k * step) % 2003 - 1001) / 2003 for k in range(count)]
    return [0.0 if step and (k + step) % 11 == 0 else x * (1.0, 0.01, 10.0)[k % 3] for k, x in enumerate(numbers)]


def call(function, *args):  # type: ignore[no-untyped-def]
    """function(*args), nan or an infinity where Python raises an exception."""
    try:
        return function(*args)
    except OverflowError:
        return math.inf
    except ValueError:  # outside of its domain, or a pole
        return -math.inf if function in (math.log, math.log2, math.log10, math.log1p) and args[0] in (0.0, -1.0) else math.nan
