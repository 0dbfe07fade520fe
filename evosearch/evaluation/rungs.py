"""The race of candidates as a run file has it: its rungs, and how a program enters the archive."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evosearch.errors import ConfigError


@dataclass(frozen=True)
class Rung:
    """How thoroughly candidates are trained at one stage of the race.

    Attributes:
        proxies: the task's first so many; all, where it has fewer.
        seeds: of each proxy.
        horizon: share of a proxy's steps.
        extensions: how often an optimum at an edge extends the range of rates.
        coarse: whether to stop at the best of three rates half a decade apart: a first look, for which neighbours do not pay.
        promoted: share of candidates that go on to the next rung.
    """

    proxies: int = 1
    seeds: int = 1
    horizon: float = 1.0
    extensions: int = 1
    coarse: bool = False
    promoted: float = 0.1

    def __post_init__(self) -> None:
        if min(self.proxies, self.seeds) < 1 or not 0.0 < self.horizon <= 100.0:
            raise ConfigError(f"a rung needs proxies and seeds from 1, horizon in (0, 100]; got {self}")
        if not 0.0 < self.promoted < 1.0:
            raise ConfigError(f"a rung's promoted is a share between 0 and 1, got {self.promoted}")


@dataclass(frozen=True)
class Settings:
    """The rungs of the race, and how a program enters the archive.

    Attributes:
        rungs: from cheap to dear.
        window: how many of the last scores of a rung the share that goes on is taken of.
        tuning_seeds: of baselines and finalists, on each proxy; the same for all of them.
        shrinks: decays that baselines and finalists are tried with beside their own and 0: they shrink the weights by e^-s
            over a training at the best rate of the rule's own decay.
        entry_seeds: fresh seeds of each proxy on which a program must win before it enters the archive.
        level: of the paired test.
    """

    rungs: tuple[Rung, ...] = (
        Rung(proxies=1, seeds=1, horizon=0.07, extensions=0, coarse=True, promoted=0.4),
        Rung(proxies=1, seeds=1, horizon=0.2, extensions=2),
        Rung(proxies=2, seeds=2, horizon=0.5, extensions=1),
        Rung(proxies=5, seeds=1, horizon=1.0, extensions=1),
    )
    window: int = 200
    tuning_seeds: int = 8
    shrinks: tuple[float, ...] = (0.2, 1.0)
    entry_seeds: int = 6
    level: float = 0.05

    def __post_init__(self) -> None:
        if not self.rungs:
            raise ConfigError("fitness needs at least one rung")
        if not 0.0 < self.level < 1.0:
            raise ConfigError(f"level is a share between 0 and 1, got {self.level}")
        if min(self.window, self.tuning_seeds, self.entry_seeds) < 1:
            raise ConfigError("window, tuning_seeds and entry_seeds must be at least 1")

    def fitted(self, proxies: int) -> Settings:
        """These settings for a task of so many proxies."""
        return replace(self, rungs=tuple(replace(rung, proxies=min(rung.proxies, proxies)) for rung in self.rungs))
