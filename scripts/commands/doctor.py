"""`bilad doctor`: what is installed, what is missing or broken, and how to get it.

Nothing of this package is imported at the top but `installation`, so that the command works
whatever is broken.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bilad.scripts.installation import BROKEN, OK, Finding, findings

COLOURS = {OK: "green", BROKEN: "red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show versions and solvers, solve small problems, and say what is missing or broken."""
    console, found = Console(), []
    with Console(stderr=True).status("The first solves after installation compile for a minute."):
        found = list(findings())
    faults = [one for one in found if one.is_fault]
    if as_json:
        print(json.dumps({"findings": [asdict(one) for one in found]}, indent=2))
    else:
        _show(found, console)
    for one in faults:
        mend = f"; {one.remedy}" if one.remedy else ""
        typer.echo(f"error {one.part} {one.name}: {one.found}, {one.state}{mend}", err=True)
    raise typer.Exit(1 if faults else 0)


def _show(found: list[Finding], console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    for one in found:
        about = one.found + (f" (allowed {one.expected})" if one.expected else "")
        remedy = f"; {one.remedy}" if one.state != OK and one.remedy else ""
        colour = COLOURS.get(one.state, "yellow")
        table.add_row(one.part, one.name, f"[{colour}]{one.state}[/]", escape(about + remedy))
    console.print(table, highlight=False)
