"""Variation of update rules: `(genome, rng, grammar, limits, other) -> genome`; `propose` tries until one is valid.

Insert, delete and modify an argument in equal shares, and constants drawn from N(0, 1) or multiplied by 2^N(0, 1), are the
Lion paper's (arXiv 2302.06675, section 2.2); the other operators are our own. Constants keep 6 digits, so that the last bits
of the mathematical library cannot matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from evosearch.evolution.rules.abstract import Meaning, execute
from evosearch.evolution.rules.genome import Argument, Genome, Grammar, Statement

ATTEMPTS = 100
"""Children after which `propose` gives up on a parent."""
FURTHER = 0.6
"""Chance that a child is varied once more, and so on: most variations only touch dead statements. After its constants nothing
else of it is varied, so that a good structure gets good constants."""


@dataclass(frozen=True)
class Limits:
    """What variation may do.

    Attributes:
        statements: most statements of a genome, dead ones included.
        constant: share of new arguments that are constants.
        weights: how often each operator is tried, by its name in `OPERATORS`.
    """

    statements: int
    constant: float
    weights: Mapping[str, float]


Operator = Callable[[Genome, Random, Grammar, Limits, Genome], Genome | None]
"""Parent, random numbers, grammar, limits and another member, to a child; None where it has nothing to change."""


def propose(
    parent: Genome, rng: Random, grammar: Grammar, limits: Limits, other: Genome, refused: dict[str, int]
) -> tuple[Genome, Meaning, str] | None:
    """A valid child with its meaning and the operator used last; `refused` counts the invalid ones on the way by reason."""
    names = list(limits.weights)
    weights = list(limits.weights.values())
    for _ in range(ATTEMPTS):
        child, name = parent, ""
        while not name or rng.random() < FURTHER:
            name = name if name == "constants" else rng.choices(names, weights)[0]
            child = OPERATORS[name](child, rng, grammar, limits, other) or child
        if child == parent:
            continue
        meaning = execute(child, grammar)
        if isinstance(meaning, Meaning):
            return child, meaning, name
        refused[meaning.reason] = refused.get(meaning.reason, 0) + 1
    return None


def insert(parent: Genome, rng: Random, grammar: Grammar, limits: Limits, _other: Genome) -> Genome | None:
    """A random statement at a random place; it assigns a variable in use, or a new one."""
    if len(parent) >= limits.statements:
        return None
    at = rng.randint(0, len(parent))
    statement = _statement(parent, at, rng, grammar, limits)
    return None if statement is None else (*parent[:at], statement, *parent[at:])


def delete(parent: Genome, rng: Random, _grammar: Grammar, _limits: Limits, _other: Genome) -> Genome | None:
    """Without a random statement."""
    at = _any(parent, rng)
    return None if at is None else (*parent[:at], *parent[at + 1 :])


def modify(parent: Genome, rng: Random, grammar: Grammar, limits: Limits, _other: Genome) -> Genome | None:
    """A random argument becomes another variable or constant; a constant is also scaled."""
    at = _any(parent, rng)
    if at is None:
        return None
    destination, code, args = parent[at]
    k = rng.randrange(len(args))
    old = args[k]
    new = _perturbed(old, rng) if isinstance(old, float) and rng.random() < 0.5 else _argument(parent, at, rng, grammar, limits)
    return _with(parent, at, (destination, code, (*args[:k], new, *args[k + 1 :])))


def constants(parent: Genome, rng: Random, _grammar: Grammar, _limits: Limits, _other: Genome) -> Genome | None:
    """A random constant is drawn anew or scaled; nothing else changes."""
    places = [(at, k) for at, (_, _, args) in enumerate(parent) for k, arg in enumerate(args) if isinstance(arg, float)]
    if not places:
        return None
    at, k = rng.choice(places)
    destination, code, args = parent[at]
    return _with(parent, at, (destination, code, (*args[:k], _perturbed(float(args[k]), rng), *args[k + 1 :])))


def change(parent: Genome, rng: Random, grammar: Grammar, _limits: Limits, _other: Genome) -> Genome | None:
    """Another op of the same number of arguments."""
    at = _any(parent, rng)
    if at is None:
        return None
    destination, code, args = parent[at]
    alike = [number for number, arity in enumerate(grammar.arity) if arity == len(args) and number != code]
    return _with(parent, at, (destination, rng.choice(alike), args)) if alike else None


def swap(parent: Genome, rng: Random, _grammar: Grammar, _limits: Limits, _other: Genome) -> Genome | None:
    """Two arguments of a statement change places."""
    at = _any(parent, rng)
    if at is None or len(parent[at][2]) < 2:
        return None
    destination, code, args = parent[at]
    j, k = rng.sample(range(len(args)), 2)
    changed = list(args)
    changed[j], changed[k] = changed[k], changed[j]
    return _with(parent, at, (destination, code, tuple(changed)))


def redirect(parent: Genome, rng: Random, grammar: Grammar, _limits: Limits, _other: Genome) -> Genome | None:
    """A statement assigns another variable."""
    at = _any(parent, rng)
    if at is None:
        return None
    _, code, args = parent[at]
    return _with(parent, at, (_destination(parent, rng, grammar), code, args))


def move(parent: Genome, rng: Random, _grammar: Grammar, _limits: Limits, _other: Genome) -> Genome | None:
    """A statement goes to another place."""
    at = _any(parent, rng)
    if at is None or len(parent) < 2:
        return None
    rest = (*parent[:at], *parent[at + 1 :])
    to = rng.randint(0, len(rest))
    return (*rest[:to], parent[at], *rest[to:])


def graft(parent: Genome, rng: Random, grammar: Grammar, limits: Limits, other: Genome) -> Genome | None:
    """A value of another member with what it is computed from, in new variables; the last one assigns a variable in use."""
    if not other:
        return None
    piece = _cone(other, rng.randrange(len(other)))[-GRAFTED:]
    if len(parent) + len(piece) > limits.statements:
        return None
    at = rng.randint(0, len(parent))
    spare = 1 + max([grammar.update, *(destination for destination, _, _ in parent)])
    readable = _readable(parent, at, grammar)
    renamed: dict[int, int] = {}

    def place(argument: Argument) -> Argument:
        if isinstance(argument, float):
            return argument
        known = renamed.get(argument, argument)
        return known if known in renamed.values() or known in readable else rng.choice(readable)

    grafted: list[Statement] = []
    for number, (destination, code, args) in enumerate(piece):
        into = tuple([place(arg) for arg in args])
        renamed[destination] = spare + number if number + 1 < len(piece) else _destination(parent, rng, grammar)
        grafted.append((renamed[destination], code, into))
    return (*parent[:at], *grafted, *parent[at:])


GRAFTED = 5
"""Most statements that a graft brings."""

OPERATORS: Mapping[str, Operator] = {
    "insert": insert,
    "delete": delete,
    "modify": modify,
    "constants": constants,
    "change": change,
    "swap": swap,
    "redirect": redirect,
    "move": move,
    "graft": graft,
}


def scratch(rng: Random, grammar: Grammar, limits: Limits, longest: int) -> tuple[Genome, Meaning, int]:
    """A valid rule of random statements, with its meaning, and how many drafts were not valid."""
    drafts = 0
    while True:
        genome: Genome = ()
        for _ in range(rng.randint(1, longest)):
            statement = _statement(genome, len(genome), rng, grammar, limits)
            if statement is not None:
                genome = (*genome, statement)
        meaning = execute(genome, grammar)
        if isinstance(meaning, Meaning):
            return genome, meaning, drafts
        drafts += 1


def _with(parent: Genome, at: int, statement: Statement) -> Genome:
    return (*parent[:at], statement, *parent[at + 1 :])


def _pick(among: Sequence[int], rng: Random) -> int:
    """One of them, three times as fast as `Random.choice`, and as even as anyone could tell."""
    return among[int(rng.random() * len(among))]


def _any(parent: Genome, rng: Random) -> int | None:
    return int(rng.random() * len(parent)) if parent else None


def _readable(parent: Genome, at: int, grammar: Grammar) -> Sequence[int]:
    """Variables that are assigned before statement `at`."""
    found = dict.fromkeys(range(len(grammar.inputs)))
    found.update([(statement[0], None) for statement in parent[:at]])
    return list(found)


def _spare(parent: Genome, grammar: Grammar) -> int:
    """The first local that the genome does not use."""
    used = {grammar.update, *[statement[0] for statement in parent]}
    return next(number for number in range(grammar.update + 1, grammar.update + 2 + len(used)) if number not in used)


def _destination(parent: Genome, rng: Random, grammar: Grammar) -> int:
    """An input, a variable in use, `update`, or a new local; all alike."""
    used = dict.fromkeys([*range(grammar.update + 1), *[statement[0] for statement in parent], _spare(parent, grammar)])
    return _pick(list(used), rng)


def _argument(parent: Genome, at: int, rng: Random, grammar: Grammar, limits: Limits) -> Argument:
    if rng.random() < limits.constant:
        return _rounded(rng.gauss(0.0, 1.0))
    return _pick(_readable(parent, at, grammar), rng)


def _statement(parent: Genome, at: int, rng: Random, grammar: Grammar, limits: Limits) -> Statement | None:
    code = int(rng.random() * len(grammar.arity))
    args = tuple([_argument(parent, at, rng, grammar, limits) for _ in range(grammar.arity[code])])
    if all(isinstance(arg, float) for arg in args):
        return None  # it would only be another constant
    return _destination(parent, rng, grammar), code, args


def _perturbed(constant: float, rng: Random) -> float:
    return _rounded(rng.gauss(0.0, 1.0) if rng.random() < 0.5 else constant * 2.0 ** rng.gauss(0.0, 1.0))


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _cone(genome: Genome, at: int) -> list[Statement]:
    """Statement `at` and those before it that it depends on, in order; inputs as they are at the start need none."""
    wanted, cone = set(genome[at][2]), [genome[at]]
    for statement in reversed(genome[:at]):
        if statement[0] in wanted:
            wanted.discard(statement[0])
            wanted.update(arg for arg in statement[2] if isinstance(arg, int))
            cone.append(statement)
    return cone[::-1]
