"""What an exported optimizer says about itself: where it comes from and what was measured."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from evosearch.export.python import docstring_rows, docstring_text
from evosearch.export.rules.prepared import PreparedRule
from evosearch.language.infer import canonical_hash
from evosearch.language.program import Program
from evosearch.language.text import to_text


@dataclass(frozen=True)
class RuleInfo:
    """The origin of an update rule that is exported.

    Attributes:
        run: name of the run, or of the rule where there is no run.
        program_id: of the program in the run; None where there is no run.
        seed: of the run.
        version: of evosearch.
        command: the command line or call that made the run.
        lr: default of the learning rate: what suited it in the run.
        rows: (label, text) of what was measured of it, for people.
    """

    run: str
    program_id: int | None = None
    seed: int | None = None
    version: str = ""
    command: str = ""
    lr: float = 1e-3
    rows: tuple[tuple[str, str], ...] = ()

    @property
    def class_name(self) -> str:
        """The exported optimizer's name: "lion-3" gives Lion3."""
        words = re.split(r"[^a-zA-Z0-9]+", self.run)
        name = "".join(word[:1].upper() + word[1:] for word in words) or "Rule"
        return name if name[0].isalpha() else f"Rule{name}"

    @property
    def function_name(self) -> str:
        """The same as a function's name: lion_3."""
        name = re.sub(r"[^a-z0-9]+", "_", self.run.lower()).strip("_") or "rule"
        name = name if name[0].isalpha() else f"rule_{name}"
        return f"{name}_" if keyword.iskeyword(name) else name


def identity(rule: Program) -> str:
    """Tells the states of different rules apart."""
    return canonical_hash(rule)[:12]


def summary(info: RuleInfo) -> list[tuple[str, str]]:
    """(label, text) rows that every exported file opens with."""
    parts = [f"run {info.run}"]
    parts += [] if info.program_id is None else [f"program {info.program_id}"]
    parts += [] if info.seed is None else [f"seed {info.seed}"]
    parts += [f"evosearch {info.version}"] if info.version else []
    rows = [*info.rows, ("origin", ", ".join(parts))]
    return [*rows, ("command", " ".join(info.command.split()))] if info.command else rows


def decay_note(rule: PreparedRule) -> str:
    """Where the argument weight_decay comes from."""
    if rule.own_decay:
        return "its default is the decay that the rule was found with"
    return "the rule has no such decay of its own, this one is done beside it"


def rate_note(rule: PreparedRule) -> str:
    """Where the argument lr comes from."""
    return "" if rule.own_rate else " The rule was found without one: 1 is its own size."


def header(rule: Program, info: RuleInfo) -> str:
    """The program text and the summary, as the docstring of an exported file has them."""
    program = "\n".join(f"    {line}" for line in to_text(rule).rstrip().splitlines())
    return f"{docstring_text(program)}\n\n{docstring_rows(summary(info))}"
