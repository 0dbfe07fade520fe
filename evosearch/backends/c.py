"""Programs as C99 functions; bit-equal to the reference when compiled without contraction and without fast math."""

from __future__ import annotations

from evosearch.backends.emit import C, indent, statements
from evosearch.language.infer import expand, without_dead_code
from evosearch.language.program import Program

C_HEADER = """\
#include <math.h>

#if defined(__clang__) || !defined(__GNUC__)
#pragma STDC FP_CONTRACT OFF
#endif
"""
"""What a file with such functions starts with; gcc does not know the pragma and wants -std=c99 or -ffp-contract=off."""

_RESERVED = """
auto break case char const continue default do double else enum extern float for goto if inline int long register restrict
return short signed sizeof static struct switch typedef union unsigned void volatile while asm typeof main nan out
acos asin atan atan2 cbrt ceil copysign cos cosh erf exp exp2 expm1 fabs floor fma fmax fmin fmod hypot j0 j1 jn ldexp lgamma
log log10 log1p log2 logb nearbyint pow rint round scalbn signgam sin sinh sqrt tan tanh tgamma trunc y0 y1 yn
"""
_NAMES = frozenset(_RESERVED.split())


def c_function(program: Program, name: str = "", *, static: bool = True) -> str:
    """One C function of doubles.

    One output: `double NAME(double x)`. Several: `void NAME(double x, double *out)`.

    Args:
        program: may hold composites; they are written out.
        name: of the function; without it, the program's.
        static: whether it is visible in its file only.

    Raises:
        ProgramError: where an op has no C template or a constant is not finite.
    """
    inputs = [_identifier(variable.name) for variable in program.signature.inputs]
    prefix = "t"
    while any(given.startswith(prefix) and given[len(prefix) :].isdigit() for given in inputs):
        prefix += "t"
    body = without_dead_code(expand(program))  # what is unused would be a warning
    lines, outputs = statements(body, C, inputs, prefix)
    read = {arg for instruction in body.instructions for arg in instruction.args} | set(body.outputs)
    unread = [f"(void){given};" for number, given in enumerate(inputs) if number not in read]
    name = name or _identifier(program.signature.name)
    parameters = ", ".join(f"double {given}" for given in inputs)
    if len(outputs) == 1:
        head, last = f"double {name}({parameters})", [f"return {outputs[0]};"]
    else:
        head = f"void {name}({parameters}, double *out)"
        last = [f"out[{k}] = {output};" for k, output in enumerate(outputs)]
    return f"{'static ' if static else ''}{head}\n{{\n{indent([*unread, *lines, *last], 1)}}}\n"


def _identifier(name: str) -> str:
    """A legal C name: an underscore where C or <math.h> has the name, ASCII only."""
    plain = "".join(letter if letter.isascii() else f"u{ord(letter):x}" for letter in name)
    return f"{plain}_" if plain in _NAMES else plain
