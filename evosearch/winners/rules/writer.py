"""From the normal form back to a short program: few statements, averages as `interp`, the decay as a term of its own.

A value may be written up to a constant factor wherever that factor can be moved on for nothing: out of sign, abs and sqrt,
through products, into the weights of an average, and at last into lr.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import copysign, isclose, sqrt

from evosearch.language.optimizer import WEIGHT
from evosearch.language.program import Const, Instruction, Operand, Program, Signature
from evosearch.language.types import Type
from evosearch.winners.rules.algebra import INVERSE, SUM, Algebra, Form, Monomial, key, scaled, tidy, value_of

_TRIED = 5  # sums of more terms are added up in their order
_MOVES_OUT: Mapping[str, Callable[[float], float]] = {
    "abs": abs,
    "norm": abs,
    "global_norm": abs,
    "sign": lambda scale: copysign(1.0, scale),
    "sqrt": lambda scale: sqrt(abs(scale)),
}
"""f(c x) = moved(c) f(x), by op."""


@dataclass(frozen=True)
class _Term:
    """coefficient * operand of a sum; `fixed`: it must not go into an average (a constant, or the weights themselves)."""

    operand: Operand
    coefficient: float
    fixed: bool


@dataclass(frozen=True)
class _Plan:
    """How to write a sum: `op` of the sum of the other terms and `last`, which is scaled where that is not 1."""

    statements: int
    op: str
    last: _Term
    rest: _Plan | None = None


class Writer:
    """Writes forms as instructions; equal forms, also up to a factor, are written once.

    Args:
        algebra: of the forms.
        signature: of the program to write.
        wanted: forms that will be needed exactly: multiples of them are made from these.
    """

    def __init__(self, algebra: Algebra, signature: Signature, wanted: Sequence[Form] = ()) -> None:
        self.algebra = algebra
        self.signature = signature
        self.instructions: list[Instruction] = []
        self._inputs = {variable.name: number for number, variable in enumerate(signature.inputs)}
        self._calls: dict[object, int] = {}
        self._written: dict[object, tuple[Operand, float]] = {}
        self._wanted = [form for form in wanted if len(form) > 1]
        for form in self._wanted:
            self.exactly(form)

    def program(self, outputs: Sequence[Form]) -> Program:
        """The program with these outputs, each statement as late as the order of the outputs allows."""
        operands = [self.exactly(form) for form in outputs]
        order: dict[int, int] = {number: number for number in range(len(self._inputs))}
        for operand in operands:
            self._arrange(operand, order)
        numbers = list(order)[len(self._inputs) :]

        def moved(operand: Operand) -> Operand:
            return order[operand] if isinstance(operand, int) else operand

        chosen = [self.instructions[number - len(self._inputs)] for number in numbers]
        instructions = tuple(Instruction(item.op, tuple(map(moved, item.args))) for item in chosen)
        named = {operand: v.name for v, operand in zip(self.signature.outputs, operands, strict=True)}
        names = tuple(named.get(number, "") for number in numbers)
        return Program(self.signature, instructions, tuple(map(moved, operands)), names)

    def _arrange(self, operand: Operand, order: dict[int, int]) -> None:
        """Enter what an operand needs, and then itself."""
        if isinstance(operand, int) and operand not in order:
            for arg in self.instructions[operand - len(self._inputs)].args:
                self._arrange(arg, order)
            order[operand] = len(order)

    def exactly(self, form: Form) -> Operand:
        """The operand that holds a form."""
        number = value_of(form)
        if number is not None:
            return tidy(number)
        operand, scale = self.up_to_scale(form, 1.0)
        return self._scaled(operand, scale)

    def up_to_scale(self, form: Form, want: float | None = None) -> tuple[Operand, float]:
        """(operand, scale) with form = scale * operand; `want`: the scale that would cost nothing, None for any."""
        direction, lead = _direction(form), form[0][1]
        if direction in self._written:
            operand, scale = self._written[direction]
            return operand, scale * lead
        if len(form) == 1:
            operand, scale = self._product(form[0][0], None if want is None else want / lead)
            scale *= lead
        else:
            operand, scale = self._sum(form, want)
        self._written[direction] = operand, scale / lead
        return operand, scale

    def _product(self, monomial: Monomial, want: float | None) -> tuple[Operand, float]:
        """Quotients first, then arrays, then reals."""
        scale = 1.0
        factors: list[Operand] = []
        divisors: list[Operand] = []
        last = [(atom, power) for atom, power in monomial if self._is_sum(atom)]
        for atom, power in (*(factor for factor in monomial if factor not in last), *last):
            found = self.algebra.atoms[atom]
            if found.op == INVERSE and not found.is_input and power > 0:
                divisors += [self.exactly(found.args[0])] * power
                continue
            free = want is not None and power == 1 and (atom, power) == (last or [(-1, 0)])[-1]
            operand, factor = self._atom(atom, want / scale if free and want is not None else None)
            scale *= factor**power
            factors.append(self._powered(operand, power))
        return self._joined(factors, divisors), scale

    def _joined(self, factors: list[Operand], divisors: list[Operand]) -> Operand:
        for divisor in divisors:
            related = [operand for operand in factors if self._reads(divisor, operand)]
            arrays = [operand for operand in factors if self._type(operand) is Type.ARRAY]
            if not factors:
                factors = [self._call("invert", divisor)]
                continue
            above = (related or arrays or factors)[0]
            factors[factors.index(above)] = self._call("div", above, divisor)
        arrays = [operand for operand in factors if self._type(operand) is Type.ARRAY]
        reals = [operand for operand in factors if self._type(operand) is not Type.ARRAY]
        products = [self._multiplied(group) for group in (arrays, reals) if group]
        return self._multiplied(products)

    def _multiplied(self, factors: Sequence[Operand]) -> Operand:
        product = factors[0]
        for factor in factors[1:]:
            product = self._call("mul", product, factor)
        return product

    def _powered(self, operand: Operand, power: int) -> Operand:
        if power < 0:
            return self._call("reciprocal", self._powered(operand, -power))
        if power % 2 == 0:
            return self._call("square", self._powered(operand, power // 2))
        if power == 3:
            return self._call("cube", operand)
        return operand if power == 1 else self._call("mul", self._powered(operand, power - 1), operand)

    def _atom(self, number: int, want: float | None) -> tuple[Operand, float]:
        atom = self.algebra.atoms[number]
        if atom.is_input:
            return self._inputs[atom.op], 1.0
        if atom.op == SUM:
            return self.up_to_scale(atom.args[0], want)
        if atom.op == INVERSE:
            return self._call("invert", self.exactly(atom.args[0])), 1.0
        if atom.op in _MOVES_OUT:
            operand, scale = self.up_to_scale(atom.args[0])
            return self._call(atom.op, operand), _MOVES_OUT[atom.op](scale)
        return self._call(atom.op, *map(self.exactly, atom.args)), 1.0

    # Sums

    def _sum(self, form: Form, want: float | None) -> tuple[Operand, float]:
        """In the scale that takes the fewest statements, with the help of a state that is written already."""
        ways = [self._terms(form)]
        for helper in self._wanted:
            written = self._written.get(_direction(helper))
            if written is None or not dict(helper).keys() <= dict(form).keys() or _direction(helper) == _direction(form):
                continue
            for monomial, coefficient in helper:
                ratio = dict(form)[monomial] / coefficient
                rest = self.algebra.add([form, scaled(helper, -ratio)])
                if 0 < len(rest) < len(form):
                    operand, scale = written[0], written[1] * helper[0][1]
                    ways.append([*self._terms(rest), _Term(operand, ratio * scale, fixed=False)])
        plans = [(scale, self._plan(terms, scale)) for terms in ways for scale in _scales(terms, want)]
        extra = [0 if want is None or isclose(scale, want, rel_tol=1e-11) else 1 for scale, _ in plans]
        best = min(range(len(plans)), key=lambda k: (plans[k][1].statements + extra[k], plans[k][0] < 0))
        return self._planned(plans[best][1]), plans[best][0]

    def _terms(self, form: Form) -> list[_Term]:
        """The terms of a sum, their products written."""
        terms = []
        for monomial, coefficient in form:
            operand, scale = self._product(monomial, None) if monomial else (Const(1.0), 1.0)
            terms.append(_Term(operand, coefficient * scale, fixed=self._is_weights(monomial) or not monomial))
        return terms

    def _plan(self, terms: list[_Term], scale: float) -> _Plan:
        return _plan([_Term(t.operand, t.coefficient / scale, t.fixed) for t in terms])

    def _planned(self, plan: _Plan) -> Operand:
        term = plan.last
        if plan.rest is None:
            return self._scaled(term.operand, term.coefficient)
        rest = self._planned(plan.rest)
        if plan.op == "interp":
            return self._call("interp", rest, term.operand, tidy(term.coefficient))
        if plan.op == "mul":
            return self._scaled(rest, term.coefficient)
        return self._call(plan.op, rest, self._scaled(term.operand, abs(term.coefficient)))

    def _scaled(self, operand: Operand, scale: float) -> Operand:
        if isinstance(operand, Const):
            return tidy(operand.hi * scale)
        if _is_one(scale):
            return operand
        return self._call("negative", operand) if _is_one(-scale) else self._call("mul", operand, tidy(scale))

    # Instructions

    def _call(self, op: str, *args: Operand) -> Operand:
        name = (op, *args)
        if name not in self._calls:
            self.instructions.append(Instruction(self.algebra.ops[op], args))
            self._calls[name] = len(self._inputs) + len(self.instructions) - 1
        return self._calls[name]

    def _type(self, operand: Operand) -> Type:
        if isinstance(operand, Const):
            return Type.REAL
        if operand < len(self._inputs):
            return self.signature.inputs[operand].type
        instruction = self.instructions[operand - len(self._inputs)]
        return instruction.op.rule([self._type(arg) for arg in instruction.args]) or Type.ARRAY

    def _reads(self, operand: Operand, other: Operand) -> bool:
        """Whether the instruction of `operand` has `other` for an argument."""
        if isinstance(operand, Const) or operand < len(self._inputs):
            return False
        return other in self.instructions[operand - len(self._inputs)].args

    def _is_sum(self, atom: int) -> bool:
        return self.algebra.atoms[atom].op == SUM and not self.algebra.atoms[atom].is_input

    def _is_weights(self, monomial: Monomial) -> bool:
        return any(self.algebra.atoms[atom].is_input and self.algebra.atoms[atom].op == WEIGHT for atom, _ in monomial)


def _scales(terms: list[_Term], want: float | None) -> list[float]:
    """Scales that save a statement: what is wanted, that of an average, those in which a term has no coefficient."""
    free = [term.coefficient for term in terms if not term.fixed]
    total = sum(term.coefficient for term in terms)
    scales = [] if want is None else [want]
    if len(free) == len(terms) and abs(total) > 1e-9 * abs(free[0]):
        scales.append(total)
    constants = [term.coefficient for term in terms if isinstance(term.operand, Const)]
    return scales + free + constants or [term.coefficient for term in terms]


def _plan(terms: list[_Term], whole: bool = True) -> _Plan:
    """The fewest statements for a sum."""
    if len(terms) == 1:
        (term,) = terms
        plain = isinstance(term.operand, Const) or _is_one(term.coefficient)
        return _Plan(0 if plain else 1, "", term)
    plans: list[_Plan] = []
    for k, term in enumerate(terms) if len(terms) <= _TRIED else [(len(terms) - 1, terms[-1])]:
        rest = terms[:k] + terms[k + 1 :]
        plans += [plan for plan in (_average(term, rest), _added(term, rest)) if plan is not None]
        if whole and len(terms) <= _TRIED and not _is_one(term.coefficient):
            scale = term.coefficient
            inner = _plan([_Term(t.operand, t.coefficient / scale, t.fixed) for t in terms], whole=False)
            plans.append(_Plan(inner.statements + 1, "mul", _Term(term.operand, scale, fixed=True), inner))
    return min(plans, key=lambda plan: (plan.statements, plan.op != "interp", not plan.last.fixed, -plan.last.coefficient))


def _average(term: _Term, rest: list[_Term]) -> _Plan | None:
    """interp(rest / (1 - c), y, c)."""
    share = 1.0 - term.coefficient
    if term.fixed or abs(share) < 1e-11 or (len(rest) == 1 and rest[0].fixed):
        return None
    inner = _plan([_Term(t.operand, t.coefficient / share, t.fixed) for t in rest])
    return _Plan(inner.statements + 1, "interp", term, inner)


def _added(term: _Term, rest: list[_Term]) -> _Plan | None:
    inner = _plan(rest)
    own = 0 if isinstance(term.operand, Const) or _is_one(abs(term.coefficient)) else 1
    return _Plan(inner.statements + own + 1, "add" if term.coefficient > 0 else "sub", term, inner)


def _is_one(value: float) -> bool:
    return isclose(value, 1.0, rel_tol=1e-11)


def _direction(form: Form) -> object:
    """What forms that differ by a factor have in common."""
    return key(scaled(form, 1.0 / form[0][1]))
