"""`bilad reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bilad.models.validation import one_of
from bilad.scripts.command import command
from bilad.scripts.display import console
from bilad.scripts.reproduce.reproduce import PARTS
from bilad.scripts.reproduce.reproduce import reproduce as run_reproduce

ALL = "all"  # the parts of a reproduction


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
        console(),
        seed=seed,
        quick=quick,
    )
    typer.echo(f"Written: {page}, and a folder for each part")
