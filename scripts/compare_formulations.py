"""Comparison of the single-level formulations: `python -m bilad.scripts.compare_formulations`.

There are four parts: `grid` has problems whose optimum is known; `rays` has one parameter, for
which a grid gives the optimum; `entries` has many parameters, and simple searches with the same
time limit; `size` measures how large a problem can be. Every deviation is recomputed from an
accurate lower-level solution. A failure is a row too. Each row is written as soon as it is known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from bilad.models.validation import one_of
from bilad.scripts.attack_runs import VARIANTS, Plan
from bilad.scripts.command import command
from bilad.scripts.formulations import entries, grid, rays, size
from bilad.scripts.run_store import Output
from bilad.scripts.settings import SETTINGS

PARTS = {"grid": grid.run, "rays": rays.run, "entries": entries.run, "size": size.run}


@command
def compare_formulations(
    only: Annotated[str, typer.Option(help="Parts, comma-separated.")] = ",".join(PARTS),
    methods: Annotated[str, typer.Option(help="Methods with their options, comma-separated.")] = (
        ",".join(VARIANTS)
    ),
    quick: Annotated[bool, typer.Option(help="Run few problems with short limits.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="First seed of attacks and data.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds in `entries`.")] = 3,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Time limit of one run; by default 10 for `grid`, 60 for `rays` and `size`, "
            "30 for `entries`, and less with --quick.",
        ),
    ] = None,
    settings: Annotated[
        str | None, typer.Option(help="Settings of `rays`, comma-separated; by default all.")
    ] = None,
    starts: Annotated[
        int | None,
        typer.Option(min=1, max=len(rays.STARTS), help="Number of starts in `rays`."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Output folder for CSV files and pictures.")] = Path(
        "results/compare_formulations"
    ),
) -> None:
    """Compare the single-level formulations of (BL1) and (BL2)."""
    parts = [one_of(name.strip(), "only", PARTS) for name in only.split(",")]
    chosen = [one_of(name.strip(), "methods", VARIANTS) for name in methods.split(",")]
    named = settings and [one_of(n.strip(), "settings", SETTINGS) for n in settings.split(",")]
    variants = [VARIANTS[name] for name in chosen]
    plan = Plan(variants, seed, seeds, seconds, quick, named or None, starts)
    output = Output(out, Console(width=max(150, Console().width)))
    with threadpool_limits(1):
        for part in parts:
            PARTS[part](plan, output)
    output.console.print(f"Written: CSV files and pictures in {out}", highlight=False)


if __name__ == "__main__":
    typer.run(compare_formulations)
