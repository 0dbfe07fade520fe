"""Functions exported to torch: the values, the derivative, and what each op becomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from export_samples import EXP2_PROGRAM, info, load, one_op

from evosearch.backends.reference import evaluate
from evosearch.export import render, verify_export
from evosearch.language.text import parse
from primitives.arithmetic import CORE
from primitives.elementary import ELEMENTARY, FUNCTIONS

torch = pytest.importorskip("torch", reason="pip install 'evosearch[torch]'")

POINTS = np.array([-30.5, -2.5, -1.0, -0.25, 0.0, 1e-9, 0.5, 1.0, 1.5, 2.5, 7.25, 33.0])


def test_values_and_derivative_check_themselves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "exp2.py"
    text = render(EXP2_PROGRAM, "torch", info())
    path.write_text(text)
    report = verify_export(path, "torch", without=["mpmath"])
    assert report.passed, report.output
    assert "derivative: median difference" in report.output
    changed = text.replace("8.22256877888296", "8.23256877888296")
    assert changed != text
    assert load(changed)._verify() == 1 and "FAILED" in capsys.readouterr().out


def test_autograd_follows_it() -> None:
    function = load(render(EXP2_PROGRAM, "torch", info())).exp2
    x = torch.linspace(0.05, 0.95, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, x)
    assert function(x.float()).dtype is torch.float32


@pytest.mark.parametrize("op", [*CORE, *(f for f in FUNCTIONS if f.name != "interp")], ids=lambda op: op.name)
def test_every_op_on_tensors(op: object) -> None:
    name = op.name  # type: ignore[attr-defined]
    program = one_op(name) if name in CORE else parse(f"def f(x):\n    return {name}(x)", ELEMENTARY)
    from evosearch.backends.torch_backend import compile_function

    (found,) = compile_function(program)(torch.tensor(POINTS))
    with np.errstate(all="ignore"):
        (wanted,) = evaluate(program, POINTS)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-14, atol=1e-300)
