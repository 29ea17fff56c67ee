"""Every method on equal terms: `python -m bilad.scripts.compare_methods`.

Families of instances x budgets x methods x seeds. Each run is a pure function of its settings and
a row of `runs.csv` as soon as it is done; a row that is there is not run again, so that a
comparison that was killed goes on where it was, and `--from` shows it again without a run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from bilad.models import ArgumentError
from bilad.models.validation import one_of, real_number
from bilad.scripts.attack_runs import METHODS
from bilad.scripts.command import command
from bilad.scripts.methods.instance_families import (
    FAMILIES,
    available,
    check,
    instances,
    planned,
    quick_instances,
    quick_methods,
)
from bilad.scripts.methods.methods_tables import report
from bilad.scripts.methods.run_store import read_rows, run_all
from bilad.scripts.run_log import Output
from bilad.scripts.tables import show
from bilad.solvers.upper import UPPER_METHODS

ROWS = "runs.csv"
SOLVES, CAP, SEEDS = 300, 20.0, 3
QUICK_SOLVES, QUICK_CAP, QUICK_RAY = 20, 2.0, 201
WIDTH = 170  # columns that the tables need


@command
def compare_methods(
    families: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(FAMILIES),
    methods: Annotated[
        str | None, typer.Option(help="Comma-separated; by default every method.")
    ] = None,
    solves: Annotated[int, typer.Option(min=1, help="Lower-level solves of one run.")] = SOLVES,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds of one run, instead of solves.")
    ] = None,
    cap: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which a run with solves left ends.")
    ] = CAP,
    budgets: Annotated[
        str, typer.Option(help="Of the attacker, in units of the standard one; comma-separated.")
    ] = "1",
    seed: Annotated[int, typer.Option(min=0, help="The first, of instances and methods.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Number of them.")] = SEEDS,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    quick: Annotated[
        bool, typer.Option(help="Seven small instances, few solves, no reformulations.")
    ] = False,
    only_check: Annotated[
        bool, typer.Option("--check", help="Attack nothing; show whether instances are worth it.")
    ] = False,
    source: Annotated[
        Path | None, typer.Option("--from", help="Run nothing; show the rows of this folder.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for rows, tables and pictures; resumed if it has rows.")
    ] = Path("results/compare_methods"),
) -> None:
    """Compare every method of the upper level on equal terms."""
    chosen_families = [one_of(n.strip(), "families", FAMILIES) for n in families.split(",")]
    names = quick_methods() if quick else list(UPPER_METHODS)
    if methods is not None:
        names = [one_of(name.strip(), "methods", METHODS) for name in methods.split(",")]
    factors = [_factor(factor) for factor in budgets.split(",")]
    output = Output(out, Console(width=max(WIDTH, Console().width)))
    if source is not None:
        rows = read_rows(source / ROWS)
        if not rows:
            raise ArgumentError("from", str(source), f"a folder with {ROWS}")
        report(rows, output)
        return
    numbers = range(seed, seed + (1 if quick else seeds))
    if quick:
        solves, cap = min(solves, QUICK_SOLVES), min(cap, QUICK_CAP)
        chosen = quick_instances(chosen_families)
    else:
        chosen = instances(chosen_families, factors, numbers)
    chosen = available(chosen, output.say)
    if only_check:
        with threadpool_limits(1):
            show(output.console, "Instances at random corners", [check(one) for one in chosen])
        return
    most, limit = (solves, cap) if seconds is None else (None, seconds)
    runs = planned(chosen, names, numbers, most, limit, QUICK_RAY if quick else None)
    output.say(f"{len(runs)} runs of at most {limit:g} s and {most or 'any number of'} solves")
    report(run_all(runs, out / ROWS, output.say, jobs), output)
    output.console.print(f"Written: {ROWS}, tables and pictures in {out}", highlight=False)


def _factor(text: str) -> float:
    try:
        return real_number(float(text), "budgets", above=0)
    except ValueError:
        raise ArgumentError("budgets", repr(text), "positive numbers, such as 1,2") from None


if __name__ == "__main__":
    typer.run(compare_methods)
