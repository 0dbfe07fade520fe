"""Exported files check themselves, without evosearch, and notice when they are wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from export_samples import EXP2_PROGRAM, RATIO, RATIO_PROGRAM, info

from evosearch.errors import ExportError
from evosearch.evaluation.target import ErrorMeasure, Target
from evosearch.export import ExportInfo, VerifyReport, render, verify_export
from evosearch.export.info import bound
from evosearch.export.verify import C_FLAGS
from evosearch.language.program import Program
from evosearch.language.text import parse
from primitives.arithmetic import CORE


def check(
    folder: Path,
    language: str,
    *,
    program: Program = EXP2_PROGRAM,
    about: ExportInfo | None = None,
    replace: tuple[str, str] = ("", ""),
    without: Sequence[str] = (),
    compiler: str | None = None,
) -> VerifyReport:
    text = render(program, language, about or info())
    changed = text.replace(*replace, 1) if replace[0] else text
    assert (changed != text) == bool(replace[0])
    path = folder / f"exported_{language}.txt"
    path.write_text(changed)
    return verify_export(path, language, without=without, compiler=compiler)


def test_python_checks_itself_against_mpmath(tmp_path: Path) -> None:
    report = check(tmp_path, "python")
    assert report.passed, report.output
    assert "2003 points, mpmath; largest relative error 8.69" in report.output
    assert "bound 8.699000e-04 (certified): ok" in report.output


@pytest.mark.parametrize("without", [["mpmath"], ["numpy", "numba"], ["numpy", "mpmath"]])
def test_python_checks_itself_without_mpmath_and_without_numpy(tmp_path: Path, without: list[str]) -> None:
    report = check(tmp_path, "python", without=without)
    assert report.passed, report.output
    assert ("stored values" in report.output) == ("mpmath" in without)


@pytest.mark.parametrize("without", [[], ["mpmath"]])
def test_a_changed_coefficient_fails(tmp_path: Path, without: list[str]) -> None:
    report = check(tmp_path, "python", replace=("x - 3.407", "x - 3.408"), without=without)
    assert report.passed is False
    assert "FAILED" in report.output


def test_a_nan_fails(tmp_path: Path) -> None:
    report = check(tmp_path, "python", replace=("t2 = ", "t2 = 0.0 * math.inf * "))
    assert report.passed is False
    assert "error inf" in report.output


def test_the_blocker_blocks(tmp_path: Path) -> None:
    report = check(tmp_path, "python", replace=("import sys\n", "import sys\nimport evosearch\n"))
    assert report.passed is False
    assert "No module named 'evosearch'" in report.output


def test_numba_checks_itself(tmp_path: Path) -> None:
    report = check(tmp_path, "numba", program=RATIO_PROGRAM, about=info(RATIO, 1e-15))
    assert report.passed, report.output
    assert report.output.startswith("ratio: 20")
    assert check(tmp_path, "numba", replace=("x - 3.407", "x - 3.408")).passed is False


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_c_checks_itself(tmp_path: Path, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    report = check(tmp_path, "c", compiler=compiler)
    assert report.passed, report.output
    assert "largest relative error 8.6" in report.output
    wrong = check(tmp_path, "c", compiler=compiler, replace=("x - 3.407", "x - 3.408"))
    assert wrong.passed is False and "FAILED" in wrong.output
    warned = check(tmp_path, "c", compiler=compiler, replace=("return", "int unused = 1; return"))
    assert warned.passed is False and "unused" in warned.output


@pytest.mark.parametrize("command", [["gcc"], ["clang"], ["g++", "-xc++", "-std=c++11"]])
def test_the_c_header_alone_compiles_without_a_warning(tmp_path: Path, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    path = tmp_path / "exp2.c"
    path.write_text(render(EXP2_PROGRAM, "c", info()))
    flags = [flag for flag in C_FLAGS if "-std" not in flag or len(command) == 1]
    subprocess.run([*command, *flags, "-c", path, "-o", tmp_path / "exp2.o"], check=True)


def test_zero_divisors_are_harmless(tmp_path: Path) -> None:
    """x/(1+x) as 1/(1/x + 1): infinity stands between, and the value is right."""
    target = Target("ratio", "x/(1 + x)", lambda x, _: x / (1 + x), "0", "2", ErrorMeasure.ABSOLUTE)
    for language in ("python", "c"):
        report = check(tmp_path, language, program=RATIO_PROGRAM, about=info(target, 3e-16))
        assert report.passed, report.output


@pytest.mark.parametrize("language", ["python", "c"])
def test_a_weighted_error_is_checked_by_stored_values(tmp_path: Path, language: str) -> None:
    target = Target("exp2", "2^x", lambda x, m: m.power(2, x), "0", "1", ErrorMeasure.WEIGHTED, weight=lambda x, _: 2 - x)
    report = check(tmp_path, language, about=info(target, 2e-3))
    assert report.passed, report.output
    assert "stored values; largest weighted error 1.8" in report.output


def test_a_function_that_branches_is_checked_by_stored_values(tmp_path: Path) -> None:
    target = Target("mine:f", "f(x)", lambda x, m: m.power(2, x) if x >= 0 else m.mpf(1), "0", "1", ErrorMeasure.RELATIVE)
    report = check(tmp_path, "python", about=info(target))
    assert report.passed, report.output
    assert "f: 27 points, stored values;" in report.output


def test_without_a_certificate_the_bound_is_measured_and_called_sampled(tmp_path: Path) -> None:
    about = info(error_float64=None)
    limit = bound(EXP2_PROGRAM, about)
    assert not limit.certified and 8.697e-4 < limit.value < 8.9e-4
    report = check(tmp_path, "python", about=about)
    assert report.passed, report.output
    assert "(sampled): ok" in report.output


def test_a_program_without_a_finite_value_is_not_exported() -> None:
    program = parse("def f(x):\n    t = div(1.0, x)\n    return mul(t, x)", CORE)
    with pytest.raises(ExportError, match="no finite float64 value at x ="):
        bound(program, info(error_float64=None))


def test_a_file_without_a_check_of_its_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="proof"):
        verify_export(tmp_path / "x.sollya", "proof")


def test_c_without_a_compiler_is_neither_passed_nor_failed(tmp_path: Path) -> None:
    report = check(tmp_path, "c", compiler="no-such-compiler")
    assert report.passed is None and "no C compiler" in report.output


def test_another_argument_prints_the_usage(tmp_path: Path) -> None:
    path = tmp_path / "exp2.py"
    path.write_text(render(EXP2_PROGRAM, "python", info()))
    done = subprocess.run([sys.executable, path, "--verfy"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "--verify" in done.stderr
