"""`bilad verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from bilad.scripts.command import command
from bilad.scripts.display import console
from bilad.scripts.verify import verify as run_verify


@command
def verify(
    problems: Annotated[int, typer.Option(min=1, help="Number of random problems.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")] = 0,
) -> None:
    """Compare SSNAL and the exact method with Clarabel on random problems."""
    agreed = run_verify(problems, seed, console())
    raise typer.Exit(0 if agreed else 1)
