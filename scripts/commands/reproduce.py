"""`bilad reproduce`: the paper part by part."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
import typer
from rich.console import Console

from bilad.models.validation import one_of
from bilad.scripts.command import command
from bilad.scripts.display import console
from bilad.scripts.experiments.page import PAGE, Table
from bilad.scripts.options import SEED, OutputOptions, option
from bilad.scripts.output import Output
from bilad.scripts.reproduce.reproduce import CLAIMS, PARTS
from bilad.scripts.reproduce.reproduce import reproduce as run_reproduce

ALL = "all"  # the parts of a reproduction


@command
def reproduce(
    parts: Annotated[list[str], typer.Argument(help=f"{ALL}, or some of: {', '.join(PARTS)}.")],
    output: OutputOptions,
    quick: Annotated[bool, option("Use small sizes, which take two minutes.", "--quick")] = False,
    seed: Annotated[int, SEED] = 0,
) -> None:
    """Reproduce the paper part by part, with extensions, in one folder and one HTML report."""
    asked = {one_of(name, "parts", [ALL, *PARTS]) for name in parts}
    chosen = [part for name, part in PARTS.items() if asked & {ALL, name}]
    claims = f"{CLAIMS}.csv"
    out = Output(output, "reproduce", files=(PAGE, claims, *(part.name for part in chosen)))
    shown = console() if out.form == "table" else Console(quiet=True)
    page = run_reproduce(chosen, out.folder, shown, out.messages, seed=seed, quick=quick)
    if out.form != "table":
        table = Table(CLAIMS, "Claims and measurements", pd.read_csv(out.folder / claims))
        out.result({CLAIMS: table.frame.to_dict("records")}, table)
    out.say(f"Written: {page}, and a folder for each part")
