"""A small run against its committed result: any change of the search, the fits, the polish or the proof shows here.

After a change that is meant, write the result anew and look at the difference before it is committed:

    EVOSEARCH_WRITE_GOLDEN=1 pytest tests/search/test_golden_run.py && git diff tests/golden/run_exp2.json
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import evosearch
from evosearch.language.program import Const, Program

GOLDEN = Path(__file__).parents[1] / "golden" / "run_exp2.json"
SETTINGS = {
    "algorithm": "pareto", "islands": 2, "max_cost": 6, "elites": 4, "members": 30, "tournament": 4, "elitism": 0.5,
    "continuation": 0.05, "copying": 0.05, "fuel": 1e7, "migration": 2, "patience": 5, "isolation": 2, "starts": 1,
}  # fmt: skip
"""All that has a default: the result follows no tuning of defaults."""


def structure(program: Program) -> str:
    """The rows of a program, constants as c."""
    rows = []
    for number, instruction in enumerate(program.instructions):
        operands = ["c" if isinstance(arg, Const) else "x" if arg == 0 else f"t{arg - 1}" for arg in instruction.args]
        rows.append(f"t{number} = {instruction.op.name}({', '.join(operands)})")
    return "; ".join(rows)


def result(out: Path) -> dict[str, Any]:
    overrides = [(f"search.{key}", value) for key, value in SETTINGS.items()]
    run = evosearch.run("exp2", seed=7, budget=40_000, overrides=overrides, out=out, workers=0)
    front = [
        {
            "cost": program.cost,
            "program": structure(run.load(program)),
            "error": f"{program.error:.5e}",
            "error_float64": f"{program.metrics['error_float64']:.5e}",
        }
        for program in run.front()
    ]
    return {"evaluations": run.evaluations, "work": int(run.totals["work"]), "front": front}


def test_the_run_gives_its_committed_result(tmp_path: Path) -> None:
    found = result(tmp_path / "run")
    if os.environ.get("EVOSEARCH_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))
