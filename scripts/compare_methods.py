"""Comparison of all upper-level methods: `python -m bilad.scripts.compare_methods`.

The comparison covers families of instances, budgets of the attacker, methods and seeds. Each run
depends on its settings only and is a row of `runs.csv` as soon as it is finished. Runs that the
file contains are not repeated, so a comparison that was stopped continues where it was. With
`--from`, the results of a folder are shown again without any run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from bilad.models import ArgumentError
from bilad.models.validation import one_of, real_number
from bilad.scripts.attack_runs import METHODS
from bilad.scripts.command import command
from bilad.scripts.display import Cells, show
from bilad.scripts.instances import CLUSTERERS, DIGITS_GAMMA, TARGET_CORNERS, Instance
from bilad.scripts.methods.report import report
from bilad.scripts.methods.rows import REFERENCE, RunSettings
from bilad.scripts.methods.runs import read_rows, run_all
from bilad.scripts.run_store import Output
from bilad.scripts.settings import SETTINGS, readable_settings
from bilad.solvers import attack
from bilad.solvers.upper import UPPER_METHODS

BOTH = ("BL1", "BL2")
ENTRIES = {"iris": (5, 20, 60), "gaussians": (5, 20, 60, 200)}  # Iris has 100 points
FACTORS = {"iris": (20, 60), "gaussians": (20, 60)}
EDGES = (20, 60)
FEW = 20  # entries that may change, for the families `size` and `black-box`
# One small problem of each family and question, for --quick.
QUICK = (
    Instance("table1", "iris", "shift", 1, "2", "BL1"),
    Instance("entries", "iris", "entries", 5, "inf", "BL1"),
    Instance("entries", "iris", "entries", 5, "inf", "BL2"),
    Instance("multiplicative", "iris", "factors", 20, "inf", "BL1"),
    Instance("edges", "gaussians", "edges", 20, "inf", "BL1"),
    Instance("size", "digits 100", "entries", FEW, "inf", "BL1"),
    Instance("black-box", "gaussians", "entries", FEW, "inf", "BL1", learner="k-means"),
)
ROWS = "runs.csv"
SOLVES, CAP, SEEDS = 300, 20.0, 3
QUICK_SOLVES, QUICK_CAP, QUICK_RAY = 20, 2.0, 201
WIDTH = 170  # characters that the tables need


def table1(budget: float, seed: int) -> Iterator[Instance]:
    """Yield one parameter eps on Iris, Seeds and Wine in our settings; nothing is random."""
    for data in SETTINGS:
        for question in BOTH:
            yield Instance("table1", data, "shift", 1, "2", question, budget)


def entries(budget: float, seed: int) -> Iterator[Instance]:
    """Yield perturbations of single entries, bounded in the maximum and in the Euclidean norm."""
    for data, counts in ENTRIES.items():
        for k in counts:
            for norm in ("inf", "2"):
                for question in BOTH:
                    yield Instance("entries", data, "entries", k, norm, question, budget, seed)


def multiplicative(budget: float, seed: int) -> Iterator[Instance]:
    """Yield relative perturbations of single entries."""
    for data, counts in FACTORS.items():
        for k in counts:
            for question in BOTH:
                yield Instance("multiplicative", data, "factors", k, "inf", question, budget, seed)


def edges(budget: float, seed: int) -> Iterator[Instance]:
    """Yield perturbations of edge weights: all may vanish (norm inf), or a quarter (norm 1)."""
    for k in EDGES:
        for norm in ("inf", "1"):
            for question in BOTH:
                yield Instance("edges", "gaussians", "edges", k, norm, question, budget, seed)


def size(budget: float, seed: int) -> Iterator[Instance]:
    """Yield increasing numbers of digits."""
    for n in DIGITS_GAMMA:
        yield Instance("size", f"digits {n}", "entries", FEW, "inf", "BL1", budget, seed)


def black_box(budget: float, seed: int) -> Iterator[Instance]:
    """Yield clusterers of scikit-learn as black boxes."""
    for learner in CLUSTERERS:
        for question in BOTH:
            given = ("gaussians", "entries", FEW, "inf", question, budget, seed, learner)
            yield Instance("black-box", *given)


FAMILIES = {
    "table1": table1,
    "entries": entries,
    "multiplicative": multiplicative,
    "edges": edges,
    "size": size,
    "black-box": black_box,
}


def instances(
    families: Sequence[str], budgets: Sequence[float], seeds: Sequence[int]
) -> list[Instance]:
    """Return the instances of some families, without repetition."""
    made = (
        instance
        for family in families
        for seed in seeds
        for budget in budgets
        for instance in FAMILIES[family](budget, seed)
    )
    return list(dict.fromkeys(made))


def planned(
    chosen: Sequence[Instance],
    methods: Sequence[str],
    seeds: Sequence[int],
    solves: int | None,
    seconds: float,
    ray_points: int | None = None,
) -> list[RunSettings]:
    """Return the runs; an instance with one parameter is also solved on a fine grid.

    Parameters
    ----------
    chosen : sequence of Instance
        A random instance is attacked with its own seed, any other with each of the seeds.
    methods : sequence of str
        Keys of `METHODS`.
    seeds : sequence of int
    solves : int or None
        Limit on the lower-level solves of one run.
    seconds : float
        Time limit of one run.
    ray_points : int, optional
        Number of points of the fine grid.
    """
    runs = []
    for instance in chosen:
        is_random = instance.kind != "shift"
        if not is_random:
            options = {} if ray_points is None else {"points": ray_points}
            runs.append(RunSettings(instance, REFERENCE, 0, None, None, options))
        for seed in [instance.seed] if is_random else seeds:
            runs += [RunSettings(instance, method, seed, solves, seconds) for method in methods]
    return runs


def available(chosen: Sequence[Instance], say: Callable[[str], None]) -> list[Instance]:
    """Return the instances whose data can be read; report the others."""
    wanted = dict.fromkeys(one.data for one in chosen if one.data in SETTINGS)
    here = readable_settings(wanted, say)
    return [one for one in chosen if one.data in here or one.data not in SETTINGS]


def quick_methods() -> list[str]:
    """Return the methods of --quick: those of all families, without reformulations."""
    few = ("milp", "exact", "greedy")
    return [name for name in UPPER_METHODS if name not in few and not METHODS[name].takes_starts]


def check(instance: Instance) -> Cells:
    """Describe an instance at eps = 0 and at random vertices of the feasible set of its (BL1)."""
    problem = replace(instance, question="BL1").problem()
    found = attack(problem, "random", bound="none", closing="none", corners=TARGET_CORNERS)
    clusters = len(np.unique(found.baseline.outcome))
    proved = [seen for seen in found.history if seen.proved]
    moved = sum(seen.deviation > 0 for seen in proved)
    return {
        "family": instance.family,
        "instance": instance.name,
        "n": problem.model.n,
        "d": problem.model.d,
        "clusters": clusters,
        "proved": "yes" if found.baseline.proved else "no",
        "corners": found.lower_solves,
        "that move": moved,
        "values": len({seen.deviation for seen in proved}),
        "largest": found.deviation,
        "of all pairs": found.deviation / problem.deviation.largest(problem.model.n),
        "s / solve": found.seconds_solving / max(found.lower_solves, 1),
        "worth it": "yes" if is_suitable(clusters, found.baseline.proved, moved) else "NO",
    }


def is_suitable(clusters: int, proved: bool, moved: int) -> bool:
    """Return whether an instance has certified clusters that some vertex changes."""
    return clusters > 1 and proved and moved > 0


@command
def compare_methods(
    families: Annotated[
        str, typer.Option(help="Families of instances, comma-separated.")
    ] = ",".join(FAMILIES),
    methods: Annotated[
        str | None, typer.Option(help="Methods, comma-separated; by default all.")
    ] = None,
    solves: Annotated[
        int, typer.Option(min=1, help="Limit on the lower-level solves of one run.")
    ] = SOLVES,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="Time limit of one run in seconds, replacing --solves."),
    ] = None,
    cap: Annotated[
        float, typer.Option(min=0.1, help="Time limit of one run that is limited by --solves.")
    ] = CAP,
    budgets: Annotated[
        str,
        typer.Option(help="Budgets of the attacker, as multiples of the standard one."),
    ] = "1",
    seed: Annotated[int, typer.Option(min=0, help="First seed of instances and methods.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = SEEDS,
    jobs: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 1,
    quick: Annotated[
        bool, typer.Option(help="Run seven small instances with few solves, no reformulations.")
    ] = False,
    only_check: Annotated[
        bool, typer.Option("--check", help="Only describe the instances at random vertices.")
    ] = False,
    source: Annotated[
        Path | None, typer.Option("--from", help="Only show the results of this folder again.")
    ] = None,
    out: Annotated[
        Path,
        typer.Option(help="Output folder; a comparison that it contains is continued."),
    ] = Path("results/compare_methods"),
) -> None:
    """Compare all upper-level methods under equal limits."""
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
        chosen = [instance for instance in QUICK if instance.family in chosen_families]
    else:
        chosen = instances(chosen_families, factors, numbers)
    chosen = available(chosen, output.say)
    if only_check:
        with threadpool_limits(1):
            show(output.console, "Instances at random vertices", [check(one) for one in chosen])
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
