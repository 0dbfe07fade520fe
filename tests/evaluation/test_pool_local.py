"""What only processes can do: crash, be killed, outlive nobody, leave the parent's files alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from evosearch.errors import WorkerError
from evosearch.evaluation.local_pool import LocalPool
from evosearch.evaluation.pool import PoolResult

MAX_SECONDS = 30.0
METHODS: tuple[Literal["zygote", "spawn"], ...] = ("zygote", "spawn")


@pytest.fixture(scope="module")
def pool() -> Iterator[LocalPool]:
    with LocalPool(2) as pool:
        yield pool


def collect(pool: LocalPool) -> dict[int, PoolResult]:
    found = {}
    while (result := pool.next(MAX_SECONDS)) is not None:
        found[result.job_id] = result
    return found


def wait_for(path: Path) -> int:
    """The process id that a job writes when it starts."""
    deadline = time.monotonic() + MAX_SECONDS
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, "the job did not start"
        time.sleep(0.01)
    return int(path.read_text())


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 5.0
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


@pytest.mark.parametrize("method", METHODS)
def test_a_crash_costs_its_own_job_only(method: Literal["zygote", "spawn"]) -> None:
    with LocalPool(1, start_method=method) as pool:
        for number in range(5):
            function, payload = ("die", {}) if number == 1 else ("square", {"x": number})
            pool.submit(number, f"pool_jobs:{function}", payload)
        results = collect(pool)
    assert [results[n].status for n in range(5)] == ["ok", "crashed", "ok", "ok", "ok"]
    assert "SIGKILL" in (results[1].error or "")
    assert "pool_jobs:die (job 1)" in (results[1].error or "")
    assert results[4].value == 16


def test_a_native_fault_is_named(pool: LocalPool) -> None:
    pool.submit(1, "pool_jobs:die", {"number": signal.SIGSEGV})
    assert "SIGSEGV" in (collect(pool)[1].error or "")


def test_workers_killed_while_idle_are_replaced(pool: LocalPool) -> None:
    pool.submit(1, "pool_jobs:surroundings", {})
    os.kill(collect(pool)[1].value["pid"], signal.SIGKILL)
    time.sleep(0.05)
    for number in range(8):
        pool.submit(number, "pool_jobs:nap", {"seconds": 0.01})
    assert sum(result.status == "ok" for result in collect(pool).values()) >= 7


def test_jobs_run_side_by_side(pool: LocalPool) -> None:
    for number in range(4):
        pool.submit(number, "pool_jobs:nap", {"seconds": 0.1})
    pool.submit(4, "pool_jobs:surroundings", {})
    assert pool.next(0.0) is None
    assert len(collect(pool)) == 5


def test_surroundings_of_a_worker(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        with LocalPool(1) as fresh:
            fresh.submit(1, "pool_jobs:surroundings", {})
            fresh.submit(2, "pool_jobs:warmth", {})
            results = collect(fresh)
    around = results[1].value
    assert around["threads"] == "1"
    assert around["parent"] != os.getpid(), "never forked from the parent"
    assert str(tmp_path / "lock") not in around["files"]
    assert not results[2].value[1], "no torch"


def test_workers_ignore_interrupts(pool: LocalPool) -> None:
    pool.submit(1, "pool_jobs:interrupt_me", {})
    assert collect(pool)[1].value == "alive"


def test_modules_of_the_parents_path_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "users_own.py").write_text("VALUE = 'mine'\n")
    (tmp_path / "pickle.py").write_text("raise RuntimeError('a stranger in the current folder')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    with LocalPool(1) as pool:
        pool.submit(1, "pool_jobs:where", {"module": "users_own"})
        assert collect(pool)[1].value == "mine"


@pytest.mark.parametrize("method", METHODS)
def test_what_jobs_print_keeps_out_of_the_output(method: Literal["zygote", "spawn"], capfd: pytest.CaptureFixture[str]) -> None:
    with LocalPool(1, start_method=method) as pool:
        pool.submit(1, "pool_jobs:shout", {})
        collect(pool)
    assert capfd.readouterr() == ("", "from a job\n")


@pytest.mark.parametrize("method", METHODS)
def test_close_ends_a_long_native_call(method: Literal["zygote", "spawn"], tmp_path: Path) -> None:
    pool = LocalPool(1, start_method=method)
    pool.submit(1, "pool_jobs:grind", {"started": str(tmp_path / "started")})
    pid = wait_for(tmp_path / "started")
    pool.close()
    assert not alive(pid)


def test_a_patient_close_ends_the_jobs_first(tmp_path: Path) -> None:
    pool = LocalPool(2, log_path=tmp_path / "log")
    for number in range(2):
        pool.submit(number, "pool_jobs:nap", {"seconds": 0.05})
    for number in range(2):
        pool.submit(2 + number, "pool_jobs:talk", {"text": "last words"})
    pool.close(kill=False)
    assert (tmp_path / "log").read_text().count("last words") == 2


def test_a_dead_zygote_is_an_error_and_not_a_hang() -> None:
    with LocalPool(1) as pool:
        pool.submit(1, "pool_jobs:surroundings", {})
        around = collect(pool)[1].value
        pool.submit(2, "pool_jobs:nap", {"seconds": 60.0})
        os.kill(around["parent"], signal.SIGKILL)
        with pytest.raises(WorkerError, match=r"has died \(signal SIGKILL"):
            pool.next(MAX_SECONDS)
        assert ends(around["pid"])


PARENT = """
    import sys, threading
    sys.path.append({tests!r})
    from evosearch.evaluation.local_pool import LocalPool

    def go():
        pool = LocalPool(1)
        pool.submit(1, "pool_jobs:grind", {{"started": {started!r}}})
        try:
            pool.next(None)
        except KeyboardInterrupt:
            pool.close()
            sys.exit(130)

    def compile():
        try:
            LocalPool(1, warm="pool_jobs:warm_for_long", warm_payload={{"started": {started!r}}})
        except KeyboardInterrupt:
            sys.exit(130)

    {start}
"""


@pytest.mark.parametrize("start", ["go()", "threading.Thread(target=go).start()", "compile()"])
def test_workers_die_with_their_parent(tmp_path: Path, start: str) -> None:
    parent = start_parent(tmp_path, start)
    worker = wait_for(tmp_path / "started")
    parent.kill()
    parent.wait()
    assert ends(worker)


@pytest.mark.parametrize("start", ["go()", "compile()"])
def test_ctrl_c_in_the_terminal_is_the_parents_to_answer(tmp_path: Path, start: str) -> None:
    parent = start_parent(tmp_path, start)
    worker = wait_for(tmp_path / "started")
    os.killpg(parent.pid, signal.SIGINT)
    assert parent.wait(MAX_SECONDS) == 130
    assert ends(worker)


def start_parent(folder: Path, start: str) -> subprocess.Popen[bytes]:
    code = PARENT.format(tests=str(Path(__file__).parent), started=str(folder / "started"), start=start)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env=environment, start_new_session=True)
