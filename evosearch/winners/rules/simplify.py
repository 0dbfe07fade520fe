"""An update rule made simpler: exact algebra, approximate laws, statements left out, constants rounded.

Exact algebra needs no leave; the rest happens only where the original program still does no better (`trial`). A decay that
can be told apart is a knob of the user's: it is neither left out nor merged with the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from evosearch.errors import ProgramError
from evosearch.evaluation.decay import find_decay
from evosearch.language.infer import ancestors, bypassed, check_types, cost, without_dead_code
from evosearch.language.op import OpSet
from evosearch.language.optimizer import RATE, check_rule
from evosearch.language.program import Const, Operand, Program
from evosearch.winners.rules.approximate import approximations
from evosearch.winners.rules.canonical import canonical, in_units, rate_scale
from evosearch.winners.rules.trial import Effect, Margin, Scoring, Trial

_DIGITS = (1, 2, 3)  # to which constants are rounded, the first that is harmless


@dataclass(frozen=True)
class Step:
    """One simplification that was made.

    Attributes:
        what: for people.
        rule: after it.
        effect: of all simplifications so far, on the score of the original.
    """

    what: str
    rule: Program
    effect: Effect


@dataclass(frozen=True)
class Simplified:
    """A simpler rule, how it came about and what each of its statements is worth.

    Attributes:
        original, rule: before and after; lr may mean another rate after.
        steps: in order.
        effects: for each statement of `rule`, by how much the score rises when its readers read one of its arguments
            instead, the least harmful one; None where none fits.
        scored: how many times a rule was scored on the seeds of a look.
    """

    original: Program
    rule: Program
    steps: tuple[Step, ...]
    effects: tuple[Effect | None, ...]
    scored: int


def simplify(
    rule: Program, ops: OpSet, score: Scoring, margin: Margin | None = None, tell: Callable[[Step], None] | None = None
) -> Simplified:
    """The shortest rule to which laws and ablation lead and which is not worse than `rule`.

    Args:
        rule: an update rule.
        ops: that it may use; the set of `primitives.optimizer` or a part of it.
        score: measures rules on tasks.
        margin: what counts as not worse.
        tell: is told of each step.

    Raises:
        ProgramError: where `rule` is no update rule.
        ConfigError: where the tasks cannot score it.
    """
    check_rule(rule)
    original = in_units(rule, rate_scale(rule, ops), ops)  # so that both are tried at the same rates
    now = _Progress(Trial(original, score, margin or Margin()), ops, original, (), tell)
    now = now.take("dead code", without_dead_code(rule)) or now
    now = now.take("exact algebra", canonical(rule, ops, rate_gauge=True)) or now
    following: _Progress | None = now
    while following is not None:
        now = following
        following = now.by_a_law() or now.without_a_statement()
    now = now.rounded()
    return Simplified(rule, now.rule, now.steps, now.effects(), now.trial.scored)


@dataclass(frozen=True)
class _Progress:
    trial: Trial
    ops: OpSet
    rule: Program
    steps: tuple[Step, ...]
    tell: Callable[[Step], None] | None

    def take(self, what: str, rule: Program) -> _Progress | None:
        """On with a rule that is shorter, or as short and new, and passes; None where it does not."""
        if str(rule) == str(self.rule) or cost(rule, self.ops) > cost(self.rule, self.ops):
            return None
        effect = self.trial.passes(rule)
        if effect is None:
            return None
        step = Step(what, rule, effect)
        if self.tell is not None:
            self.tell(step)
        return replace(self, rule=rule, steps=(*self.steps, step))

    def by_a_law(self) -> _Progress | None:
        for law, rule in approximations(self.rule, self.ops):
            found = self.take(f"{law}, for {law.domain}", canonical(rule, self.ops, rate_gauge=True))
            if found is not None:
                return found
        return None

    def without_a_statement(self) -> _Progress | None:
        """The least harmful removal that passes."""
        allowed = ((what, rule) for _, what, rule in self._ablations() if self._allowed(rule))
        shorter = [(self.trial.effect(rule).mean, k, what, rule) for k, (what, rule) in enumerate(allowed)]
        for mean, _, what, rule in sorted(shorter, key=lambda entry: entry[:2]):
            if not math.isfinite(mean):
                break
            found = self.take(what, rule)
            if found is not None:
                return found
        return None

    def rounded(self) -> _Progress:
        """Each constant in turn to the fewest digits that pass."""
        now = self
        for k in range(len(now.rule.constants)):
            for digits in _DIGITS:
                rule = _with_rounded(now.rule, k, digits)
                if str(rule) == str(now.rule):
                    break
                found = now.take(f"{now.rule.constants[k]} rounded to {rule.constants[k]}", rule)
                if found is not None:
                    now = found
                    break
        return now

    def effects(self) -> tuple[Effect | None, ...]:
        """What leaving out each statement would do to the score of this rule."""
        best: dict[int, Effect] = {}
        for position, _, rule in self._ablations():
            effect = self.trial.effect(rule, self.rule)
            if position not in best or effect.mean < best[position].mean:
                best[position] = effect
        return tuple(best.get(position) for position in range(len(self.rule.instructions)))

    def _ablations(self) -> Iterator[tuple[int, str, Program]]:
        """(statement, what is done, rule): the readers of one statement read one of its arguments; each rule once."""
        seen: set[tuple[int, str]] = set()
        for position, instruction in enumerate(self.rule.instructions):
            value = self.rule.n_inputs + position
            for arg in dict.fromkeys(instruction.args):
                rule = _bypassed(self.rule, value, arg)
                if rule is None:
                    continue
                shorter = min(canonical(rule, self.ops, rate_gauge=True), rule, key=lambda other: cost(other, self.ops))
                if (position, str(shorter)) not in seen:
                    seen.add((position, str(shorter)))
                    yield position, f"{_shown(self.rule, arg)} in place of {statement(self.rule, position)}", shorter

    def _allowed(self, rule: Program) -> bool:
        """Whether a rule is shorter, and keeps the knobs: lr, and the decay where it can be told apart."""
        keeps = find_decay(self.rule) is None or find_decay(rule) is not None
        return keeps and _reads(rule, RATE) and cost(rule, self.ops) < cost(self.rule, self.ops)


def statement(rule: Program, position: int) -> str:
    """One statement as it stands in the rule's text."""
    return str(rule).splitlines()[position + 1].strip()


def _shown(rule: Program, operand: Operand) -> str:
    if isinstance(operand, Const):
        return str(operand)
    if operand < rule.n_inputs:
        return rule.signature.inputs[operand].name
    return statement(rule, operand - rule.n_inputs).partition(" = ")[0]


def _bypassed(rule: Program, value: int, by: Operand) -> Program | None:
    """The rule whose statements read `by` in place of `value`; None where types do not fit any more."""
    other = bypassed(rule, value, by)
    try:
        check_types(other)
    except ProgramError:
        return None
    return without_dead_code(other)


def _reads(rule: Program, name: str) -> bool:
    """Whether the update depends on an input."""
    needed = ancestors(rule, rule.outputs[:1])
    return any(number in needed for number, variable in enumerate(rule.signature.inputs) if variable.name == name)


def _with_rounded(rule: Program, k: int, digits: int) -> Program:
    """The rule with its constant k cut to so many digits; of the weight of an average, what it lacks to 1."""
    places = [(item, place) for item in rule.instructions for place, arg in enumerate(item.args) if isinstance(arg, Const)]
    constants = list(rule.constants)
    value = constants[k].hi
    item, place = places[k] if k < len(places) else (None, 0)
    if item is not None and item.op.name == "interp" and place == 2 and 0.5 < value < 1.0:
        short = round(1.0 - float(f"{1.0 - value:.{digits - 1}e}"), 15)
    else:
        short = float(f"{value:.{digits - 1}e}")
    constants[k] = Const(short)
    return rule.with_constants(tuple(constants))
