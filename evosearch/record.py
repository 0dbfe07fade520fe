"""`Run`: a run on disk, to look at and to export from."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evosearch import __version__
from evosearch.errors import ConfigError, ExportError, StoreError
from evosearch.evaluation.rates import rate_of
from evosearch.language.json_form import from_json
from evosearch.language.op import OpSet
from evosearch.report.views import VIEWS, View
from evosearch.search import folders
from evosearch.search.config import FunctionTask, RunConfig, Task
from evosearch.search.evaluations import StoredEvaluation
from evosearch.search.loop import Status
from evosearch.search.store import Store, StoredProgram, is_being_written

if TYPE_CHECKING:
    from evosearch.export import ExportInfo, RuleInfo

SHOW_SCHEMA = 1

Classical = tuple[tuple[float, float, str], ...]
"""(cost, error, form) of the best classical programs, by cost."""


class Run:
    """A run on disk. Reading it imports no code that it names; `load` and what builds on it does."""

    def __init__(self, folder: Path) -> None:
        """Open the run in `folder`; StoreError where it is missing, damaged or newer."""
        self.folder = folder
        with self._store() as store:
            self.meta: Mapping[str, Any] = store.meta()
            self.totals = store.totals()
            self.programs = tuple(store.programs())
        try:
            self.config = RunConfig.from_table(self.meta["name"], self.meta["config"])
            self.status = Status(self.meta["status"])
            self.seconds = float(self.meta["seconds"])
            self.task_text = str(self.meta["task"])
        except (KeyError, ValueError) as error:
            raise StoreError(f"the run in {folder} is incomplete ({error}); restore it or start a new one") from None
        if self.status is Status.RUNNING and not is_being_written(folder):
            self.status = Status.INTERRUPTED  # its process was ended before it could say so

    @contextlib.contextmanager
    def _store(self) -> Iterator[Store]:
        store = Store.open(self.folder)
        try:
            yield store
        finally:
            store.close()

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @property
    def reference(self) -> str:
        """What to type for this run: its name, or its folder where that is not under ./runs/."""
        return self.name if self.folder.parent == folders.RUNS else str(self.folder)

    @property
    def evaluations(self) -> int:
        """Distinct programs whose fit has finished."""
        return int(self.totals["evaluations"])

    def front(self) -> tuple[StoredProgram, ...]:
        """The non-dominated programs, by rising cost; each one's error is below that of all cheaper ones."""
        best: list[StoredProgram] = []
        for program in sorted(self.programs, key=lambda p: (p.cost, p.error, p.id)):
            if not math.isnan(program.error) and (not best or program.error < best[-1].error):
                best.append(program)
        return tuple(best)

    def program(self, id: int) -> StoredProgram:
        """The program with that id; StoreError where there is none."""
        for program in self.programs:
            if program.id == id:
                return program
        known = ", ".join(str(program.id) for program in self.front()) or "empty"
        raise StoreError(f"run {self.name} has no program {id}; its front: {known}")

    @property
    def winner_id(self) -> int | None:
        """The program that a search for update rules chose on validation problems, where it has."""
        kept = self.meta.get("tests_opened") or self.meta.get("winner") or {}
        return kept.get("id")

    def choose(self, id: int | None = None, *, cost: float | None = None, max_error: float | None = None) -> StoredProgram:
        """One program: by id, the best of at most `cost`, the cheapest with at most `max_error`; else the winner or the best.

        The winner is that of the funnel, where the run had one; as `assess` took it, simplified, if the run was assessed. The
        best is the last of the front.
        """
        if sum(choice is not None for choice in (id, cost, max_error)) > 1:
            raise ConfigError("choose a program by one of ID, --cost and --max-error")
        if (id, cost, max_error) == (None, None, None) and self.winner_id is not None:
            opened, winner = self.meta.get("tests_opened"), self.program(self.winner_id)
            return winner if opened is None else self.rewritten(winner, opened["program"])
        if id is not None:
            return self.program(id)
        front = self.front()
        if not front:
            raise StoreError(f"run {self.name} has found no program yet; go on: evosearch resume {self.name} --budget 60s")
        if cost is not None:
            cheapest = front[0].cost
            front = tuple(program for program in front if program.cost <= cost)
            if not front:
                raise StoreError(f"run {self.name} has no program of cost {cost:g} or less; its cheapest costs {cheapest:g}")
        if max_error is not None:
            best = front[-1].error
            front = tuple(program for program in front if program.error <= max_error)[:1]
            if not front:
                raise StoreError(f"run {self.name} has no program with error {max_error:g} or less; its best is {best:.3g}")
        return front[-1]

    def lineage(self, id: int) -> tuple[StoredProgram, ...]:
        """A program and its archived ancestors, youngest first."""
        chain = [self.program(id)]
        while chain[-1].parent is not None and chain[-1].parent not in {program.id for program in chain}:
            chain.append(self.program(chain[-1].parent))
        return tuple(chain)

    def summary(self) -> dict[str, Any]:
        """The run without its front, as plain data."""
        return {
            "run": self.name,
            "task": self.task_text,
            "status": self.status.value,
            "evaluations": self.evaluations,
            "seconds": round(self.seconds, 3),
        }

    def show_json(self) -> dict[str, Any]:
        """The run and its front as plain data; `show --json` prints it."""
        return {
            "schema_version": SHOW_SCHEMA,
            **self.summary(),
            **({"note": self.meta["note"]} if self.meta.get("note") else {}),
            **self.view.extra_json(self.front(), self.counters()),
            "front": [self.view.json_row(program) for program in self.front()],
        }

    def record_json(self) -> dict[str, Any]:
        """`show_json` with all that is needed to make the run again and to judge it; kept as a run record."""
        return {
            **self.show_json(),
            "command": self.meta.get("command"),
            "seed": self.config.search.seed,
            "config": self.config.to_table(),
            "version": self.meta.get("version"),
            "machine": self.meta.get("machine"),
            "created": self.meta.get("created"),
            "workers": self.meta.get("workers"),
            "warm_seconds": self.meta.get("warm_seconds"),
            "work": int(self.totals["work"]),
            "seconds_by": self.seconds_by(),
            **({"counters": self.counters()} if self.view.record_counters else {}),
            "classical": [{"cost": cost, "error": error, "form": form} for cost, error, form in self.classical()],
        }

    @property
    def view(self) -> View:
        """How runs of its family are shown."""
        return VIEWS[self.config.family]

    def counters(self) -> dict[str, float]:
        """Sums of what the search counted, by name."""
        with self._store() as store:
            return store.counters()

    def evaluations_kept(self) -> tuple[StoredEvaluation, ...]:
        """Every evaluation, in the order of telling, of a run that keeps them all (update rules, policies); else none."""
        with self._store() as store:
            return tuple(store.evaluations())

    def work_of_slices(self) -> list[tuple[int, int]]:
        """(number, work) of each slice, by its number."""
        with self._store() as store:
            return store.work()

    def seconds_by(self) -> dict[str, float]:
        """Where the time went: workers in jobs and waiting (all of them together), this process in search and store."""
        parent = self.meta.get("parent_seconds", {})
        workers = {"jobs": self.totals["busy_seconds"], "waiting": self.totals["waited_seconds"]}
        return {name: round(float(seconds), 3) for name, seconds in {**workers, **parent}.items()}

    def load(self, program: StoredProgram) -> Any:
        """The `Program` itself, over the run's op set, or a `Policy`; imports the module that holds the op set or the task."""
        if self.config.family == "policy":
            from evosearch.search.policies.member import read_policy

            return read_policy(program.json, self.task().layout())  # type: ignore[attr-defined]
        return from_json(program.json, self.config.load_ops())

    def task(self) -> Task:
        """The task; imports the modules that it names."""
        return self.config.load_task()

    def classical(self) -> Classical:
        """The classical baseline, as computed when the run was made; computed now where the run was cut off before."""
        stored = self.meta.get("classical")
        return read_classical(stored) if stored is not None else compute_classical(self.task(), self.config.load_ops())

    def draw_curve(self, id: int, output: str | Path | None = None) -> Path:
        """Draw what the family shows of a program as PNG (RUN/program-ID.png where no file is given); return the file."""
        self.program(id)
        path = Path(output) if output is not None else self.folder / f"program-{id}.png"
        self.view.curve(self, id, path)
        return path

    def draw_front(self, output: str | Path, beside: Sequence[Run] = ()) -> Path:
        """Draw the front as PNG, of policies with the scores of other runs of the task beside them; return the file.

        Raises:
            ConfigError: where the others are runs of another task, or the run searches no policies.
        """
        path = Path(output)
        for other in beside:
            if self.config.family != "policy" or other.config.to_table()["task"] != self.config.to_table()["task"]:
                raise ConfigError(f"run {other.name} is drawn beside {self.name} only where both search policies for one task")
        self.view.front_picture(self, path, beside)
        return path

    def export(
        self,
        id: int | None = None,
        *,
        to: str,
        output: str | Path | None = None,
        cost: float | None = None,
        max_error: float | None = None,
        digits: int | None = None,
        weights: str | Path | None = None,
        force: bool = False,
    ) -> str:
        """Write a program as a file that stands alone, and return its text.

        Args:
            id, cost, max_error: which program; see `choose`.
            to: a target of `evosearch.export`: of TARGETS for functions, RULE_TARGETS for rules, POLICY_TARGETS for policies.
            output: the file; without it nothing is written.
            digits: cut its constants to so many significant decimal digits; see `shortened`.
            weights: file beside it for the weights of a policy, as safetensors; without it they are the genome in the file.
            force: overwrite the files.

        Raises:
            ExportError: where the target cannot express the program, or the file exists or cannot be written.
        """
        program = self.choose(id, cost=cost, max_error=max_error)
        chosen = program if digits is None else self.shortened(program, digits)
        return self.write(chosen, to=to, output=output, weights=weights, force=force)

    def write(
        self,
        program: StoredProgram,
        *,
        to: str,
        output: str | Path | None = None,
        weights: str | Path | None = None,
        force: bool = False,
    ) -> str:
        """`export` of a program of this run, or of a form of it."""
        path, beside = (None if file is None else Path(file) for file in (output, weights))
        for known in filter(None, (path, beside)):
            if known.exists() and not force:
                raise ExportError(f"{known} exists already; give another file, or --force to overwrite it")
        if path is not None and beside is not None and path.resolve().parent != beside.resolve().parent:
            raise ExportError(f"{path} looks for its weights beside it: give --weights {path.parent / beside.name}")
        text, data = self._render(program, to, beside)
        for file, content in ((path, text.encode()), (beside, data)):
            if file is not None:
                try:
                    file.write_bytes(content)
                except OSError as error:
                    raise ExportError(f"cannot write {file}: {error.strerror}; give another file") from None
        return text

    def rewritten(self, program: StoredProgram, text: str) -> StoredProgram:
        """An update rule of this run with another text, as `evosearch simplify` writes it; it keeps its id and metrics.

        Raises:
            ConfigError: where the run searches no update rules.
            ProgramError: for a text that is none.
        """
        from evosearch.language.json_form import to_json
        from evosearch.language.optimizer import check_rule, read_rule

        if self.config.family != "rule":
            raise ConfigError(f"run {self.name} searches no update rules, and only of those another form is exported")
        rule = read_rule(text, self.config.load_ops())
        check_rule(rule)
        metrics = {**program.metrics, "rewritten": str(rule) != program.text}
        size = float(len(rule.instructions))
        return dataclasses.replace(program, cost=size, metrics=metrics, text=str(rule), json=to_json(rule))

    def shortened(self, program: StoredProgram, digits: int) -> StoredProgram:
        """The program with constants of at most so many significant decimal digits, and what is certified of it then.

        Up to 17 digits the constants are float64, up to 33 pairs of them. The program keeps its id.

        Raises:
            ConfigError: for a number of digits that is not from 1 to 33, or where the run searches no functions.
            ExportError: where the program then has a pole or does not meet the constraints of its task.
        """
        from evosearch.language.json_form import to_json
        from evosearch.language.text import to_text
        from evosearch.winners.confirm import cut

        if self.config.family != "function":
            raise ConfigError(f"run {self.name} searches no functions, and only their constants are cut; leave the digits out")
        found = cut(self.load(program), self.task(), self.config.load_ops(), digits)
        if "refused" in found:
            reason = f"program {program.id} with constants of {digits} digits: {found['refused']}"
            raise ExportError(f"{reason}; allow more digits")
        metrics = {**found["metrics"], "digits": digits}
        text, json = to_text(found["program"]), to_json(found["program"])
        return dataclasses.replace(program, cost=found["cost"], error=found["error"], metrics=metrics, text=text, json=json)

    def _render(self, program: StoredProgram, to: str, weights: Path | None) -> tuple[str, bytes]:
        """The text of a program, and the content of the file for its weights."""
        from evosearch.export import render

        if self.config.family == "policy":
            from evosearch.export.policies import policy_info, safetensors

            policy, beside = self.load(program), None if weights is None else weights.name
            info = policy_info(self.name, self.config, self.meta, program, policy, beside)
            return render(policy, to, info), b"" if weights is None else safetensors(policy, info.portable.turned)
        if weights is not None:
            raise ConfigError(f"run {self.name} searches no policies, and only those have weights; leave --weights out")
        about = self._rule_info(program) if self.config.family == "rule" else self._function_info(program)
        return render(self.load(program), to, about), b""

    def _function_info(self, program: StoredProgram) -> ExportInfo:
        from evosearch.export import ExportInfo

        task = self.task()
        assert isinstance(task, FunctionTask)
        return ExportInfo(
            run=self.name,
            program_id=program.id,
            seed=self.config.search.seed,
            version=str(self.meta.get("version", __version__)),
            command=str(self.meta.get("command", "")),
            target=task.target(),
            cost=program.cost,
            error_real=program.certified_error,
            error_float64=program.metrics.get("error_float64"),
            error_sampled=program.metrics.get("error_sampled", program.error),
            digits=program.metrics.get("digits"),
        )

    def _rule_info(self, program: StoredProgram) -> RuleInfo:
        from evosearch.export import RuleInfo

        simplified = bool(program.metrics.get("rewritten"))
        return RuleInfo(
            run=self.name,
            program_id=program.id,
            seed=self.config.search.seed,
            version=str(self.meta.get("version", __version__)),
            command=str(self.meta.get("command", "")),
            lr=_tuned_rate(program.metrics) or RuleInfo.lr,
            rows=(
                ("fitness", f"{program.error:+.4f}  mean log-ratio of its loss to tuned AdamW's or Lion's, in the search"),
                ("size", f"{program.cost:g} statements{', simplified; the fitness is that of the rule before' * simplified}"),
            ),
        )


def _tuned_rate(metrics: Mapping[str, Any]) -> float | None:
    """The median over the proxies of the learning rate that suited a rule best, to two digits."""
    rates = sorted(rate_of(one["rates"][0]) for one in metrics.get("tuned", {}).values() if one["rates"])
    return float(f"{rates[len(rates) // 2]:.1e}") if rates else None


def compute_classical(task: Task, ops: OpSet) -> Classical:
    """The best textbook programs over these ops, by cost, each better than all cheaper ones; none but for functions."""
    if not isinstance(task, FunctionTask):
        return ()
    from evosearch.winners.classical import classical_front

    return read_classical((entry.cost, entry.error, entry.form) for entry in classical_front(task.target(), ops=ops))


def read_classical(stored: Iterable[Any]) -> Classical:
    """(cost, error, form) rows as a store has them in JSON."""
    return tuple((float(cost), float(error), str(form)) for cost, error, form in stored)
