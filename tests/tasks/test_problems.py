"""Validation problems and test families: real data, splits that keep apart, trainings that torch's own optimizers confirm."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evosearch.errors import ConfigError, TaskError
from evosearch.evaluation.problems import Setting
from evosearch.language.optimizer import read_rule
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES
from tasks.training import families, validation
from tasks.training.datasets import FASHION_VARIABLE, load
from tasks.training.suites import read_suite
from tasks.training.torch_problem import Step, TorchProblem

torch = pytest.importorskip("torch", reason="validation problems train with torch")

WINE = TorchProblem("wine", "wine", "mlp", batch=16, steps=30, train=80, valid=40, test=50, widths=(12,))
TINY = {
    "conv": dataclasses.replace(WINE, data="digits", model="conv", widths=(4, 4)),
    "vit": dataclasses.replace(WINE, data="digits", model="vit", widths=(8,), depth=1, heads=2, patch=4),
    "transformer": dataclasses.replace(
        WINE, data="text:persuasion.txt", model="transformer", widths=(16,), depth=1, heads=2, context=12, batch=4
    ),
    "regression": dataclasses.replace(WINE, data="diabetes", schedule="linear"),
}


def torch_adamw(decay: float) -> Callable[[list[torch.Tensor]], Step]:
    """torch's own AdamW as a step."""

    def make(weights: list[torch.Tensor]) -> Step:
        parameters = [torch.nn.Parameter(torch.empty(0)) for _ in weights]
        for parameter, weight in zip(parameters, weights, strict=True):
            parameter.data = weight
        optimizer = torch.optim.AdamW(parameters, weight_decay=decay)

        def step(gradients: list[torch.Tensor], lr: float, number: int) -> None:  # noqa: ARG001
            optimizer.param_groups[0]["lr"] = lr
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            optimizer.step()

        return step

    return make


@pytest.mark.parametrize("problem", [WINE, *TINY.values()], ids=["mlp", *TINY])
def test_a_rule_trains_as_torchs_own_optimizer_does(problem: TorchProblem) -> None:
    setting = Setting(lr=0.01, seed=3, points=3, part="test")
    ours = problem.train_rule(read_rule(RULES["adamw"], OPTIMIZER), setting)
    theirs = problem.train_with(torch_adamw(0.01), setting)
    assert ours.status == "ok" and ours.loss == pytest.approx(theirs.loss, rel=1e-3)
    assert [step for step, _ in ours.curve] == [10, 20, 30]
    assert (ours.accuracy is None) == (problem.data == "diabetes")
    still = problem.train_rule(read_rule(RULES["adamw"], OPTIMIZER), dataclasses.replace(setting, lr=0.0))
    assert ours.loss < still.loss  # it learns


def test_decay_outside_a_rule_is_decoupled() -> None:
    bare = RULES["lion"].replace("    d = mul(w, 0.01)\n    u = add(u, d)\n", "")
    inside = RULES["lion"].replace("0.01", "0.3")
    a = WINE.train_rule(read_rule(bare, OPTIMIZER), Setting(lr=0.01, decay=0.3, seed=1))
    b = WINE.train_rule(read_rule(inside, OPTIMIZER), Setting(lr=0.01, seed=1))
    assert a.loss == pytest.approx(b.loss, rel=1e-4)


def test_a_training_is_a_function_of_its_arguments() -> None:
    rule = read_rule(RULES["lion"], OPTIMIZER)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again = (WINE.train_rule(rule, Setting(lr=0.01, seed=2)) for _ in range(2))
    assert first.loss == again.loss and first.train_loss == again.train_loss
    assert torch.equal(before, torch.random.get_rng_state())  # and leaves the caller's randomness alone
    assert WINE.train_rule(rule, Setting(lr=0.01, seed=3)).loss != first.loss


def test_a_result_on_several_splits_is_their_mean() -> None:
    rule, setting = read_rule(RULES["lion"], OPTIMIZER), Setting(lr=0.003, seed=3, points=2)
    both = dataclasses.replace(WINE, splits=2).train_rule(rule, setting)
    alone = [WINE.train_rule(rule, dataclasses.replace(setting, seed=seed)) for seed in (3, 10_003)]
    assert both.loss == pytest.approx((alone[0].loss * alone[1].loss) ** 0.5, rel=1e-12) and alone[0].loss != alone[1].loss
    assert [step for step, _ in both.curve] == [15, 30] and both.weights == alone[0].weights
    assert dataclasses.replace(WINE, splits=2).train_rule(rule, Setting(lr=1e9, seed=3)).status == "invalid"


def test_a_training_that_diverges_is_invalid_and_counts_as_the_untrained_network() -> None:
    rule = read_rule("def train(w, g, lr):\n    u = exp(lr)\n    u = mul(u, g)\n    return u\n", OPTIMIZER)
    found = WINE.train_rule(rule, Setting(lr=1000.0))
    assert found.status == "invalid" and 0.5 < found.loss < 3.0
    assert found == type(found).from_json(found.to_json())


def test_a_number_that_no_weight_can_hold_makes_a_training_invalid() -> None:
    rule = read_rule("def train(w, g, lr):\n    u = mul(lr, 1e60)\n    u = mul(u, g)\n    return u\n", OPTIMIZER)
    assert WINE.train_rule(rule, Setting(lr=0.1, seed=3)).status == "invalid"


@pytest.mark.parametrize("problem", [*families.suite().problems, *validation.suite().problems], ids=lambda p: p.name)
def test_what_tests_is_never_trained_on_and_the_same_for_all_seeds(problem: TorchProblem) -> None:
    try:
        examples = load(problem.data)
    except TaskError as error:
        if "Fashion-MNIST is not here" not in str(error):
            raise
        pytest.skip(str(error))
    first, second = problem.parts(examples, 1), problem.parts(examples, 2)
    assert np.array_equal(first[2], second[2]) and not np.array_equal(first[0], second[0])
    width = problem.context + 1 if problem.model == "transformer" else 1
    covered = [set((part[:, None] + np.arange(width)).ravel().tolist()) for part in first]
    assert not (covered[0] & covered[1] or covered[0] & covered[2] or covered[1] & covered[2])
    assert all(len(part) for part in first)


def test_no_copy_of_a_digit_stands_in_two_parts_of_a_split() -> None:
    examples, plain = load("moved-digits"), load("digits")
    problem = dataclasses.replace(TINY["conv"], data="moved-digits", train=20_000, valid=4_000, test=50)
    parts = problem.parts(examples, 3)
    originals = [set((part // examples.copies).tolist()) for part in parts]
    assert [len(part) for part in parts] == [20_000, 4_000, 50]
    assert all(not a & b for k, a in enumerate(originals) for b in originals[:k])
    assert (examples.y == np.repeat(plain.y, examples.copies)).all()
    moved = examples.x.reshape(len(plain.x), examples.copies, -1)
    assert np.ptp(moved, axis=1).min() > 0.0  # no copy like another
    flat = plain.x.reshape(len(moved), -1)
    own, others = (
        [np.corrcoef(a, b)[0, 1] for a, b in zip(moved.mean(1), images, strict=True)] for images in (flat, np.roll(flat, 1, 0))
    )
    assert np.median(own) > 0.8
    assert np.mean(np.array(own) > others) > 0.95


def test_no_family_shares_data_with_what_selects() -> None:
    from tasks.training import Training

    tests = {problem.data.removeprefix("text:").split(".")[0] for problem in families.suite().problems}
    selects = {problem.data.removeprefix("text:").split(".")[0] for problem in validation.suite().problems}
    proxies = {proxy.data for proxy in Training().proxies()}
    assert not tests & (selects | proxies)
    assert {"fashion-mnist", "persuasion", "diabetes"} == tests


def test_fashion_mnist_that_is_missing_or_damaged_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FASHION_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(TaskError, match=f"apt-get install dataset-fashion-mnist.*{FASHION_VARIABLE}"):
        load("fashion-mnist")
    monkeypatch.setenv(FASHION_VARIABLE, str(tmp_path))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x03 and then nothing"))
    with pytest.raises(TaskError, match="missing or damaged"):
        load("fashion-mnist")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"no gzip")
    with pytest.raises(TaskError, match="missing or damaged"):
        load("fashion-mnist")


def test_bad_problems_and_suites_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown model 'cnv'.*'conv'"):
        dataclasses.replace(WINE, model="cnv")
    with pytest.raises(TaskError, match="more examples"):
        dataclasses.replace(WINE, train=1000).check()
    with pytest.raises(TaskError, match=r"unknown data set 'wines'.*'wine'"):
        load("wines")
    file = tmp_path / "suite.toml"
    file.write_text("[protocol]\ntuning_seeds = [1]\nfinal_seeds = [1]\nlevels = [{name = 'x', trials = 1, seeds = 1}]\n")
    with pytest.raises(ConfigError, match=r"no \[\[problem\]\]"):
        read_suite(file)
