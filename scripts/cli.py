"""The command line: `bilad compare`, `bilad reproduce`, `bilad starts`, `bilad verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bilad.models.validation import one_of
from bilad.scripts.command import command
from bilad.scripts.compare import compare as run_compare
from bilad.scripts.compare import methods_for
from bilad.scripts.reproduce.reproduce import PARTS
from bilad.scripts.reproduce.reproduce import reproduce as run_reproduce
from bilad.scripts.settings import SETTINGS
from bilad.scripts.starts import starts as run_starts
from bilad.scripts.verify import verify as run_verify
from bilad.solvers.clustering import LOWER_METHODS
from bilad.solvers.upper import UPPER_METHODS
from bilad.solvers.upper.closing import CLOSINGS

ALL = "all"  # the parts of a reproduction
TABLE_WIDTH = 130  # columns that the tables need; a narrower terminal wraps them

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Attacks on convex clustering, each answer recomputed and its labels proved.",
)


@app.command()
@command
def compare(
    setting: Annotated[str, typer.Argument(help=f"One of: {', '.join(SETTINGS)}.")],
    methods: Annotated[
        str | None, typer.Option(help="Comma-separated; by default all that take the setting.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the CSV and the picture.")] = Path(
        "results"
    ),
    lower: Annotated[
        str, typer.Option(help=f"Lower-level method: auto, {', '.join(LOWER_METHODS)}.")
    ] = "auto",
    closing: Annotated[
        str, typer.Option(help=f"Search after the methods' own work: {', '.join(CLOSINGS)}.")
    ] = "none",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    time_limit: Annotated[float | None, typer.Option(help="Seconds for each attack.")] = None,
) -> None:
    """Run the attacks of one setting and print them side by side."""
    chosen = SETTINGS[one_of(setting, "setting", SETTINGS)]
    names = methods_for(chosen) if methods is None else _named(methods)
    one_of(lower, "lower", ["auto", *LOWER_METHODS])
    one_of(closing, "closing", CLOSINGS)
    run_compare(
        chosen,
        names,
        out / setting,
        _console(),
        lower=lower,
        closing=closing,
        seed=seed,
        time_limit=time_limit,
    )


@app.command()
@command
def starts(
    setting: Annotated[str, typer.Argument(help=f"One of: {', '.join(SETTINGS)}.")],
) -> None:
    """Run the reformulations from five starts, against direct search by SSNAL."""
    run_starts(SETTINGS[one_of(setting, "setting", SETTINGS)], _console())


@app.command()
@command
def verify(
    problems: Annotated[int, typer.Option(min=1, help="Random problems.")] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Check SSNAL and the exact solver against Clarabel on random problems."""
    agreed = run_verify(problems, seed, _console())
    raise typer.Exit(0 if agreed else 1)


@app.command()
@command
def reproduce(
    parts: Annotated[list[str], typer.Argument(help=f"{ALL}, or some of: {', '.join(PARTS)}.")],
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, two minutes.")] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Keep parts made with the same sizes, seed, code and data."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    out: Annotated[Path, typer.Option(help="Folder for rows, pictures and the report.")] = Path(
        "results/reproduce"
    ),
) -> None:
    """Reproduce the paper part by part, and carry it on: one folder, one HTML report."""
    asked = {one_of(name, "parts", [ALL, *PARTS]) for name in parts}
    page = run_reproduce(
        [part for name, part in PARTS.items() if asked & {ALL, name}],
        out,
        _console(),
        seed=seed,
        quick=quick,
        resume=resume,
    )
    typer.echo(f"Written: {page}, and a folder for each part")


def _named(methods: str) -> list[str]:
    return [one_of(name.strip(), "methods", UPPER_METHODS) for name in methods.split(",")]


def _console() -> Console:
    return Console(width=max(TABLE_WIDTH, Console().width))


if __name__ == "__main__":
    app()
