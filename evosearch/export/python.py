"""A program as a Python module that stands alone: NumPy for arrays, nothing for plain floats."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

from evosearch.export.info import ExportInfo, bound, summary
from evosearch.export.lower import Body, body, lowered, required
from evosearch.export.runtime import source
from evosearch.export.selfcheck import render_check
from evosearch.language.op import Op
from evosearch.language.program import Program


@dataclass(frozen=True)
class Form:
    """How an op is written so that one function body serves floats and arrays.

    Attributes:
        expression: over a, b, c: operators that both know, or a call of `helper`.
        helper: name of an argument of the body, bound to another function for floats than for arrays.
        scalar: the function for floats; `_name` is taken from `runtime`.
        array: the function for arrays; likewise.
    """

    expression: str
    helper: str = ""
    scalar: str = ""
    array: str = ""


FORMS = {
    "add": Form("a + b"),
    "sub": Form("a - b"),
    "mul": Form("a * b"),
    "div": Form("div(a, b)", "div", "_div", "np.divide"),
    "neg": Form("-a"),
    "square": Form("a * a"),
    "reciprocal": Form("div(1.0, a)", "div", "_div", "np.divide"),
    "sqrt": Form("sqrt(a)", "sqrt", "_sqrt", "np.sqrt"),
    "fma": Form("fma(a, b, c)", "fma", "_fma", "_array_fma"),
    "abs": Form("abs(a)"),
    "sign": Form("sign(a)", "sign", "_sign", "np.sign"),
    "copysign": Form("copysign(a, b)", "copysign", "math.copysign", "np.copysign"),
    "min": Form("minimum(a, b)", "minimum", "_minimum", "_array_minimum"),
    "max": Form("maximum(a, b)", "maximum", "_maximum", "_array_maximum"),
    "floor": Form("floor(a)", "floor", "_floor", "np.floor"),
    "ceil": Form("ceil(a)", "ceil", "_ceil", "np.ceil"),
    "trunc": Form("trunc(a)", "trunc", "_trunc", "np.trunc"),
    "round": Form("rint(a)", "rint", "_rint", "np.rint"),
    "scale2": Form("scale2(a, b)", "scale2", "_scale2", "_array_scale2"),
    "exponent": Form("exponent(a)", "exponent", "_exponent", "_array_exponent"),
    "lt": Form("(a < b) * 1.0"),
    "le": Form("(a <= b) * 1.0"),
    "eq": Form("(a == b) * 1.0"),
    "select": Form("select(a, b, c)", "select", "_select", "_array_select"),
}
"""By op name. The op table's templates serve compiled languages, where a division by zero does not raise."""

_CONSTANT = Form("constant(a, b)", "constant", "_constant", "np.full_like")

_MODULE = Template('''\
"""$formula on $interval in $cost operations.

$rows

`python FILE --verify` checks the code against mpmath, or without it against stored values.
"""

from __future__ import annotations

import math
import sys
$imports
try:
    import numpy as np
except ImportError:  # plain floats work without it
    np = None

__all__ = ["$name"]


def $name(x):
    """$formula for x in $interval; a float for a float, an array for an array.

    Arrays are computed in float64; a float32 array comes back as float32. Outside of the interval nothing is promised,
    and nothing is checked.

$indented_rows
    """
    if np is None or type(x) in (float, int):
        return _evaluate(float(x)$scalar_helpers)
    x = np.asarray(x)
$array_call
    return result.astype(np.float32) if x.dtype == np.float32 else result


def _evaluate(x$parameters):
    """The program, for a float or a float64 array."""
$body


$helpers$check''')

_COMPUTED = """\
    computed = [[$name(x) for x in points]]
    if np is not None:
        computed.append($name(np.array(points)).tolist())"""


def render_python(program: Program, info: ExportInfo) -> str:
    """The source of a module with one public function, named after the target.

    Raises:
        ExportError: where the program is not a function of one real input, or has an op without a form in Python.
    """
    code = body(lowered(program), _template, python_literal)
    used = [form for name, form in FORMS.items() if name in code.ops] + ([_CONSTANT] if code.constant else [])
    forms = {form.helper: form for form in used if form.helper}
    limit = bound(program, info)
    rows = summary(info, limit)
    return _MODULE.substitute(
        formula=docstring_text(info.target.formula),
        interval=info.interval,
        cost=f"{info.cost:g}",
        name=info.name,
        rows=docstring_rows(rows),
        indented_rows=docstring_rows(rows[:2], "    "),
        parameters="".join(f", {helper}" for helper in forms),
        scalar_helpers="".join(f", {form.scalar}" for form in forms.values()),
        array_call=_array_call("".join(f", {form.array}" for form in forms.values()), quiet=bool(forms)),
        body=_body(code),
        imports=_imports(forms),
        helpers=_helpers(forms),
        check=render_check(info, limit, Template(_COMPUTED).substitute(name=info.name)),
    )


def python_literal(value: float) -> str:
    """A float64 as Python source that reads back to the same bits."""
    if value != value:
        return "math.nan"
    return repr(value).replace("inf", "math.inf")


def docstring_text(text: str) -> str:
    """`text` as it may stand inside a docstring."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def docstring_rows(rows: list[tuple[str, str]], indent: str = "") -> str:
    """(label, text) rows in columns, as they may stand inside a docstring."""
    return "\n".join(f"{indent}    {label:<15}{docstring_text(text)}" for label, text in rows)


def _imports(forms: dict[str, Form]) -> str:
    return "from fractions import Fraction\n" if "fma" in forms else ""


def _helpers(forms: dict[str, Form]) -> str:
    names = [name for form in forms.values() for name in (form.scalar, form.array) if name.startswith("_")]
    return "".join(f"{source(name).replace('  # type: ignore[no-untyped-def]', '')}\n\n" for name in names)


def _template(op: Op) -> str:
    return required(op, FORMS[op.name].expression if op.name in FORMS else "", "a Python module")


def _array_call(helpers: str, *, quiet: bool) -> str:
    call = f'result = _evaluate(x.astype(np.float64, casting="same_kind", copy=False){helpers})'
    if quiet:  # an infinite intermediate is part of some programs
        return f'    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):\n        {call}'
    return f"    {call}"


def _body(code: Body) -> str:
    lines = [f"    {name} = {expression}" for name, expression in code.statements]
    result = code.result
    if code.constant:
        result = f"constant(x, {result})"
    elif result == "x":
        result = "+x"  # a new array, as from any other program
    return "\n".join([*lines, f"    return {result}"])
