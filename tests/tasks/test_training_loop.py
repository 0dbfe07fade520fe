"""Whole trainings: against torch, bit for bit repeatable, invalid where they must be, on data that no validation row joins."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_training_models import K, torch_logits

from evosearch.backends import reference
from evosearch.backends.array_vm import EncodedRule, encode_rule
from evosearch.errors import ConfigError
from evosearch.language.optimizer import read_rule
from primitives.optimizer import OPTIMIZER
from primitives.rules import RULES
from tasks.training import Outcome, Proxy, train, train_rates
from tasks.training.batches import BATCHES, IMAGES, ROWS, TEXT, Source
from tasks.training.proxy import factors, prepare, train_with
from tasks.training.task import PROXIES

QUICK = Proxy("quick", sizes=(16,), batch=16, steps=40, schedule="cosine", warmup=0.2)

DESCENT = """
def train(w, g, lr):
    update = mul(g, lr)
    return update
"""
LATE = """
def train(w, g, lr, step):
    a = sub(step, 21.0)
    b = reciprocal(a)
    c = mul(b, lr)
    update = mul(g, c)
    return update
"""
AWAY = """
def train(w, g, lr):
    a = abs(w)
    b = add(a, 1.0)
    c = mul(b, 1e39)
    update = mul(c, lr)
    return update
"""


def encoded(text: str) -> EncodedRule:
    return encode_rule(read_rule(RULES.get(text, text), OPTIMIZER), OPTIMIZER)


ADAMW = encoded("adamw")


def go(proxy: Proxy = QUICK, rule: EncodedRule = ADAMW, lr: float = 1e-2, seed: int = 1) -> Outcome:
    return train(proxy, rule, OPTIMIZER, lr, seed)


@pytest.mark.parametrize("proxy", PROXIES, ids=lambda proxy: proxy.name)
def test_adamw_learns_every_proxy_that_ships(proxy: Proxy) -> None:
    short = dataclasses.replace(proxy, steps=min(proxy.steps, 150))
    tried = [[go(short, lr=lr, seed=seed) for seed in (1, 2, 3)] for lr in (3e-3, 1e-2)]
    best = min(tried, key=lambda outcomes: sum(outcome.loss for outcome in outcomes))
    loss, accuracy, train_loss = np.mean([(one.loss, one.accuracy, one.train_loss) for one in best], axis=0)
    classes = prepare(proxy).shape.classes
    assert all(one.status == "ok" for one in best) and loss < 0.75 * np.log(classes) and accuracy > min(3.0 / classes, 0.9)
    assert 0.0 < train_loss < 1.3 * loss


def test_the_curve_of_adamw_is_that_of_torch() -> None:
    torch = pytest.importorskip("torch", reason="compares with torch.optim.AdamW")
    proxy = Proxy("curve", sizes=(24,), batch=32, steps=60, schedule="linear", warmup=0.1)
    bench, curve, theirs = prepare(proxy), [], []
    room, order, moves = bench.room(), K.split(bench.source, len(bench.x), 7), K.stream(7, BATCHES)
    w, tensors = K.initial(bench.shape, 7), len(bench.net.shapes)
    g, update, state = np.empty_like(w), np.empty_like(w), np.zeros((2, len(w)))
    arrays = (ADAMW.code, ADAMW.constants, ADAMW.outputs, ADAMW.depths, K.rule_registers(len(ADAMW.code), tensors))
    parts = [torch.tensor(part, requires_grad=True) for part in bench.split(w)]
    optimizer = torch.optim.AdamW(parts, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    for number, factor in enumerate(factors(proxy, proxy.steps)):
        lr = 1e-2 * factor
        K.draw(bench.source, bench.x, bench.y, order, number, False, moves, room.bx, room.by, proxy.batch)
        curve.append(K.gradient(bench.shape, room, w, g))
        assert K.apply_rule(*arrays, w, g, state, bench.shape.offsets, lr, number + 1.0, update)
        w -= update
        optimizer.param_groups[0]["lr"] = lr
        optimizer.zero_grad()
        logits = torch_logits(torch, proxy, [part.float() for part in parts], torch.tensor(room.bx))
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(room.by).long())
        loss.backward()
        optimizer.step()
        theirs.append(loss.item())
    np.testing.assert_allclose(curve, theirs, rtol=2e-5)
    assert go(proxy, seed=7).train_loss == pytest.approx(np.mean(curve[-6:]), rel=1e-12)
    assert curve[-1] < 0.5 * curve[0]


def test_a_step_by_the_reference_gives_the_same_bits() -> None:
    rule, state = read_rule(RULES["lamb"], OPTIMIZER), []

    def step(w: list[Any], g: list[Any], lr: float, number: int) -> list[Any]:
        before = state[-1] if state else [[np.zeros_like(part) for part in w] for _ in rule.outputs[1:]]
        update, after = reference.step(rule, w, g, before, lr, number)
        state.append(after)
        return update

    slow, fast = train_with(QUICK, step, OPTIMIZER, 1e-2, 3), go(rule=encoded("lamb"), seed=3)
    assert slow.status == "ok" and dataclasses.replace(slow, work=0) == dataclasses.replace(fast, work=0)


def test_outcomes_depend_on_the_arguments_alone() -> None:
    rates = [1e-3, 1e-2, 1e30, 3e-2]
    together = train_rates(QUICK, ADAMW, OPTIMIZER, rates, 1)
    alone = [go(lr=lr) for lr in rates]
    assert repr(together) == repr(tuple(alone))  # by text, since NaN is not NaN
    assert [outcome.status for outcome in together] == ["ok", "ok", "invalid", "ok"]
    assert go(seed=2).loss != go(seed=1).loss == together[1].loss


def test_a_training_that_fails_stops_and_counts_what_it_did() -> None:
    whole = go()
    early = go(lr=1e30)
    assert early.status == "invalid" and np.isnan(early.loss) and 0 < early.work < 0.2 * whole.work
    half, per_step = go(rule=encoded(LATE)), go(rule=encoded(DESCENT))
    assert half.status == "invalid" and per_step.status == "ok"
    assert 0.4 * per_step.work < half.work < 0.6 * whole.work


def test_weights_that_overflow_are_invalid_even_where_the_loss_would_not_show_it() -> None:
    assert go(rule=encoded(AWAY), lr=1.0).status == "invalid"  # finite in float64, not in the model's float32; ReLU hides it


def codes(n: int, kind: int, context: int, examples: int, batch: int, held: bool, seed: int) -> tuple[set[int], list[Any]]:
    """Which numbers batches draw from data whose rows are their own numbers."""
    x = np.arange(n, dtype=np.float32).reshape(-1, 1)
    y, source = x[:, 0].copy(), Source(kind, n // 5, examples, 0, context)
    bx, by = np.zeros((batch, max(1, context)), np.float32), np.zeros(batch, np.float32)
    order, state = K.split(source, n, seed), K.stream(seed, BATCHES)
    seen: set[int] = set()
    rows = []
    for step in range(examples // batch):
        K.draw(source, x, y, order, step, held, state, bx, by, batch)
        seen |= set(bx.ravel().astype(int).tolist()) | set(by.astype(int).tolist())
        rows.append((bx.copy(), by.copy()))
    return seen, rows


@pytest.mark.parametrize(("kind", "context"), [(ROWS, 0), (TEXT, 4)])
def test_no_validation_row_is_trained_on_and_the_split_is_drawn_by_seed(kind: int, context: int) -> None:
    validation = codes(500, kind, context, 80, 20, True, 1)[0]
    training, rows = codes(500, kind, context, 4000, 20, False, 1)
    assert not validation & training
    assert len(validation) > 70 and len(training) > 380
    assert validation != codes(500, kind, context, 80, 20, True, 2)[0]
    if kind == TEXT:  # windows are consecutive, and the label comes next
        x, y = rows[0]
        assert (np.diff(np.column_stack([x, y]), axis=1) % 500 == 1).all()
    else:  # each pass sees every training row once
        first = np.concatenate([y for _, y in rows[:20]])
        assert len(set(first)) == 400 and not np.array_equal(first, np.concatenate([y for _, y in rows[20:40]]))


MOVED = next(proxy for proxy in PROXIES if proxy.data == "moved-digits")


def moved(number: int, seed: int) -> NDArray[np.float32]:
    bench = prepare(MOVED)
    assert bench.source.kind == IMAGES
    out = np.zeros((1, 64), np.float32)
    K.move(bench.x, number, 8, K.stream(seed, BATCHES), out, 0)
    return out[0]


def test_moved_digits_are_new_at_each_draw_and_still_the_same_digit() -> None:
    x = prepare(MOVED).x
    assert not np.array_equal(moved(5, 1), moved(5, 2))
    likeness = [np.corrcoef(moved(number, number), x[number])[0, 1] for number in range(60)]
    assert 0.5 < np.mean(likeness) < 0.95
    mean = np.mean([moved(5, seed) for seed in range(400)], axis=0)
    assert np.corrcoef(mean, x[5])[0, 1] > 0.85


def test_data_of_few_examples_train_on_so_many_and_validate_on_the_rest() -> None:
    few, bench = 280, prepare(next(one for one in PROXIES if one.name == "digits-half"))
    order, moves = K.split(bench.source, len(bench.x), 3), K.stream(3, BATCHES)
    room, seen = bench.room(), set[bytes]()
    for number in range(3 * few // bench.batch):
        K.draw(bench.source, bench.x, bench.y, order, number, False, moves, room.bx, room.by, bench.batch)
        seen |= {row.tobytes() for row in room.bx}
    held = {bench.x[row].tobytes() for row in order[: bench.source.held]}
    assert 0.9 * few < len(seen) <= few and not seen & held and bench.source.held == len(bench.x) - few


def test_schedules_rise_and_fall() -> None:
    for schedule, middle in (("constant", 1.0), ("linear", 0.5), ("cosine", 0.5)):
        values = factors(Proxy("p", schedule=schedule, warmup=0.2), 100)  # type: ignore[arg-type]
        assert values[:20] == pytest.approx((np.arange(20) + 1) / 21) and values.max() == values[20] == 1.0
        assert values[60] == pytest.approx(middle) and values.min() > 0.0
    exact = 0.5 + 0.5 * np.cos(np.pi * np.arange(64) / 64)
    np.testing.assert_allclose(factors(Proxy("p", schedule="cosine"), 64), exact, atol=3e-16)


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"sizes": (0,)}, {"schedule": "cosin"}, {"warmup": 1.0}])
def test_a_proxy_that_makes_no_sense_says_what_is_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"proxy 'p': {next(iter(wrong))}"):
        Proxy("p", **wrong)
