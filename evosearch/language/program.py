"""`Program`: a signature, constants and instructions; immutable.

Instructions are in SSA form: an operand is the number of an earlier value (inputs first, then one value an
instruction) or a constant that stands in place. Names are for people and take no part in equality.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from math import isfinite

from evosearch.errors import ProgramError
from evosearch.language.op import Op
from evosearch.language.types import Type

FLOAT64_DIGITS = 17
"""A literal of at most so many significant digits is a float64; a longer one is a pair of doubles."""


@dataclass(frozen=True)
class Const:
    """A constant, held as an unevaluated sum of two doubles: `hi` is the nearest float64 of the sum.

    Its exact value is the dyadic rational hi + lo.
    """

    hi: float
    lo: float = 0.0

    @property
    def exact(self) -> Fraction:
        """The exact value; only for finite constants."""
        return Fraction(self.hi) + Fraction(self.lo)

    @classmethod
    def nearest(cls, value: Fraction | Decimal) -> Const:
        """The pair of doubles nearest to an exact value (106 bits or more)."""
        exact = Fraction(value)
        hi = float(exact)
        return cls(hi, float(exact - Fraction(hi)) if isfinite(hi) else 0.0)

    @classmethod
    def parse(cls, text: str) -> Const:
        """Read a decimal literal; ProgramError where it is no finite number."""
        try:
            value = Decimal(text.replace("_", ""))
        except InvalidOperation:
            raise ProgramError(f"'{text}' is not a decimal number") from None
        if not value.is_finite() or not isfinite(float(value)):
            raise ProgramError(f"constant {text} is not a finite float64; use a finite number")
        if len(value.as_tuple().digits) <= FLOAT64_DIGITS:
            return cls(float(value))
        return cls.nearest(value)

    def __str__(self) -> str:
        """The shortest literal that reads back as this constant."""
        if self.lo == 0.0:
            return repr(self.hi)
        value = self.exact
        for digits in range(FLOAT64_DIGITS + 1, 800):
            context = Context(prec=digits)
            decimal = context.divide(Decimal(value.numerator), Decimal(value.denominator))
            sign, shown, exponent = decimal.as_tuple()
            missing = digits - len(shown)  # trailing zeros tell the reader that this is a pair
            decimal = Decimal((sign, shown + (0,) * missing, int(exponent) - missing))
            if Const.nearest(decimal) == self:
                return str(decimal)
        raise AssertionError(f"no decimal for {self!r}")


Operand = int | Const


@dataclass(frozen=True)
class Instruction:
    """`op(args)`; its value has the number that its position gives it."""

    op: Op
    args: tuple[Operand, ...]


@dataclass(frozen=True)
class Variable:
    """A named and typed input or output."""

    name: str
    type: Type = Type.REAL


@dataclass(frozen=True)
class Signature:
    """What goes in and what comes out; state is an output with the name of an input."""

    name: str
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]


def function_signature(name: str = "f", variable: str = "x") -> Signature:
    """One real input, one real output."""
    return Signature(name, (Variable(variable),), (Variable("result"),))


@dataclass(frozen=True)
class Program:
    """An immutable straight-line program.

    Attributes:
        signature: inputs and outputs.
        instructions: in order; operand k < len(inputs) is an input, else the value of instruction k - len(inputs).
        outputs: one operand an output.
        names: one an instruction, for the text form only.
    """

    signature: Signature
    instructions: tuple[Instruction, ...]
    outputs: tuple[Operand, ...]
    names: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if len(self.outputs) != len(self.signature.outputs):
            raise ProgramError(
                f"'{self.signature.name}' must return {len(self.signature.outputs)} values, got {len(self.outputs)}"
            )
        for position, instruction in enumerate(self.instructions):
            if len(instruction.args) != instruction.op.arity:
                raise ProgramError(f"{instruction.op.name} takes {instruction.op.arity} arguments, got {len(instruction.args)}")
            limit = self.n_inputs + position
            if any(isinstance(arg, int) and not 0 <= arg < limit for arg in instruction.args):
                raise ProgramError(f"instruction {position} ({instruction.op.name}) reads a value that does not exist yet")
        limit = self.n_inputs + len(self.instructions)
        if any(isinstance(out, int) and not 0 <= out < limit for out in self.outputs):
            raise ProgramError("an output reads a value that does not exist")

    @property
    def n_inputs(self) -> int:
        """Number of inputs."""
        return len(self.signature.inputs)

    @property
    def constants(self) -> tuple[Const, ...]:
        """All constants in the order of reading (arguments of instructions, then outputs)."""
        found = [arg for instruction in self.instructions for arg in instruction.args if isinstance(arg, Const)]
        return tuple(found + [out for out in self.outputs if isinstance(out, Const)])

    def with_constants(self, constants: tuple[Const, ...]) -> Program:
        """The same program with other constants, in the order of `constants`."""
        if len(constants) != len(self.constants):
            raise ProgramError(f"the program has {len(self.constants)} constants, got {len(constants)}")
        supply = iter(constants)

        def swap(operand: Operand) -> Operand:
            return next(supply) if isinstance(operand, Const) else operand

        instructions = tuple(Instruction(i.op, tuple(swap(arg) for arg in i.args)) for i in self.instructions)
        return Program(self.signature, instructions, tuple(swap(out) for out in self.outputs), self.names)

    def rounded(self) -> Program:
        """The same program with every constant rounded to float64."""
        return self.with_constants(tuple(Const(constant.hi) for constant in self.constants))

    def __str__(self) -> str:
        from evosearch.language.text import to_text

        return to_text(self)
