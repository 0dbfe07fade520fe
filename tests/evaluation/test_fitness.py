"""Fitness on a toy task: what is tuned, what is compared, and which scores are not believed."""

from __future__ import annotations

import math

import pytest
from toy_training import ToyOutcome, ToyTask

from evosearch.errors import ConfigError
from evosearch.evaluation.fitness import WORST, Fitness, Rung, Settings
from evosearch.evaluation.rates import Tuned
from evosearch.evaluation.training import log_loss
from evosearch.evaluation.tuning import MAX_STRIDE, decays_to_try, gauge
from evosearch.language.optimizer import read_rule
from evosearch.language.program import Program
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES
from tasks.training.task import Training

SETTINGS = Settings(
    rungs=(Rung(), Rung(proxies=2, seeds=2, extensions=2)),
    shrinks=(0.2,),
)
SEEDS, FRESH = (11, 12), (21, 22, 23)


@pytest.fixture(scope="module")
def fitness() -> Fitness:
    return Fitness(ToyTask(), OPTIMIZER, SETTINGS)


def adamw(changes: tuple[str, str] = ("", "")) -> Program:
    return read_rule(RULES["adamw_plain"].replace(*changes) if changes[0] else RULES["adamw_plain"], OPTIMIZER)


def simple(body: str) -> Program:
    lines = "".join(f"    {line.strip()}\n" for line in body.split(";"))
    return read_rule(f"def train(w, g, v1, lr):\n{lines}    return update, v1\n", OPTIMIZER)


def test_a_baseline_scores_zero_against_itself_and_another_rule_not(fitness: Fitness) -> None:
    for name, rule in fitness.task.baselines(OPTIMIZER).items():
        tuned, work = fitness.refine(rule, 1)
        assert abs(fitness.measure(rule, 1, FRESH, tuned).metrics[name]) < 1e-12 and work > 0
    sign = read_rule(RULES["signsgd"], OPTIMIZER)
    assert abs(fitness.measure(sign, 1, FRESH, fitness.refine(sign, 1)[0]).metrics["lion"]) > 0.05


def test_a_coarse_look_is_a_rung_of_three_trainings() -> None:
    task = ToyTask()
    quick = Fitness(task, OPTIMIZER, Settings(rungs=(Rung(extensions=0, coarse=True), Rung()), shrinks=()))
    quick.prepare(0, 0)
    quick.score(adamw(), 0, SEEDS[:1])
    before = task.trained
    look = quick.score(adamw(), 0, SEEDS[:1])
    assert (task.trained - before, len(look.tuned["round"].rates)) == (3, 1)
    assert len(quick.score(adamw(), 1, SEEDS[:1], look.tuned).tuned["round"].rates) == 3


def test_a_factor_on_the_rate_is_a_gauge(fitness: Fitness) -> None:
    plain, loud = simple("update = mul(g, lr)"), simple("r = mul(lr, 1000.0); update = mul(g, r)")
    assert gauge(plain, OPTIMIZER).rate - gauge(loud, OPTIMIZER).rate == 12
    scores = [fitness.score(rule, 1, SEEDS).fitness for rule in (plain, loud)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-9) and abs(scores[0]) < WORST


def test_a_root_of_the_rate_does_not_hide_its_neighbours(fitness: Fitness) -> None:
    plain, rooted = simple("update = mul(g, lr)"), simple("r = cbrt(lr); update = mul(g, r)")
    assert (gauge(plain, OPTIMIZER).stride, gauge(rooted, OPTIMIZER).stride) == (1, 3)
    scores = [fitness.measure(rule, 1, FRESH, fitness.refine(rule, 1)[0]).fitness for rule in (plain, rooted)]
    assert scores[0] == pytest.approx(scores[1], abs=0.03)
    assert gauge(simple("u = sign(g); update = mul(u, 0.001)"), OPTIMIZER).stride == MAX_STRIDE


def test_a_harmful_decay_is_tuned_away(fitness: Fitness) -> None:
    bad = simple("d = mul(w, 0.5); u = add(g, d); update = mul(u, lr)")
    raced = fitness.score(bad, 1, SEEDS).tuned
    tuned, _ = fitness.refine(bad, 1)
    assert {at.decay for at in raced.values()} == {None}
    assert all(at.decay is not None and 0.0 <= at.decay < 0.5 for at in tuned.values())
    before, after = (fitness.measure(bad, 1, FRESH, chosen).fitness for chosen in (raced, tuned))
    assert after < before - 0.1


def test_decays_to_try_mean_the_same_to_every_rule() -> None:
    coupled = simple("d = mul(w, 0.5); u = add(g, d); update = mul(u, lr)")
    apart = simple("d = mul(w, 0.5); u = mul(g, lr); update = add(u, d)")
    upside_down = simple("d = mul(w, 0.5); u = mul(g, lr); update = sub(u, d)")
    assert decays_to_try(coupled, OPTIMIZER, -8, 100, (0.2,)) == (0.0, pytest.approx(0.2))
    assert decays_to_try(apart, OPTIMIZER, -8, 100, (0.2,)) == (0.0, pytest.approx(0.002))
    assert decays_to_try(upside_down, OPTIMIZER, -8, 100, (0.2,)) == (0.0, pytest.approx(-0.002))
    assert decays_to_try(simple("update = mul(g, lr)"), OPTIMIZER, -8, 100, (0.2,)) == ()


@pytest.mark.parametrize(
    "body", ["u = sub(g, g); update = reciprocal(u)", "u = exp(g); u = exp10(u); u = cube(u); u = exp(u); update = exp(u)"]
)
def test_what_is_not_finite_is_invalid(fitness: Fitness, body: str) -> None:
    score = fitness.score(simple(body), 0, SEEDS[:1])
    assert (score.status, score.fitness, score.cases) == ("invalid", WORST, ())


def test_what_does_not_learn_is_clipped(fitness: Fitness) -> None:
    uphill = fitness.score(simple("u = negative(g); update = mul(u, lr)"), 1, SEEDS)
    assert uphill.status == "ok" and 0.5 < uphill.fitness <= WORST


def test_a_score_is_a_function_of_its_arguments_and_tuned_baselines_travel_as_data(fitness: Fitness) -> None:
    first = fitness.score(adamw(), 1, SEEDS)
    task = ToyTask()
    other = Fitness(task, OPTIMIZER, SETTINGS)
    for proxy in range(2):
        other.learn(fitness.prepare(1, proxy))
    assert task.trained == 0, "what was handed over is not tuned again"
    assert other.score(adamw(), 1, SEEDS) == first == Fitness(ToyTask(), OPTIMIZER, SETTINGS).score(adamw(), 1, SEEDS)


def test_seeds_that_tuned_and_seeds_that_measure_are_apart(fitness: Fitness) -> None:
    tuned = fitness.score(adamw(), 1, SEEDS).tuned
    fresh = fitness.measure(adamw(), 1, FRESH, tuned)
    assert fresh.tuned == tuned and len(fresh.cases) == 6
    assert all(len(at.rates) == 3 for at in tuned.values())
    assert Tuned.from_plain(tuned["long"].to_plain()) == tuned["long"]


@pytest.mark.parametrize(
    ("status", "loss", "accuracy"),
    [
        ("ok", 0.0, 0.086),
        ("ok", math.nan, 0.9),
        ("ok", 0.5, math.nan),
        ("ok", -0.1, 1.0),
        ("ok", 0.1, 1.1),
        ("invalid", 0.1, 1.0),
    ],
)
def test_losses_that_cannot_be_are_not_believed(status: str, loss: float, accuracy: float) -> None:
    assert log_loss(ToyOutcome(status, loss, accuracy, 1)) == math.inf
    assert log_loss(ToyOutcome("ok", 0.3, 0.9, 1)) == pytest.approx(math.log(0.3))


def test_a_rung_takes_the_proxies_that_there_are() -> None:
    assert Fitness(ToyTask(), OPTIMIZER, Settings(rungs=(Rung(proxies=9),))).rung(0).proxies == 2
    with pytest.raises(ConfigError, match="horizon"):
        Rung(horizon=0.0)


def test_on_the_real_digits_good_rules_are_told_from_bad_ones() -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    settings = Settings(rungs=(Rung(horizon=0.3),), tuning_seeds=1, shrinks=())
    digits = Fitness(Training(only=("digits-mlp",)), OPTIMIZER, settings)
    rules = {
        "adabelief": read_rule(RULES["adabelief"], OPTIMIZER),
        "signsgd": read_rule(RULES["signsgd"], OPTIMIZER),
        "plain": simple("update = mul(g, lr)"),
        "uphill": simple("u = negative(g); update = mul(u, lr)"),
    }
    found = {name: digits.score(rule, 0, (1,)).fitness for name, rule in rules.items()}
    assert found["adabelief"] < found["signsgd"] < found["plain"] < found["uphill"] == WORST
