"""Every pool gives the same results: in process, through a zygote, by spawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from evosearch.errors import WorkerError
from evosearch.evaluation.local_pool import LocalPool
from evosearch.evaluation.pool import InProcessPool, Pool, PoolResult

MAKERS: dict[str, Callable[..., Pool]] = {
    "in process": InProcessPool,
    "one worker": lambda **options: LocalPool(1, **options),
    "two workers": lambda **options: LocalPool(2, **options),
    "spawn": lambda **options: LocalPool(1, start_method="spawn", **options),
}
MAX_SECONDS = 30.0


@pytest.fixture(scope="module", params=MAKERS, ids=lambda name: name.replace(" ", "-"))
def make(request: pytest.FixtureRequest) -> Callable[..., Pool]:
    return MAKERS[request.param]


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return []


@pytest.fixture(scope="module")
def pool(make: Callable[..., Pool], lines: list[str]) -> Iterator[Pool]:
    lines.clear()
    with make(warm="pool_jobs:warm", warm_payload={"degree": 7}, progress=lines.append) as pool:
        yield pool


def collect(pool: Pool) -> dict[int, PoolResult]:
    found = {}
    while (result := pool.next(MAX_SECONDS)) is not None:
        assert result.job_id not in found
        found[result.job_id] = result
    return found


def run(pool: Pool, function: str, **payload: Any) -> PoolResult:
    pool.submit(0, f"pool_jobs:{function}", payload)
    result = pool.next(MAX_SECONDS)
    assert result is not None
    assert result.job_id == 0
    return result


def test_each_job_answers_once_whatever_the_order(pool: Pool) -> None:
    for number in range(40):
        pool.submit(number, "pool_jobs:square", {"x": number})
    results = collect(pool)
    assert {number: result.value for number, result in results.items()} == {n: n * n for n in range(40)}
    assert all(result.status == "ok" and result.seconds >= 0 and result.waited >= 0 for result in results.values())


def test_nothing_to_wait_for(pool: Pool) -> None:
    assert pool.next(None) is None


def test_seconds_are_those_of_the_function(pool: Pool) -> None:
    assert run(pool, "nap", seconds=0.05).seconds >= 0.05


def test_big_arrays_go_both_ways(pool: Pool) -> None:
    arrays = {n: np.random.default_rng(n).standard_normal(1_000_000) for n in range(5)}
    for number, array in arrays.items():  # the third and later wait while the workers neither read nor are read
        pool.submit(number, "pool_jobs:square", {"x": array})
    results = collect(pool)
    assert all(np.array_equal(results[n].value, array * array) for n, array in arrays.items())


def test_an_error_arrives_as_text(pool: Pool) -> None:
    result = run(pool, "raise_error", text="no good")
    assert (result.status, result.value) == ("error", None)
    assert result.error is not None
    assert "ValueError: no good" in result.error
    assert "pool_jobs.py" in result.error


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("unpicklable", "lambda"),
        ("poisoned", "cannot be read"),
        ("leave", "the job leaves"),
        ("no_such_job", "no_such_job"),
        ("square", "argument"),
    ],
)
def test_what_cannot_work_is_an_error_and_the_pool_goes_on(pool: Pool, function: str, words: str) -> None:
    result = run(pool, function)
    assert result.status == "error"
    assert words in (result.error or "")
    assert run(pool, "square", x=3).value == 9


def test_a_reference_without_a_colon(pool: Pool) -> None:
    pool.submit(1, "pool_jobs.square", {"x": 1})
    result = pool.next(MAX_SECONDS)
    assert result is not None
    assert "write it as module:name" in (result.error or "")


def test_an_unpicklable_payload_is_refused(pool: Pool) -> None:
    with pytest.raises(WorkerError, match="job 5: the payload of pool_jobs:square cannot be sent"):
        pool.submit(5, "pool_jobs:square", {"x": lambda: None})
    assert pool.next(MAX_SECONDS) is None


def test_a_job_cannot_change_its_caller(pool: Pool) -> None:
    values = np.ones(4)
    assert run(pool, "spoil", values=values).value == -4.0
    assert values.sum() == 4.0


def test_warm_runs_before_the_jobs(pool: Pool, lines: list[str]) -> None:
    degrees, _torch = run(pool, "warmth").value
    assert degrees[-1] == 7
    assert lines == ["compiling"]
    assert pool.warm_seconds > 0


def test_a_failing_warm_function_says_why(make: Callable[..., Pool]) -> None:
    with pytest.raises((WorkerError, ValueError), match="no such kernel"):
        make(warm="pool_jobs:warm_badly")


def test_a_closed_pool_refuses(make: Callable[..., Pool]) -> None:
    with make() as pool:
        pool.submit(1, "pool_jobs:square", {"x": 1})
    pool.close()
    with pytest.raises(WorkerError, match="closed"):
        pool.submit(2, "pool_jobs:square", {"x": 2})
    with pytest.raises(WorkerError, match="closed"):
        pool.next(0.0)
