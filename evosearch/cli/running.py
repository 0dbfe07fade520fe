"""Commands that search: run and resume."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evosearch.cli.console import DONE, GOAL_MISSED, INTERRUPTED, print_json, print_lines

if TYPE_CHECKING:
    from evosearch.api import Run


def _running(command: Callable[..., int]) -> Callable[..., int]:
    """The options that `run` and `resume` share."""
    for option in (
        click.option("--quiet", is_flag=True, help="Print nothing but errors."),
        click.option("--json", "as_json", is_flag=True, help="In the end print what `show --json` prints."),
        click.option("--workers", type=click.IntRange(min=0), metavar="N", help="Processes; 0: none. Default: usable cores."),
        click.option("--until", metavar="GOAL", help='Stop early at a goal, such as "cost<=8, error<1e-9".'),
        click.option("--budget", metavar="B", help='Evaluations ("20M") or time ("120s", "10m", "2h"), in total.'),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("source", metavar="NAME|FILE")
@click.option("--seed", type=int, metavar="N", help="Of every random draw; the same seed finds the same programs.")
@_running
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's folder. Default: ./runs/NAME-N.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set a key of the run file; may be repeated.")
@click.option("--algorithm", metavar="A", help="Such as pareto or random, regularized, ga or novelty; a wrong one names all.")
@click.option("--from", "start", type=click.Path(path_type=Path), metavar="PROGRAM.txt", help="Start from it, or a genome.")
def run(
    source: str,
    seed: int | None,
    budget: str | None,
    until: str | None,
    workers: int | None,
    out: Path | None,
    overrides: tuple[str, ...],
    algorithm: str | None,
    start: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Start a search, by a run file that ships or your own.

    The run files that ship: `evosearch list`. A copy of one is a good start for your own.

    \b
    Examples:
      evosearch run exp2 --budget 10m --seed 3
      evosearch run exp2 --set task.function=erf --set task.error=absolute
      evosearch run exp2 --until "cost<=8, error<1e-9" --budget 20M
    """
    from evosearch import api
    from evosearch.search.config import parse_override

    finished = api.run(
        source,
        seed=seed,
        budget=budget,
        until=until,
        algorithm=algorithm,
        overrides=[parse_override(text) for text in overrides],
        start=start,
        out=out,
        workers=workers,
        observer=_observer(as_json, quiet),
    )
    return _finish(finished, as_json, quiet)


@click.command()
@click.argument("run", metavar="RUN")
@_running
def resume(run: str, budget: str | None, until: str | None, workers: int | None, as_json: bool, quiet: bool) -> int:
    """Go on with a run, or extend it by a larger budget.

    RUN is a folder, or a unique prefix of a run's name under ./runs/. A run that was stopped and resumed finds what it
    would have found without the stop.

    \b
    Examples:
      evosearch resume exp2-1
      evosearch resume exp2-1 --budget 20m
    """
    from evosearch import api

    finished = api.resume(run, budget=budget, until=until, workers=workers, observer=_observer(as_json, quiet))
    return _finish(finished, as_json, quiet)


def _observer(as_json: bool, quiet: bool) -> Any:
    """The display: on stdout, or on stderr where stdout is for JSON."""
    if quiet:
        return None
    from evosearch.report.live import display_for

    return display_for(sys.stderr if as_json else sys.stdout)


def _finish(run: Run, as_json: bool, quiet: bool) -> int:
    """Say how the run ended and what to type next; return the exit code."""
    from evosearch.search.loop import Status

    if as_json:
        print_json(run.show_json())
    elif not quiet:
        from evosearch.report.show import ending

        print_lines(ending(run))
    if run.status is Status.INTERRUPTED:
        print(f"stopped by Ctrl-C; resume with: evosearch resume {run.reference}", file=sys.stderr)
        return INTERRUPTED
    if run.config.search.goal() and run.status is not Status.GOAL:
        print(f"the goal '{run.config.search.until}' was not reached within the budget", file=sys.stderr)
        return GOAL_MISSED
    return DONE
