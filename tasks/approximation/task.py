"""`Approximation`: the [task] table of a run that approximates a real function of one variable."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from evosearch.errors import ConfigError, ProgramError, TaskError, nearest
from evosearch.evaluation.target import ErrorMeasure, Form, Function, Target
from evosearch.language.op import OpSet
from evosearch.language.program import Program
from evosearch.search.loader import load_reference
from tasks.approximation.checks import check_monotone, check_target
from tasks.approximation.constraints import DIVIDING, Constraint, amend, unmet
from tasks.approximation.functions import FUNCTIONS, Known
from tasks.approximation.points import Points, context, sample
from tasks.approximation.wrapper import wrap, wrapper_cost

_END_WEIGHT = 1024.0
_SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


@dataclass(frozen=True)
class Approximation:
    """A real function of one variable, on an interval.

    Attributes:
        function: a name of `FUNCTIONS`, or "module:function" for the user's own f(x, m).
        interval: two exact bounds, numbers or text such as "pi/4"; () for the function's usual interval.
        error: the measure; without it, the function's usual one, or absolute.
        weight: "module:function", w(x, m), for weighted error.
        form: factored targets: "odd" for f(x) = x g(x^2), "even" for f(x) = g(x^2).
        constraints: see `Constraint`.
        digits: of the constants, for "short-coefficients".
    """

    function: str
    interval: tuple[str | int | float, ...] = ()
    error: ErrorMeasure | None = None
    weight: str | None = None
    form: Form = Form.PLAIN
    constraints: tuple[Constraint, ...] = ()
    digits: int | None = None

    def __post_init__(self) -> None:
        self._as_enums()
        if len(self.interval) not in (0, 2):
            raise ConfigError(f'task.interval must be two bounds, as in ["0", "pi/4"], got {list(self.interval)}')
        if (self.weight is None) == (self.error is ErrorMeasure.WEIGHTED):
            raise ConfigError("task.weight = 'module:function' goes with task.error = 'weighted', and only with it")
        if (self.digits is None) == (Constraint.SHORT_COEFFICIENTS in self.constraints):
            raise ConfigError("task.digits goes with task.constraints = ['short-coefficients'], and only with it")
        if self.digits is not None and not 1 <= self.digits <= 17:
            raise ConfigError(f"task.digits must be from 1 to 17, got {self.digits}")

    def _as_enums(self) -> None:
        """Plain text, as typed in a notebook, becomes the member of that value."""
        try:
            object.__setattr__(self, "error", None if self.error is None else ErrorMeasure(self.error))
            object.__setattr__(self, "form", Form(self.form))
            object.__setattr__(self, "constraints", tuple(map(Constraint, self.constraints)))
        except ValueError as error:
            raise ConfigError(
                f"task: {error}; measures: {_list(ErrorMeasure)}; forms: {_list(Form)}; constraints: {_list(Constraint)}"
            ) from None

    def target(self) -> Target:
        """The function, the interval and the measure; TaskError or ConfigError where one of them does not exist."""
        known = self._known()
        interval = self.interval or known.interval
        if not interval:
            raise ConfigError(f"task.interval is missing; '{self.function}' has no usual one")
        lower, upper = (bound if isinstance(bound, str) else repr(bound) for bound in interval)
        return Target(
            name=known.name,
            formula=known.formula,
            function=known.function,
            lower=lower,
            upper=upper,
            error=self.error or known.error,
            weight=_load(self.weight, "task.weight") if self.weight else None,
            form=self.form,
            sollya=known.sollya,
            squaring=known.squaring,
        )

    def _known(self) -> Known:
        for row in FUNCTIONS:
            if row.name == self.function:
                return row
        if ":" not in self.function:
            hint = nearest(self.function, (row.name for row in FUNCTIONS))
            raise TaskError(f"unknown function '{self.function}'.{hint} Your own function: task.function = 'module:function'.")
        function = _load(self.function, "task.function")
        name = self.function.partition(":")[2]
        return Known(name, f"{name}(x)", function, (), ErrorMeasure.ABSOLUTE, None)  # type: ignore[arg-type]

    def check(self, ops: OpSet) -> None:
        """Raise where the task cannot be searched with these ops; the message names the point and the way out."""
        self.operations(ops)
        target, m = self.target(), context()
        check_target(target, m)
        if Constraint.MONOTONE in self.constraints:
            check_monotone(target, m)

    def describe(self, ops: OpSet | None = None) -> str:
        """One line for people: "2^x on [0, 1], relative error, + - * /"."""
        target = self.target()
        form = {Form.PLAIN: "", Form.ODD: " as x g(x^2)", Form.EVEN: " as g(x^2)"}[target.form]
        parts = [f"{target.formula}{form} on [{target.lower}, {target.upper}]", f"{target.error} error"]
        if ops is not None:
            parts.append(" ".join(_SYMBOLS.get(op.name, op.name) for op in self.operations(ops)))
        return ", ".join([*parts, *(constraint.value for constraint in self.constraints)])

    def operations(self, ops: OpSet) -> OpSet:
        """The ops that a core program may use: those of the run, without division where it is not wanted."""
        if self.form is not Form.PLAIN and "mul" not in ops:
            raise ConfigError(f"form = '{self.form}' multiplies x by itself; let the run use the op 'mul'")
        if Constraint.NO_DIVISION not in self.constraints:
            return ops
        names = [op.name for op in ops if op.name not in DIVIDING]
        if not names:
            raise ConfigError("constraint 'no-division' leaves no op; let the run use more ops")
        return ops.subset(names)

    def points(self, n: int, nodes: Literal["extrema", "roots"] = "extrema") -> Points:
        """The target (the core g(u) of a factored one) at n Chebyshev nodes, with weights.

        With "exact-ends" they are extrema in any case, and the ends weigh more, so that `amend` has little left to move there.
        """
        if Constraint.EXACT_ENDS not in self.constraints:
            return sample(self.target(), n, nodes)
        points = sample(self.target(), n, "extrema")
        weight = points.weight.copy()
        weight[[0, -1]] *= _END_WEIGHT
        return dataclasses.replace(points, weight=weight)

    def wrapper_cost(self, ops: OpSet) -> float:
        """What the wrapper of a factored target adds to the cost of the core."""
        return wrapper_cost(self.form, ops)

    def wrap(self, core: Program, ops: OpSet) -> Program:
        """The whole program in x, from the core program in u."""
        try:
            return wrap(core, self.form, ops)
        except ProgramError as error:
            raise ConfigError(f"form = '{self.form}': {error}") from None

    def unmet(self, program: Program) -> tuple[Constraint, ...]:
        """The constraints that the whole program (with its wrapper) does not meet."""
        target, m = self.target(), context()
        return tuple(constraint for constraint in self.constraints if unmet(program, constraint, target, self.digits, m))

    def amend(self, program: Program) -> Program:
        """The whole program with constants moved so that it meets the constraints, where a small move is enough."""
        target, m = self.target(), context()
        for constraint in self.constraints:
            program = amend(program, constraint, target, self.digits, m)
        return program


def _list(options: Iterable[str]) -> str:
    return ", ".join(f"'{option}'" for option in options)


def _load(reference: str, where: str) -> Function:
    function = load_reference(reference, where)
    if not callable(function):
        raise TaskError(f"{where}: '{reference}' is no function f(x, m) but {type(function).__name__}")
    return function  # type: ignore[no-any-return]
