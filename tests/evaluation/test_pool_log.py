"""Log records of workers reach the run's file or the parent's loggers, also past kills and floods."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any, Literal

import pytest

from evosearch.errors import ConfigError
from evosearch.evaluation.local_pool import LocalPool
from evosearch.evaluation.worker_log import Limits

METHODS: tuple[Literal["zygote", "spawn"], ...] = ("zygote", "spawn")
MAX_SECONDS = 30.0


def finish(pool: LocalPool) -> None:
    while pool.next(MAX_SECONDS) is not None:
        pass


@pytest.mark.parametrize("method", METHODS)
def test_two_workers_reach_the_file(method: Literal["zygote", "spawn"], tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with LocalPool(2, log_path=path, start_method=method, warm="pool_jobs:warm", warm_payload={"degree": 3}) as pool:
        for number in range(1, 5):
            pool.submit(number, "pool_jobs:talk", {"text": f"job {number}", "rest": 0.05})
        finish(pool)
        pool.close(kill=False)
    text = path.read_text()
    assert "warmed to 3" in text
    assert all(f"pool_jobs: job {number} 0" in text for number in range(1, 5))
    assert "worker-0" in text
    assert "worker-1" in text


@pytest.mark.parametrize("method", METHODS)
def test_without_a_file_the_parents_loggers_get_them(
    method: Literal["zygote", "spawn"], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with LocalPool(1, start_method=method) as pool:
        pool.submit(1, "pool_jobs:talk", {"text": "hello"})
        pool.submit(2, "pool_jobs:complain", {})
        finish(pool)
        pool.close(kill=False)
    messages = {record.getMessage(): record for record in caplog.records}
    assert messages["hello 0"].name == "pool_jobs"
    assert messages["hello 0"].processName == "worker-0"
    assert any("went wrong" in message and "KeyError: 'x'" in message for message in messages)
    assert any("a strange number" in message for message in messages)


def test_kills_do_not_silence_the_others(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with LocalPool(2, log_path=path) as pool:
        pool.submit(0, "pool_jobs:surroundings", {})
        zygote = next_value(pool)["parent"]
        for number in range(30):
            pool.submit(number, "pool_jobs:die_talking", {"text": f"kill {number}", "rest": 0.05 * (number < 2)})
        for number in range(30, 40):
            pool.submit(number, "pool_jobs:talk", {"text": f"after {number}"})
        finish(pool)
        deadline = time.monotonic() + 5.0
        while threads_of(zygote) > 3:  # its own and two receivers
            assert time.monotonic() < deadline, "dead workers leave their log receivers behind"
            time.sleep(0.05)
        pool.close(kill=False)
    text = path.read_text()
    assert all(f"after {number} 0" in text for number in range(30, 40))
    assert "kill 0 0" in text


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def next_value(pool: LocalPool) -> Any:
    result = pool.next(MAX_SECONDS)
    assert result is not None
    assert result.error is None
    return result.value


def test_a_flood_is_cut_before_it_leaves(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with LocalPool(1, log_path=path) as pool:
        pool.submit(1, "pool_jobs:talk", {"text": "x" * 10_000, "times": 5_000})
        finish(pool)
        pool.close(kill=False)
    assert 100 <= path.read_text().count("more characters)\n") + path.read_text().count("a second)\n") < 1_000


def record_of(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("name", logging.INFO, __file__, 1, message, args, None)


def test_limits_count_what_they_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("evosearch.evaluation.worker_log.time.monotonic", lambda: now[0])
    limits = Limits(characters=5, per_second=2)
    assert [limits.filter(record_of("a")) for _ in range(6)] == [True, True, False, False, False, False]
    now[0] = 1.0
    record = record_of("%s", "1234567")
    assert limits.filter(record)
    assert record.getMessage() == "12345... (2 more characters) (4 records before this one were dropped: over 2 a second)"


def test_a_message_that_does_not_fit_its_arguments_passes() -> None:
    record = record_of("%d", "text")
    assert Limits().filter(record)
    assert "'%d'" in record.getMessage()


def test_a_log_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        LocalPool(1, log_path=tmp_path / "no folder" / "log")
