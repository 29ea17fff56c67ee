"""Check of the certificates by experiments: `python -m bilad.scripts.check_certificates`.

Parametric paths are compared with independent solutions on grids, exact radii with perturbations
just inside and just outside, proved radii and bounds with attacks, and the recovery interval of
Iris with Theorem 1. The check `tightness` measures how good the proved radii and bounds are, for
use before and after a change of the proofs. Each row is written to `figures.csv` as soon as it is
known. The exit code is 1 if an experiment contradicts a certificate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from bilad.models.validation import one_of
from bilad.scripts.certificates.check_path import check_rays, check_settings
from bilad.scripts.certificates.check_radius import check_bounds, check_radius
from bilad.scripts.certificates.check_recovery import check_recovery
from bilad.scripts.certificates.check_rows import CheckRow, summarise
from bilad.scripts.certificates.check_tightness import check_gaps, check_tightness
from bilad.scripts.command import command
from bilad.scripts.run_store import Output
from bilad.scripts.settings import readable_settings

CHECKS = ("recovery", "settings", "rays", "radius", "bounds", "gaps", "tightness")
WIDTH = 150  # characters that the table needs


@dataclass(frozen=True)
class Sizes:
    """The sizes of the experiments."""

    grid: int = 20_001
    rays: int = 50
    masks: int = 200
    perturbations: int = 100_000
    instances: int = 500
    seeds: int = 3
    every: int = 1
    family: int = 12


QUICK = Sizes(
    grid=401, rays=8, masks=20, perturbations=1_000, instances=8, seeds=0, every=7, family=1
)


@command
def check_certificates(
    only: Annotated[str, typer.Option(help="Checks, comma-separated.")] = ",".join(CHECKS),
    grid: Annotated[int, typer.Option(min=2, help="Points of each grid of eps.")] = Sizes.grid,
    rays: Annotated[int, typer.Option(min=1, help="Random directions of `rays`.")] = Sizes.rays,
    masks: Annotated[
        int, typer.Option(min=1, help="Random sets of perturbed points of `radius`.")
    ] = Sizes.masks,
    perturbations: Annotated[
        int, typer.Option(min=1, help="Perturbations just inside the exact radii, in total.")
    ] = Sizes.perturbations,
    instances: Annotated[
        int, typer.Option(min=1, help="Instances of `bounds`, with p = 2 and 2 to 5 features.")
    ] = Sizes.instances,
    seeds: Annotated[
        int, typer.Option(min=1, help="Seeds of each instance with many parameters in `gaps`.")
    ] = Sizes.seeds,
    family: Annotated[
        int, typer.Option(min=1, help="Instances of each family of `tightness`.")
    ] = Sizes.family,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")] = 0,
    quick: Annotated[bool, typer.Option(help="Use small sizes, which take half a minute.")] = False,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("results/certificates"),
) -> None:
    """Compare certificates with experiments, and print the results."""
    full = Sizes(grid, rays, masks, perturbations, instances, seeds, family=family)
    sizes = QUICK if quick else full
    names = [one_of(name.strip(), "only", CHECKS) for name in only.split(",")]
    output = Output(out, Console(width=max(WIDTH, Console().width)))
    with threadpool_limits(1):
        rows = _figures(names, sizes, seed, output)
        figures = output.collect("figures", rows, CheckRow, ("check", "group", "instance"))
    summarise(figures, output.console)
    output.console.print(f"Written: figures.csv in {out}", highlight=False)
    raise typer.Exit(int(any(figure.wrong for figure in figures)))


def _figures(names: list[str], sizes: Sizes, seed: int, output: Output) -> Iterator[CheckRow]:
    readable = partial(readable_settings, say=output.say)
    made = {
        "recovery": lambda: check_recovery(),
        "settings": lambda: check_settings(readable(), sizes.grid),
        "rays": lambda: check_rays(sizes.rays, sizes.grid, seed),
        "radius": lambda: check_radius(sizes.masks, sizes.perturbations, seed),
        "bounds": lambda: check_bounds(sizes.instances, seed),
        "gaps": lambda: check_gaps(readable(), sizes.seeds, seed, sizes.every),
        "tightness": lambda: check_tightness(readable(), sizes.family, seed, sizes.every),
    }
    return chain.from_iterable(made[name]() for name in names)


if __name__ == "__main__":
    typer.run(check_certificates)
