"""The Sollya script: it verifies what is true, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest

from evosearch.errors import ExportError
from evosearch.evaluation.certify import certify_real
from evosearch.evaluation.target import ErrorMeasure, Target
from evosearch.export.proof import proof_script
from evosearch.language.program import Const, Program
from evosearch.language.text import parse
from primitives.arithmetic import CORE

EXP2 = Target("exp2", "2^x", lambda x, m: m.power(2, x), "0", "1", ErrorMeasure.RELATIVE, sollya="2^x")
ABSOLUTE = replace(EXP2, error=ErrorMeasure.ABSOLUTE)
SIN = Target("sin", "sin(x)", lambda x, m: m.sin(x), "-pi/4", "pi/4", ErrorMeasure.RELATIVE, sollya="sin(x)")


def lines(*calls: str) -> Program:
    *body, last = calls
    text = "".join(f"    t{k} = {call}\n" for k, call in enumerate(body))
    return parse(f"def f(x):\n{text}    return {last}\n", CORE)


FRACTION = lines("sub(3.407083236107348, x)", "div(8.222469986818198, t0)", "sub(t1, 1.4142130305546162)")
CUBIC = lines("mul(x, 0.0790201)", "add(t0, 0.224126)", "mul(x, t1)", "add(t2, 0.69683837)", "mul(x, t3)", "add(t4, 0.99992)")
ODD = lines("mul(x, x)", "mul(t0, -0.16)", "add(t1, 0.9999)", "mul(t2, x)")
REMOVABLE = lines("div(1.5, x)", "add(t0, 0.3)", "div(0.7, t1)", "add(t2, 1.0)")
LADDER = lines("add(x, 4.5)", "div(20.25, t0)", "sub(4.6, t1)", "square(t2)", "neg(t3)", "fma(t2, t4, t2)", "reciprocal(t5)")

needs_sollya = pytest.mark.skipif(shutil.which("sollya") is None, reason="sollya is not installed (Debian package sollya)")


def run(script: str, folder) -> tuple[int, str]:
    path = folder / "proof.sollya"
    path.write_text(script)
    done = subprocess.run(["sollya", str(path)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=100)
    return done.returncode, done.stdout


@needs_sollya
@pytest.mark.parametrize(
    ("candidate", "target"),
    [(FRACTION, EXP2), (FRACTION, ABSOLUTE), (CUBIC, EXP2), (CUBIC, ABSOLUTE), (ODD, SIN), (REMOVABLE, EXP2), (LADDER, EXP2)],
)
def test_certified_bounds_are_verified_and_smaller_ones_are_not(candidate, target, tmp_path):
    bound = certify_real(candidate, target).error_real
    code, output = run(proof_script(candidate, target, bound), tmp_path)
    assert (code, output.splitlines()[-1]) == (0, "VERIFIED"), output
    code, output = run(proof_script(candidate, target, bound * 0.97), tmp_path)
    assert (code, output.splitlines()[-1]) == (3, "NOT VERIFIED"), output


@needs_sollya
@pytest.mark.parametrize("candidate", [FRACTION, CUBIC])
def test_a_changed_coefficient_is_not_verified(candidate, tmp_path):
    bound = certify_real(candidate, EXP2).error_real
    first, *rest = candidate.constants
    changed = candidate.with_constants((Const(first.hi * (1 + 1e-2)), *rest))
    assert run(proof_script(changed, EXP2, bound), tmp_path)[0] == 3
    # P and Q of one program, the steps of another
    own, other = proof_script(candidate, EXP2, bound), proof_script(changed, EXP2, bound)
    start, end = own.index("procedure gap"), own.index("ok = true")
    mixed = own[:start] + other[other.index("procedure gap") : other.index("ok = true")] + own[end:]
    code, output = run(mixed, tmp_path)
    assert code == 3
    assert "P/Q is not the program" in output


@pytest.mark.parametrize(
    ("candidate", "target", "bound", "message"),
    [
        (FRACTION, replace(EXP2, sollya=None, name="gamma"), 1.0, "Sollya has no function 'gamma'"),
        (FRACTION, replace(EXP2, error=ErrorMeasure.WEIGHTED, weight=lambda x, m: m.exp(x)), 1.0, "weighted"),
        (FRACTION, EXP2, float("inf"), "positive and finite"),
        (lines("sqrt(x)"), EXP2, 1.0, "not a rational function"),
        (lines("add(x, 1.0)", *(f"mul(t{k}, t{k})" for k in range(7))), EXP2, 1.0, "degree above"),
    ],
)
def test_refusals_name_the_reason(candidate, target, bound, message):
    with pytest.raises(ExportError, match=message):
        proof_script(candidate, target, bound)
