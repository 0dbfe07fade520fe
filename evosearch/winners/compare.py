"""Runs side by side: what each spent and found, whether they spent alike, and which runs of the same task are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evosearch.errors import ConfigError, StoreError
from evosearch.search.config import RunConfig
from evosearch.search.folders import run_folders
from evosearch.search.store import Store, StoredProgram
from evosearch.winners.funnel import mean_score
from evosearch.winners.session import RESULT_FILE, WINNER_FILE, read_json

SCHEMA = 1
ALIKE = 0.1
"""Runs have spent alike where their compute differs by at most this share from the first one's."""


@dataclass(frozen=True)
class Row:
    """One run.

    Attributes:
        seconds: of search. `work`: instructions x points (or weights), or frames; what equal compute is judged by.
        found: what is told of its best candidate, by family; see `_FOUND`.
        alike: whether it has spent what the first run has.
    """

    run: str
    algorithm: str
    seed: int
    status: str
    seconds: float
    evaluations: int
    work: int
    found: Mapping[str, Any]
    alike: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain data, with what was found beside the rest."""
        rest = {name: value for name, value in vars(self).items() if name != "found"}
        return {**rest, **self.found}


@dataclass(frozen=True)
class Comparison:
    """Rows in the order given; `absent` names the other runs of the same task and ops that lie beside them."""

    family: str
    rows: tuple[Row, ...]
    absent: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data, with `schema_version`."""
        return {
            "schema_version": SCHEMA,
            "family": self.family,
            "runs": [row.to_json() for row in self.rows],
            "counted": len(self.rows) + len(self.absent),
            "absent": list(self.absent),
        }


def compare(folders: Sequence[Path]) -> Comparison:
    """Compare runs of one task.

    Raises:
        ConfigError: where their tasks or ops differ.
        StoreError: where one cannot be read.
    """
    if not folders:
        raise ConfigError("give at least one run to compare: evosearch compare RUN RUN...")
    read = [_read(folder) for folder in folders]
    kind = _kind(read[0][1])
    for row, config in read:
        if _kind(config) != kind:
            raise ConfigError(f"'{row.run}' and '{read[0][0].run}' have other tasks or ops; compare runs of one task")
    first = read[0][0]
    rows = tuple(_marked(row, first) for row, _ in read)
    return Comparison(read[0][1].family, rows, tuple(_absent(folders, kind)))


def _read(folder: Path) -> tuple[Row, RunConfig]:
    with closing(Store.open(folder)) as store:
        meta, totals, programs = store.meta(), store.totals(), store.programs()
    config = _config(folder, meta)
    row = Row(
        run=folder.resolve().name,
        algorithm=config.search.algorithm,
        seed=config.search.seed,
        status=str(meta["status"]),
        seconds=float(meta["seconds"]),
        evaluations=int(totals["evaluations"]),
        work=int(totals["work"]),
        found=_FOUND[config.family](folder, programs),
    )
    return row, config


def _function(_folder: Path, programs: Sequence[StoredProgram]) -> dict[str, Any]:
    """The least error, whether it is proven, and its cost."""
    best = min(programs, key=lambda program: (program.error, program.cost), default=None)
    if best is None:
        return {"error": None, "certified": None, "cost": None}
    return {"error": best.error, "certified": best.certified_error is not None, "cost": best.cost}


def _rule(folder: Path, programs: Sequence[StoredProgram]) -> dict[str, Any]:
    """The best fitness, lower is better; the winner's score in the funnel and over how many stages, and its ratio on the
    test families (ratio, low, high) with the level of the assessment; None where there is none yet."""
    winner, result = read_json(folder / WINNER_FILE), read_json(folder / RESULT_FILE)
    stages = [stage["scores"] for stage in winner["stages"]] if winner else []
    ratio = result["winner_to_better"] if result else None
    return {
        "fitness": min((program.error for program in programs), default=None),
        "validation": mean_score(stages, str(winner["winner"])) if stages and winner else None,
        "stages": len(stages),
        "test": (ratio["ratio"], ratio["low"], ratio["high"]) if ratio else None,
        "level": result["level"]["name"] if result else None,
    }


def _policy(_folder: Path, programs: Sequence[StoredProgram]) -> dict[str, Any]:
    """The last elite's score and test, whether it solves the task, and its place between a random player and a human."""
    elite = programs[-1].metrics if programs else {}
    return {name: elite.get(name) for name in ("score", "solved", "test", "human_normalised")}


_FOUND = {"function": _function, "rule": _rule, "policy": _policy}


def _config(folder: Path, meta: Mapping[str, Any]) -> RunConfig:
    try:
        return RunConfig.from_table(meta["name"], meta["config"])
    except KeyError as error:
        raise StoreError(f"the run in {folder} is incomplete ({error}); leave it out") from None


def _marked(row: Row, first: Row) -> Row:
    by_work = abs(row.work - first.work) <= ALIKE * first.work
    by_time = abs(row.seconds - first.seconds) <= ALIKE * first.seconds
    return replace(row, alike=by_work or by_time)


def _absent(folders: Sequence[Path], kind: Mapping[str, Any]) -> Iterable[str]:
    """Every run ever made for a record counts, also one that nobody likes to show."""
    given = {folder.resolve() for folder in folders}
    for root in sorted({folder.resolve().parent for folder in folders}):
        for folder in run_folders(root):
            if folder.resolve() not in given and _kind_of(folder) == kind:
                yield folder.name


def _kind_of(folder: Path) -> Mapping[str, Any] | None:
    """Of a run beside; None where its store cannot be read, so that nobody knows what it was."""
    try:
        with closing(Store.open(folder)) as store:
            return _kind(_config(folder, store.meta()))
    except (StoreError, ConfigError):
        return None


def _kind(config: RunConfig) -> dict[str, Any]:
    table = config.to_table()
    return {"ops": table["ops"], "task": table["task"]}
