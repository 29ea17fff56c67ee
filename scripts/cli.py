"""The command line, `bilad`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bilad.models.validation import one_of
from bilad.scripts.command import command
from bilad.scripts.compare import compare as run_compare
from bilad.scripts.compare import starts as run_starts
from bilad.scripts.experiments.commands import report, sweep
from bilad.scripts.reproduce.reproduce import PARTS
from bilad.scripts.reproduce.reproduce import reproduce as run_reproduce
from bilad.scripts.settings import SETTINGS
from bilad.scripts.verify import verify as run_verify
from bilad.solvers.clustering import LOWER_METHODS
from bilad.solvers.upper import UPPER_METHODS
from bilad.solvers.upper.closing import CLOSINGS

ALL = "all"  # the parts of a reproduction
TABLE_WIDTH = 160  # characters that the tables need; a narrower terminal wraps them

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Bilevel attacks on learning models. Every answer is recomputed from an accurate "
    "lower-level solution, and its cluster assignment is certified.",
)


@app.command()
@command
def compare(
    setting: Annotated[str, typer.Argument(help=f"One of: {', '.join(SETTINGS)}.")],
    methods: Annotated[
        str | None,
        typer.Option(help="Methods, comma-separated; by default all that support the setting."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Output folder; the files go to a subfolder.")] = Path(
        "results"
    ),
    lower: Annotated[
        str, typer.Option(help=f"Lower-level method: auto, {', '.join(LOWER_METHODS)}.")
    ] = "auto",
    closing: Annotated[
        str, typer.Option(help=f"Search after each method has ended: {', '.join(CLOSINGS)}.")
    ] = "none",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")] = 0,
    time_limit: Annotated[
        float | None, typer.Option(help="Time limit of each attack in seconds.")
    ] = None,
) -> None:
    """Attack one setting by several methods, and print the results side by side."""
    chosen = SETTINGS[one_of(setting, "setting", SETTINGS)]
    names = list(UPPER_METHODS.usable()) if methods is None else _named(methods)
    limits = {} if time_limit is None else {"seconds": time_limit}
    conditions = {"closing": closing, "seeds": [seed], "limits": limits}
    run_compare(chosen, names, out / setting, _console(), lower, **conditions)


@app.command()
@command
def starts(
    setting: Annotated[str, typer.Argument(help=f"One of: {', '.join(SETTINGS)}.")],
    out: Annotated[Path, typer.Option(help="As of `compare`.")] = Path("results"),
) -> None:
    """Compare reformulations from five starts with direct search by SSNAL."""
    run_starts(SETTINGS[one_of(setting, "setting", SETTINGS)], out / setting, _console())


@app.command()
@command
def verify(
    problems: Annotated[int, typer.Option(min=1, help="Number of random problems.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")] = 0,
) -> None:
    """Compare SSNAL and the exact method with Clarabel on random problems."""
    agreed = run_verify(problems, seed, _console())
    raise typer.Exit(0 if agreed else 1)


@app.command()
@command
def reproduce(
    parts: Annotated[list[str], typer.Argument(help=f"{ALL}, or some of: {', '.join(PARTS)}.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Use small sizes, which take two minutes.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")] = 0,
    out: Annotated[
        Path, typer.Option(help="Output folder for rows, pictures and the report.")
    ] = Path("results/reproduce"),
) -> None:
    """Reproduce the paper part by part, with extensions, in one folder and one HTML report."""
    asked = {one_of(name, "parts", [ALL, *PARTS]) for name in parts}
    page = run_reproduce(
        [part for name, part in PARTS.items() if asked & {ALL, name}],
        out,
        _console(),
        seed=seed,
        quick=quick,
    )
    typer.echo(f"Written: {page}, and a folder for each part")


app.command()(sweep)
app.command()(report)


def _named(methods: str) -> list[str]:
    return [one_of(name.strip(), "methods", UPPER_METHODS) for name in methods.split(",")]


def _console() -> Console:
    return Console(width=max(TABLE_WIDTH, Console().width))


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
