"""Fixtures of the conformance suite: the backends and the points that they are compared on."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from float64_backends import Array, Backend, c_backend, run_jit, run_vm
from strategies import SIGNED_SPECIALS


@pytest.fixture(scope="session", params=["vm", "jit", "gcc", "clang"])
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backend:
    """Every float64 backend beside the reference."""
    name = request.param
    if name == "vm":
        return run_vm
    if name == "jit":
        return run_jit
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return c_backend(name, tmp_path_factory.mktemp(name))


@pytest.fixture(scope="session")
def points() -> Array:
    """(3, n): all triples of special values are too many; all pairs with a third that walks along, and plain points."""
    x, y = (grid.ravel() for grid in np.meshgrid(SIGNED_SPECIALS, SIGNED_SPECIALS))
    z = np.resize(np.roll(SIGNED_SPECIALS, 7), x.size)
    rng = np.random.default_rng(1)
    plain = rng.normal(size=(3, 300)) * 10.0 ** rng.integers(-3, 4, (3, 300))
    raw = rng.integers(0, 2**64, (3, 300), dtype=np.uint64).view(np.float64)
    return np.hstack([np.vstack([x, y, z]), plain, raw])
