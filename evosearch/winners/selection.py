"""The winner of a run: the funnel chooses it, simplification shortens it, and it is pinned when the test families are opened.

Kept in the store's meta: `winner` (of the funnel), and `tests_opened`, after which the run has no other winner.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evosearch.errors import ConfigError, StoreError
from evosearch.language.optimizer import check_rule, read_rule
from evosearch.language.program import Program
from evosearch.language.text import to_text
from evosearch.search.observer import AssessmentObserver
from evosearch.search.store import StoredProgram
from evosearch.winners.funnel import Funnelled, funnel
from evosearch.winners.rules.run import simplify_of_run, to_plain
from evosearch.winners.rules.trial import Margin
from evosearch.winners.session import VALIDATION, WINNER_FILE, Session, open_session, write_json
from evosearch.winners.trials import load_ops, load_suite


@dataclass(frozen=True)
class Winner:
    """What is assessed: the text of a program, and the archive entrant that it is or was made from (None for a stranger)."""

    id: int | None
    program: str


def select_run(
    folder: Path,
    *,
    stages: int | None = None,
    workers: int | None = None,
    observer: AssessmentObserver | None = None,
) -> Funnelled:
    """Choose the winner of the run in `folder` on its validation problems, and keep it.

    Args:
        stages: of the funnel, the first so many; without it, all.

    Raises:
        MissingDependencyError, TaskError: where torch or a data set is missing, with the remedy.
        StoreError: where the run has found nothing, or another process is at it.
        Stopped: on Ctrl-C; what is finished is kept, and the same call goes on.
    """
    with open_session(folder, workers, observer) as session:
        return _select(session, stages)


def winner_of(session: Session, id: int | None, program: str | None) -> Winner:
    """The winner to assess: as pinned, as given, or as the funnel chooses it and simplification leaves it.

    Raises:
        ConfigError: where the test families were opened for another program of the run.
    """
    pinned = session.store.meta().get("tests_opened")
    if pinned is None:
        return _wanted(session, id, program) or _chosen(session)
    winner, wanted = Winner(pinned["id"], pinned["program"]), None
    if program is not None:
        wanted = _wanted(session, id, program)
    if (id is not None and id != winner.id) or (wanted is not None and wanted.program != winner.program):
        raise ConfigError(
            f"the test families were opened for this run on {pinned['opened']} with another program; a second one would be "
            "chosen by what they say. Assess the pinned one without --id and --program, or make a new run"
        )
    return winner


def pin(session: Session, winner: Winner) -> None:
    """Keep that the test families are opened, and for whom."""
    if "tests_opened" not in session.store.meta():
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        digest = load_suite(session.sources.test).digest
        opened = {**vars(winner), "opened": now, "suite": session.sources.test, "digest": digest}
        session.store.write_meta({"tests_opened": opened})


def _wanted(session: Session, id: int | None, program: str | None) -> Winner | None:
    ops = load_ops(session.sources.ops)
    if program is not None:
        rule = read_rule(program, ops)
        check_rule(rule)
        return Winner(id, to_text(rule))
    if id is None:
        return None
    stored = session.store.program(id)
    if stored is None:
        raise StoreError(f"run {session.config.name} has no program {id}; `evosearch show` lists its front")
    return _simplified(session, id, stored.text)


def _chosen(session: Session) -> Winner:
    """The funnel's winner; chosen anew where the archive has grown since."""
    kept = session.store.meta().get("winner")
    if kept is None or kept["entrants"] != len(session.store.programs()):
        _select(session)
        kept = session.store.meta()["winner"]
    return _simplified(session, kept["id"], kept["program"])


def _simplified(session: Session, id: int, program: str) -> Winner:
    """As `evosearch simplify` left it, or would leave it."""
    ops, file = load_ops(session.sources.ops), session.folder / f"simplified-{id}.txt"
    if not file.exists():
        session.observer.simplifying(id)
        margin = Margin()
        found = simplify_of_run(read_rule(program, ops), session.config, margin)
        file.write_text(str(found.rule), encoding="utf-8")
        file.with_suffix(".json").write_text(json.dumps(to_plain(found, margin), indent=2), encoding="utf-8")
    return Winner(id, to_text(read_rule(file.read_text(encoding="utf-8"), ops)))


def _select(session: Session, stages: int | None = None) -> Funnelled:
    sources, entrants = session.sources, _entrants(session)
    if not entrants:
        raise StoreError("the run has found no program yet; go on with it: evosearch resume RUN --budget 10m")
    suite = load_suite(sources.validation)
    for problem in suite.problems:
        problem.check()
    session.observer.selecting(len(entrants))
    with session.runner(VALIDATION) as runner:
        found = funnel(entrants, sources.validation, sources.ops, runner, suite.protocol.levels[:stages])
    text = to_text(entrants[found.winner])
    kept: dict[str, Any] = {"id": found.winner, "program": text, "entrants": len(session.store.programs())}
    kept |= {"validation": found.score, "beats_baselines": found.beats}
    session.store.write_meta({"winner": kept, "note": _note(found, session.folder.resolve().name)})
    write_json(session.folder / WINNER_FILE, {**found.to_json(), "program": text})
    return found


def _note(found: Funnelled, run: str) -> str:
    """For people: who won, and what it is worth so far."""
    worth = f"{math.exp(found.score):.3f} times the loss of the better of AdamW and Lion"
    gate = "" if found.beats else ", which it does not beat"
    return f"winner: program {found.winner}, {worth} on validation problems{gate}; how good it is: evosearch assess {run}"


def _entrants(session: Session) -> dict[int, Program]:
    """The archive's programs by id, best fitness first, one for each text."""
    ops = load_ops(session.sources.ops)
    found: dict[str, StoredProgram] = {}
    for stored in sorted(session.store.programs(), key=lambda p: (p.error, p.cost, p.id)):
        found.setdefault(stored.text, stored)
    return {stored.id: read_rule(stored.text, ops) for stored in found.values()}
