"""The second half of an exported Python module: how it checks itself (`python FILE --verify`)."""

from __future__ import annotations

from string import Template

from evosearch.evaluation.target import ErrorMeasure
from evosearch.export.info import (
    CHECKED_POINTS,
    DIGITS,
    SMALLEST_NORMAL,
    Bound,
    ExportInfo,
    ReferencePoint,
    float_interval,
    reference_points,
)
from evosearch.export.runtime import source
from evosearch.export.trace import mpmath_expression

_ERROR = {
    ErrorMeasure.ABSOLUTE: (
        "hi: float, lo: float",
        "|value - f| where f = hi + lo",
        "abs(value - hi - lo)",
    ),
    ErrorMeasure.RELATIVE: (
        "hi: float, lo: float",
        "|value - f| / |f| where f = hi + lo; a smaller |f| counts as the smallest normal number",
        f"abs(value - hi - lo) / max(abs(hi), {SMALLEST_NORMAL!r})",
    ),
    ErrorMeasure.WEIGHTED: (
        "hi: float, lo: float, weight: float",
        "|value - f| weight where f = hi + lo",
        "abs(value - hi - lo) * weight",
    ),
}

_CHECK = Template('''\
# The self-check: python FILE --verify

_LOWER, _UPPER = $lower, $upper
_BOUND = $bound  # $kind, $measure

# x, and f(x) as the sum of two floats$weight_note
_STORED = (
$stored
)


def _error(value: float, $arguments) -> float:
    """$meaning."""
    error = $error
    return error if error == error else math.inf


$references


def _verify() -> int:
    """Compare the code with f on the interval; 0 where no error is above the bound, else 1."""
    known, references = _references()
    points = [x for x, *_ in references]
$computed
    checked = [(_error(value, *f), x) for values in computed for value, (x, *f) in zip(values, references)]
    largest, x = max(checked)
    passed = largest <= _BOUND
    print(f"$name: {len(points)} points, {known}; largest $measure error {largest:.6e} at x = {x!r}")
    print(f"bound {_BOUND:.6e} ($kind): {'ok' if passed else 'FAILED'}")
    return 0 if passed else 1


if __name__ == "__main__":
    if sys.argv[1:] != ["--verify"]:
        print(f"usage: python {sys.argv[0]} --verify", file=sys.stderr)
        sys.exit(2)
    sys.exit(_verify())
''')

_BY_MPMATH = Template('''\
$points


def _exact(x, m):
    """f(x) to the digits that mpmath is set to."""
    return $expression


def _references() -> tuple[str, list[tuple[float, ...]]]:
    """Points of the interval with f: many by mpmath, or without it the stored ones."""
    try:
        import mpmath
    except ImportError:
        return "stored values (install mpmath to check more)", list(_STORED)
    references = []
    for x in _points(_LOWER, _UPPER, $count):
        with mpmath.workdps($digits + max(0, -math.frexp(x)[1])):
            f = mpmath.mpf(_exact(mpmath.mpf(x), mpmath))
            references.append((x, float(f), float(f - float(f))))
    return "mpmath", references''')

_BY_STORED_VALUES = '''\
def _references() -> tuple[str, list[tuple[float, ...]]]:
    """Points of the interval with f."""
    return "stored values", list(_STORED)'''


def render_check(info: ExportInfo, limit: Bound, computed: str) -> str:
    """The self-check of a Python module.

    Args:
        limit: what the code must keep to.
        computed: lines that bind `computed` to lists of values at `points`, one list for each way to call the function.
    """
    target = info.target
    lower, upper = float_interval(target)
    stored = reference_points(target)
    arguments, meaning, error = _ERROR[target.error]
    return _CHECK.substitute(
        name=info.name,
        lower=repr(lower),
        upper=repr(upper),
        bound=repr(limit.value),
        kind=limit.kind,
        measure=target.error.value,
        weight_note=", and |w(x)|" if target.weight else "",
        stored="\n".join(f"    {_row(info, point)}," for point in stored),
        arguments=arguments,
        meaning=meaning,
        error=error,
        references=_references(info, stored),
        computed=computed,
    )


def _row(info: ExportInfo, point: ReferencePoint) -> str:
    numbers = point if info.target.weight else point[:3]
    return f"({', '.join(repr(number) for number in numbers)})"


def _references(info: ExportInfo, stored: tuple[ReferencePoint, ...]) -> str:
    target = info.target
    expression = None if target.weight else mpmath_expression(target.function, [point.x for point in stored])
    if expression is None:
        return _BY_STORED_VALUES
    return _BY_MPMATH.substitute(points=source("_points").rstrip(), expression=expression, count=CHECKED_POINTS, digits=DIGITS)
