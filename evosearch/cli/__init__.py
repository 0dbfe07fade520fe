"""The command line: a thin layer over `evosearch.api`. Heavy modules are imported inside the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from evosearch import __version__
from evosearch.cli.console import BAD_INPUT, DONE, INTERRUPTED
from evosearch.cli.running import resume, run
from evosearch.cli.showing import compare, inspect, list_, replay, show
from evosearch.cli.winners import assess, calibrate_proxy, export, simplify
from evosearch.errors import EvosearchError, nearest


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


for _command in (run, resume, list_, show, inspect, export, assess, simplify, replay, compare, calibrate_proxy):
    _cli.add_command(_command)
