"""Contenders of a comparison: update rules whose learning rate, weight decay and shape constants are tuned alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evosearch.errors import ConfigError
from evosearch.evaluation.decay import find_decay
from evosearch.evaluation.problems import Baseline, Protocol
from evosearch.language.op import OpSet
from evosearch.language.optimizer import read_rule
from evosearch.language.program import Const, Program
from evosearch.language.text import to_text

STRUCTURE = (0.0, 1.0, -1.0)
SHAPES = 2
"""So many shape constants are tuned, of every contender that has them."""


@dataclass(frozen=True)
class Knob:
    """Constants of a rule that are tuned as one: their places in `Program.constants`, and their value."""

    places: tuple[int, ...]
    value: float


@dataclass(frozen=True)
class Point:
    """What is tuned: the learning rate, the weight decay (None: the rule's own) and the shape constants."""

    lr: float
    decay: float | None = None
    shapes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Contender:
    """A rule that competes.

    Attributes:
        decay: its weight decay; None where it has none that can be told apart, and decay is added outside.
        shapes: its shape constants, at most `SHAPES`.
        tuned: whether decay and shapes are tuned too, or the learning rate alone.
    """

    name: str
    rule: Program
    decay: Knob | None = None
    shapes: tuple[Knob, ...] = ()
    tuned: bool = True

    def at(self, point: Point) -> tuple[str, float]:
        """The text of the rule with the point's constants, and the decay that is added outside."""
        rule = self.rule
        for knob, value in zip(self.shapes, point.shapes, strict=False):
            rule = turned(rule, knob, value)
        if point.decay is None:
            return to_text(rule), 0.0
        if self.decay is None:
            return to_text(rule), point.decay
        return to_text(turned(rule, self.decay, point.decay)), 0.0

    def untuned(self, name: str) -> Contender:
        """The same rule with its own constants: only its learning rate is tuned."""
        return Contender(name, self.rule, self.decay, self.shapes, tuned=False)


def baseline(given: Baseline, ops: OpSet) -> Contender:
    """A known optimizer as a contender; ConfigError where its rule has no constant of a value that is to be tuned."""
    rule = read_rule(given.rule, ops)
    knobs = {knob.value: knob for knob in knobs_of(rule)}
    for value in (given.decay, *given.shapes):
        if value not in knobs:
            known = ", ".join(map(str, sorted(knobs))) or "none"
            raise ConfigError(f"baseline '{given.name}' has no constant {value}; its constants: {known}")
    return Contender(given.name, rule, knobs[given.decay], tuple(knobs[value] for value in given.shapes[:SHAPES]))


def candidate(name: str, rule: Program) -> Contender:
    """A found rule as a contender, with its decay where it can be told apart; which constants are shapes is chosen later."""
    return Contender(name, rule, _decay_knob(rule))


def shape_knobs(contender: Contender) -> tuple[Knob, ...]:
    """All constants that may be its shape constants: neither its decay, nor 0, 1 or -1, which are structure."""
    taken = set(contender.decay.places if contender.decay else ())
    return tuple(knob for knob in knobs_of(contender.rule) if knob.value not in STRUCTURE and not taken & set(knob.places))


def knobs_of(rule: Program) -> tuple[Knob, ...]:
    """The constants of a rule by value, in the order of reading."""
    places: dict[float, list[int]] = {}
    for place, constant in enumerate(rule.constants):
        places.setdefault(constant.hi, []).append(place)
    return tuple(Knob(tuple(found), value) for value, found in places.items())


def turned(rule: Program, knob: Knob, value: float) -> Program:
    """The rule with another value of a knob."""
    constants = [Const(value) if place in knob.places else constant for place, constant in enumerate(rule.constants)]
    return rule.with_constants(tuple(constants))


def shifted(value: float, factor: float) -> float:
    """A shape constant times `factor`; near 1 its distance from 1 times the factor, as a beta counts, at most 1."""
    distance = 1.0 - value
    if 0.0 < abs(distance) <= 0.5:
        return 1.0 - min(distance * factor, 1.0)
    return value * factor


def point_at(
    contender: Contender, unit: Sequence[float], centre: float, reach: tuple[float, float], protocol: Protocol
) -> Point:
    """The point at coordinates from 0 to 1: learning rate, decay, shapes; all of them log-uniform.

    Args:
        centre: learning rate at the middle.
        reach: decades below and above it.
    """
    lr = centre * 10.0 ** (-reach[0] + unit[0] * (reach[0] + reach[1]))
    if not contender.tuned:
        return Point(lr)
    low, high = (math.log(bound) for bound in protocol.decay)
    turns = [protocol.shape ** (2.0 * u - 1.0) for u in unit[2:]]
    shapes = (shifted(knob.value, turn) for knob, turn in zip(contender.shapes, turns, strict=False))
    return Point(lr, math.exp(low + unit[1] * (high - low)), tuple(shapes))


def _decay_knob(rule: Program) -> Knob | None:
    found = find_decay(rule)
    if found is None:
        return None
    before = [arg for step in rule.instructions[: found.instruction] for arg in step.args]
    before += rule.instructions[found.instruction].args[: found.argument]
    return Knob((sum(isinstance(arg, Const) for arg in before),), found.value)
