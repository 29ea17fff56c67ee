"""The formulations compared: `python -m bilad.scripts.compare_formulations`.

Four parts: `grid`, problems whose optimum is known; `rays`, one eps along which the optimum is
known from a grid; `entries`, many free entries, beside corner and random search in the same time;
`size`, how large a problem may be. Every value is the lower level's own, failures stay in, and each
run is on disk before the next begins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from bilad.models.validation import one_of
from bilad.scripts.attack_runs import VARIANTS
from bilad.scripts.command import command
from bilad.scripts.formulations import (
    formulations_entries,
    formulations_grid,
    formulations_rays,
    formulations_size,
)
from bilad.scripts.formulations.formulations_plan import Plan
from bilad.scripts.formulations.formulations_rays import STARTS
from bilad.scripts.run_log import Output
from bilad.scripts.settings import SETTINGS

PARTS = {
    "grid": formulations_grid.run,
    "rays": formulations_rays.run,
    "entries": formulations_entries.run,
    "size": formulations_size.run,
}


@command
def compare_formulations(
    only: Annotated[str, typer.Option(help="Comma-separated parts.")] = ",".join(PARTS),
    methods: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(VARIANTS),
    quick: Annotated[bool, typer.Option(help="Few problems, short limits.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="The first, of the attacks and the data.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Number of them, in `entries`.")] = 3,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Limit of one run; by default grid 10, rays and size 60, "
            "entries 30; less with --quick.",
        ),
    ] = None,
    settings: Annotated[
        str | None, typer.Option(help="Comma-separated, of `rays`; by default all.")
    ] = None,
    starts: Annotated[
        int | None, typer.Option(min=1, max=len(STARTS), help="Of each run of `rays`.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the CSV files and pictures.")] = Path(
        "results/compare_formulations"
    ),
) -> None:
    """Compare the single-level formulations of (BL1) and (BL2)."""
    parts = [one_of(name.strip(), "only", PARTS) for name in only.split(",")]
    chosen = [one_of(name.strip(), "methods", VARIANTS) for name in methods.split(",")]
    rays = settings and [one_of(n.strip(), "settings", SETTINGS) for n in settings.split(",")]
    variants = [VARIANTS[name] for name in chosen]
    plan = Plan(variants, seed, seeds, seconds, quick, rays or None, starts)
    output = Output(out, Console(width=max(150, Console().width)))
    with threadpool_limits(1):
        for part in parts:
            PARTS[part](plan, output)
    output.console.print(f"Written: CSV files and pictures in {out}", highlight=False)


if __name__ == "__main__":
    typer.run(compare_formulations)
