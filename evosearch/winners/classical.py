"""The classical baseline: what Remez' algorithm and the known evaluation schemes reach at each cost.

Families: polynomials (Horner; Knuth's and Eve's adapted coefficients), rationals (Horner; continued fractions), the
same in x^2 for odd and even functions, and squaring ladders g(x)^(2^k) where f(x) = f(x/2)^2.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from flint import ctx
from mpmath import MPContext

from evosearch.backends.cache import cache_folder
from evosearch.errors import ProgramError
from evosearch.evaluation.target import Target
from evosearch.language.infer import cost
from evosearch.language.op import OpSet
from evosearch.language.program import Program
from evosearch.language.text import parse
from evosearch.winners.families import DIGITS, MAX_COST, Candidate, candidates
from evosearch.winners.remez import PRECISION

VERSION = 1
"""Of the algorithm: part of the cache key."""

_KEY_POINTS = 41


@dataclass(frozen=True)
class ClassicalEntry:
    """The best classical program of at most `cost`.

    Attributes:
        cost: the row of the table.
        error: sampled maximum over the interval.
        form: for people, such as "rational 2/3, continued fraction".
        program: over the given op set; None without one.
    """

    cost: int
    error: float
    form: str
    program: Program | None


def classical_front(target: Target, max_cost: int = MAX_COST, ops: OpSet | None = None) -> tuple[ClassicalEntry, ...]:
    """The best classical error for each cost 1 ... max_cost; programs have at most 14 operations.

    Args:
        target: see `Target`; the whole function counts, with the wrapper of a factored form.
        max_cost: of the last row.
        ops: what programs are made of, and their costs; forms that need another op are left out. Without it each
            operation costs 1 and no program is returned.
    """
    rated = [rating for candidate in classical_candidates(target) if (rating := _rate(candidate, ops)) is not None]
    entries = []
    for limit in range(1, max_cost + 1):
        within = [item for item in rated if item[0] <= limit]
        if within:
            _, candidate, program = min(within, key=lambda item: (item[1].error, item[0]))
            entries.append(ClassicalEntry(limit, candidate.error, candidate.form, program))
    return tuple(entries)


def _rate(candidate: Candidate, ops: OpSet | None) -> tuple[float, Candidate, Program | None] | None:
    """(cost, candidate, program); None where the op set lacks an op of it."""
    if ops is None:
        return candidate.steps, candidate, None
    try:
        program = parse(candidate.text, ops)
    except ProgramError:
        return None
    return cost(program, ops), candidate, program


def classical_candidates(target: Target) -> tuple[Candidate, ...]:
    """The classical programs that are best for some op costs; computed once, then read from the user's cache folder."""
    path = cache_folder() / "classical" / f"{target.name}_{_key(target)}.json"
    if path.is_file():
        try:
            return tuple(Candidate(**item) for item in json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            path.unlink(missing_ok=True)  # damaged: computed anew
    with ctx.workprec(PRECISION):
        found = tuple(candidates(target))
    _write(path, json.dumps([dataclasses.asdict(item) for item in found]))
    return found


def _key(target: Target) -> str:
    """Identity of what is approximated: values, so that a change anywhere behind a user's function counts."""
    m = MPContext()
    m.dps = DIGITS
    lower, upper = target.bounds(m)
    digest = hashlib.sha256(f"classical {VERSION} {target.error} {target.squaring} {lower!r} {upper!r}".encode())
    for k in range(_KEY_POINTS):
        x = lower + (upper - lower) * k / (_KEY_POINTS - 1)
        weight = target.weight(x, m) if target.weight else 1
        digest.update(f"{target.function(x, m)!r} {weight!r}".encode())
    return digest.hexdigest()[:20]


def _write(path: Path, content: str) -> None:
    """Atomic; where the cache folder is not writable, the next use computes again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        Path(temporary).replace(path)
    except OSError:
        return
