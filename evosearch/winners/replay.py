"""Rebuilds a policy, or any ancestor of it, from its genome: its weights must have the stored hash, its score is played again.

The ancestors of a seed list are its beginnings, so that a genome of a few hundred bytes is its whole lineage. Weights are the
same on every machine; scores are where the environment and the network's arithmetic are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from evosearch.errors import ConfigError
from evosearch.evolution.seeds import Genome, weights_hash
from evosearch.search.config import RunConfig
from evosearch.search.evaluations import StoredEvaluation
from evosearch.search.policies.breeding import training_seeds
from evosearch.search.policies.elite import validation_seeds
from evosearch.search.policies.member import Member, Policy
from evosearch.search.policies.settings import PolicySettings
from evosearch.search.policies.task import PolicyTask, Use
from evosearch.search.store import StoredProgram


@dataclass(frozen=True)
class Replay:
    """What a replay found; `stored_*` is None where the run kept nothing to compare with.

    Attributes:
        id: of the archived policy that was rebuilt, or None for an ancestor that was not archived.
        use: what the episodes were for: those of its validation, or of its training.
        score, stored_score: mean of the same episodes now and then.
        weights, stored_weights: SHA-256.
    """

    id: int | None
    genes: int
    genome: str | None
    use: Use
    episodes: int
    score: float
    stored_score: float | None
    weights: str
    stored_weights: str | None

    @property
    def same_weights(self) -> bool:
        """Whether the weights have the stored hash, if there is one."""
        return self.stored_weights is None or self.weights == self.stored_weights

    @property
    def same_score(self) -> bool:
        """Whether the episodes ended as they did."""
        return self.stored_score is None or self.score == self.stored_score

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "same_weights": self.same_weights, "same_score": self.same_score}


def replay(
    config: RunConfig,
    policy: Policy,
    archive: Sequence[StoredProgram],
    evaluations: Iterable[StoredEvaluation],
    genes: int | None = None,
) -> Replay:
    """Rebuild the policy, or its ancestor of so many genes.

    Raises:
        ConfigError: for a number of genes that the policy has not.
    """
    settings, task = cast(PolicySettings, config.search), cast(PolicyTask, config.load_task())
    rebuilt = _ancestor(policy, genes)
    member = _member(rebuilt)
    known = next((one for one in archive if one.key == member.key.hex()), None)
    row = None if known is not None else _evaluation(evaluations, member, settings)
    seeds: tuple[int, ...]
    use: Use = "training"
    stored_score: float | None = None
    if known is not None and task.traits().noisy:
        use, seeds, stored_score = "validation", validation_seeds(settings, known.metrics["generation"]), known.metrics["score"]
    elif known is not None:
        seeds, stored_score = (0,), known.metrics["score"]
    elif row is not None:
        (place, one) = row
        generation, child = divmod(place, settings.population)
        seeds, stored_score = training_seeds(settings, generation, [1] * settings.population)[child], one.scores[0]
    else:
        seeds = validation_seeds(settings, 0)
    weights = rebuilt.weights()
    (episodes,) = task.episodes([weights], [seeds], use)
    return Replay(
        id=None if known is None else known.id,
        genes=member.size,
        genome=None if rebuilt.genome is None else rebuilt.genome.to_text(rebuilt.layout),
        use=use,
        episodes=len(episodes),
        score=float(np.mean([episode.score for episode in episodes])),
        stored_score=stored_score,
        weights=weights_hash(weights),
        stored_weights=None if known is None else known.metrics["weights"],
    )


def _ancestor(policy: Policy, genes: int | None) -> Policy:
    if genes is None:
        return policy
    if policy.genome is None:
        raise ConfigError("the weights of an evolution strategy have no genome, and so no ancestors to rebuild")
    if not 1 <= genes <= len(policy.genome.genes):
        raise ConfigError(f"--genes {genes}: the policy has {len(policy.genome.genes)} of them; give a number from 1 to that")
    return Policy(policy.layout, Genome(policy.genome.sigma, policy.genome.genes[:genes]))


def _member(policy: Policy) -> Member:
    if policy.genome is not None:
        return Member.from_words(policy.genome.words())
    assert policy.dense is not None
    return Member.from_weights(policy.dense)


def _evaluation(
    evaluations: Iterable[StoredEvaluation], member: Member, settings: PolicySettings
) -> tuple[int, StoredEvaluation] | None:
    """The evaluation of a seed list and its place in the run."""
    if settings.algorithm == "es":
        return None
    found = ((place, one) for place, one in enumerate(evaluations) if one.function == member.key.hex() and one.scores)
    return next(found, None)
