"""Where a function cannot be a target: points at which it raises, is not real, or is infinite; and its zeros."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evosearch.errors import TaskError

SAMPLES = 257
_STEPS = 120  # of bisection: far below the distance of two doubles


def real_value(function: Callable[[Any, Any], Any], x: Any, m: Any, name: str) -> Any:
    """f(x) as a number of context `m`; TaskError naming the point where it is none."""
    at = f"'{name}' at x = {show(x, m)}"
    try:
        value = function(x, m)
    except TaskError:
        raise
    except ZeroDivisionError as error:
        raise TaskError(f"{at} divides by zero; choose an interval where it is finite") from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise TaskError(f"{at}: {reason}; a function is f(x, m), defined on all of the interval") from error
    if isinstance(value, float):
        raise TaskError(f"{at} is a float, which has 53 bits only: compute with m.exp, m.sin, ... in place of math or numpy")
    if isinstance(value, int) and not isinstance(value, bool):
        value = m.mpf(value)
    if isinstance(value, m.mpc) and value.imag == 0:
        value = value.real
    if not isinstance(value, m.mpf):
        kind = "complex" if isinstance(value, m.mpc) else f"no real number ({value!r})"
        raise TaskError(f"{at} is {kind}; choose an interval where it is real")
    if not m.isfinite(value):
        raise TaskError(f"{at} is {'undefined' if m.isnan(value) else 'infinite'}; choose an interval where it is finite")
    return value


def show(x: Any, m: Any) -> str:
    """A point for people: the shortest of 17 digits, without a trailing ".0"."""
    text = str(m.nstr(x, 17))
    return text.removesuffix(".0")


def find_zero(function: Callable[[Any, Any], Any], lower: Any, upper: Any, m: Any, name: str) -> Any:
    """A zero of f in [lower, upper], or None.

    Samples of f are searched for zeros, changes of sign, and minima and maxima of |f| that go on to zero or to infinity.

    Raises:
        TaskError: where f is undefined, not real or infinite, naming the point.
    """

    def value(x: Any) -> Any:
        return real_value(function, x, m, name)

    def size(x: Any) -> Any:
        return abs(value(x))

    xs = [lower + (upper - lower) * k / (SAMPLES - 1) for k in range(SAMPLES)]
    if lower < 0 < upper:
        xs = sorted({*xs, m.mpf(0)})
    values = [value(x) for x in xs]
    scale = sorted(map(abs, values))[len(values) // 2]
    zeros = [x for x, v in zip(xs, values, strict=True) if v == 0]
    for k in range(len(xs) - 1):
        if values[k] * values[k + 1] < 0:
            at = _bisect(value, xs[k], xs[k + 1], values[k] > 0)
            if size(at) > max(abs(values[k]), abs(values[k + 1])):
                raise _infinite(name, at, m)
            zeros.append(at)
    for k in range(1, len(xs) - 1):
        a, b = xs[k - 1], xs[k + 1]
        u, v, w = values[k - 1 : k + 2]
        if u * v <= 0 or v * w <= 0:
            continue
        if abs(u) <= abs(v) >= abs(w):
            top = _narrow(lambda t: -size(t), a, b)
            if size(top) > 10**12 * max(scale, abs(u), abs(w)):
                raise _infinite(name, top, m)
        elif abs(u) >= abs(v) <= abs(w):
            bottom = _narrow(size, a, b)
            if size(bottom) < max(scale, abs(u)) / 10**20:
                zeros.append(bottom)
    return min(zeros) if zeros else None


def _infinite(name: str, x: Any, m: Any) -> TaskError:
    return TaskError(f"'{name}' is infinite near x = {show(x, m)}; choose an interval without that point")


def _bisect(value: Callable[[Any], Any], a: Any, b: Any, positive_left: bool) -> Any:
    for _ in range(_STEPS):
        middle = (a + b) / 2
        if (value(middle) > 0) == positive_left:
            a = middle
        else:
            b = middle
    return (a + b) / 2


def _narrow(value: Callable[[Any], Any], a: Any, b: Any) -> Any:
    """The lowest point of `value` in [a, b], by ternary search."""
    for _ in range(2 * _STEPS):
        third = (b - a) / 3
        left, right = a + third, b - third
        if value(left) < value(right):
            b = right
        else:
            a = left
    return (a + b) / 2
