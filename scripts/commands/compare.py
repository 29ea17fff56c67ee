"""`bilad compare` and `bilad starts`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bilad.models.validation import one_of
from bilad.scripts.command import command
from bilad.scripts.compare import compare as run_compare
from bilad.scripts.compare import starts as run_starts
from bilad.scripts.display import console
from bilad.scripts.settings import SETTINGS
from bilad.solvers.clustering import LOWER_METHODS
from bilad.solvers.upper import UPPER_METHODS
from bilad.solvers.upper.closing import CLOSINGS


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
    run_compare(chosen, names, out / setting, console(), lower, **conditions)


@command
def starts(
    setting: Annotated[str, typer.Argument(help=f"One of: {', '.join(SETTINGS)}.")],
    out: Annotated[Path, typer.Option(help="As of `compare`.")] = Path("results"),
) -> None:
    """Compare reformulations from five starts with direct search by SSNAL."""
    run_starts(SETTINGS[one_of(setting, "setting", SETTINGS)], out / setting, console())


def _named(methods: str) -> list[str]:
    return [one_of(name.strip(), "methods", UPPER_METHODS) for name in methods.split(",")]
