"""A program as a Numba module that stands alone: a compiled scalar function to call from loops, and a ufunc for arrays."""

from __future__ import annotations

from string import Template

from evosearch.export.info import ExportInfo, bound, summary
from evosearch.export.lower import body, lowered, required
from evosearch.export.python import docstring_rows, docstring_text, python_literal
from evosearch.export.selfcheck import render_check
from evosearch.language.program import Program

_MODULE = Template('''\
"""$formula on $interval in $cost operations, compiled by Numba.

$rows

`$name` takes a float and may be called from other compiled functions; `${name}_array` is a ufunc. Both compile when the
module is imported. `python FILE --verify` checks the code against mpmath, or without it against stored values.
"""

from __future__ import annotations

import math
import sys

import numba
import numpy as np

__all__ = ["$name", "${name}_array"]


$helpers@numba.njit("float64(float64)", error_model="numpy")  # IEEE division; no fastmath, so that nothing is contracted
def $name(x):
    """$formula for x in $interval. Outside of the interval nothing is promised, and nothing is checked.

$indented_rows
    """
$body


@numba.vectorize(["float64(float64)"])
def ${name}_array(x):
    """`$name` of every element."""
    return $name(x)


$check''')

_COMPUTED = """\
    with np.errstate(all="ignore"):  # an infinite intermediate is part of some programs
        computed = [[$name(x) for x in points], ${name}_array(np.array(points)).tolist()]"""

_HELPERS = {
    "fma": '''\
@numba.extending.intrinsic
def fma(typing, a, b, c):
    """a * b + c with one rounding."""

    def generate(context, builder, signature, args):
        return builder.fma(*args)

    return numba.float64(numba.float64, numba.float64, numba.float64), generate
''',
    "scale2": '''\
@numba.njit("float64(float64, float64)", error_model="numpy")
def scale2(a, n):
    """a * 2^n with one rounding; n is rounded to an integer and clamped."""
    if n != n:
        return n
    return math.ldexp(a, int(np.rint(min(max(n, -2200.0), 2200.0))))
''',
    "exponent": '''\
@numba.njit("float64(float64)", error_model="numpy")
def exponent(a):
    """floor(log2 |a|); -inf at zero."""
    if a == 0.0:
        return -math.inf
    return math.frexp(a)[1] - 1.0 if math.isfinite(a) else abs(a)
''',
}
"""What the Numba templates of some ops call, by op name."""


def render_numba(program: Program, info: ExportInfo) -> str:
    """The source of a module with a compiled function, named after the target, and a ufunc.

    Raises:
        ExportError: where the program is not a function of one real input, or has an op without a Numba template.
    """
    code = body(lowered(program), lambda op: required(op, op.numba, "a Numba module"), python_literal)
    limit = bound(program, info)
    rows = summary(info, limit)
    lines = [f"    {name} = {expression}" for name, expression in code.statements]
    return _MODULE.substitute(
        formula=docstring_text(info.target.formula),
        interval=info.interval,
        cost=f"{info.cost:g}",
        name=info.name,
        rows=docstring_rows(rows),
        indented_rows=docstring_rows(rows[:2], "    "),
        helpers="".join(f"{source}\n\n" for name, source in _HELPERS.items() if name in code.ops),
        body="\n".join([*lines, f"    return {code.result}"]),
        check=render_check(info, limit, Template(_COMPUTED).substitute(name=info.name)),
    )
