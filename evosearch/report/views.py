"""How runs of each family are shown: one row a family, so that nothing else need ask which one it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evosearch.report import functions, inspection, pictures, policies, rules, table
from evosearch.report.pictures import DrawnRun
from evosearch.report.table import Classical, Member
from evosearch.search.store import StoredProgram


@dataclass(frozen=True)
class View:
    """How runs of a family are shown.

    Attributes:
        counted: what an evaluation is, as in "3,412,000 programs fitted".
        worth: what the front is best in.
        axis: what the front's programs differ in otherwise.
        short: the worth of a program in a word.
        line: the same with what it is, in a line.
        live_table: of the front while a run goes on, beside the baseline.
        front_table: the same with ids and more columns.
        remarks: lines below the front, from the front, the run's counters and its seconds.
        inspection: of one program, from it, what is stored of it, its lineage and the baseline.
        json_row: of one program of the front.
        next_line: from the run's name, its run file's, the front, and the id of the program to take.
        curve: draws one program of a run (its id) to a file, and is called `curve_name`.
        front_picture: draws a run's front to a file, beside other runs of its task.
        compared: cells of a run in a comparison by their headings, from its row as plain data.
        record_counters: whether a run's record has the sums of its counters.
        extra_json: what `show --json` says of the whole run beside its front, from the front and the run's counters.
    """

    counted: str
    worth: str
    axis: str
    short: Callable[[Member], str]
    line: Callable[[StoredProgram], str]
    live_table: Callable[[Iterable[Member], Classical], list[str]]
    front_table: Callable[[Iterable[Any], Classical], list[str]]
    remarks: Callable[[Sequence[StoredProgram], Mapping[str, float], float], list[str]]
    inspection: Callable[[Any, StoredProgram, Sequence[StoredProgram], Classical], list[str]]
    json_row: Callable[[StoredProgram], dict[str, Any]]
    next_line: Callable[[str, str, Sequence[StoredProgram], int], str]
    curve: Callable[[DrawnRun, int, Path], None]
    curve_name: str
    front_picture: Callable[[DrawnRun, Path, Sequence[DrawnRun]], None]
    compared: Mapping[str, Callable[[Mapping[str, Any]], str]]
    record_counters: bool = False
    extra_json: Callable[[Sequence[StoredProgram], Mapping[str, float]], dict[str, Any]] = lambda _front, _counters: {}


VIEWS: Mapping[str, View] = {
    "function": View(
        counted="programs fitted",
        worth="error",
        axis="cost",
        short=functions.short,
        line=functions.line,
        live_table=table.live_table,
        front_table=table.front_table,
        remarks=functions.remarks,
        inspection=inspection.inspection,
        json_row=functions.json_row,
        next_line=functions.next_line,
        curve=pictures.function_curve,
        curve_name="error curve",
        front_picture=pictures.function_front,
        compared=functions.COMPARED,
    ),
    "rule": View(
        counted="rules trained",
        worth="fitness",
        axis="size",
        short=rules.short,
        line=rules.line,
        live_table=rules.live_table,
        front_table=rules.front_table,
        remarks=rules.remarks,
        inspection=rules.inspection,
        json_row=rules.json_row,
        next_line=rules.next_line,
        curve=pictures.rule_curve,
        curve_name="fitness of the record holders",
        front_picture=pictures.rule_front,
        compared=rules.COMPARED,
        record_counters=True,
    ),
    "policy": View(
        counted="policies played",
        worth="score",
        axis="genes",
        short=policies.short,
        line=policies.line,
        live_table=policies.live_table,
        front_table=policies.front_table,
        remarks=policies.remarks,
        inspection=policies.inspection,
        json_row=policies.json_row,
        next_line=policies.next_line,
        curve=pictures.policy_curve,
        curve_name="picture",
        front_picture=pictures.policy_front,
        compared=policies.COMPARED,
        record_counters=True,
        extra_json=policies.extra_json,
    ),
}
"""By the name of the family; see `evosearch.search.config.FAMILIES`."""
