"""What an assessment found, as plain data: ratios with intervals, tables beside them, time to target and memory."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evosearch.evaluation.problems import Suite, Trained
from evosearch.language.optimizer import live_states
from evosearch.language.text import to_text
from evosearch.winners.assess import UNTUNED, WINNER, Assessed
from evosearch.winners.contenders import Contender, Point
from evosearch.winners.inference import Paired, better, by_family, overall
from evosearch.winners.tune import final_log_loss

SCHEMA = 1
REFERENCES = ("adamw", "lion")
"""The winner is compared with the better of these, family by family."""

FLOAT32 = 4


def verdict(assessed: Assessed, suite: Suite) -> dict[str, Any]:
    """The assessment as plain data, with `schema_version`."""
    names = [problem.name for problem in suite.problems]
    rows = {name: _rows(assessed, name) for name in names}
    families = {name: _family(assessed, name) for name in names}
    own = {name: _difference(assessed, name, UNTUNED[WINNER], UNTUNED["adamw"]) for name in names}
    tuned = {name: _difference(assessed, name, WINNER, UNTUNED["adamw"]) for name in names}
    differences = {name: [row[0] - row[better(rows[name])] for row in rows[name]] for name in names}
    for name, paired in by_family(differences).items():
        families[name] |= {"better": REFERENCES[better(rows[name]) - 1], "winner_to_better": _plain(paired)}
    return {
        "schema_version": SCHEMA,
        "suite": suite.digest,
        "level": dataclasses.asdict(assessed.level),
        "metric": "loss on the test part after the last step; a training that fails counts as the untrained network",
        "winner_to_better": _plain(overall([rows[name] for name in names])),
        "to_adamw_with_own_constants": {
            "margin": suite.protocol.margin,
            "winner with own constants": _not_inferior(own, suite.protocol.margin),
            "tuned winner": _not_inferior(tuned, suite.protocol.margin),
        },
        "families": families,
        "contenders": {contender.name: _contender(contender) for contender in assessed.contenders},
        "sensitivity": [{"constant": value, "change": change} for value, change in _ranked(assessed.sensitivity)],
    }


def _rows(assessed: Assessed, family: str) -> list[list[float]]:
    """Log-losses (seeds, 1 + references), the winner's first."""
    columns = [[final_log_loss(result) for result in assessed.finals[name][family]] for name in (WINNER, *REFERENCES)]
    return [list(row) for row in zip(*columns, strict=True)]


def _difference(assessed: Assessed, family: str, name: str, other: str) -> list[float]:
    pairs = zip(assessed.finals[name][family], assessed.finals[other][family], strict=True)
    return [final_log_loss(mine) - final_log_loss(theirs) for mine, theirs in pairs]


def _not_inferior(differences: Mapping[str, Sequence[float]], margin: float) -> dict[str, Any]:
    """Each family's interval, and whether all of them end below 1 + margin."""
    found = by_family(differences)
    return {
        "families": {name: _plain(paired) for name, paired in found.items()},
        "not_inferior": all(paired.high <= 1.0 + margin for paired in found.values()),
    }


def _family(assessed: Assessed, family: str) -> dict[str, Any]:
    target = float(np.mean([result.curve[-1][1] for result in assessed.finals["adamw"][family]]))
    return {
        "target": _finite(target),
        "contenders": {contender.name: _measured(assessed, contender, family, target) for contender in assessed.contenders},
    }


def _measured(assessed: Assessed, contender: Contender, family: str, target: float) -> dict[str, Any]:
    finals, tuned = assessed.finals[contender.name][family], assessed.tuned[contender.name][family]
    accuracies = [result.accuracy for result in finals if result.accuracy is not None]
    shares = [_time_to(result, target) for result in finals]
    weights = finals[0].weights
    return {
        "loss": _finite(float(np.mean([result.loss for result in finals]))),
        "losses": [_finite(result.loss) for result in finals],
        "accuracy": float(np.mean(accuracies)) if len(accuracies) == len(finals) else None,
        "train_loss": _finite(float(np.mean([result.train_loss for result in finals]))),
        "failed": sum(result.status != "ok" for result in finals),
        "time_to_target": _finite(float(np.median(shares))),
        "seconds": float(np.mean([result.seconds for result in finals])),
        "state_bytes": FLOAT32 * weights * _states(contender),
        "weights": weights,
        "tuned": _point(tuned.point),
        "trials": len(tuned.tried),
        "extended": tuned.extended,
    }


def _time_to(result: Trained, target: float) -> float:
    """Share of the steps after which the loss on the "valid" part first is at most the target; infinite where never."""
    steps = result.curve[-1][0] if result.curve else 1
    return next((step / steps for step, loss in result.curve if loss <= target), math.inf)


def _contender(contender: Contender) -> dict[str, Any]:
    return {
        "program": to_text(contender.rule),
        "states": _states(contender),
        "decay": contender.decay.value if contender.decay else None,
        "shapes": [knob.value for knob in contender.shapes] if contender.tuned else [],
    }


def _states(contender: Contender) -> int:
    return sum(live_states(contender.rule))


def _ranked(sensitivity: Mapping[float, float]) -> list[tuple[float, float]]:
    return sorted(sensitivity.items(), key=lambda item: -item[1])


def _point(point: Point) -> dict[str, Any]:
    return {"lr": point.lr, "decay": point.decay, "shapes": list(point.shapes)}


def _plain(paired: Paired) -> dict[str, Any]:
    return {name: _finite(value) if isinstance(value, float) else value for name, value in vars(paired).items()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
