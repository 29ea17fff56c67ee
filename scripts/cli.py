"""The command line, `bilad`: a list of commands, each in a file of `scripts/commands`."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Annotated

import typer

from bilad.scripts.command import USAGE, Program, command
from bilad.scripts.commands.attack import attack
from bilad.scripts.commands.bilevel import bilevel
from bilad.scripts.commands.certify import certify
from bilad.scripts.commands.cluster import cluster
from bilad.scripts.commands.compare import compare
from bilad.scripts.commands.doctor import doctor
from bilad.scripts.commands.methods import methods
from bilad.scripts.commands.path import path
from bilad.scripts.commands.report import report
from bilad.scripts.commands.reproduce import reproduce
from bilad.scripts.commands.sweep import sweep
from bilad.scripts.commands.verify import verify

COMMANDS = (
    cluster, path, attack, certify, verify, compare, bilevel, sweep, report, reproduce, methods,
    command(doctor),
)  # fmt: skip

app = typer.Typer(
    cls=Program,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Bilevel attacks on learning models. Every answer is recomputed from an accurate "
    "lower-level solution, and its cluster assignment is certified.",
)
for one in COMMANDS:
    app.command()(one)


@app.callback(invoke_without_command=True)
def bilad(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Print the version or the help, if there is no command."""
    if version:
        typer.echo(f"bilad {version_of('bilad')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)
        raise typer.Exit(USAGE)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
