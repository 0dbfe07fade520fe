"""Commands that go on with what was found: export, assess, simplify and calibrate-proxy."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evosearch.cli.console import CHECK_FAILED, DONE, INTERRUPTED, print_json, print_lines


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("id", type=int, required=False, metavar="[ID]")
@click.option("--cost", type=float, metavar="N", help="The best program of at most this cost.")
@click.option("--max-error", type=float, metavar="E", help="The cheapest program with at most this error.")
@click.option("--digits", type=int, metavar="N", help="Cut its constants to N decimal digits, and certify it anew.")
@click.option("--program", type=click.Path(path_type=Path), metavar="TXT", help="In the form in this file; see `simplify`.")
@click.option(
    "--to", required=True, metavar="TARGET",
    help="Functions: python, numba, torch, c or proof (a script for Sollya). Optimizers: torch, optax, numpy or python. "
    "Policies: torch.",
)  # fmt: skip
@click.option("--weights", type=click.Path(path_type=Path), metavar="SAFETENSORS", help="File for a policy's weights.")
@click.option("-o", "--output", default="-", metavar="FILE", help="The file; - for the standard output, the default.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def export(
    run: str,
    id: int | None,
    cost: float | None,
    max_error: float | None,
    digits: int | None,
    program: Path | None,
    to: str,
    weights: Path | None,
    output: str,
    force: bool,
) -> int:
    """Write a program as a file that stands alone.

    Without ID, --cost or --max-error it is the one with the front's best error; of optimizers, the winner of the run; of
    policies, the best one. A policy's file holds its genome, from which it makes its weights, or takes them from --weights.

    \b
    Examples:
      evosearch export exp2-1 --cost 8 --to c -o exp2.h
      evosearch export exp2-1 12 --to python -o exp2.py && python exp2.py --verify
      evosearch export exp2-1 --max-error 1e-6 --digits 8 --to numba -o exp2.py
      evosearch export exp2-1 12 --to proof -o proof.sollya
      evosearch export lion-1 --to torch -o lion1.py && python lion1.py --verify
      evosearch export cartpole-1 --to torch -o pole.py && python pole.py --play
    """
    from evosearch import api
    from evosearch.report.table import scientific
    from evosearch.search.config import read_start

    opened = api.open(run)
    chosen = found = opened.choose(id, cost=cost, max_error=max_error)
    if program is not None:
        chosen = found = opened.rewritten(found, read_start(program))
    if digits is not None:
        chosen = opened.shortened(found, digits)
    path = None if output == "-" else output
    text = opened.write(chosen, to=to, output=path, weights=weights, force=force)
    line = opened.view.line(chosen)
    if digits is not None:
        line += f" with constants of at most {digits} digits, {scientific(found.error)} before"
    if path is None:
        click.echo(text, nl=False)
        if digits is not None:
            click.echo(line, err=True)
    else:
        click.echo(f"{path}   {line}")
    return DONE


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--budget", metavar="B", help='Time, such as "5m": how thorough it can be. Default: 60m.')
@click.option("--level", metavar="L", help="A level of the test suite, such as full or coarse, in place of a budget.")
@click.option("--like", metavar="RUN", help="As thoroughly as this run, whose AdamW, Lion and SGD are not trained again.")
@click.option("--id", type=int, metavar="ID", help="Take this program for the winner. Default: the funnel chooses it.")
@click.option("--program", type=click.Path(path_type=Path), metavar="TXT", help="Take the program in this file.")
@click.option("--workers", type=click.IntRange(min=0), metavar="N", help="Processes; 0: none. Default: usable cores.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for other programs.")
def assess(
    run: str,
    budget: str | None,
    level: str | None,
    like: str | None,
    id: int | None,
    program: Path | None,
    workers: int | None,
    as_json: bool,
) -> int:
    """How good a run's update rule is, on test families that nobody selected on.

    The winner, AdamW, Lion and SGD get the same number of trials over learning rate, weight decay and two shape constants,
    and are compared on fresh seeds. Each training is kept when it is done: stop it with Ctrl-C and give the same command
    again to go on. The test families are opened for one program of a run, once.

    \b
    Examples:
      evosearch assess lion-1
      evosearch assess lion-1 --budget 5m
      evosearch assess lion-2 --like lion-1
    """
    from evosearch import api
    from evosearch.report.assessment import assessed
    from evosearch.report.progress import AssessmentDisplay
    from evosearch.search.config import read_start

    text = None if program is None else read_start(program)
    display = AssessmentDisplay(sys.stderr)
    result = api.assess(run, id=id, program=text, budget=budget, level=level, like=like, workers=workers, observer=display)
    if result is None:
        print(f"stopped by Ctrl-C; go on with: evosearch assess {run}", file=sys.stderr)
        return INTERRUPTED
    if as_json:
        print_json(result)
    else:
        print_lines(assessed(result))
    return DONE


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("id", type=int, metavar="ID")
@click.option("--margin", type=float, default=0.01, metavar="M", help="How much larger the loss may get. Default: 0.01, 1%.")
@click.option("--seeds", type=click.IntRange(min=1), default=32, metavar="N", help="Most seeds of each proxy. Default: 32.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="TXT", help="Default: RUN/simplified-ID.txt.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for other programs.")
def simplify(run: str, id: int, margin: float, seeds: int, output: Path | None, as_json: bool) -> int:
    """An update rule of a run without what it does not need, and what each of its statements is worth.

    Exact algebra, laws that hold nearly, statements left out, constants rounded: a step is taken where a paired test on the
    run's proxies shows that the rule is not worse than the original by more than the margin.

    \b
    Examples:
      evosearch simplify lion-1 12
      evosearch simplify lion-1 12 --margin 0.02 -o rule.txt && evosearch assess lion-1 --program rule.txt
    """
    from evosearch import api
    from evosearch.report.simplification import simplified, taken

    result = api.simplify(
        run, id, margin=margin, seeds=seeds, output=output, tell=lambda step: click.echo(taken(step), err=as_json)
    )
    if as_json:
        print_json(result)
    else:
        print_lines(simplified(result))
    return DONE


@click.command("calibrate-proxy")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--programs", type=click.IntRange(min=3), default=100, show_default=True, metavar="N", help="How many to draw.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Its folder. Default: ./runs/calibration.")
@click.option("--workers", type=click.IntRange(min=0), metavar="N", help="Processes; 0: none. Default: usable cores.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for other programs.")
def calibrate_proxy(runs: tuple[str, ...], programs: int, out: Path | None, workers: int | None, as_json: bool) -> int:
    """Whether fitness predicts: its rank correlation with validation, over programs of several runs' archives.

    The programs are all within 20% of AdamW on the proxies. Each training is kept when it is done: stop it with Ctrl-C and
    give the same command again to go on. Exit code 1 where the gate of 0.5 is not met.

    \b
    Example:
      evosearch calibrate-proxy lion-1 lion-2 lion-3 lion-4 lion-5
    """
    from evosearch import api
    from evosearch.report.calibration import calibrated
    from evosearch.report.progress import AssessmentDisplay

    result = api.calibrate_proxy(runs, programs=programs, out=out, workers=workers, observer=AssessmentDisplay(sys.stderr))
    if result is None:
        print("stopped by Ctrl-C; give the same command again to go on", file=sys.stderr)
        return INTERRUPTED
    if as_json:
        print_json(result)
    else:
        print_lines(calibrated(result))
    return CHECK_FAILED if result["met"] is False else DONE
