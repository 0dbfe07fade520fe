"""The command line: a thin layer over `evosearch.api`. Heavy modules are imported inside the commands."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evosearch import __version__
from evosearch.errors import EvosearchError, nearest

if TYPE_CHECKING:
    from evosearch.api import Run

DONE, CHECK_FAILED, BAD_INPUT, GOAL_MISSED, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; what the user can mend is one line on stderr."""
    try:
        return _cli.main(args=arguments, prog_name="evosearch", standalone_mode=False) or DONE
    except click.ClickException as error:
        return _fail(error.format_message())
    except EvosearchError as error:
        return _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # `evosearch show ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _fail(message: str, code: int = BAD_INPUT) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code


class _Commands(click.Group):
    """A group that knows what was meant."""

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        command = super().get_command(ctx, name)
        if command is None:
            raise click.UsageError(f"unknown command '{name}'.{nearest(name, self.commands)}")
        return command

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - in the order of use
        return list(self.commands)


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="evosearch", message="%(prog)s %(version)s")
@click.pass_context
def _cli(context: click.Context) -> None:
    """Finds programs by evolution and proves how good they are.

    \b
    Examples:
      evosearch run exp2                      search for 60 s
      evosearch show exp2-1                   what was found, beside the textbook
      evosearch export exp2-1 --to c -o exp2.h
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


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


@_cli.command()
@click.argument("source", metavar="NAME|FILE")
@click.option("--seed", type=int, metavar="N", help="Of every random draw; the same seed finds the same programs.")
@_running
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's folder. Default: ./runs/NAME-N.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set a key of the run file; may be repeated.")
@click.option("--algorithm", metavar="A", help="Such as pareto or random, regularized, ga or novelty; a wrong one names all.")
@click.option("--from", "start", type=click.Path(path_type=Path), metavar="PROGRAM.txt", help="Start from this program.")
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


@_cli.command()
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


@_cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_(as_json: bool) -> int:
    """The runs here, and the run files that ship.

    \b
    Example:
      evosearch list
    """
    from evosearch import api
    from evosearch.record import SHOW_SCHEMA
    from evosearch.report.show import listing

    runs, shipped = api.list_runs(), api.shipped_tasks()
    if as_json:
        summaries = [run.summary() for run in runs if isinstance(run, api.Run)]
        _print_json({"schema_version": SHOW_SCHEMA, "runs": summaries, "run_files": shipped})
        return DONE
    _print_lines(listing(runs, shipped))
    return DONE


@_cli.command()
@click.argument("run", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for other programs.")
@click.option("--record", is_flag=True, help="As JSON with command, seed, machine and classical front: a run record.")
@click.option("--picture", type=click.Path(path_type=Path), metavar="PNG", help="Draw the front as a picture.")
@click.option("--beside", multiple=True, metavar="RUN", help="With --picture, of policies: another run of the task.")
def show(run: str, as_json: bool, record: bool, picture: Path | None, beside: tuple[str, ...]) -> int:
    """What a run found, beside the textbook.

    Each program is the best of its cost or less; beside it stands the best classical program of that cost.
    RUN is a folder, or a unique prefix of a run's name under ./runs/.

    \b
    Examples:
      evosearch show exp2-1
      evosearch show exp2-1 --json
      evosearch show exp2-1 --record > exp2.json
      evosearch show frostbite-1 --picture frostbite.png --beside frostbite-2
    """
    from evosearch import api

    opened = api.open(run)
    if beside and picture is None:
        raise click.UsageError("--beside is for a picture; give --picture PNG, too")
    if picture is not None:
        opened.draw_front(picture, [api.open(other) for other in beside])
    if as_json or record:
        _print_json(opened.record_json() if record else opened.show_json())
    else:
        from evosearch.report.show import shown

        _print_lines(shown(opened))
    return DONE


@_cli.command()
@click.argument("run", metavar="RUN")
@click.argument("id", type=int, metavar="ID")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PNG", help="Picture. Default: RUN/program-ID.png.")
def inspect(run: str, id: int, output: Path | None) -> int:
    """One program, and its error curve as a picture.

    Prints the program as text and as a formula, its coefficients in full, its errors and its lineage.

    \b
    Example:
      evosearch inspect exp2-1 12
    """
    from evosearch import api

    opened = api.open(run)
    stored = opened.program(id)
    _print_lines(opened.view.inspection(opened.load(stored), stored, opened.lineage(id), opened.classical()))
    click.echo(f"{opened.view.curve_name} in {opened.draw_curve(id, output)}")
    return DONE


@_cli.command()
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


@_cli.command()
@click.argument("run", metavar="RUN")
@click.option("--budget", metavar="B", help='Time, such as "5m": how thorough it can be. Default: 60m.')
@click.option("--level", metavar="L", help="A level of the test suite, such as full or coarse, in place of a budget.")
@click.option("--id", type=int, metavar="ID", help="Take this program for the winner. Default: the funnel chooses it.")
@click.option("--program", type=click.Path(path_type=Path), metavar="TXT", help="Take the program in this file.")
@click.option("--workers", type=click.IntRange(min=0), metavar="N", help="Processes; 0: none. Default: usable cores.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for other programs.")
def assess(
    run: str, budget: str | None, level: str | None, id: int | None, program: Path | None, workers: int | None, as_json: bool
) -> int:
    """How good a run's update rule is, on test families that nobody selected on.

    The winner, AdamW, Lion and SGD get the same number of trials over learning rate, weight decay and two shape constants,
    and are compared on fresh seeds. Each training is kept when it is done: stop it with Ctrl-C and give the same command
    again to go on. The test families are opened for one program of a run, once.

    \b
    Examples:
      evosearch assess lion-1
      evosearch assess lion-1 --budget 5m
    """
    from evosearch import api
    from evosearch.report.assessment import assessed
    from evosearch.report.progress import AssessmentDisplay
    from evosearch.search.config import read_start

    text = None if program is None else read_start(program)
    display = AssessmentDisplay(sys.stderr)
    result = api.assess(run, id=id, program=text, budget=budget, level=level, workers=workers, observer=display)
    if result is None:
        print(f"stopped by Ctrl-C; go on with: evosearch assess {run}", file=sys.stderr)
        return INTERRUPTED
    if as_json:
        _print_json(result)
    else:
        _print_lines(assessed(result))
    return DONE


@_cli.command()
@click.argument("run", metavar="RUN")
@click.argument("id", type=int, metavar="ID")
@click.option("--margin", type=float, default=0.03, metavar="M", help="How much larger the loss may get. Default: 0.03, 3%.")
@click.option("--seeds", type=click.IntRange(min=1), default=16, metavar="N", help="Most seeds of each proxy. Default: 16.")
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
        _print_json(result)
    else:
        _print_lines(simplified(result))
    return DONE


@_cli.command()
@click.argument("run", metavar="RUN")
@click.argument("id", type=int, metavar="ID")
@click.option("--genes", type=int, metavar="K", help="Its ancestor of K genes.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for other programs.")
def replay(run: str, id: int, genes: int | None, as_json: bool) -> int:
    """Rebuild a policy or an ancestor of it from its genome, and play its episodes again.

    Exit code 1 where the weights do not have the hash that the run kept.

    \b
    Examples:
      evosearch replay hard-maze-1 7
      evosearch replay hard-maze-1 7 --genes 12
    """
    from evosearch import api
    from evosearch.report.replay import replayed

    result = api.replay(run, id, genes=genes)
    if as_json:
        _print_json(result)
    else:
        _print_lines(replayed(result))
    return DONE if result["same_weights"] else CHECK_FAILED


@_cli.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for other programs.")
def compare(runs: tuple[str, ...], as_json: bool) -> int:
    """Runs of one task side by side: what each spent and found, by fitness, validation and test.

    Runs of the same task that lie beside them and are left out are counted and named.

    \b
    Example:
      evosearch compare lion-1 lion-2 lion-3
    """
    from evosearch import api
    from evosearch.report.assessment import compared

    comparison = api.compare(runs)
    if as_json:
        _print_json(comparison)
    else:
        _print_lines(compared(comparison))
    return DONE


@_cli.command("calibrate-proxy")
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
        _print_json(result)
    else:
        _print_lines(calibrated(result))
    return CHECK_FAILED if result["met"] is False else DONE


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
        _print_json(run.show_json())
    elif not quiet:
        from evosearch.report.show import ending

        _print_lines(ending(run))
    if run.status is Status.INTERRUPTED:
        print(f"stopped by Ctrl-C; resume with: evosearch resume {run.reference}", file=sys.stderr)
        return INTERRUPTED
    if run.config.search.goal() and run.status is not Status.GOAL:
        print(f"the goal '{run.config.search.until}' was not reached within the budget", file=sys.stderr)
        return GOAL_MISSED
    return DONE


def _print_lines(lines: list[str]) -> None:
    for line in lines:
        click.echo(line)


def _print_json(data: dict[str, Any]) -> None:
    click.echo(json.dumps(data, indent=2, allow_nan=False))
