"""Exported optimizers: every target reproduces the reference where evosearch cannot be imported, and a changed one fails."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from rule_samples import info, rule

from evosearch.backends.reference import step
from evosearch.errors import ExportError
from evosearch.export import RULE_TARGETS, render, verify_export
from evosearch.export.rules.prepared import prepare
from evosearch.language.optimizer import read_rule
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES


def module(text: str) -> ModuleType:
    loaded = ModuleType("exported")
    exec(compile(text, "exported.py", "exec"), loaded.__dict__)
    return loaded


@pytest.mark.parametrize("target", ["numpy", "python"])
@pytest.mark.parametrize("name", [*RULES, "global", "swapped"])
def test_every_known_rule_keeps_to_its_stored_steps(name: str, target: str) -> None:
    loaded = module(render(rule(name), target, info(name)))
    assert loaded._error(loaded._run()) < 1e-12


@pytest.mark.parametrize(("target", "name"), [("torch", "adamw"), ("optax", "global"), ("python", "lion")])
def test_a_file_checks_itself_without_evosearch(target: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "exported.py"
    path.write_text(render(rule(name), target, info(name)))
    report = verify_export(path, target)
    if report.passed is None:
        pytest.skip(report.output)
    assert report.passed, report.output
    assert "ok" in report.output


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("(1.0 - 0.9) * g + 0.9 * v1", "(1.0 - 0.95) * g + 0.95 * v1"),
        ("(1.0 - 0.99) * g + 0.99 * v1", "(1.0 - 0.98) * g + 0.98 * v1"),
        ("u = np.sign(m)", "u = m"),
        ("u = u + d", "u = u - d"),
        ("weight_decay=0.01", "weight_decay=0.02"),
    ],
)
def test_a_changed_export_fails(before: str, after: str) -> None:
    text = render(rule("lion"), "numpy", info("lion"))
    assert before in text
    loaded = module(text.replace(before, after))
    assert loaded._error(loaded._run()) > 1e-9


def test_a_changed_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "exported.py"
    text, before = render(rule("lion"), "python", info("lion")), "(1.0 - 0.99) * x"
    assert before in text
    path.write_text(text.replace(before, "(1.0 - 0.98) * x"))
    report = verify_export(path, "python")
    assert report.passed is False and "FAILED" in report.output


def test_each_path_of_a_torch_file_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="pip install 'evosearch[torch]'")
    text, before = render(rule("lion"), "torch", info("lion")), "m = torch._foreach_lerp(g, v1, 0.9)"
    assert before in text
    changed = module(text.replace(before, before.replace("0.9", "0.93")))
    assert changed._verify({"tensor by tensor": {"foreach": False}, "foreach": {"foreach": True}}) == 1
    assert re.search(r"tensor by tensor.*ok\n.*foreach.*FAILED", capsys.readouterr().out)


@pytest.mark.parametrize("name", ["sgd_momentum", "adamw", "nadam", "lamb", "swapped"])
def test_what_is_compiled_is_the_same_rule(name: str) -> None:
    """Tensors without a flat view go through the statements that are compiled for others."""
    torch = pytest.importorskip("torch", reason="pip install 'evosearch[torch]'")
    loaded, found = module(render(rule(name), "torch", info(name))), []
    (optimizer_class,) = (getattr(loaded, one) for one in loaded.__all__)
    for compiled in (False, True):
        generator = torch.Generator().manual_seed(5)
        p = torch.randn(4, 3, generator=generator, dtype=torch.float64).T.requires_grad_()
        optimizer = optimizer_class([p], lr=0.02, weight_decay=0.3, maximize=True, compiled=compiled)
        for _ in range(4):
            p.grad = torch.randn(4, 3, generator=generator, dtype=torch.float64).T
            optimizer.step()
        found.append([p.detach(), *(optimizer.state[p][name] for name in loaded._STATES)])
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-14)


def test_the_decay_of_a_rule_becomes_the_argument() -> None:
    assert (prepare(rule("lion")).decay, prepare(rule("lion")).own_decay) == (0.01, True)
    assert prepare(rule("lion")).arguments == ("w", "g", "v1", "lr", "weight_decay")
    assert not prepare(rule("adam")).own_decay  # that one is added to the gradient
    lines = ["def train(w, g, lr):", "d = mul(w, 0.4)", "u = add(d, g)", "u = mul(u, 0.0002)", "u = mul(u, lr)", "return u"]
    assert not prepare(read_rule("\n    ".join(lines), OPTIMIZER)).own_decay  # 0.4 is not the decay: 0.4 x 0.0002 is


@pytest.mark.parametrize("name", ["lion", "signsgd", "swapped", "global"])
def test_another_decay_subtracts_lr_decay_w(name: str) -> None:
    loaded = module(render(rule(name), "numpy", info(name)))
    (optimizer_class,) = (getattr(loaded, one) for one in loaded.__all__)
    rng = np.random.default_rng(3)
    w, g = rng.normal(size=9), rng.normal(size=9)
    stepped = [w.copy() for _ in range(2)]
    for weights, decay in zip(stepped, (0.0, 0.3), strict=True):
        optimizer_class(lr=0.1, weight_decay=decay).step([weights], [g])
    np.testing.assert_allclose(stepped[0] - stepped[1], 0.1 * 0.3 * w, rtol=1e-12, atol=1e-15)


def test_a_dead_state_is_not_kept() -> None:
    assert prepare(rule("global")).states == ("v1",)
    assert '_STATES = ("v1",)' in render(rule("global"), "torch", info("global"))


def test_a_rule_without_lr_is_scaled_by_it() -> None:
    loaded = module(render(rule("swapped"), "numpy", info("swapped")))
    optimizer = loaded.Swapped1()
    assert optimizer.lr == 1.0
    w = [np.arange(4.0)]
    state = [[np.zeros(4)], [np.zeros(4)]]
    for number in (1, 2, 3):
        g = [np.full(4, float(number))]
        update, state = step(rule("swapped"), w, g, state, 0.0, number)
        wanted = [w[0] - update[0]]
        optimizer.step(w, g)
        np.testing.assert_array_equal(w[0], wanted[0])


def test_float32_arrays_stay_float32() -> None:
    loaded = module(render(rule("adamw"), "numpy", info("adamw")))
    optimizer, w = loaded.Adamw1(), np.ones(3, np.float32)
    optimizer.step([w], [np.ones(3, np.float32)])
    assert w.dtype == optimizer.state[0]["v1"].dtype == np.float32


def test_targets_and_names_that_do_not_fit() -> None:
    assert set(RULE_TARGETS) == {"torch", "optax", "numpy", "python"}
    with pytest.raises(ExportError, match="an update rule cannot be exported to numba; it can to torch, optax, numpy, python"):
        render(rule("lion"), "numba", info("lion"))
    with pytest.raises(ExportError, match="Did you mean 'optax'"):
        render(rule("lion"), "optx", info("lion"))
    odd = read_rule("def train(w, g, torch):\n    return g, torch", OPTIMIZER)
    with pytest.raises(ExportError, match="the state 'torch' has a name"):
        render(odd, "numpy", info("odd"))
    grows = read_rule("def train(w, g):\n    u = div(g, 0.0)\n    u = exp(u)\n    return u", OPTIMIZER)
    with pytest.raises(ExportError, match="does not stay finite"):
        render(grows, "numpy", info("grows"))


def test_the_file_says_where_it_comes_from() -> None:
    text = render(rule("lion"), "torch", info("lion"))
    assert "origin         run lion-1, program 12, seed 1, evosearch 0.1.0" in text
    assert "        m = interp(g, v1, 0.9)" in text and "lr=0.0003" in text
    assert max(map(len, text.splitlines())) <= 128
