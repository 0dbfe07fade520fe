"""The [search] table of a run that looks for update rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

from evosearch.errors import ConfigError
from evosearch.evaluation.rungs import Settings as RaceSettings
from evosearch.search.settings import Settings

PAPER: Mapping[str, float] = MappingProxyType({"insert": 1.0, "delete": 1.0, "modify": 1.0})
OWN: Mapping[str, float] = MappingProxyType(
    {"constants": 2.0, "change": 0.5, "swap": 0.25, "redirect": 0.25, "move": 0.25, "graft": 0.25}
)


@dataclass(frozen=True)
class RuleSettings(Settings):
    """The [search] table of a run that looks for update rules.

    Attributes:
        algorithm: "regularized" (islands of regularized evolution), or a baseline at equal compute: "constants" (evolution
            of the initial rules' constants alone), "random" (rules from scratch), "mutation" (parents at random),
            "hillclimb" (a child takes its parent's place where it is no worse).
        islands: populations that go on side by side; as many children are in flight at once.
        population: members of an island; its oldest dies when a child is born.
        tournament: how many members compete to be a parent.
        initial: names in `library` of the rules that islands start from; () for rules from scratch.
        library: "module:attribute" of known rules, texts by name.
        statements: most statements of a rule, those without an effect included.
        scratch: most statements of a rule from scratch.
        constant: share of new arguments that are constants.
        own: how often an operator of our own is used, for each use of one of the paper's.
        patience: slices without a better rule after which an island starts anew: from the best rules, from the initial, ...
        fuel: work of a slice, in multiplications of the proxies; a fifth of a second. A race that has more ahead of it pauses.
        memory: results that the equivalence cache keeps.
        forget: hits after which the cache forgets a result, so that a lucky score does not live on.
        splits: draws of the data that slices take turns with.
        audits: cache hits that are trained again, to see whether equal hashes are equal scores.
        follow: whether record holders are tried on the task's validation problems, which takes some seconds each.
        funnel: stages in which the archive's best compete for winner on validation problems, when the search has used its
            budget; 0 for none.
        race: its rungs, and how a rule enters the archive; see `evosearch.evaluation.rungs`.
    """

    algorithms: ClassVar[tuple[str, ...]] = ("regularized", "constants", "random", "mutation", "hillclimb")

    algorithm: str = "regularized"
    islands: int = 4
    population: int = 100
    tournament: int = 10
    initial: tuple[str, ...] = ("adamw_plain", "lion")
    library: str = "primitives.rules:RULES"
    statements: int = 30
    scratch: int = 10
    constant: float = 0.4
    own: float = 0.5
    patience: int = 120
    fuel: float = 2e9
    memory: int = 100_000
    forget: int = 100
    splits: int = 8
    audits: int = 200
    follow: bool = True
    funnel: int = 0
    race: RaceSettings = field(default_factory=RaceSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least_one(
            "islands", "population", "tournament", "statements", "scratch", "patience", "fuel", "memory", "forget",
            "splits",
        )
        self.shares("constant")
        if self.funnel < 0:
            raise ConfigError(f"search.funnel is how many stages there are, 0 or more, got {self.funnel}")

    def breadth(self) -> str:
        """The islands."""
        return f"{self.islands} islands"

    def operators(self) -> dict[str, float]:
        """How often each operator of variation is tried."""
        if self.algorithm == "constants":
            return {"constants": 1.0}
        share = self.own * sum(PAPER.values()) / sum(OWN.values())
        return {**PAPER, **{name: share * weight for name, weight in OWN.items() if share > 0.0}}
