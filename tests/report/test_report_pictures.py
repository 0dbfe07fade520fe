"""Error curves and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_search import exp2_target

from evosearch.errors import EvosearchError
from evosearch.language.text import parse
from evosearch.report.curve import error_curve
from evosearch.report.plots import plot_curve, plot_front
from primitives.arithmetic import FIELD

LINE = parse("def f(x):\n    t = add(x, 0.9701767)\n    return mul(t, 1.0)", FIELD)


def test_the_curve_of_the_best_line_swings_between_its_error() -> None:
    curve = error_curve(LINE, exp2_target(), 101)
    expected = (curve.x + 0.9701767) / np.exp2(curve.x) - 1
    assert np.abs(curve.real - expected).max() < 1e-15
    assert np.abs(curve.float64 - curve.real).max() < 4e-16
    assert curve.x[0] == 0.0 and curve.x[-1] == 1.0 and (np.diff(curve.x) > 0).all()


def test_a_pole_is_a_gap_in_the_curve() -> None:
    program = parse("def f(x):\n    return div(1.0, x)", FIELD)
    curve = error_curve(program, exp2_target(), 11)
    assert np.isnan(curve.real[0]) and np.isnan(curve.float64[0])
    assert np.isfinite(curve.real[1:]).all()


def test_pictures_are_written_and_a_wrong_place_is_named(tmp_path: Path) -> None:
    curve = error_curve(LINE, exp2_target(), 11)
    plot_curve(curve, tmp_path / "curve.png", title="2^x", measure="relative", bound=0.03)
    plot_front([(3, 1e-3), (4, 1e-4)], [(3, 1e-2)], tmp_path / "front.png", title="2^x", label="largest relative error")
    for name in ("curve.png", "front.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    with pytest.raises(EvosearchError, match="cannot write the picture"):
        plot_front([(3, 1e-3)], [], tmp_path / "no" / "front.png", title="", label="largest  error")
