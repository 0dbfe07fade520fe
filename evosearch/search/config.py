"""What a run is made of: frozen dataclasses from a TOML run file and `--set key=value` overrides."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, cast, runtime_checkable

from evosearch.errors import ConfigError, EvosearchError, ProgramError, nearest
from evosearch.evaluation.target import Target
from evosearch.language.op import OpSet
from evosearch.language.program import Program, Signature, function_signature
from evosearch.language.text import Header, parse
from evosearch.search.loader import load_reference, shipped_folder
from evosearch.search.policies.settings import PolicySettings
from evosearch.search.policies.task import PolicyTask
from evosearch.search.rules.settings import RuleSettings
from evosearch.search.rules.task import RuleTask
from evosearch.search.settings import Settings
from evosearch.tables import from_table

SCHEMA = 1
ALGORITHMS = ("pareto", "random", "hillclimb", "nsga2", "enumerate")


class Task(Protocol):
    """What a run file's [task] becomes, whatever its family: a frozen dataclass."""

    def check(self, ops: OpSet) -> None:
        """TaskError where the task cannot be searched with these ops."""

    def describe(self, ops: OpSet | None = None) -> str:
        """One line for people, such as "2^x on [0, 1], relative error, + - * /"."""


@runtime_checkable
class FunctionTask(Task, Protocol):
    """A task whose programs approximate a real function of one variable."""

    def target(self) -> Target:
        """The function, the interval and the measure of the error."""

    def operations(self, ops: OpSet) -> OpSet:
        """The ops that a core program may use."""

    def points(self, n: int, nodes: Literal["extrema", "roots"] = "extrema") -> Any:
        """The core's target at n nodes: x, hi, lo, weight."""

    def wrapper_cost(self, ops: OpSet) -> float:
        """What the wrapper of a factored target costs."""

    def wrap(self, core: Program, ops: OpSet) -> Program:
        """The whole program from the core."""


@dataclass(frozen=True)
class SearchConfig(Settings):
    """The [search] table of a run that approximates functions.

    Attributes:
        algorithm: one of `ALGORITHMS`.
        islands: fixed, whatever the number of workers.
        max_cost: of the programs searched.
        elites: programs that do not age, for each cost and number of constants of an island.
        members: size of the population whose oldest dies, for each cost of an island.
        tournament: how many members compete to be a parent.
        elitism: share of parents that are elites.
        continuation: share of children that carry their fitted constants along a structural step, for each of five kinds
            (two shares for grafts).
        copying: share of children that copy from another program.
        fuel: work of a slice, instructions x points.
        migration: slices of an island between two arrivals of its neighbour's best.
        patience: slices without an improvement after which an island starts anew.
        starts: fits of each structure of an enumeration.
        isolation: slices for which a new island takes no migrants.
    """

    algorithms: ClassVar[tuple[str, ...]] = ALGORITHMS

    algorithm: str = "pareto"
    islands: int = 8
    max_cost: float = 12.0
    elites: int = 8
    members: int = 100
    tournament: int = 8
    elitism: float = 0.5
    continuation: float = 0.09
    copying: float = 0.05
    fuel: float = 1e8
    migration: int = 8
    patience: int = 100
    isolation: int = 40
    starts: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least_one("islands", "elites", "members", "tournament", "migration", "patience", "starts", "max_cost", "fuel")
        self.shares("elitism", "continuation", "copying")

    def breadth(self) -> str:
        """What the search spreads its work over, for people: "8 islands", or "8 starts" of each structure."""
        return f"{self.starts} starts" if self.algorithm == "enumerate" else f"{self.islands} islands"


@dataclass(frozen=True)
class Family:
    """A kind of search: what its tasks can do, what its [search] table holds, and whether its candidates are of ops."""

    task: type
    settings: type[Settings]
    has_ops: bool = True


FAMILIES: Mapping[str, Family] = {
    "function": Family(FunctionTask, SearchConfig),
    "rule": Family(RuleTask, RuleSettings),
    "policy": Family(PolicyTask, PolicySettings, has_ops=False),
}
"""By the name that a run keeps, so that it can be shown without the code of its task."""


@dataclass(frozen=True)
class RunConfig:
    """A whole run file.

    Attributes:
        name: of the run file, without its suffix; new runs are named NAME-N.
        ops: reference to an `OpSet`, such as "primitives.arithmetic:FIELD"; "" for policies.
        task: the [task] table: `use`, a reference to a dataclass, and that class's fields.
        search: the [search] table, as the family has it.
        family: of `FAMILIES`; a run file need not say it, for the task does.
        only: names of the ops that the search may use; empty for all of the set.
        costs: cost by op name where it differs from the set's.
    """

    name: str
    ops: str
    task: Mapping[str, Any]
    search: Settings = field(default_factory=SearchConfig)
    family: str = "function"
    only: tuple[str, ...] = ()
    costs: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_table(cls, name: str, table: Mapping[str, Any]) -> RunConfig:
        """From a run file's content; ConfigError for a newer schema, an unknown key or a value of another type."""
        rest = dict(table)
        schema = rest.pop("schema", None)
        if schema != SCHEMA:
            raise ConfigError(f"run file '{name}': schema is {schema!r}, this version reads `schema = {SCHEMA}`")
        known = {item.name for item in dataclasses.fields(cls)} - {"name"}
        for key in rest:
            if key not in known:
                raise ConfigError(f"run file '{name}': unknown key '{key}'.{nearest(key, known | {'schema'})}")
        top = from_table(_Top, {key: rest[key] for key in rest if key in ("ops", "only", "costs")}, name)
        task = _subtable(rest, "task", name)
        if not isinstance(task.get("use"), str):
            raise ConfigError(f"run file '{name}': task.use must name a task, as in \"tasks.approximation:Approximation\"")
        family = rest.get("family", "function")
        if family not in FAMILIES:
            raise ConfigError(f"run file '{name}': unknown family '{family}'.{nearest(str(family), FAMILIES)}")
        if FAMILIES[family].has_ops != bool(top.ops):
            reference = "name an op set, as in ops = \"primitives.arithmetic:FIELD\"" if not top.ops else "leave ops out"
            raise ConfigError(f"run file '{name}': ops is '{top.ops}' for a task of the family '{family}'; {reference}")
        search = from_table(FAMILIES[family].settings, _subtable(rest, "search", name), "search")
        return cls(name, top.ops, task, search, family, top.only, top.costs)

    def to_table(self) -> dict[str, Any]:
        """Plain data from which `from_table` makes the same run."""
        return {"schema": SCHEMA, **{key: value for key, value in dataclasses.asdict(self).items() if key != "name"}}

    def identity(self) -> dict[str, Any]:
        """`to_table` without what only decides when the run stops: two such runs walk the same path."""
        table = self.to_table()
        return {**table, "search": {k: v for k, v in table["search"].items() if k not in ("budget", "until")}}

    def with_search(self, **changes: Any) -> RunConfig:
        """The same run with other search settings."""
        return dataclasses.replace(self, search=dataclasses.replace(self.search, **changes))

    def load_ops(self) -> OpSet:
        """The op set that the run's programs use; an empty one where candidates are no programs."""
        if not FAMILIES[self.family].has_ops:
            return OpSet("none", ())
        ops = load_reference(self.ops, "ops")
        if not isinstance(ops, OpSet):
            raise ConfigError(f"ops: '{self.ops}' is no OpSet but {type(ops).__name__}")
        try:
            for name in self.costs:
                ops[name]
            return ops.subset(list(self.only) or [op.name for op in ops], self.costs)
        except ProgramError as error:
            raise ConfigError(f"ops '{self.ops}': {error}") from None

    def load_task(self) -> Task:
        """The task; ConfigError for an unknown key, TaskError where it cannot be used."""
        cls = _task_class(self.task["use"])
        family = _family(cls, self.task["use"])
        if family != self.family:
            raise ConfigError(f"task.use: '{self.task['use']}' is of the family '{family}', the run of '{self.family}'")
        return cast(Task, from_table(cls, {key: value for key, value in self.task.items() if key != "use"}, "task"))

    def load_start(self, ops: OpSet, signature: Signature | Header | None = None) -> Program | None:
        """The program that the search starts from, if there is one; by itself one of one real input and output."""
        if not self.search.start.strip():
            return None
        try:
            return parse(self.search.start, ops, signature or function_signature())
        except ProgramError as error:
            raise ProgramError(f"the start program cannot be used: {error}") from None


def _task_class(use: str) -> type:
    cls = load_reference(use, "task.use")
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise ConfigError(f"task.use: '{use}' is no task (a frozen dataclass with check, describe and what its family needs)")
    return cls


def _family(cls: type, use: str) -> str:
    """The family whose tasks can do what this class can."""
    for name, family in FAMILIES.items():
        if issubclass(cls, family.task):
            return name
    lacking = "; ".join(f"{name}: {', '.join(sorted(_methods(one.task) - set(dir(cls))))}" for name, one in FAMILIES.items())
    raise ConfigError(f"task.use: '{use}' is no task of any family; it lacks, for one of the family {lacking}")


def _methods(protocol: type) -> set[str]:
    return {name for name in dir(protocol) if not name.startswith("_")}


@dataclass(frozen=True)
class _Top:
    """The top-level keys of a run file that are no tables of their own."""

    ops: str = ""
    only: tuple[str, ...] = ()
    costs: Mapping[str, float] = field(default_factory=dict)


def _subtable(table: Mapping[str, Any], key: str, name: str) -> dict[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise ConfigError(f"run file '{name}': '{key}' must be a table, [{key}]")
    return dict(value)


def shipped_runs() -> dict[str, Path]:
    """The run files that ship with the package, by name."""
    return {path.stem: path for path in sorted(shipped_folder("runs").glob("*.toml"))}


def read_config(source: str | Path, overrides: Iterable[tuple[str, Any]] = ()) -> RunConfig:
    """The run file at path `source`, or the shipped one of that name, with overrides (dotted key, value) applied in order."""
    path = _find(source)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"run file {path} is not valid TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the run file {path}: {error}") from None
    for key, value in overrides:
        _override(table, key, value)
    if "family" not in table and isinstance(use := _subtable(table, "task", path.stem).get("use"), str):
        table["family"] = _family(_task_class(use), use)
    return RunConfig.from_table(path.stem, table)


def _find(source: str | Path) -> Path:
    path, shipped = Path(source), shipped_runs()
    if path.suffix == ".toml" or path.is_file():
        if not path.is_file():
            raise ConfigError(f"there is no run file '{path}'")
        return path
    if str(source) in shipped:
        return shipped[str(source)]
    hint = nearest(str(source), shipped)
    listing = f" Run files that ship: {', '.join(shipped) or 'none'}." if "Known" not in hint else ""
    raise ConfigError(f"there is no run file '{source}'.{hint}{listing} Or give the path of a .toml file.")


def parse_override(text: str) -> tuple[str, Any]:
    """Read "key=value": a dotted key and a TOML value; a bare word counts as text."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key:
        raise ConfigError(f"'--set {text}' is not of the form key=value, as in --set search.islands=4")
    try:
        table = tomllib.loads(f"value = {value}")
        if set(table) == {"value"}:
            return key, table["value"]
    except tomllib.TOMLDecodeError as error:
        if value[:1] in tuple("[{\"'"):
            raise ConfigError(f"'--set {text}': the value is not valid TOML: {error}") from None
    return key, value


def _override(table: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        inner = table.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {key}: '{parent}' is no table")
        table = inner
    table[last] = value


def read_start(path: str | Path) -> str:
    """The text of a program file for `SearchConfig.start`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvosearchError(f"cannot read the program {path}: {error}") from None
    if not text.strip():
        raise EvosearchError(f"cannot read the program {path}: the file is empty")
    return text
