"""A program as a torch module that stands alone: one differentiable function of a tensor."""

from __future__ import annotations

from evosearch.backends.arrays import lower
from evosearch.backends.torch_lines import function_lines
from evosearch.errors import ExportError, ProgramError
from evosearch.export.info import Bound, ExportInfo, bound, rounded_up, summary
from evosearch.export.lower import check_function
from evosearch.export.python import docstring_rows, docstring_text
from evosearch.export.rules.template import indented, render
from evosearch.export.selfcheck import render_check
from evosearch.language.program import Program

SLACK = 8
"""Units in the last place (2^-52) that torch's functions, its division of a number by a tensor (two roundings) and its products
in sums (no fused multiply-add) may add to the bound for each operation. Measured on the CPU: below 2 a function."""

_MODULE = '''\
"""$formula on $interval in $cost operations, for torch tensors.

$rows
    error_torch    $error  $measure, sampled; this code in float64, with torch's own functions

`python FILE --verify` checks the code and its derivative.
"""

from __future__ import annotations

import math
import sys

import torch

__all__ = ["$name"]


def $name(x: torch.Tensor) -> torch.Tensor:
    """$formula for x in $interval, element by element, in the precision of x; autograd follows it.

    Outside of the interval nothing is promised, and nothing is checked.
    """
$body


$check'''

_COMPUTED = """\
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    y = $name(x)
    computed = [y.tolist()]
    inside = x.detach()[1:-1]
    step = 1e-6 * (inside.abs() + (x.detach().max() - x.detach().min()) * 1e-3)
    slope = ($name(inside + step) - $name(inside - step)) / (2 * step)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    largest = ((gradient[1:-1] - slope).abs() / (slope.abs() + slope.abs().median())).median()
    print(f"derivative: median difference from difference quotients {largest:.1e}")"""


def render_torch(program: Program, info: ExportInfo) -> str:
    """The source of a module with one function, named after the target.

    Raises:
        ExportError: where the program is not a function of one real input, or has an op that torch lacks.
    """
    check_function(program)
    try:
        lines, (result,) = function_lines(lower(program), ["x"])
    except ProgramError as error:
        raise ExportError(str(error)) from None
    certified = bound(program, info)
    limit = Bound(certified.value * 1.01 + SLACK * 2.0**-52 * max(1.0, info.cost), False)
    fields = {
        "formula": docstring_text(info.target.formula),
        "interval": info.interval,
        "cost": f"{info.cost:g}",
        "name": info.name,
        "rows": docstring_rows(summary(info, certified)),
        "error": rounded_up(limit.value),
        "measure": info.target.error.value,
        "body": indented(_returning(lines, result)),
        "check": render_check(info, limit, _COMPUTED.replace("$name", info.name)),
    }
    return render(_MODULE, {}, fields)


def _returning(lines: list[str], result: str) -> list[str]:
    """The statements with the last one turned into the return of its value."""
    if lines and lines[-1].startswith(f"{result} = "):
        return [*lines[:-1], f"return {lines[-1].removeprefix(f'{result} = ')}"]
    return [*lines, f"return {result if result != 'x' else 'x.clone()'}"]
