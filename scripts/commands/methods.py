"""`bilad methods`: what the methods and their options are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from bilad.models.validation import one_of
from bilad.scripts.command import command
from bilad.scripts.display import console
from bilad.scripts.experiments.python_file import PythonFile
from bilad.scripts.method_catalogue import Method, catalogue
from bilad.scripts.output import as_json

TITLES = {
    "attack": "Methods of attack: (BL1) and (BL2) of a learning model",
    "cluster": "Methods of the lower level: convex clustering",
    "solve_bilevel": "Methods of solve_bilevel: models of Pyomo with followers",
}


@command
def methods(
    name: Annotated[
        str | None, typer.Argument(help="A method, which is described in full.")
    ] = None,
    plugins: Annotated[
        list[str] | None,
        typer.Option(help="Python file that registers methods; may be repeated."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the methods, or describe one: what it does, its options, and what it accepts."""
    for plugin in plugins or []:
        PythonFile.read(plugin, Path()).names()
    found = list(catalogue())
    if name is not None:
        one_of(name, "method", dict.fromkeys(one.name for one in found))
        found = [one for one in found if one.name == name]
    if json:
        listed = [one.headline() if name is None else one.to_dict() for one in found]
        typer.echo(as_json({"methods": listed}))
    elif name is None:
        _list(found, console())
    else:
        for one in found:
            _describe(one, console())


def _list(found: Sequence[Method], view: Console) -> None:
    for function, title in TITLES.items():
        table = Table(box=SIMPLE_HEAD, title=title, title_justify="left")
        for heading in ("method", "kind", "needs", "what it does"):
            table.add_column(heading, overflow="fold", no_wrap=heading == "method")
        for one in found:
            if one.function == function:
                bound = " It proves a bound." if one.proves_bound else ""
                cells = (one.name, one.kind, ", ".join(one.needs), one.summary + bound)
                table.add_row(*map(escape, cells))
        view.print(table)


def _describe(one: Method, view: Console) -> None:
    needs = f"; needs {', '.join(one.needs)}" if one.needs else ""
    bound = "; proves a bound" if one.proves_bound else ""
    about = f", a method of {one.function}: {one.kind}{needs}{bound}"
    view.print(f"[bold]{escape(one.name)}[/]{escape(about)}", highlight=False)
    for text in (one.summary, *one.description):
        _print(view, text)
    if one.options:
        view.print("\n[bold]Options[/]")
    for option in one.options:
        default = f", default {option.default}" if option.default else ""
        about = f" : {option.type}{default}"
        view.print(f"  [bold]{option.name}[/]{escape(about)}", highlight=False)
        _print(view, option.meaning, 6, 0)
    answers = one.answers()
    if answers:
        view.print("\n[bold]What it accepts, asked about small examples[/]")
    for answer, examples in answers.items():
        _print(view, f"{answer}: {'; '.join(examples)}.", 2, 0)
    if one.references:
        view.print("\n[bold]References[/]")
        _print(view, one.references, 2, 0)
    view.print()


def _print(view: Console, text: str, left: int = 0, above: int = 1) -> None:
    view.print("\n" * above, end="")
    view.print(Padding(escape(text), (0, 0, 0, left), expand=False), highlight=False)
