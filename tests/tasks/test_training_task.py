"""The [task] table of a run over update rules: what is checked before the search, and one's own proxy from one file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evosearch.backends.array_vm import encode_rule
from evosearch.backends.kernels import assemble
from evosearch.errors import ConfigError, MissingDependencyError, TaskError
from evosearch.evaluation.training import Trainer
from evosearch.language.optimizer import read_rule
from evosearch.search.config import read_config
from primitives.optimizer import OPTIMIZER
from tasks.training import Data, Proxy, Training
from tasks.training import data as shipped
from tasks.training.nets import load_model
from tasks.training.proxy import prepare

FEW = OPTIMIZER.subset(["add", "sub", "mul", "interp", "sign"])
LION = """
def train(w, g, v1, lr):
    m = interp(g, v1, 0.9)
    u = sign(m)
    v1 = interp(g, v1, 0.99)
    d = mul(w, 0.1)
    update = add(u, d)
    update = mul(update, lr)
    return update, v1
"""
RUN = """
schema = 1
ops = "primitives.optimizer:OPTIMIZER"

[task]
use = "tasks.training:Training"
"""


def test_the_task_that_ships_is_complete() -> None:
    task: Trainer = Training()
    assert isinstance(task, Training)
    task.check(OPTIMIZER)
    proxies = task.proxies()
    assert {proxy.model for proxy in proxies} == {"mlp", "conv", "char"} and len({proxy.data for proxy in proxies}) == 4
    assert set(task.baselines(OPTIMIZER)) == {"adamw", "lion"} and task.inputs() == (2, True)
    assert "digits, digits-half, genesis, moved-digits" in task.describe(OPTIMIZER)
    assert [proxy.name for proxy in Training(only=("moved-conv", "digits-mlp")).proxies()] == ["moved-conv", "digits-mlp"]
    with pytest.raises(ConfigError, match=r"no proxy 'digits-mpl'. Did you mean 'digits-mlp'"):
        Training(only=("digits-mpl",)).check(OPTIMIZER)


def test_ones_own_proxy_model_and_data_come_from_one_file(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(RUN)
    overrides = (("task.use", "own_training:Clouds"), ("task.states", 1), ("task.step", False))
    task: Any = read_config(tmp_path / "run.toml", overrides).load_task()
    task.check(FEW)
    (proxy,) = task.proxies()
    rule = encode_rule(read_rule(LION, FEW), FEW)
    outcomes = task.train_rates(proxy, rule, FEW, (1e-4, 3e-2), 1, proxy.steps)
    assert [outcome.status for outcome in outcomes] == ["ok", "ok"]
    assert outcomes[1].loss < 0.5 < outcomes[0].loss and outcomes[1].accuracy > 0.8


def test_a_kernel_that_takes_a_name_in_use_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tasks.training.models and own_training both define 'logits'"):
        assemble(FEW, ("tasks.training.models", "own_training"), "clash")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"data": "digit"}, "unknown data 'digit'. Did you mean 'digits'"),
        ({"model": "vit"}, "unknown model 'vit'"),
        ({"model": "char", "sizes": (4, 4)}, "needs a text"),
        ({"data": "genesis"}, "goes with model 'char'"),
        ({"model": "conv", "sizes": ()}, "channels"),
        ({"model": "own_training:clouds"}, "is no Model"),
        ({"data": "own_training:MODEL"}, "raised TypeError"),
        ({"data": "own_training:build"}, "raised TypeError"),
    ],
)
def test_a_proxy_that_cannot_be_trained_is_refused_before_the_search(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        prepare(Proxy("p", **fields))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.zeros((60, 2))}, "x must be float32"),
        ({"x": np.full((60, 2), np.nan, np.float32)}, "not finite"),
        ({"x": np.zeros((9, 2), np.float32), "y": np.zeros(9, np.float32)}, "at least 50"),
        ({"y": np.zeros(59, np.float32)}, "y must be float32"),
        ({"y": np.full(60, 3, np.float32)}, "from 0 to 2"),
        ({"kind": 1}, "must be square"),
        ({"train": 60}, "leave rows for validation, got 60 of 60"),
    ],
)
def test_data_that_do_not_fit_say_what_is_wrong(changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"x": np.zeros((60, 2), np.float32), "y": np.zeros(60, np.float32), "classes": 3}
    monkeypatch.setitem(vars(shipped), "DATA", {"mine": lambda: Data(**{**good, **changes})})  # type: ignore[arg-type]
    with pytest.raises(TaskError, match=message):
        shipped.load_data.__wrapped__("mine")


def test_absent_and_corrupt_data_name_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = shipped.genesis.__wrapped__
    monkeypatch.setattr(shipped, "TEXT_FILE", tmp_path / "genesis.txt")
    with pytest.raises(TaskError, match=r"genesis.txt cannot be read .*; install evosearch again"):
        read()
    (tmp_path / "genesis.txt").write_text("In the beginning")
    with pytest.raises(TaskError, match="not the one that ships; install evosearch again"):
        read()
    import sklearn.datasets

    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda **_: (np.zeros((1797, 64)), np.zeros(1797)))
    with pytest.raises(TaskError, match=r"not the 1,797 .*pip install --force-reinstall scikit-learn"):
        shipped.digits.__wrapped__()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingDependencyError, match="pip install scikit-learn"):
        shipped.digits.__wrapped__()


def test_models_by_name_share_their_kernels() -> None:
    assert {load_model(name).module for name in ("mlp", "conv", "char")} == {"tasks.training.models"}
