"""The models' kernels: gradients, products, softmax and logarithm against torch, finite differences and exact values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from primitives.optimizer import OPTIMIZER
from tasks.training.batches import BATCHES, VALIDATION
from tasks.training.proxy import Bench, Proxy, kernels, prepare

K: Any = kernels("mlp", OPTIMIZER)
PROXIES = (
    Proxy("mlp", sizes=(20,), batch=24),
    Proxy("deep", sizes=(17, 9, 33), batch=7),
    Proxy("linear", sizes=(), batch=5),
    Proxy("conv", model="conv", sizes=(5, 12), batch=6),
    Proxy("char", data="genesis", model="char", sizes=(4, 3, 19), batch=10, examples=64),
)


def drawn(proxy: Proxy, seed: int = 3, held: bool = False) -> tuple[Bench, Any, NDArray[np.float64]]:
    """A bench, its room with a batch in it, and the weights at the start, moved so that no bias is zero."""
    bench = prepare(proxy)
    room, order = bench.room(), K.split(bench.source, len(bench.x), seed)
    state = K.stream(seed, VALIDATION if held else BATCHES)
    K.draw(bench.source, bench.x, bench.y, order, 0, held, state, room.bx, room.by, proxy.batch)
    w = K.initial(bench.shape, seed)
    return bench, room, w + np.random.default_rng(seed).normal(0.0, 0.1, len(w))


def torch_logits(torch: Any, proxy: Proxy, parts: list[Any], x: Any) -> Any:
    """The same models, written with torch's own layers."""
    F = torch.nn.functional
    if proxy.model == "conv":
        kernel, bias, *parts = parts
        images = x.view(-1, 1, 8, 8)
        maps = F.conv2d(images, kernel.T.reshape(-1, 1, 3, 3), bias, padding=1).relu()
        x = F.avg_pool2d(maps, 2).permute(0, 2, 3, 1).flatten(1)
    elif proxy.model == "char":
        table, *parts = parts
        x = table[x.long()].flatten(1)
    for k in range(0, len(parts), 2):
        x = (x if k == 0 else x.relu()) @ parts[k] + parts[k + 1]
    return x


@pytest.mark.parametrize("proxy", PROXIES, ids=lambda proxy: proxy.name)
def test_gradient_is_that_of_torch_autograd(proxy: Proxy) -> None:
    torch = pytest.importorskip("torch", reason="compares with autograd")
    bench, room, w = drawn(proxy)
    g = np.empty_like(w)
    loss = K.gradient(bench.shape, room, w, g)
    parts = [torch.tensor(part, requires_grad=True) for part in bench.split(w)]
    logits = torch_logits(torch, proxy, parts, torch.tensor(room.bx, dtype=torch.float64))
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor(room.by).long())
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    np.testing.assert_allclose(room.z[:, : bench.shape.classes], logits.detach().numpy(), rtol=1e-4, atol=1e-4)
    for mine, part in zip(bench.split(g), parts, strict=True):
        np.testing.assert_allclose(mine, part.grad.numpy(), rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("proxy", PROXIES, ids=lambda proxy: proxy.name)
def test_gradient_is_the_slope_of_the_loss(proxy: Proxy) -> None:
    bench, room, w = drawn(proxy)
    g, other = np.empty_like(w), np.empty_like(w)
    K.gradient(bench.shape, room, w, g)
    along = g / np.linalg.norm(g)
    step = 2e-3
    ahead, behind = (K.gradient(bench.shape, room, w + side * step * along, other) for side in (1.0, -1.0))
    assert (ahead - behind) / (2 * step) == pytest.approx(float(g @ along), rel=2e-2)


def test_products_are_float32_sums_in_the_order_of_k() -> None:
    rng = np.random.default_rng(0)
    for rows, depth, columns in ((4, 1, 16), (8, 37, 32), (12, 64, 48)):
        a, b = rng.normal(size=(rows, depth)).astype(np.float32), rng.normal(size=(depth, columns)).astype(np.float32)
        expected = np.zeros((rows, columns), np.float32)
        for k in range(depth):
            expected += a[:, k : k + 1] * b[k]
        c = np.zeros(rows * columns, np.float32)
        K.product(a.ravel(), 0, depth, 1, b.ravel(), 0, columns, c, 0, rows, depth, columns)
        np.testing.assert_array_equal(c.reshape(rows, columns), expected)
        K.product(a.T.copy().ravel(), 0, 1, rows, b.ravel(), 0, columns, c, 0, rows, depth, columns)
        np.testing.assert_array_equal(c.reshape(rows, columns), expected)


def test_exponential_and_logarithm_without_libm() -> None:
    x = np.concatenate([np.linspace(-40.0, 0.0, 4001), [-1e-9, -1e-300]])
    t = x.copy()
    K.exp_all(t, len(t))
    np.testing.assert_allclose(t, np.exp(x), rtol=1e-12)
    t = np.array([-41.0, -np.inf, np.nan])
    K.exp_all(t, 3)
    assert t[:2] == pytest.approx(np.exp(-40.0), rel=1e-12) and np.isnan(t[2])
    s = np.concatenate([np.linspace(1.0, 3.0, 501), np.geomspace(3.0, 1e4, 500)])
    np.testing.assert_allclose([K.log_of(value) for value in s], np.log(s), rtol=1e-15, atol=4e-16)
    assert np.isnan(K.log_of(np.nan)) and not np.isfinite(K.log_of(np.inf))


def test_loss_accuracy_and_their_agreement() -> None:
    rng = np.random.default_rng(1)
    z, dz, t = (4 * rng.normal(size=(6, 16))).astype(np.float32), np.ones((6, 16), np.float32), np.empty(96)
    y = np.array([0, 3, 9, 9, 1, 5], np.float32)
    total = K.loss_of(z, y, 6, 10, dz, t)
    exact = z[:, :10].astype(np.float64)
    log_p = exact - np.log(np.exp(exact).sum(1, keepdims=True))
    assert total == pytest.approx(-log_p[np.arange(6), y.astype(int)].sum(), rel=1e-12)
    expected = (np.exp(log_p) - np.eye(10)[y.astype(int)]) / 6
    np.testing.assert_allclose(dz[:, :10], expected, rtol=1e-6, atol=1e-8)
    assert not dz[:, 10:].any()
    assert K.hits_of(z, y, 6, 10) == (exact.argmax(1) == y).sum()
    z[2, 4], z[3] = np.nan, 1.0
    assert not np.isfinite(K.loss_of(z, y, 6, 10, dz, t))
    assert K.hits_of(z[2:4].copy(), y[2:4].copy(), 2, 10) == 0  # neither a NaN nor a tie is a hit
    assert K.agree(0.07, 0.9) and not K.agree(0.0, 0.086)


def test_values_beyond_float32_are_not_finite() -> None:
    bench, room, w = drawn(PROXIES[0])
    g = np.empty_like(w)
    assert np.isfinite(K.gradient(bench.shape, room, w, g))
    for bad in (np.nan, np.inf, 1e39):
        changed = w.copy()
        changed[-1] = bad
        assert np.isnan(K.gradient(bench.shape, room, changed, g))
    assert np.isnan(K.gradient(bench.shape, room, w * 1e25, g))  # the logits overflow
