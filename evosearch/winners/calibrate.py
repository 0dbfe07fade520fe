"""Does fitness predict? The rank correlation of fitness with validation over programs from the archives of several runs.

The programs are alike: all within 20% of AdamW on the proxies, so that the correlation is not that of good with broken. The
fitness is the one of archive entry, measured on seeds that chose nothing; where archives hold too few programs, others that
finished their race are measured likewise. The interval resamples runs and then programs, since the programs of one run are
relatives.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from evosearch.errors import ConfigError, StoreError
from evosearch.evaluation.problems import Level
from evosearch.evaluation.statistics import bootstrap, spearman
from evosearch.language.optimizer import read_rule
from evosearch.search.config import RunConfig
from evosearch.search.observer import AssessmentObserver
from evosearch.search.store import Store
from evosearch.winners.assess import Sources
from evosearch.winners.finalists import Finalist, measured, read_finalists
from evosearch.winners.funnel import compete
from evosearch.winners.session import open_runner, sources_of, write_json
from evosearch.winners.trials import Runner, load_ops, load_suite

T = TypeVar("T")
SCHEMA = 1
GATE = 0.5
WITHIN = 0.2
"""Share of AdamW's loss."""
PROGRAMS, RUNS = 100, 5
"""Below so many the number is printed, and the gate not judged."""
MORE = 1.15
"""Finalists measured for each program that the archives lack: some will be too good or too bad."""

DRAWN, TRIALS, RESULT = "programs.json", "trials.jsonl", "calibration.json"
_SEED = 0


@dataclass(frozen=True)
class Drawn:
    """A program that is asked whether its fitness was right.

    Attributes:
        id: in the archive; negative, of the evaluation, where it only finished its race.
        adamw: log-ratio of its loss on the proxies to that of tuned AdamW.
        proxies: log-ratio to the better baseline by proxy.
    """

    run: str
    id: int
    text: str
    fitness: float
    adamw: float
    proxies: Mapping[str, float]


def calibrate(
    folders: Sequence[Path],
    out: Path,
    *,
    programs: int = PROGRAMS,
    workers: int | None = None,
    observer: AssessmentObserver | None = None,
) -> dict[str, Any]:
    """Draw programs from the archives of runs, train them on the validation problems, and correlate.

    Args:
        folders: of the runs; all of one op set and one validation suite.
        out: folder for the programs that were drawn, every finished training, and the result in `calibration.json`. The
            same call goes on where it was stopped.
        programs: how many to draw.

    Raises:
        ConfigError: where the runs do not go together or hold too few programs, or `out` was begun with other runs.
        Stopped: on Ctrl-C; what is finished is kept.
    """
    observer = observer or AssessmentObserver()
    sources, archives, finalists = _read(folders)
    _prepare(out)
    with open_runner(out / TRIALS, workers, lambda trial, trained: observer.trained(trial.problem, trained.loss)) as runner:
        drawn, left_out = _pinned(out, sorted(archives), programs) or _draw(out, archives, finalists, programs, runner)
        scores, problems = validate(drawn, sources, runner)
    result = {**judged(drawn, scores, problems), "left_out": left_out, "suite": sources.validation}
    write_json(out / RESULT, result)
    return result


def _draw(
    out: Path,
    archives: Mapping[str, Sequence[Drawn]],
    finalists: Mapping[str, Sequence[Finalist]],
    programs: int,
    runner: Runner,
) -> tuple[list[Drawn], dict[str, int]]:
    """Draw and pin; what the archives lack is measured first."""
    lacking = programs - len(draw(archives, programs)[0])
    wanted = _some(finalists, round(MORE * max(0, lacking)))
    texts = [finalist for run in sorted(wanted) for finalist in wanted[run]]
    rows = dict(zip([one.text for one in texts], measured(texts, runner), strict=True))
    found = {
        run: [*archives[run], *(Drawn(run, -one.id, one.text, **rows[one.text]) for one in wanted.get(run, ()))]
        for run in archives
    }
    drawn, left_out = draw(found, programs)
    if len(drawn) < 3:
        raise ConfigError(
            f"the runs hold {len(drawn)} programs within {WITHIN:.0%} of AdamW, too few to correlate; let them go on: "
            "evosearch resume RUN --budget 60m"
        )
    kept = [{**asdict(one), "proxies": dict(one.proxies)} for one in drawn]
    pinned = {"schema_version": SCHEMA, "runs": sorted(archives), "asked": programs, "drawn": kept, "left_out": left_out}
    write_json(out / DRAWN, pinned)
    return drawn, left_out


def _some(finalists: Mapping[str, Sequence[Finalist]], count: int) -> dict[str, list[Finalist]]:
    """Up to `count` in all, as equal a number from each run as there are; no text twice."""
    seen = set[str]()
    pools = _shuffled(finalists)
    chosen: dict[str, list[Finalist]] = {run: [] for run in pools}
    for run, one in _in_turns({run: pool[::-1] for run, pool in pools.items()}):
        if len(seen) == count:
            break
        if one.text not in seen:
            seen.add(one.text)
            chosen[run].append(one)
    return chosen


def draw(found: Mapping[str, Sequence[Drawn]], count: int) -> tuple[list[Drawn], dict[str, int]]:
    """Up to `count` programs, as equal a number from each run as there are; and how many were left out for what reason.

    A function of its arguments: who is drawn does not depend on how good anybody is within the 20%.
    """
    seen: set[str] = set()
    left_out = {"better": 0, "worse": 0, "repeated": 0}
    pools: dict[str, list[Drawn]] = {}
    for run in sorted(found):
        pools[run] = []
        for one in found[run]:
            if not abs(one.adamw) <= math.log(1.0 + WITHIN):
                left_out["better" if one.adamw < 0.0 else "worse"] += 1
            elif one.text in seen:
                left_out["repeated"] += 1
            else:
                seen.add(one.text)
                pools[run].append(one)
    turns = [one for _, one in _in_turns(_shuffled(pools))]
    return sorted(turns[:count], key=lambda one: (one.run, one.id)), left_out


def _shuffled(pools: Mapping[str, Sequence[T]]) -> dict[str, list[T]]:
    """Each run's in an order of their own, always the same."""
    rng = np.random.default_rng(_SEED)
    return {run: [pools[run][k] for k in rng.permutation(len(pools[run]))] for run in sorted(pools)}


def _in_turns(pools: Mapping[str, Sequence[T]]) -> Iterator[tuple[str, T]]:
    """One of each run, then the next of each that has more."""
    for turn in range(max(map(len, pools.values()), default=0)):
        yield from ((run, pool[turn]) for run, pool in pools.items() if turn < len(pool))


def validate(drawn: Sequence[Drawn], sources: Sources, runner: Runner) -> tuple[list[float], list[Mapping[str, float]]]:
    """Each program's validation score, on all seeds of the suite, and its parts by problem; tuned as the funnel tunes."""
    ops, suite = load_ops(sources.ops), load_suite(sources.validation)
    level = Level("calibration", trials=len(drawn), seeds=len(suite.protocol.final_seeds))
    rules = {number: read_rule(one.text, ops) for number, one in enumerate(drawn)}
    stage = compete(rules, sources.validation, sources.ops, runner, level)
    return [stage.scores[k] for k in rules], [stage.problems[k] for k in rules]


def judged(drawn: Sequence[Drawn], scores: Sequence[float], problems: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """The correlation with its interval and the gate, as plain data; by run, problem and proxy for who mends the proxies."""
    fitness = [one.fitness for one in drawn]
    runs = sorted({one.run for one in drawn})
    pairs = {run: [(one.fitness, score) for one, score in zip(drawn, scores, strict=True) if one.run == run] for run in runs}
    number = spearman(fitness, scores)
    rng = np.random.default_rng(_SEED)
    interval = bootstrap(list(pairs.values()), lambda rows: spearman(rows[:, 0], rows[:, 1]), rng)
    enough = len(drawn) >= PROGRAMS and len(runs) >= RUNS
    names = sorted({name for one in drawn for name in one.proxies})
    by_proxy = {name: spearman([one.proxies.get(name, one.fitness) for one in drawn], scores) for name in names}
    by_problem = {name: spearman(fitness, [row[name] for row in problems]) for name in (problems[0] if problems else ())}
    rows = [
        {**asdict(one), "proxies": dict(one.proxies), "validation": score, "problems": dict(parts)}
        for one, score, parts in zip(drawn, scores, problems, strict=True)
    ]
    plain: dict[str, Any] = {
        "schema_version": SCHEMA,
        "spearman": number,
        "interval": list(interval),
        "gate": GATE,
        "met": bool(number >= GATE) if enough else None,
        "programs": len(drawn),
        "runs": {run: {"programs": len(rows), "spearman": _of(rows)} for run, rows in pairs.items()},
        "by_proxy": by_proxy,
        "by_problem": by_problem,
        "rows": rows,
    }
    return {key: _finite(value) for key, value in plain.items()}


def _of(rows: Sequence[tuple[float, float]]) -> float:
    return spearman([row[0] for row in rows], [row[1] for row in rows])


def _finite(data: Any) -> Any:
    """The same with None for what is not finite, as JSON has no NaN."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _read(folders: Iterable[Path]) -> tuple[Sources, dict[str, list[Drawn]], dict[str, list[Finalist]]]:
    """What the runs have in common; by the runs' names their archives, and what else finished a race."""
    common: Sources | None = None
    archives: dict[str, list[Drawn]] = {}
    finalists: dict[str, list[Finalist]] = {}
    for folder in folders:
        store = Store.open(folder)
        try:
            meta = store.meta()
            config = RunConfig.from_table(meta["name"], meta["config"])
            sources = sources_of(config)
            if common is not None and (sources.ops, sources.validation) != (common.ops, common.validation):
                raise ConfigError(
                    f"{folder} has other ops or validation problems than the runs before it; compare like with like"
                )
            common, name = common or sources, folder.resolve().name
            if name in archives:
                raise ConfigError(f"run {name} is given twice; give each run once")
            archives[name] = [
                Drawn(name, p.id, p.text, p.error, p.metrics.get("adamw", p.error), p.metrics.get("proxies", {}))
                for p in store.programs()
            ]
            finalists[name] = read_finalists(store, config, WITHIN)
        finally:
            store.close()
    if common is None:
        raise ConfigError("give the runs whose archives are to be asked, five at least")
    return common, archives, finalists


def _prepare(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write to {out}: {error.strerror}; give another folder with --out") from None


def _pinned(out: Path, runs: Sequence[str], programs: int) -> tuple[list[Drawn], dict[str, int]] | None:
    """The programs as drawn when `out` was begun, if it was: a run that went on meanwhile changes nothing."""
    path = out / DRAWN
    if not path.exists():
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if (kept["runs"], kept["asked"]) != (list(runs), programs):
            was = f"{kept['asked']} programs of {', '.join(kept['runs'])}"
            raise ConfigError(f"{out} was begun with {was}; give another folder with --out, or the same runs to go on")
        return [Drawn(**row) for row in kept["drawn"]], kept["left_out"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged ({error}); give another folder with --out") from None
