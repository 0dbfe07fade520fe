"""The command line, driven with a toy search: what it prints, its exit codes, and one clear line for bad input."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from toy_runs import workplace  # noqa: F401 - a fixture
from toy_search import ToySearch

from evosearch.cli import main
from evosearch.language.op import OpSet
from evosearch.search.store import SCHEMA

pytestmark = pytest.mark.usefixtures("workplace")
Captured = pytest.CaptureFixture[str]
RUN = ["run", "exp2", "--workers", "0", "--budget", "20"]


def run_quietly() -> None:
    assert main([*RUN, "--quiet"]) == 0


def test_a_run_prints_its_front_how_it_ended_and_what_to_type_next(capsys: Captured) -> None:
    assert main(RUN) == 0
    out = capsys.readouterr().out
    assert out.startswith("run exp2-1 in runs/exp2-1   2^x on [0, 1], relative error, + - * /   seed 1, 8 islands")
    assert re.search(r"^ *cost +error +classical +gain$", out, re.MULTILINE)
    assert re.search(r"stopped by its budget \(equivalent: --budget \d+\)", out)
    assert re.search(
        r"next: evosearch show exp2-1 · evosearch inspect exp2-1 \d+ · evosearch export exp2-1 --cost \d+ --to c -o exp2.h", out
    )


def test_runs_are_numbered_and_listed_with_the_run_files_that_ship(capsys: Captured) -> None:
    run_quietly()
    run_quietly()
    assert capsys.readouterr().out == ""
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^exp2-1 .*^exp2-2 ", out, re.MULTILINE | re.DOTALL)
    assert re.search(r"^ +erf +erf\(x\) on", out, re.MULTILINE)


def test_show_json_has_exactly_the_promised_keys(capsys: Captured) -> None:
    run_quietly()
    assert main(["show", "exp2", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == ["schema_version", "run", "task", "status", "evaluations", "seconds", "front"]
    assert shown["run"] == "exp2-1" and shown["status"] == "budget" and shown["evaluations"] >= 20
    assert all(
        list(member) == ["id", "cost", "error", "error_float64", "certified_error", "program"] for member in shown["front"]
    )
    costs, errors = ([member[key] for member in shown["front"]] for key in ("cost", "error"))
    assert costs == sorted(set(costs)) and errors == sorted(set(errors), reverse=True)


def test_run_json_prints_the_same_as_show_and_the_display_goes_to_stderr(capsys: Captured) -> None:
    assert main([*RUN, "--json"]) == 0
    ran = capsys.readouterr()
    assert "run exp2-1 in" in ran.err
    main(["show", "exp2-1", "--json"])
    assert capsys.readouterr().out == ran.out


def test_a_record_holds_what_makes_the_run_again(workplace: Path, capsys: Captured) -> None:  # noqa: F811
    assert main([*RUN, "--quiet", "--seed", "3", "--set", 'task.interval=["0","1/2"]']) == 0
    assert main(["show", "exp2-1", "--record", "--picture", "front.png"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["command"] == """evosearch run exp2 --set 'task.interval=["0", "1/2"]' --seed 3 --budget 20"""
    assert record["seed"] == 3 and "Python" in record["machine"] and record["classical"][0]["cost"] == 1
    assert (workplace / "front.png").exists()
    assert main([*shlex.split(record["command"])[1:], "--workers", "0", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["front"] == record["front"]


def test_show_says_sampled_where_there_is_no_certificate(capsys: Captured) -> None:
    run_quietly()
    main(["show", "exp2-1"])
    out = capsys.readouterr().out
    main(["show", "exp2-1", "--json"])
    front = json.loads(capsys.readouterr().out)["front"]
    for member in front:
        word = "sampled" if member["certified_error"] is None else "certified"
        assert re.search(rf"^ *{member['id']} +{member['cost']:g} +\S+ +{word} ", out, re.MULTILINE)
    assert any(member["certified_error"] is None for member in front)


def test_inspect_prints_the_program_and_draws_its_error_curve(workplace: Path, capsys: Captured) -> None:  # noqa: F811
    run_quietly()
    main(["show", "exp2-1", "--json"])
    best = json.loads(capsys.readouterr().out)["front"][-1]
    assert main(["inspect", "exp2-1", str(best["id"])]) == 0
    out = capsys.readouterr().out
    assert best["program"].strip() in out
    assert "f(x) = x + " in out
    assert "lineage, youngest first" in out and "by insert" in out
    assert (workplace / f"runs/exp2-1/program-{best['id']}.png").read_bytes().startswith(b"\x89PNG")


def test_export_writes_a_module_and_never_overwrites_without_force(workplace: Path, capsys: Captured) -> None:  # noqa: F811
    run_quietly()
    assert main(["export", "exp2-1", "--cost", "4", "--to", "python", "-o", "f.py"]) == 0
    text = (workplace / "f.py").read_text()
    assert "def exp2(x)" in text
    assert main(["export", "exp2-1", "--cost", "4", "--to", "python", "-o", "f.py"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["export", "exp2-1", "--to", "python", "-o", "f.py", "--force"]) == 0
    assert main(["export", "exp2-1", "--cost", "4", "--to", "python"]) == 0
    assert capsys.readouterr().out.endswith(text)


def test_a_finished_run_is_extended_by_a_larger_budget_only(capsys: Captured) -> None:
    run_quietly()
    for arguments in (["resume", "exp2-1"], ["resume", "exp2-1", "--budget", "10"]):
        assert main(arguments) == 2
        assert "give a larger one: evosearch resume exp2-1 --budget" in capsys.readouterr().err
    assert main(["resume", "exp2-1", "--budget", "40", "--workers", "0", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["evaluations"] >= 40


def test_a_goal_that_is_not_reached_gives_exit_code_3(capsys: Captured) -> None:
    assert main([*RUN, "--until", "error<1e-30"]) == 3
    assert "the goal 'error<1e-30' was not reached within the budget" in capsys.readouterr().err
    assert main([*RUN, "--until", "cost<=8, error<0.5"]) == 0
    assert "stopped by its goal" in capsys.readouterr().out


BAD_INPUT = {
    "unknown run file": (["run", "exp3"], "there is no run file 'exp3'. Did you mean 'exp2'?"),
    "no such file": (["run", "mine.toml"], "there is no run file 'mine.toml'"),
    "unknown function": ([*RUN, "--set", "task.function=exq2"], "unknown function 'exq2'. Did you mean 'exp2'?"),
    "unknown op": ([*RUN, "--set", 'only=["add", "mull"]'], "unknown op 'mull'. Did you mean 'mul'?"),
    "unknown key": ([*RUN, "--set", "search.seeds=3"], "unknown key 'search.seeds'. Did you mean 'seed'?"),
    "unknown top key": ([*RUN, "--set", "serach.seed=3"], "unknown key 'serach'. Did you mean 'search'?"),
    "unknown task key": ([*RUN, "--set", "task.intervall=3"], "unknown key 'task.intervall'. Did you mean 'interval'?"),
    "unknown algorithm": ([*RUN, "--algorithm", "parteo"], "unknown algorithm 'parteo'. Did you mean 'pareto'?"),
    "no assignment": ([*RUN, "--set", "search.seed"], "is not of the form key=value"),
    "broken value": ([*RUN, "--set", 'task.interval=["0"'], "the value is not valid TOML"),
    "budget": (["run", "exp2", "--budget", "soon"], "budget 'soon' is not an amount of work: use evaluations"),
    "budget of nothing": (["run", "exp2", "--budget", "0"], "budget '0' is not an amount of work"),
    "seed": (["run", "exp2", "--seed", "x"], "'x' is not a valid int"),
    "negative seed": ([*RUN, "--seed", "-1"], "search.seed must be a whole number from 0"),
    "seed in the file": ([*RUN, "--set", "search.seed=abc"], "search.seed must be a whole number, got 'abc'"),
    "goal": ([*RUN, "--until", "error=3"], "goal 'error=3' cannot be read"),
    "goal's field": ([*RUN, "--until", "eror<3"], "unknown field 'eror'. Did you mean 'error'?"),
    "relative at a zero": ([*RUN, "--set", "task.function=sin"], "is zero at x = 0"),
    "undefined": ([*RUN, "--set", "task.function=log", "--set", 'task.interval=["-1","1"]'], "log"),
    "user's module": ([*RUN, "--set", "task.function=nowhere:f"], "there is no module 'nowhere'; put nowhere.py into"),
    "reference": ([*RUN, "--set", "ops=primitives.arithmetic:FEILD"], "has no 'FEILD'. Did you mean 'FIELD'?"),
    "no program": ([*RUN, "--from", "start.txt"], "cannot read the program start.txt"),
    "out is a file": ([*RUN, "--out", "occupied/run"], "cannot write to occupied/run: Not a directory; give another folder"),
    "no such run": (["show", "exp9"], "there is no run 'exp9'"),
    "no such id": (["inspect", "exp2-1", "999"], "run exp2-1 has no program 999; its front: "),
    "id is no number": (["inspect", "exp2-1", "x"], "'x' is not a valid int"),
    "unknown target": (["export", "exp2-1", "--to", "pyton"], "unknown export target 'pyton'. Did you mean 'python'?"),
    "two choices": (
        ["export", "exp2-1", "1", "--cost", "4", "--to", "c"],
        "choose a program by one of ID, --cost and --max-error",
    ),
    "too cheap": (["export", "exp2-1", "--cost", "0", "--to", "c"], "no program of cost 0 or less; its cheapest costs"),
    "too exact": (
        ["export", "exp2-1", "--max-error", "1e-99", "--to", "c"],
        "no program with error 1e-99 or less; its best is",
    ),
    "export into nowhere": (["export", "exp2-1", "--to", "python", "-o", "no/f.py"], "cannot write no/f.py: No such file"),
    "unknown command": (["shwo"], "unknown command 'shwo'. Did you mean 'show'?"),
    "unknown option": (["show", "exp2-1", "--jsn"], "--jsn"),
    "missing argument": (["show"], "Missing argument 'RUN'"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_line_with_the_remedy(case: str, workplace: Path, capsys: Captured) -> None:  # noqa: F811
    run_quietly()
    (workplace / "occupied").write_text("kept")
    before = {path: path.stat().st_mtime_ns for path in workplace.rglob("*") if path.is_file() and path.suffix != ".lock"}
    arguments, message = BAD_INPUT[case]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert message in captured.err
    after = {path: path.stat().st_mtime_ns for path in workplace.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert after == before


def test_a_module_that_cannot_be_imported_is_named(workplace: Path, capsys: Captured) -> None:  # noqa: F811
    (workplace / "broken_task.py").write_text("1 / 0\n")
    assert main([*RUN, "--set", "task.function=broken_task:f"]) == 2
    assert "importing 'broken_task' raised ZeroDivisionError: division by zero" in capsys.readouterr().err
    assert not (workplace / "runs").exists()


def test_a_start_program_with_a_wrong_line_is_refused(workplace: Path, capsys: Captured) -> None:  # noqa: F811
    (workplace / "start.txt").write_text("def f(x):\n    t = ad(x, 1.0)\n    return t\n")
    assert main([*RUN, "--from", "start.txt"]) == 2
    assert "line 2: unknown op 'ad'. Did you mean 'add'?" in capsys.readouterr().err


def test_a_folder_with_a_run_is_not_written_to(workplace: Path, capsys: Captured) -> None:  # noqa: F811
    assert main([*RUN, "--quiet", "--out", "mine"]) == 0
    before = (workplace / "mine/run.sqlite").read_bytes()
    assert main([*RUN, "--out", "mine"]) == 2
    assert "mine already holds a run; give another --out, or go on with: evosearch resume mine" in capsys.readouterr().err
    assert (workplace / "mine/run.sqlite").read_bytes() == before
    assert main(["show", "mine"]) == 0


def test_damaged_and_newer_stores_are_named_and_kept(workplace: Path, capsys: Captured) -> None:  # noqa: F811
    file = workplace / "runs/exp2-1/run.sqlite"
    run_quietly()
    whole = file.read_bytes()

    def refused(message: str) -> None:
        content = file.read_bytes()
        for command in (["show", "exp2-1"], ["resume", "exp2-1", "--budget", "1h"], ["export", "exp2-1", "--to", "c"]):
            assert main(command) == 2
            error = capsys.readouterr().err
            assert message in error and error.count("\n") == 1
        assert file.read_bytes() == content

    for length in (0, 100, 4096, len(whole) // 2, len(whole) - 4096):
        file.write_bytes(whole[:length])
        refused("cut short")
    file.write_bytes(whole[:8192] + bytes(4096) + whole[12288:])
    refused("cut short")
    file.write_bytes(whole)
    with sqlite3.connect(file) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA + 1}")
    connection.close()
    schemas = f"(store schema {SCHEMA + 1}, this version reads {SCHEMA})"
    refused(f"was written by a newer evosearch {schemas}; upgrade: pip install -U evosearch")
    assert main(["list"]) == 0
    assert "cannot be opened" in capsys.readouterr().out


def test_an_ambiguous_prefix_names_the_candidates(capsys: Captured) -> None:
    run_quietly()
    run_quietly()
    assert main(["show", "exp2-"]) == 2
    assert "'exp2-' may be any of exp2-1, exp2-2; give more of the name" in capsys.readouterr().err


def test_a_failed_job_is_one_line_and_its_traceback_is_kept(
    workplace: Path,  # noqa: F811
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def make(_config: object, _task: object, ops: OpSet, _confirm: str) -> ToySearch:
        return ToySearch(ops, function="toy_search:fail")

    algorithms = SimpleNamespace(make_search=make)
    monkeypatch.setitem(sys.modules, "evosearch.search.algorithms", algorithms)  # type: ignore[arg-type]
    assert main([*RUN, "--quiet"]) == 2
    error = capsys.readouterr().err
    assert (
        "ValueError: no slice for" in error
        and "the traceback is in runs/exp2-1/workers.log" in error
        and error.count("\n") == 1
    )
    assert "Traceback" in (workplace / "runs/exp2-1/workers.log").read_text()


@pytest.mark.parametrize("command", ["run", "list", "show", "inspect", "export", "resume"])
def test_help_shows_an_example(command: str, capsys: Captured) -> None:
    assert main([command, "--help"]) == 0
    assert f"evosearch {command}" in capsys.readouterr().out.partition("Example")[2]


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from evosearch.cli import main; main(['--help']); print(*sys.modules)"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"numpy", "numba", "rich", "mpmath", "matplotlib", "flint", "sqlite3", "evosearch.api"}


SLOW_RUN = """
import sys, time, types
import toy_search
def slow(**payload):
    time.sleep(0.02)
    return toy_search.work(**payload)
toy_search.slow = slow
def make(config, task, ops, confirm):
    return toy_search.ToySearch(ops, seed=config.search.seed, slices=10**6, function="toy_search:slow")
sys.modules["evosearch.search.algorithms"] = types.SimpleNamespace(make_search=make)
from evosearch.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_keeps_all_and_says_how_to_resume(workplace: Path, capsys: Captured) -> None:  # noqa: F811
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here.parent}{os.pathsep}{here}"}
    command = [sys.executable, "-c", SLOW_RUN, "run", "exp2", "--workers", "0", "--budget", "1h"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (workplace / "runs/exp2-1/run.sqlite").exists() or not _slices(workplace / "runs/exp2-1/run.sqlite"):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        second = subprocess.run(
            [*command[:3], "resume", "exp2-1"], env=environment, capture_output=True, text=True, check=False
        )
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert second.returncode == 2 and "is being written by another evosearch" in second.stderr
    assert process.returncode == 130
    assert errors.strip() == "stopped by Ctrl-C; resume with: evosearch resume exp2-1"
    assert main(["show", "exp2-1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["status"] == "interrupted" and shown["front"]


def _slices(file: Path) -> int:
    connection = sqlite3.connect(file)
    try:
        return int(connection.execute("SELECT COUNT(*) FROM slices").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0
    finally:
        connection.close()
