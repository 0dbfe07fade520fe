"""Trainings of the proxies: milliseconds with one learning rate and with three, and what torch needs for the same."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from conftest import Show

from evosearch.backends.array_vm import EncodedRule, encode_rule
from evosearch.language.optimizer import read_rule
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES
from tasks.training.proxy import Proxy, prepare, train_rates
from tasks.training.task import PROXIES

RATES = (1e-3, 3e-3, 1e-2)


def best_of(seconds: float, work: Callable[[int], object]) -> float:
    """The least milliseconds of a call; the argument is a seed."""
    times, end, seed = [], time.perf_counter() + seconds, 0
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        work(seed)
        times.append(time.perf_counter() - start)
        seed += 1
    return min(times) * 1e3


def encoded(name: str) -> EncodedRule:
    return encode_rule(read_rule(RULES[name], OPTIMIZER), OPTIMIZER)


def test_proxies(seconds: float, show: Show) -> None:
    """AdamW and Lion on each proxy, at all of its steps."""
    rows, share = [], seconds / (3 * len(PROXIES))
    for proxy in PROXIES:
        net = prepare(proxy).net
        row: list[object] = [proxy.name, f"{net.weights:,}", proxy.steps]
        for name, rates in (("adamw", RATES[1:2]), ("adamw", RATES), ("lion", RATES)):
            rule = encoded(name)
            train_rates(proxy, rule, OPTIMIZER, rates, 0, 1)
            row.append(f"{best_of(share, lambda seed, r=rule, at=rates: train_rates(proxy, r, OPTIMIZER, at, seed)):.1f}")  # type: ignore[misc]  # noqa: B023
        rows.append(row)
    show(
        "One training, ms on one thread",
        ("proxy", "weights", "steps", "AdamW, 1 rate", "AdamW, 3 rates", "Lion, 3 rates"),
        rows,
    )


def test_rung_0(seconds: float, show: Show) -> None:
    """A third of the first proxy's steps at three rates, which is most of rung 0; the goal is 8 ms."""
    proxy, rule = PROXIES[0], encoded("adamw")
    steps = round(0.3 * proxy.steps)
    train_rates(proxy, rule, OPTIMIZER, RATES, 0, 1)
    mine = best_of(seconds / 2, lambda seed: train_rates(proxy, rule, OPTIMIZER, RATES, seed, steps))
    rows = [
        ["evosearch", f"{mine:.2f}", ""],
        ["torch eager", f"{(slow := torch_ms(proxy, steps, seconds / 2)):.1f}", f"{slow / mine:.0f}x"],
    ]
    show(f"Rung 0: {proxy.name}, {steps} steps, 3 rates, ms on one thread", ("", "ms", ""), rows)


def torch_ms(proxy: Proxy, steps: int, seconds: float) -> float:
    """The same number of AdamW steps in torch, without validation."""
    torch = pytest.importorskip("torch", reason="compares with torch")
    torch.set_num_threads(1)
    bench = prepare(proxy)
    x, y = torch.from_numpy(bench.x), torch.from_numpy(bench.y).long()

    def work(seed: int) -> None:
        torch.manual_seed(seed)
        for lr in RATES:
            model = torch.nn.Sequential(
                torch.nn.Linear(64, proxy.sizes[0]), torch.nn.ReLU(), torch.nn.Linear(proxy.sizes[0], 10)
            )
            optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
            for _ in range(steps):
                rows = torch.randint(len(x), (proxy.batch,))
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
                optimizer.step()

    return best_of(seconds, work)
