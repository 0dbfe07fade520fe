"""Pareto evolution over (cost, error): islands of regularized evolution, exchange between them, and one archive.

Jobs are slices of islands, and the confirmation of what a slice found. Everything follows from the order in which results
are told: the next job of an island is made when its last one is told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evosearch.errors import ConfigError
from evosearch.evolution.genome import CONSTANT, MAX_CONSTANTS, MAX_INSTRUCTIONS
from evosearch.language.infer import canonical_hash, without_dead_code
from evosearch.language.program import Const, Instruction, Operand, Program, function_signature
from evosearch.search.config import SearchConfig
from evosearch.search.island import (
    ANCESTOR,
    ATTEMPTS,
    DEEP_FITS,
    ELITES,
    ELITES_OF,
    ERROR,
    EVALUATIONS,
    KEY,
    LENGTH,
    NICHES,
    PATH,
    REPEATS,
    STEPS_SINCE,
    WORK,
    Island,
    as_arrays,
    from_arrays,
    make_island,
)
from evosearch.search.protocol import Entrant, Job, Payload, Told
from evosearch.search.queued import Queued
from evosearch.search.work import Problem

Place = tuple[int, int]
"""Where an island stores a program: indices of the first two axes of its arrays."""
OPERATORS = ("", "insert", "delete", "rewire", "change op", "copy", "lift", "absorb", "graft", "lower", "shake", "morph")
UNKNOWN = 1e300
"""Error of a program that was not fitted yet."""
IMPROVEMENT = 0.999
"""A candidate is confirmed when its error is below this share of the archive's at its cost."""


@dataclass(frozen=True)
class Confirm:
    """How a candidate becomes an entrant: "module:name", called with the problem, the core program and `context`.

    It returns {"program": the whole program, "cost", "error", "metrics"}, or {"refused": reason}.
    """

    function: str
    context: Payload = field(default_factory=dict)

    def job(self, number: int, problem: Problem, program: Program) -> Job:
        """The job that confirms a core program."""
        return Job(number, self.function, {"problem": problem, "program": program, **self.context})


@dataclass(frozen=True)
class _Ticket:
    """A job in the making; all but `number` is kept in the state, so that the same job can be asked again.

    Attributes:
        island: whose slice it is, or which island found the candidate.
        migrants: state of the island that sends its best with this slice, as it was when the ticket was written.
        banned: structure hashes of refused programs at that time.
        candidate: the core program to confirm, instead of a slice.
        level, error, structure, parent, path, steps: of the candidate: its cost level, root mean square error and lineage.
    """

    number: int
    island: int
    migrants: dict[str, Any] | None = None
    banned: tuple[int, ...] = ()
    candidate: Program | None = None
    level: int = 0
    error: float = 0.0
    structure: int = 0
    parent: int = 0
    path: int = 0
    steps: int = 0


class ParetoSearch(Queued[_Ticket]):
    """Islands of regularized evolution over (cost, error); see `evosearch.search.protocol.Search`.

    Another algorithm whose islands are kept in the arrays of an `Island` has its own slice, `_empty` and `_leaders`.
    """

    slice_function = "evosearch.search.work:run_slice"
    warm_function = "evosearch.search.work:warm"

    def __init__(
        self,
        config: SearchConfig,
        problem: Problem,
        rules: Mapping[str, Any],
        members: int,
        confirm: Confirm,
        start: Program | None = None,
    ) -> None:
        super().__init__()
        self._config, self._problem, self._rules, self._confirm = config, problem, dict(rules), confirm
        self._members, self._start = members, start
        count = config.islands
        self._slices = [0] * count
        self._restarts = [0] * count
        self._improved = [0] * count  # the slice of the island's last improvement
        self._islands = [self._new_island(number) for number in range(count)]
        self._best = [np.full(problem.levels, np.inf) for _ in range(count)]
        self._archive = np.full(problem.levels, np.inf)
        self._reported: dict[int, tuple[str | None, int]] = {}  # structure: entrant's key once confirmed, nearest ancestor
        self._banned: tuple[int, ...] = ()
        self._tickets = 0
        for number in range(count):
            self._add(_Ticket(0, number))

    @property
    def warm(self) -> tuple[str, Payload] | None:
        """Compile the kernels."""
        return self.warm_function, {"problem": self._problem, "rules": self._rules}

    def _job(self, ticket: _Ticket) -> Job:
        if ticket.candidate is not None:
            return self._confirm.job(ticket.number, self._problem, ticket.candidate)
        payload = {
            "problem": self._problem,
            "rules": self._rules,
            "island": as_arrays(self._islands[ticket.island]),
            "migrants": ticket.migrants,
            "banned": ticket.banned,
        }
        return Job(ticket.number, self.slice_function, payload)

    def closing(self) -> tuple[Job, ...]:
        """The candidates that are not confirmed yet."""
        return self._close(lambda ticket: ticket.candidate is not None)

    def tell(self, job: Job, result: Any) -> Told:
        """Take a result; only here are new jobs made."""
        ticket = self._open.pop(job.number)
        if ticket.candidate is not None:
            return self._tell_candidate(ticket, result)
        return self._tell_slice(ticket, result)

    def _add(self, ticket: _Ticket) -> None:
        self._queue.append(dataclasses.replace(ticket, number=self._tickets))
        self._tickets += 1

    def _new_island(self, number: int) -> Island:
        """An empty island with a stream of random numbers of its own."""
        seed = np.random.SeedSequence((self._config.seed, number, self._restarts[number])).generate_state(1, np.uint64)[0]
        island = self._empty(int(seed))
        if self._start is not None:
            plant(island, self._start, self._problem, self._rules["elites"])
        return island

    def _empty(self, seed: int) -> Island:
        """An empty island."""
        return make_island(seed, self._problem.levels, self._rules["elites"], self._members)

    def _leaders(self, island: Island) -> dict[int, Place]:
        """Where the island stores its best program of each cost level that it has, but for refused ones."""
        leaders: dict[int, Place] = {}
        for level in range(1, self._problem.levels):
            places = [p * self._rules["elites"] for p in range(NICHES) if island.sizes[level, ELITES_OF + p] > 0]
            places = [place for place in places if int(island.notes[level, place, KEY]) not in self._banned]
            if places:
                leaders[level] = (level, min(places, key=lambda at: (island.values[level, at, ERROR], at)))
        return leaders

    def _tell_slice(self, ticket: _Ticket, result: Any) -> Told:
        number = ticket.island
        island = from_arrays(result["island"])
        self._islands[number] = island
        self._slices[number] += 1
        told = Told(
            evaluations=int(island.counters[EVALUATIONS]),
            work=int(island.counters[WORK]),
            counters={"kernel_seconds": float(result["seconds"]), **_rates(island)},
        )
        leaders = self._leaders(island)
        self._report(number, island, leaders)
        self._age(number, {level: float(island.values[(*place, ERROR)]) for level, place in leaders.items()})
        migrating = self._slices[number] % self._config.migration == 0 and self._config.islands > 1
        neighbour = self._islands[(number - 1) % self._config.islands]
        isolated = self._restarts[number] > 0 and self._slices[number] < self._config.isolation
        migrants = as_arrays(neighbour) if migrating and not isolated else None
        self._add(_Ticket(0, number, migrants=migrants, banned=self._banned))
        return told

    def _report(self, number: int, island: Island, leaders: Mapping[int, Place]) -> None:
        """Ask for the confirmation of what beats the archive at its cost and at every smaller one."""
        for level, place in leaders.items():
            error = float(island.values[(*place, ERROR)])
            if not error < IMPROVEMENT * self._archive[: level + 1].min():
                continue
            self._archive[level] = error
            notes = island.notes[place]
            structure, parent = int(notes[KEY]), int(notes[ANCESTOR])
            core = genome_program(island, place, self._problem)
            self._add(
                _Ticket(0, number, candidate=core, level=level, error=error, structure=structure, parent=parent,
                        path=int(notes[PATH]), steps=int(notes[STEPS_SINCE]))
            )  # fmt: skip
            if structure not in self._reported:
                self._reported[structure] = (None, parent)
            notes[ANCESTOR], notes[PATH], notes[STEPS_SINCE] = structure, 0, 0

    def _age(self, number: int, errors: Mapping[int, float]) -> None:
        """Start an island anew that has found nothing for long; what it found is in the archive and with its neighbours."""
        best = np.full(self._problem.levels, np.inf)
        for level, error in errors.items():
            best[level] = error
        if np.any(best < 0.99 * self._best[number]):
            self._improved[number] = self._slices[number]
        self._best[number] = np.minimum(best, self._best[number])
        if self._slices[number] - self._improved[number] >= self._config.patience:
            self._restarts[number] += 1
            self._slices[number] = self._improved[number] = 0
            self._best[number] = np.full(self._problem.levels, np.inf)
            self._islands[number] = self._new_island(number)

    def _tell_candidate(self, ticket: _Ticket, result: Any) -> Told:
        if "refused" in result:
            self._banned = (*self._banned, ticket.structure)
            if self._archive[ticket.level] == ticket.error:
                self._archive[ticket.level] = np.inf
            return Told(counters={"refused": 1.0})
        program = result["program"]
        key = canonical_hash(program)
        parent, gone = self._ancestor(ticket.parent)
        self._reported[ticket.structure] = (key, self._reported[ticket.structure][1])
        entrant = Entrant(
            key=key,
            program=program,
            cost=result["cost"],
            error=result["error"],
            metrics=result["metrics"],
            parent=parent,
            operators=operators(ticket.path, ticket.steps),
            steps=max(ticket.steps - 1, 0) + gone,
        )
        return Told(entrants=(entrant,))

    def _ancestor(self, structure: int) -> tuple[str | None, int]:
        """Key of the nearest archived ancestor from a reported structure on, and how many were passed over."""
        passed, seen = 0, set()
        while structure in self._reported and structure not in seen:
            seen.add(structure)
            key, parent = self._reported[structure]
            if key is not None:
                return key, passed
            passed, structure = passed + 1, parent
        return None, passed

    def state(self) -> dict[str, Any]:
        """All of the search as plain data."""
        tickets = self._waiting()
        return {
            "islands": [as_arrays(island) for island in self._islands],
            "slices": list(self._slices),
            "restarts": list(self._restarts),
            "improved": list(self._improved),
            "best": list(self._best),
            "archive": self._archive,
            "reported": [[structure, key, parent] for structure, (key, parent) in self._reported.items()],
            "banned": self._banned,
            "tickets": self._tickets,
            "waiting": [{item.name: getattr(ticket, item.name) for item in dataclasses.fields(ticket)} for ticket in tickets],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; jobs that were open are asked again."""
        self._islands = [from_arrays(arrays) for arrays in state["islands"]]
        self._slices, self._restarts, self._improved = (list(state[name]) for name in ("slices", "restarts", "improved"))
        self._best = [np.array(best) for best in state["best"]]
        self._archive = np.array(state["archive"])
        self._reported = {structure: (key, parent) for structure, key, parent in state["reported"]}
        self._banned = tuple(state["banned"])
        self._tickets = state["tickets"]
        self._wait_again(_Ticket(**fields) for fields in state["waiting"])


def _rates(island: Island) -> dict[str, float]:
    """Counters of a slice by name."""
    return {
        "attempts": float(island.counters[ATTEMPTS]),
        "repeats": float(island.counters[REPEATS]),
        "deep_fits": float(island.counters[DEEP_FITS]),
        "elites": float(island.counters[ELITES]),
    }


def operators(path: int, steps: int) -> tuple[str, ...]:
    """Names of the last 16 operators of a path, oldest first."""
    digits = [(path >> (4 * k)) & 15 for k in range(min(steps, 16))]
    return tuple(OPERATORS[digit] for digit in reversed(digits))


def genome_program(island: Island, place: Place, problem: Problem) -> Program:
    """A stored genome as a program of the core's variable, constants as pairs."""
    return rows_program(island.code[place][: int(island.notes[(*place, LENGTH)])], island.values[place], problem)


def rows_program(rows: NDArray[np.int8], values: NDArray[np.float64], problem: Problem) -> Program:
    """A genome's rows (n, 4) and its constants, high parts and then low parts, as a program of the core's variable."""
    ops, supply = list(problem.ops), iter(range(MAX_CONSTANTS))

    def operand(number: int) -> Operand:
        if number == CONSTANT:
            k = next(supply)
            return Const(float(values[k]), float(values[MAX_CONSTANTS + k]))
        return number  # input 0 and row k - 1, which is value k: genomes and programs count alike

    instructions = tuple(
        Instruction(ops[row[0]], tuple(operand(int(row[k + 1])) for k in range(ops[row[0]].arity))) for row in rows
    )
    return Program(function_signature(), instructions, (len(instructions),))


def plant(island: Island, program: Program, problem: Problem, elites: int) -> None:
    """Make a program of the core's variable the first member of its cost; ConfigError where it does not fit there."""
    program = without_dead_code(program)
    count, outputs = len(program.instructions), program.outputs
    if count == 0 or outputs != (count,):
        raise ConfigError("the start program must return the value of its last instruction; leave --from out for the identity")
    names = [op.name for op in problem.ops]
    codes = [names.index(instruction.op.name) for instruction in program.instructions]
    level = int(problem.costs[codes].sum())
    if level >= problem.levels or count > MAX_INSTRUCTIONS or len(program.constants) > MAX_CONSTANTS:
        raise ConfigError(
            f"the start program has {count} instructions and costs {level * problem.unit:g}; "
            f"programs may cost {(problem.levels - 1) * problem.unit:g}: raise search.max_cost"
        )
    place = NICHES * elites
    for i, instruction in enumerate(program.instructions):
        operands = [CONSTANT if isinstance(arg, Const) else arg for arg in instruction.args]
        island.code[level, place, i, : 1 + len(operands)] = [codes[i], *operands]
    island.values[level, place, : len(program.constants)] = [constant.hi for constant in program.constants]
    island.values[level, place, ERROR] = UNKNOWN
    island.notes[level, place, LENGTH] = count
    island.sizes[level, :2] = 1, 1 % (island.values.shape[1] - place)  # members, and where the next one goes
