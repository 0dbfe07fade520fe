"""`Op`: one primitive operation, one table row. `OpSet`: the ops that a search may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from evosearch.errors import ProgramError, nearest
from evosearch.language.types import TypeRule, elementwise

if TYPE_CHECKING:
    from evosearch.language.program import Program

ARGUMENTS = ("a", "b", "c")
"""Names of an op's arguments in its templates; `r` is its result and `g` the adjoint of `r`."""


@dataclass(frozen=True, eq=False)
class Op:
    """One primitive operation; everything that any backend knows about it.

    Templates are expressions over the SSA names `a`, `b`, `c` (arguments), which a backend replaces
    by names of its own; they never contain a whole sub-expression.

    Attributes:
        name: as in program text.
        arity: number of arguments, 1 to 3.
        reference: its meaning: NumPy arrays (float64, shape (n,)) to an array. Every other backend agrees with it bit for bit.
        numba: expression for scalar float64 Numba code (`error_model="numpy"`, no fastmath).
        c: expression for C99 (contraction off).
        dd: name of the double-double kernel in `evosearch.backends.dd`, (hi, lo) an argument; None where there is none.
        adjoint: per argument the expression of its share of the adjoint, over `a b c r g` (autograd calls it a vjp);
            None where the op is not differentiable in that argument.
        neutral: per argument the constant with which the op returns its other argument; None where there is none.
        inverse: solves r = op(a, b): templates of a over `r` and `b`, of b over `r` and `a`, and of a where both arguments
            are a; None where there is none.
        composite: the program over core ops that defines the op; then every template above is derived from it.
        reduction: for the core ops that sum an array to a real: over one parameter tensor, or over all of them; None for
            every other op. Such an op has no templates: backends sum in the order that the reference fixes.
        rule: type rule.
        cost: default cost in operations.
        commutative: whether the first two arguments may change places without a change of any bit.
        doc: one line, with domain and guards.
    """

    name: str
    arity: int
    reference: Callable[..., Any]
    numba: str = ""
    c: str = ""
    dd: str | None = None
    adjoint: tuple[str | None, ...] = ()
    neutral: tuple[float | None, ...] = ()
    inverse: tuple[str | None, ...] = ()
    composite: Program | None = None
    reduction: Literal["tensor", "all"] | None = None
    rule: TypeRule = elementwise
    cost: float = 1.0
    commutative: bool = False
    doc: str = ""

    @cached_property
    def reduces(self) -> bool:
        """Whether its result at one element depends on others: a sum, or a composite with one inside."""
        inside = self.composite.instructions if self.composite else ()
        return self.reduction is not None or any(instruction.op.reduces for instruction in inside)

    def __repr__(self) -> str:
        return f"Op({self.name})"


@dataclass(frozen=True)
class OpSet:
    """The ops that programs of a search may use, with their costs.

    Attributes:
        name: of the set, for messages.
        ops: in the order of their codes in an encoded program.
        costs: cost by op name where it differs from the op's default.
        constants: numbers that program text may call by name; a program holds their values.
    """

    name: str
    ops: tuple[Op, ...]
    costs: Mapping[str, float] = field(default_factory=dict)
    constants: Mapping[str, float] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Op]:
        return iter(self.ops)

    def __contains__(self, name: object) -> bool:
        return any(op.name == name for op in self.ops)

    def __getitem__(self, name: str) -> Op:
        """The op called `name`; ProgramError with the nearest known name where there is none."""
        for op in self.ops:
            if op.name == name:
                return op
        raise ProgramError(f"unknown op '{name}'.{nearest(name, (op.name for op in self.ops))}")

    def code(self, name: str) -> int:
        """The op's position in the set, which is its code in an encoded program."""
        return self.ops.index(self[name])

    def cost(self, op: Op) -> float:
        """Cost of one use of `op`."""
        return self.costs.get(op.name, op.cost)

    def subset(self, names: list[str], costs: Mapping[str, float] | None = None) -> OpSet:
        """The set of the named ops only, with other costs where given."""
        return OpSet(self.name, tuple(self[name] for name in names), {**self.costs, **(costs or {})}, self.constants)
