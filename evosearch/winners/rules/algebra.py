"""A normal form for update rules: sums of products of atoms, in which equal formulas are equal objects.

Between its non-linear functions an update rule is linear algebra with constant coefficients, so that spelling it out decides
more than laws over statements could: in whatever order, with whatever split averages and scales, the same formula arrives at
the same form. An atom is an input, a function of such forms, a sum where it is multiplied, or `inv`, the guarded inverse
1 / (b + 1e-8) of which `div(a, b)` is `a` times.

Everything here is exact in real arithmetic wherever the rule is defined, given that lr and step are positive; roundings,
overflow and removable singularities (a / a at 0) may change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import copysign, isfinite, sqrt

import numpy as np

from evosearch.language.op import OpSet
from evosearch.language.optimizer import RATE, STEP
from evosearch.language.program import Const, Operand, Program
from evosearch.language.types import Type

Monomial = tuple[tuple[int, int], ...]
"""(atom, power) by rising atom; powers are whole and not 0."""

Form = tuple[tuple[Monomial, float], ...]
"""A sum of coefficient times monomial, by rising monomial; () is zero."""

ONE: Form = (((), 1.0),)
ZERO: Form = ()

INPUT, SUM, INVERSE = "input", "sum", "inv"

_DIGITS = 12  # in which coefficients must agree to be the same; a sum that cancels to less is zero
_ODD = frozenset({"sin", "tan", "arcsin", "arctan", "sinh", "tanh", "arcsinh", "arctanh"})
_EVEN = frozenset({"cos", "cosh"})
_KEEPS_SIGN = _ODD - {"sin", "tan"} | {"cbrt", "expm1"}
_POSITIVE = frozenset({"exp", "exp2", "exp10", "cosh"})
_NON_NEGATIVE = _POSITIVE | {"abs", "sqrt", "norm", "global_norm"}
_IGNORES_SIGN = _EVEN | {"sqrt", "log", "log2", "log10", "norm", "global_norm"}
_UNDOES = {
    ("log", "exp"), ("log2", "exp2"), ("log10", "exp10"), ("arcsinh", "sinh"), ("sinh", "arcsinh"), ("arctanh", "tanh"),
    ("tan", "arctan"), ("cbrt", "cube"),
}  # fmt: skip
"""(outer, inner) where outer(inner(x)) = x for every x."""


@dataclass(frozen=True)
class Atom:
    """An input (`args` empty, `op` its name) or an op applied to forms."""

    op: str
    args: tuple[Form, ...]
    type: Type
    is_input: bool = False


class Algebra:
    """Atoms of one or several rules over the same inputs, each held once, and arithmetic on forms."""

    def __init__(self, ops: OpSet) -> None:
        self.ops = ops
        self.atoms: list[Atom] = []
        self._numbers: dict[object, int] = {}

    def read(self, rule: Program, given: Mapping[str, Form] | None = None) -> tuple[Form, ...]:
        """The forms of a rule's outputs; `given` replaces inputs by other forms."""
        values: list[Form] = []
        for variable in rule.signature.inputs:
            value = self.input(variable.name, variable.type)
            values.append((given or {}).get(variable.name, value))

        def form(operand: Operand) -> Form:
            return values[operand] if isinstance(operand, int) else constant(operand.hi)

        for instruction in rule.instructions:
            values.append(self.call(instruction.op.name, [form(arg) for arg in instruction.args]))
        return tuple(form(out) for out in rule.outputs)

    def input(self, name: str, type: Type = Type.ARRAY) -> Form:
        """The form of an input."""
        return self._single(self._number(Atom(name, (), type, is_input=True)))

    def type_of(self, form: Form) -> Type:
        """ARRAY where any atom is one."""
        kinds = (self.atoms[atom].type for monomial, _ in form for atom, _ in monomial)
        return Type.ARRAY if Type.ARRAY in kinds else Type.REAL

    def mentions(self, form: Form, name: str) -> bool:
        """Whether an input occurs in a form, at any depth."""
        seen: set[int] = set()
        stack = [atom for monomial, _ in form for atom, _ in monomial]
        while stack:
            number = stack.pop()
            if number in seen:
                continue
            seen.add(number)
            atom = self.atoms[number]
            if atom.is_input and atom.op == name:
                return True
            stack += [inner for arg in atom.args for monomial, _ in arg for inner, _ in monomial]
        return False

    # Arithmetic

    def call(self, op: str, args: Sequence[Form]) -> Form:
        """The form of op(args)."""
        values = [value_of(arg) for arg in args]
        numbers = [value for value in values if value is not None]
        if len(numbers) == len(values) and not self.ops[op].reduces:
            folded = self.fold(op, numbers)
            if folded is not None:
                return constant(folded)
        match op, list(args):
            case "add", [a, b]:
                return self.add([a, b])
            case "sub", [a, b]:
                return self.add([a, scaled(b, -1.0)])
            case ("neg" | "negative"), [a]:
                return scaled(a, -1.0)
            case "mul", [a, b]:
                return self.multiply([a, b])
            case "square", [a]:
                return self.multiply([a, a])
            case "cube", [a]:
                return self.multiply([a, a, a])
            case "reciprocal", [a] if a:
                return self._power(a, -1)
            case "invert", [a]:
                return self._inverse(a)
            case "div", [a, b]:
                return self.multiply([a, self._inverse(b)])
            case "interp", [a, b, _] if values[2] is not None:
                return self.add([scaled(a, 1.0 - values[2]), scaled(b, values[2])])
            case "abs", [a]:
                return self._abs(a)
            case "sqrt", [a]:
                return self._sqrt(a)
            case "sign", [a]:
                return self._sign(a)
            case ("norm" | "global_norm" | "dot" | "cosine_sim" | "clip_by_global_norm"), [*_] if () in args:
                return ZERO
            case ("min" | "max"), [a, b] if key(a) == key(b):
                return a
            case "max", [a, b] if key(a) == key(scaled(b, -1.0)):
                return self._abs(a)
        return self._function(op, tuple(args))

    def fold(self, op: str, numbers: Sequence[float]) -> float | None:
        """The op's value at constants; None where it is not finite."""
        with np.errstate(all="ignore"):
            value = float(self.ops[op].reference(*map(np.float64, numbers)))
        return value if isfinite(value) else None

    def add(self, forms: Iterable[Form]) -> Form:
        """The sum, what all its terms share taken out as a factor."""
        totals: dict[Monomial, float] = {}
        sizes: dict[Monomial, float] = {}
        stack = [term for form in forms for term in form]
        while stack:
            monomial, coefficient = stack.pop()
            inner = self._spelled_out(monomial)
            if inner is not None:
                stack += [(deeper, coefficient * factor) for deeper, factor in inner]
                continue
            totals[monomial] = totals.get(monomial, 0.0) + coefficient
            sizes[monomial] = max(sizes.get(monomial, 0.0), abs(coefficient))
        terms = [(m, c) for m, c in sorted(totals.items()) if abs(c) > 10.0**-_DIGITS * sizes[m]]
        shared = _shared_factor([monomial for monomial, _ in terms])
        if len(terms) > 1 and shared:
            rest = self.add([tuple((_times(m, shared, -1), c) for m, c in terms)])
            return self.multiply([rest, ((shared, 1.0),)])
        return tuple(terms)

    def multiply(self, forms: Iterable[Form]) -> Form:
        """The product; a sum stays together as one atom unless it is only scaled."""
        coefficient = 1.0
        monomial: Monomial = ()
        kept: list[Form] = []
        for form in forms:
            if not form:
                return ZERO
            value = value_of(form)
            if value is not None:
                coefficient *= value
            else:
                kept.append(form)
        if len(kept) == 1:
            return scaled(kept[0], coefficient)
        for form in kept:
            factor, scale = self._factor(form)
            monomial = _times(monomial, factor)
            coefficient *= scale
        return scaled(self._tidied(monomial), coefficient)

    def _power(self, form: Form, power: int) -> Form:
        monomial, scale = self._factor(form)
        return scaled(self._tidied(tuple((atom, p * power) for atom, p in monomial)), float(scale**power))

    def _factor(self, form: Form) -> tuple[Monomial, float]:
        """A form that is not zero as one monomial and its coefficient; a sum becomes an atom of leading coefficient 1."""
        if len(form) == 1:
            return form[0]
        scale = form[0][1]
        return ((self._number(Atom(SUM, (scaled(form, 1.0 / scale),), self.type_of(form))), 1),), scale

    def _spelled_out(self, monomial: Monomial) -> Form | None:
        """The terms of a monomial that is a sum alone."""
        if len(monomial) == 1 and monomial[0][1] == 1 and self.atoms[monomial[0][0]].op == SUM:
            return self.atoms[monomial[0][0]].args[0]
        return None

    def _tidied(self, monomial: Monomial) -> Form:
        """The form of a product: abs(x)^2 = x^2, sqrt(x)^2 = abs(x), abs(x) sign(x) = x, sign(x) sign(y) = sign(x y)."""
        for atom, power in monomial:
            found = self.atoms[atom]
            if found.is_input or found.op not in ("abs", "sqrt", "sign"):
                continue
            rest = _times(monomial, ((atom, power),), -1)
            if found.op == "abs" and power % 2 == 0:
                return self.multiply([(((rest), 1.0),), self._power(found.args[0], power)])
            if found.op == "sqrt" and abs(power) > 1:
                half = int(copysign(abs(power) // 2, power))
                root = ((atom, power - 2 * half),) if power % 2 else ()
                return self.multiply([((_times(rest, root), 1.0),), self._power(self._abs(found.args[0]), half)])
            for other, _ in rest if found.op == "sign" and power == 1 else ():
                partner, its_power = self.atoms[other], dict(rest)[other]
                if partner.op == "abs" and its_power == 1 and partner.args == found.args:
                    return self.multiply([((_times(rest, ((other, 1),), -1), 1.0),), found.args[0]])
                if partner.op == "sign" and its_power == 1:
                    both = self._sign(self.multiply([found.args[0], partner.args[0]]))
                    return self.multiply([((_times(rest, ((other, 1),), -1), 1.0),), both])
        if len(monomial) == 1 and (inner := self._spelled_out(monomial)) is not None:
            return inner
        return ((monomial, 1.0),)

    # Functions

    def _inverse(self, form: Form) -> Form:
        """1 / (b + 1e-8), as the guarded division has it."""
        value = value_of(form)
        if value is not None and (folded := self.fold("div", [1.0, value])) is not None:
            return constant(folded)
        return self._function(INVERSE, (form,))

    def _abs(self, form: Form) -> Form:
        """|c a b| = |c| |a| |b|, without bars where a factor is never negative."""
        if not form:
            return ZERO
        monomial, scale = self._factor(form)
        factors = [ONE]
        for atom, power in monomial:
            single = self._single(atom)
            bare = power % 2 == 0 or self._is(single, _NON_NEGATIVE)
            factors.append(self._power(single if bare else self._function("abs", (single,)), power))
        return scaled(self.multiply(factors), abs(scale))

    def _sqrt(self, form: Form) -> Form:
        """sqrt|c a^2 b| = sqrt|c| |a| sqrt|b|."""
        if not form:
            return ZERO
        monomial, scale = self._factor(form)
        outside = tuple((atom, power // 2) for atom, power in monomial if power % 2 == 0)
        inside = tuple((atom, power) for atom, power in monomial if power % 2)
        factors = [self._abs(((outside, 1.0),))] if outside else []
        if inside:
            factors.append(self._function("sqrt", (self._tidied(inside),)))
        return scaled(self.multiply(factors or [ONE]), sqrt(abs(scale)))

    def _sign(self, form: Form) -> Form:
        """sign(c a b) = sign(c) sign(a) for b > 0; what keeps signs goes from inside."""
        if not form:
            return ZERO
        monomial, scale = self._factor(form)
        inside = tuple((a, 2 - p % 2) for a, p in monomial if not self._is(self._single(a), _POSITIVE))
        side = copysign(1.0, scale)
        if not inside:
            return constant(side)
        if len(inside) == 1 and inside[0][1] == 1:
            atom = self.atoms[inside[0][0]]
            if atom.op == "sign" and not atom.is_input:
                return scaled(self._single(inside[0][0]), side)
            if atom.op in _KEEPS_SIGN and not atom.is_input:
                return scaled(self._sign(atom.args[0]), side)
        return scaled(self._function("sign", (self._tidied(inside),)), side)

    def _function(self, op: str, args: tuple[Form, ...]) -> Form:
        """An atom; of odd, even and homogeneous functions the constant goes out, and inverse functions cancel."""
        side = 1.0
        if len(args) == 1 and args[0]:
            leading = args[0][0][1]
            if leading < 0 and op in _ODD | _EVEN:
                side = -1.0 if op in _ODD else 1.0
                args = (scaled(args[0], -1.0),)
            if op in ("norm", "global_norm") and leading != 1.0:
                return scaled(self._function(op, (scaled(args[0], 1.0 / leading),)), abs(leading))
            inner = self._alone(args[0])
            if inner is not None and (op, inner.op) in _UNDOES:
                return scaled(inner.args[0], side)
            if inner is not None and inner.op == "abs" and op in _IGNORES_SIGN:
                return scaled(self.call(op, [inner.args[0]]), side)
        types = [self.type_of(arg) for arg in args]
        kind = (self.ops[op].rule(types) if op != INVERSE else types[0]) or Type.ARRAY
        return scaled(self._single(self._number(Atom(op, args, kind))), side)

    def _alone(self, form: Form) -> Atom | None:
        """The atom that a form is, where it is one with coefficient 1."""
        if len(form) == 1 and form[0][1] == 1.0 and len(form[0][0]) == 1 and form[0][0][0][1] == 1:
            atom = self.atoms[form[0][0][0][0]]
            return None if atom.is_input else atom
        return None

    def _is(self, form: Form, of: frozenset[str]) -> bool:
        """Whether a form is positive (of = _POSITIVE), or not negative (_NON_NEGATIVE), for what can be seen of it."""

        def factor_is(atom: int, power: int) -> bool:
            return (of is _NON_NEGATIVE and power % 2 == 0) or self._atom_is(atom, of)

        return bool(form) and all(c > 0 and all(factor_is(*factor) for factor in m) for m, c in form)

    def _atom_is(self, number: int, of: frozenset[str]) -> bool:
        atom = self.atoms[number]
        if atom.is_input:
            return atom.op in (RATE, STEP)
        if atom.op == INVERSE:  # the guard makes it finite and keeps it above zero
            return self._is(atom.args[0], _NON_NEGATIVE)
        return self._is(atom.args[0], of) if atom.op == SUM else atom.op in of

    def _single(self, atom: int) -> Form:
        return ((((atom, 1),), 1.0),)

    def _number(self, atom: Atom) -> int:
        name = (atom.op, atom.is_input, *map(key, atom.args))
        if name not in self._numbers:
            self._numbers[name] = len(self.atoms)
            self.atoms.append(atom)
        return self._numbers[name]


def constant(value: float) -> Form:
    """The form of a number."""
    return (((), float(value)),) if value else ZERO


def value_of(form: Form) -> float | None:
    """The number that a form is, or None."""
    if not form:
        return 0.0
    return form[0][1] if len(form) == 1 and form[0][0] == () else None


def scaled(form: Form, factor: float) -> Form:
    """The form times a number."""
    return tuple((monomial, coefficient * factor) for monomial, coefficient in form) if factor else ZERO


def key(form: Form) -> object:
    """What equal forms have in common; coefficients count to 12 digits."""
    return tuple((monomial, f"{coefficient:.{_DIGITS - 1}e}") for monomial, coefficient in form)


def tidy(value: float) -> Const:
    """A coefficient as a constant, without what rounding left behind its 13th digit."""
    return Const(float(f"{value:.13g}"))


def _times(a: Monomial, b: Monomial, side: int = 1) -> Monomial:
    """a b, or a / b with side -1."""
    powers = dict(a)
    for atom, power in b:
        powers[atom] = powers.get(atom, 0) + side * power
    return tuple(sorted((atom, power) for atom, power in powers.items() if power))


def _shared_factor(monomials: Sequence[Monomial]) -> Monomial:
    """The largest common factor of at least two monomials; powers of one sign only."""
    if len(monomials) < 2:
        return ()
    shared = dict(monomials[0])
    for monomial in monomials[1:]:
        powers = dict(monomial)
        shared = {a: min(p, powers[a], key=abs) for a, p in shared.items() if a in powers and p * powers[a] > 0}
    return tuple(sorted(shared.items()))
