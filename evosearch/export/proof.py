"""A Sollya script that proves a program's error bound by itself, so that nobody has to trust this project.

It checks that the program is the fraction of polynomials P/Q, at more whole numbers than their degree, and bounds the
error by Sollya's `supnorm`, which is rigorous. Its exit code is 0 where the bound is verified and 3 where it is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from string import Template
from typing import Any

from evosearch.errors import ExportError
from evosearch.evaluation import rational
from evosearch.evaluation.balls import UnsupportedError
from evosearch.evaluation.meaning import Steps, steps
from evosearch.evaluation.region import Region, region
from evosearch.evaluation.target import ErrorMeasure, Target
from evosearch.export.info import ExportInfo
from evosearch.language.program import Program

MARGIN = 1.01
"""By how much an absolute error of P/Q is checked above the bound: |P - Q f| and |Q| are bounded apart there."""

_PRECISION = 400  # bits, at least
_FRACTIONS = {
    "add": "$a * $q + $p * $b; $b * $q",
    "sub": "$a * $q - $p * $b; $b * $q",
    "mul": "$a * $p; $b * $q",
    "div": "$a * $q; $b * $p",
    "neg": "-$a; $b",
    "square": "$a * $a; $b * $b",
    "reciprocal": "$b; $a",
    "fma": "$a * $p * $d + $c * $b * $q; $b * $q * $d",
}
"""Numerator and denominator of each op, from those of its arguments: a/b, p/q, c/d."""

_SCRIPT = Template("""\
// $formula on [$lower, $upper]: the $measure error of a program is at most
//     $bound_text
// with its coefficients exact as held. Run it with:  sollya FILE
// It prints VERIFIED and returns 0, or prints NOT VERIFIED and returns 3.
//
$program
a = $a; b = $b;  // the interval, or just outside it
bound = $bound;

// The program as P/Q in lowest terms; coefficients from the highest power down.
prec = $exact_precision!;  // all is exact with so many bits
p = [|$p|];
q = [|$q|];
procedure at(coefficients, point) {
    var value, c;
    value = head(coefficients);
    for c in tail(coefficients) do { value = value * point + c; };
    return value;
};
// Its values as fractions n/d, and n Q - P d at the whole number n0: a polynomial in n0 of degree at most $degree.
procedure gap(n0) {
    var d0, $names;
    d0 = 1;
$steps
    return $n * at(q, n0) - at(p, n0) * $d;
};
ok = true;
for k from 0 to $degree do { ok = ok && (gap(k) == 0); };
if (!ok) then print("P/Q is not the program");
P = at(p, x);
Q = at(q, x);

prec = $precision!;
$check
if (ok) then { print("VERIFIED"); quit; };
print("NOT VERIFIED");
""")

_RELATIVE = """\
f = $f;
if (ok) then {
    reached = supnorm(P, Q * f, [a; b], relative, 2^(-20));
    print("error in", reached, "bound", bound);
    ok = (sup(reached) <= bound);
};
"""

_ABSOLUTE = """\
// |P/Q - f| <= bound follows from |P - Q f| <= bound |Q|, on parts of the interval where need be.
f = $f;
procedure below(u, v, depth) {
    var least, reached, middle, done;
    least = inf(abs(evaluate(Q, [u; v])));
    done = false;
    if (least > 0) then {
        reached = supnorm(P, Q * f, [u; v], absolute, 2^(-$accuracy));
        done = (sup(reached) <= bound * $margin * least);
    };
    if (!done && depth > 0) then {
        middle = (u + v) / 2;
        done = below(u, middle, depth - 1);
        if (done) then done = below(middle, v, depth - 1);
    };
    return done;
};
if (ok) then {
    print("bound", bound, "times $margin");
    ok = below(a, b, 14);
};
"""


def render_proof(program: Program, info: ExportInfo) -> str:
    """The script that checks the certified real error of an exported program.

    Raises:
        ExportError: the program has no certificate, or `proof_script` refuses.
    """
    if info.error_real is None:
        raise ExportError(f"{info.run} {info.program_id} has no certified error to check: its error is sampled only")
    return proof_script(program, info.target, info.error_real)


def proof_script(program: Program, target: Target, bound: float) -> str:
    """A Sollya script that checks that the program's real error is at most `bound`.

    Raises:
        ExportError: Sollya lacks the function, the error is weighted or infinite, or the program is no rational function
            of a manageable degree.
    """
    if target.sollya is None:
        raise ExportError(
            f"Sollya has no function '{target.name}': export to another target, the certificate stands without it"
        )
    if target.error is ErrorMeasure.WEIGHTED:
        raise ExportError("a weighted error has no proof script: Sollya's supnorm knows absolute and relative errors only")
    if not 0 < bound < math.inf:
        raise ExportError(f"a bound of {bound} cannot be checked: it must be positive and finite")
    try:
        line, space = steps(program), region(target)
        lowest = rational.reduced(line)
    except (UnsupportedError, ZeroDivisionError) as error:
        raise ExportError(f"no proof script for this program: {error}") from None
    return _script(program, space, line, lowest, bound)


def _script(program: Program, space: Region, line: Steps, lowest: rational.Quotient, bound: float) -> str:
    target = space.target
    trace = _trace(line)
    check = Template(_RELATIVE if target.error is ErrorMeasure.RELATIVE else _ABSOLUTE)
    sharpness = {"margin": "1", "accuracy": 20} if lowest.q.degree() == 0 else {"margin": repr(MARGIN), "accuracy": 11}
    degree = trace.degree + max(lowest.p.degree(), lowest.q.degree())
    longest = max(_bits(value) for poly in (lowest.p, lowest.q) for value in poly.coeffs())
    return _SCRIPT.substitute(
        formula=target.formula,
        lower=target.lower,
        upper=target.upper,
        measure=target.error.value,
        bound_text=repr(bound),
        program="\n".join(f"//     {row}" for row in str(program).rstrip().splitlines()),
        a=_exact(space.lower),
        b=_exact(space.upper),
        bound=_exact(rational.dyadic(bound)),
        exact_precision=2 * (trace.bits + longest) + 64 * (degree + 1),
        p=_coefficients(lowest.p),
        q=_coefficients(lowest.q),
        degree=degree,
        names=", ".join(trace.names),
        steps="\n".join(f"    {row}" for row in trace.rows),
        n=f"n{line.output}",
        d=f"d{line.output}",
        precision=max(_PRECISION, longest + 64),
        check=check.substitute(f=target.sollya, **sharpness).rstrip(),
    )


@dataclass(frozen=True)
class _Trace:
    """The program as fractions of numbers: assignments, their names, the degree and the bits that they can reach."""

    rows: list[str]
    names: list[str]
    degree: int
    bits: int


def _trace(line: Steps) -> _Trace:
    rows, sizes, degrees = [], [8], [1]
    for number, value in enumerate(line.constants, start=1):
        rows.append(f"n{number} = {_exact(value)}; d{number} = 1;")
        sizes.append(_bits(value))
        degrees.append(0)
    for op, args in zip(line.ops, line.args, strict=True):
        number = len(sizes)
        names = dict(zip("abpqcd", (name for arg in args for name in (f"n{arg}", f"d{arg}")), strict=False))
        above, below = Template(_FRACTIONS[op.name]).substitute(names).split("; ")
        rows.append(f"n{number} = {above}; d{number} = {below};")
        repeated = args * 2 if op.name == "square" else args
        sizes.append(2 + sum(sizes[arg] for arg in repeated))
        degrees.append(sum(degrees[arg] for arg in repeated))
    names_of_all = [f"{letter}{number}" for number in range(1, len(sizes)) for letter in "nd"]
    return _Trace(rows, names_of_all, degrees[line.output], sizes[line.output])


def _bits(value: Any) -> int:
    return int(value.p).bit_length() + int(value.q).bit_length()


def _exact(value: Any) -> str:
    """A rational without rounding: Sollya rounds long decimals, not whole numbers that fit its precision."""
    top, below = int(value.p), int(value.q)
    power = below.bit_length() - 1
    if below == 1:
        return f"({top})"
    return f"({top} * 2^(-{power}))" if below == 1 << power else f"({top} / {below})"


def _coefficients(poly: Any) -> str:
    return ", ".join(_exact(value) for value in reversed(poly.coeffs())) or "0"
