"""A program as a C99 header: one function, and a self-check behind a macro."""

from __future__ import annotations

from string import Template

from evosearch.evaluation.target import ErrorMeasure
from evosearch.export.info import Bound, ExportInfo, bound, reference_points, summary
from evosearch.export.lower import Body, body, lowered, required
from evosearch.language.program import Program

SELFTEST_MACRO = "EVOSEARCH_SELFTEST"
"""Defining it adds a `main` that checks the function and exits with 0 or 1."""

_HEADER = Template("""\
/*
 * $formula on $interval in $cost operations.
 *
$rows
 *
 * Outside of the interval nothing is promised, and nothing is checked.
 *
 * The bound is about IEEE double arithmetic: compile without -ffast-math, and with -ffp-contract=off where the compiler
 * would fuse a * b + c (gcc does on machines with fma, unless it is given -std=c99).
 *
 * Self-check:  cc -std=c99 -ffp-contract=off -D$macro -x c FILE -o check -lm && ./check
 */
#ifndef $guard
#define $guard

#include <math.h>

#if defined(__GNUC__)
__attribute__((unused))
#endif
static inline double $name(double x)
{
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif
$body
}

#endif /* $guard */

#ifdef $macro
$check
#endif /* $macro */
""")

_CHECK = Template("""\
#include <float.h>
#include <stdio.h>

/* x, and f(x) as the sum of two doubles$weight_note */
static const double stored[][$columns] = {
$stored
};

int main(void)
{
    const double bound = $bound; /* $kind, $measure */
    const int count = (int)(sizeof stored / sizeof stored[0]);
    double largest = -1.0;
    double place = 0.0;
    for (int i = 0; i < count; i++) {
        const double difference = fabs($name(stored[i][0]) - stored[i][1] - stored[i][2]);
        double error = $error;
        if (error != error)
            error = HUGE_VAL;
        if (error > largest) {
            largest = error;
            place = stored[i][0];
        }
    }
    printf("$name: %d points, stored values; largest $measure error %.6e at x = %.17g\\n", count, largest, place);
    printf("bound %.6e ($kind): %s\\n", bound, largest <= bound ? "ok" : "FAILED");
    return largest <= bound ? 0 : 1;
}""")

_ERROR = {
    ErrorMeasure.ABSOLUTE: "difference",
    ErrorMeasure.RELATIVE: "difference / fmax(fabs(stored[i][1]), DBL_MIN)",
    ErrorMeasure.WEIGHTED: "difference * stored[i][3]",
}


def function_name(info: ExportInfo) -> str:
    """The C function's name; the prefix keeps it apart from the C library's (exp2, sin, ...)."""
    return f"evo_{info.name}"


def render_c(program: Program, info: ExportInfo) -> str:
    """The source of a C99 header with `static inline double evo_NAME(double x)`.

    Raises:
        ExportError: where the program is not a function of one real input, or has an op without a C template.
    """
    code = body(lowered(program), lambda op: required(op, op.c, "a C header"), c_literal)
    limit = bound(program, info)
    name = function_name(info)
    return _HEADER.substitute(
        formula=_comment(info.target.formula),
        interval=info.interval,
        cost=f"{info.cost:g}",
        rows="\n".join(f" *   {label:<15}{_comment(text)}" for label, text in summary(info, limit)),
        guard=f"{name.upper()}_H",
        macro=SELFTEST_MACRO,
        name=name,
        body=_body(code),
        check=_check(info, limit, name),
    )


def c_literal(value: float) -> str:
    """A double as C source that reads back to the same bits."""
    if value != value:
        return "NAN"
    return repr(value).replace("inf", "INFINITY")


def _comment(text: str) -> str:
    return text.replace("*/", "* /").replace("/*", "/ *")


def _body(code: Body) -> str:
    unused = ["    (void)x;"] if code.constant else []
    lines = [f"    const double {name} = {expression};" for name, expression in code.statements]
    return "\n".join([*unused, *lines, f"    return {code.result};"])


def _check(info: ExportInfo, limit: Bound, name: str) -> str:
    weighted = info.target.error is ErrorMeasure.WEIGHTED
    columns = 4 if weighted else 3
    rows = [", ".join(c_literal(number) for number in point[:columns]) for point in reference_points(info.target)]
    return _CHECK.substitute(
        weight_note=", and |w(x)|" if weighted else "",
        columns=columns,
        stored="\n".join(f"    {{{row}}}," for row in rows),
        bound=c_literal(limit.value),
        kind=limit.kind,
        measure=info.target.error.value,
        name=name,
        error=_ERROR[info.target.error],
    )
