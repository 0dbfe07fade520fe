"""Commands that show what runs found: list, show, inspect, replay and compare."""

from __future__ import annotations

from pathlib import Path

import click

from evosearch.cli.console import CHECK_FAILED, DONE, print_json, print_lines


@click.command("list")
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
        print_json({"schema_version": SHOW_SCHEMA, "runs": summaries, "run_files": shipped})
        return DONE
    print_lines(listing(runs, shipped))
    return DONE


@click.command()
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
        print_json(opened.record_json() if record else opened.show_json())
    else:
        from evosearch.report.show import shown

        print_lines(shown(opened))
    return DONE


@click.command()
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
    print_lines(opened.view.inspection(opened.load(stored), stored, opened.lineage(id), opened.classical()))
    click.echo(f"{opened.view.curve_name} in {opened.draw_curve(id, output)}")
    return DONE


@click.command()
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
        print_json(result)
    else:
        print_lines(replayed(result))
    return DONE if result["same_weights"] else CHECK_FAILED


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for other programs.")
def compare(runs: tuple[str, ...], as_json: bool) -> int:
    """Runs of one task side by side: what each spent, and the best that it found by the measures of its family.

    Runs of the same task that lie beside them and are left out are counted and named.

    \b
    Example:
      evosearch compare lion-1 lion-2 lion-3
    """
    from evosearch import api
    from evosearch.report.comparison import compared

    comparison = api.compare(runs)
    if as_json:
        print_json(comparison)
    else:
        print_lines(compared(comparison))
    return DONE
