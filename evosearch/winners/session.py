"""A run that is selected from or assessed: its suites, its files, and the workers with the book of their trials."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from evosearch.errors import ConfigError, StoreError
from evosearch.evaluation.pool import InProcessPool, Pool
from evosearch.evaluation.problems import Trained
from evosearch.search.config import RunConfig
from evosearch.search.loop import interrupts
from evosearch.search.machine import usable_cores
from evosearch.search.observer import AssessmentObserver
from evosearch.search.store import Store
from evosearch.winners.assess import Sources
from evosearch.winners.trials import Runner, Trial, trial_book

VALIDATION, ASSESSMENT = "validation.jsonl", "assessment.jsonl"  # trials
WINNER_FILE, RESULT_FILE, MAPS_FILE = "winner.json", "assessment.json", "assessment-trials.json"


@runtime_checkable
class Assessable(Protocol):
    """A task whose winners can be selected and assessed: it names its suites, "module:function"."""

    @property
    def validation(self) -> str:
        """The suite that selects."""

    @property
    def test(self) -> str:
        """The suite that nobody selects on."""


@dataclass(frozen=True)
class Session:
    """An open run: its store, which nobody else writes meanwhile, and where its suites are."""

    store: Store
    config: RunConfig
    sources: Sources
    observer: AssessmentObserver
    workers: int

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.store.folder

    @contextmanager
    def runner(self, file: str) -> Iterator[Runner]:
        """Workers, and the book `file` in the run's folder."""
        with open_runner(self.folder / file, self.workers, self._tell) as runner:
            yield runner

    def _tell(self, trial: Trial, trained: Trained) -> None:
        self.observer.trained(trial.problem, trained.loss)


@contextmanager
def open_session(folder: Path, workers: int | None = None, observer: AssessmentObserver | None = None) -> Iterator[Session]:
    """Open the run in `folder` for selection or assessment; StoreError where another process is at it."""
    store = Store.open(folder, writable=True)
    try:
        meta = store.meta()
        config = RunConfig.from_table(meta["name"], meta["config"])
        count = usable_cores() if workers is None else workers
        yield Session(store, config, sources_of(config), observer or AssessmentObserver(), count)
    finally:
        store.close()


def sources_of(config: RunConfig) -> Sources:
    """The references of a run that searches update rules; ConfigError for any other."""
    task: object = config.load_task()
    if not isinstance(task, Assessable):
        raise ConfigError(f"run '{config.name}' searches no update rules: there is nothing to assess; see: evosearch show RUN")
    return Sources(config.ops, task.validation, task.test)


@contextmanager
def open_runner(path: Path, workers: int | None, observe: Callable[[Trial, Trained], None]) -> Iterator[Runner]:
    """Workers, the book of trials at `path`, and Ctrl-C, for as long as plans are run."""
    count = usable_cores() if workers is None else workers
    pool: Pool
    if count == 0:
        pool = InProcessPool()
    else:
        from evosearch.evaluation.local_pool import LocalPool

        pool = LocalPool(count)
    with pool, trial_book(path) as book, interrupts() as interrupt:
        yield Runner(book, pool, interrupt, observe)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Replace a file at once."""
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    scratch.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """What `write_json` wrote, None where it did not; StoreError where that is damaged."""
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} is damaged ({error}); remove it and make it again with: evosearch assess RUN") from None
