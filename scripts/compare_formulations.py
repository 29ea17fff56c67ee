"""Comparisons of the single-level formulations: `python -m bilad.scripts.compare_formulations`.

Each command is a list of runs for `comparison.compare`, and the tables of its rows. Every deviation
is recomputed from an accurate lower-level solution.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import pandas as pd
import typer
from rich.console import Console

from bilad.formulations.complementarity import RELAXATIONS
from bilad.models import (
    ArgumentError,
    BilevelProblem,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    Perturbation,
)
from bilad.models.validation import one_of
from bilad.scripts.attack_runs import CLOSING_ALONE, METHODS, Variant
from bilad.scripts.command import command
from bilad.scripts.comparison import Run, compare, load_average, runs
from bilad.scripts.display import Cells, show
from bilad.scripts.formulation_tables import (
    ATTAINED_CAPTION,
    TIME_CAPTION,
    VALUE_CAPTION,
    attained_table,
    ray_table,
    stacked,
    time_table,
    value_table,
)
from bilad.scripts.instances import Instance, entry_instances
from bilad.scripts.known_problems import (
    KNOWN_SETS,
    SIZE_TOLERANCE,
    KnownProblem,
    is_attained,
    known_problems,
)
from bilad.scripts.profiles import attained_after, data_profile, draw_profile, performance_profile
from bilad.scripts.ray_optimum import POINTS, ray_optimum
from bilad.scripts.run_store import whole
from bilad.scripts.settings import SETTINGS, readable_settings

T = TypeVar("T")
FROM = ", from "  # before the start in a label
WIDTH = 195  # characters that the tables need
STARTS = 5
RAY_STARTS = (0.0, -0.75, -0.375, 0.375, 0.875)  # as multiples of the radius
LEVEL = 0.95  # share of the best known value that counts as solved in the profiles
BY_RELAXATION = [f"kkt {name}" for name in RELAXATIONS]
OTHERS = ["duality", "duality aggregate", "value-function"]
KNOWN = [*BY_RELAXATION, *OTHERS, CLOSING_ALONE, "milp", "corners", "random"]
RAYS = [*BY_RELAXATION, *OTHERS, "corners"]
RIVALS = ["hypergradient", "corners"]
SIZES = ["kkt smoothing", "kkt scholtes", "duality", "value-function", *RIVALS]
WALKS = ["kkt smoothing", "kkt scholtes", "value-function"]
# Data, numbers of free entries, and seconds of one run.
ENTRIES = (
    ("gaussians 200", (5, 20, 60), 20.0),
    ("gaussians 1000", (60,), 60.0),
    ("moons 2000", (60,), 60.0),
    ("gaussians 2000", (60,), 60.0),
)
LINE = (100, 200)  # points on a line with a complete graph
LINE_GAMMA, LINE_BUDGET, LINE_ENTRIES = 3.0, 3.0, 5

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
Only = Annotated[
    str | None, typer.Option(help="Formulations and methods, comma-separated; by default several.")
]
Problems = Annotated[
    list[str] | None,
    typer.Option(help="A part of the names of problems; may be repeated; by default all."),
]
Seconds = Annotated[float | None, typer.Option(min=0.1, help="Time limit of one run.")]
Seeds = Annotated[int, typer.Option(min=1, help="Number of seeds.")]
Store = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of the rows; runs that it contains are not repeated."),
]
Csv = Annotated[Path | None, typer.Option(help="File for the table of all runs.")]
Norm = Annotated[str, typer.Option(help="Norm of eps: inf or 2.")]


@app.command()
@command
def known(
    problem_set: Annotated[
        str, typer.Option("--set", help=f"One of: {', '.join(KNOWN_SETS)}.")
    ] = "first",
    only: Only = None,
    problems: Problems = None,
    seeds: Seeds = 1,
    seconds: Seconds = 30.0,
    out: Store = None,
    csv: Csv = None,
) -> None:
    """Problems with a known optimum: the share attained from one start and from five."""
    variants = _variants(only, KNOWN)
    chosen = _matching(known_problems(problem_set), problems)
    report = Report(out, csv)
    first = report.compare(known_runs(chosen.values(), variants, range(seeds), seconds, 1))
    missed = {
        (row.problem, row.label, row.seed)
        for row in first.itertuples()
        if not is_attained(chosen[row.problem].problem, row.own_share)
    }
    started = [variant for variant in variants if variant.takes_starts]
    again = known_runs(chosen.values(), started, range(seeds), seconds, STARTS)
    more = report.compare(run for run in again if (run.name, run.label, run.seed) in missed)
    given = {name: one.problem for name, one in chosen.items()}
    title = f"Known problems, {problem_set} set: share of the optima that is attained"
    report.show(title, attained_table(first, more, given), ATTAINED_CAPTION)
    report.draw(first, f"known_{problem_set}", 1 - SIZE_TOLERANCE)
    report.end()


def known_runs(
    chosen: Iterable[KnownProblem],
    variants: Sequence[Variant],
    seeds: Iterable[int],
    seconds: float | None,
    starts: int,
) -> list[Run]:
    """Return runs of each variant on each known problem, followed by closing."""
    numbers = list(seeds)
    return [
        run
        for one in chosen
        for variant in variants
        for run in runs(
            {one.name: one.problem},
            [variant.on(one.problem, starts)],
            numbers,
            {one.name: one.optimum},
            time_limit=seconds,
            closing="search" if variant.name == CLOSING_ALONE else "ray",
        )
    ]


@app.command()
@command
def rays(
    only: Only = None,
    problems: Problems = None,
    starts: Annotated[
        int, typer.Option(min=1, max=len(RAY_STARTS), help="Number of starts.")
    ] = len(RAY_STARTS),
    points: Annotated[int, typer.Option(min=2, help="Points of the grid on a ray.")] = POINTS,
    seconds: Seconds = 60.0,
    out: Store = None,
    csv: Csv = None,
) -> None:
    """One parameter on Iris, Seeds and Wine: the share of the optimum over the ray."""
    variants, report = _variants(only, RAYS), Report(out, csv)
    given: dict[str, BilevelProblem] = {}
    for name, setting in readable_settings(SETTINGS, report.say).items():
        given |= {f"{name} BL1": setting.max_deviation(), f"{name} BL2": setting.min_perturbation()}
    chosen = _matching(given, problems)
    table = report.compare(ray_runs(chosen, variants, RAY_STARTS[:starts], seconds, points))
    table["variant"] = [label.partition(FROM)[0] for label in table.label]
    report.show("Rays (our settings): share of the optimum, over the starts", ray_table(table))
    report.end()


def ray_runs(
    chosen: Mapping[str, BilevelProblem],
    variants: Sequence[Variant],
    starts: Sequence[float],
    seconds: float | None,
    points: int = POINTS,
) -> list[Run]:
    """Return runs of each variant on each ray; reformulations from several starts."""
    made = []
    for name, problem in chosen.items():
        optimum = ray_optimum(problem, points).value
        for variant in variants:
            begun = [variant.on(problem, 1)]
            if variant.takes_starts:
                begun = [
                    Variant(
                        f"{variant.name}{FROM}{start:g}",
                        variant.method,
                        {**variant.options, "start": [start * problem.radius]},
                    )
                    for start in starts
                ]
            made += runs(
                {name: problem}, begun, optima={name: optimum}, time_limit=seconds, closing="ray"
            )
    return made


@app.command()
@command
def sizes(
    only: Only = None,
    problems: Problems = None,
    norm: Norm = "inf",
    seeds: Seeds = 5,
    seconds: Seconds = None,
    out: Store = None,
    csv: Csv = None,
) -> None:
    """Many points and free entries: own values after equal seconds, beside simple searches."""
    variants, report = _variants(only, SIZES), Report(out, csv)
    instances = _matching(size_instances(seeds, norm), problems)
    made = []
    for name, (instance, limit) in instances.items():
        problem = instance.problem()
        methods = [variant.on(problem) for variant in variants]
        methods += [
            replace(variant.on(problem, 1), name=f"{variant.name}, 1 start")
            for variant in variants
            if variant.takes_starts
        ]
        made += runs({name: problem}, methods, [instance.seed], time_limit=seconds or limit)
    table = report.compare(made)
    groups = {name: instance.group for name, (instance, _) in instances.items()}
    report.show("Own values after equal seconds", value_table(table, groups, RIVALS), VALUE_CAPTION)
    report.show("Parts of the time", time_table(table, groups), TIME_CAPTION)
    report.draw(table, "sizes", LEVEL)
    report.end()


def size_instances(seeds: int, norm: str) -> dict[str, tuple[Instance, float]]:
    """Return instances of (BL1) and (BL2) by name, each with the seconds of one run."""
    one_of(norm, "norm", ("inf", "2"))
    return {
        one.name: (one, seconds)
        for data, counts, seconds in ENTRIES
        for one in entry_instances(range(1, 1 + seeds), counts, [data], [norm], ["BL1", "BL2"])
    }


@app.command()
@command
def walks(
    only: Only = None,
    problems: Problems = None,
    norm: Norm = "inf",
    seeds: Seeds = 1,
    seconds: Seconds = 120.0,
    out: Store = None,
    csv: Csv = None,
) -> None:
    """One start of each formulation on problems of increasing size, and the parts of its time."""
    variants, report = _variants(only, WALKS), Report(out, csv)
    made: dict[str, tuple[str, Callable[[], BilevelProblem]]] = {
        name: (one.group, one.problem)
        for name, (one, _) in size_instances(seeds, norm).items()
        if one.question == "BL1"
    }
    made |= {
        f"line {n}, complete graph": (f"line {n}, complete graph", partial(line, n)) for n in LINE
    }
    chosen = _matching(made, problems)
    given = {name: problem() for name, (_, problem) in chosen.items()}
    planned = [
        run
        for name, problem in given.items()
        for run in runs({name: problem}, [v.on(problem, 1) for v in variants], time_limit=seconds)
    ]
    table = report.compare(planned)
    groups = {name: group for name, (group, _) in chosen.items()}
    report.show("One start", value_table(table, groups), VALUE_CAPTION)
    report.show("Parts of the time", time_table(table, groups), TIME_CAPTION)
    report.end()


def line(n: int) -> MaxDeviation:
    """Return two Gaussian clouds on a line with a complete graph, and five free points."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(n, 1))
    data[: n // 2] += 4.0
    model = ConvexClustering(data, FusionGraph.complete(n, 1 / n), LINE_GAMMA)
    free = Perturbation.additive(data.shape, rng.choice(n, LINE_ENTRIES, replace=False))
    return MaxDeviation(model, free, LINE_BUDGET, np.inf)


class Report:
    """What a command prints and writes.

    Parameters
    ----------
    out : Path or None
        The folder of the rows and of pictures; None for neither.
    csv : Path or None
        The file for the table of all runs.
    """

    def __init__(self, out: Path | None, csv: Path | None) -> None:
        self.console = Console(width=max(WIDTH, Console().width))
        self.out, self.csv = out, csv
        self.tables: list[pd.DataFrame] = []
        self.load = load_average()

    def say(self, text: str) -> None:
        """Print a dim line."""
        self.console.print(text, style="dim", highlight=False, markup=False)

    def compare(self, planned: Iterable[Run]) -> pd.DataFrame:
        """Carry out runs."""
        self.tables.append(compare(planned, self.out, say=self.say))
        return self.tables[-1]

    def show(self, title: str, cells: Sequence[Cells], caption: str = "") -> None:
        """Print a table."""
        show(self.console, title, cells, caption)

    def draw(self, table: pd.DataFrame, name: str, level: float) -> None:
        """Draw the performance and the data profile to the folder."""
        costs = attained_after(table, level)
        if self.out is None or not any(len(own) for own in costs.values()):
            return
        title = f"{name}: seconds to {level:.1%} of the best value"
        draw_profile(performance_profile(costs), title, self.out / f"{name}_performance.png")
        draw_profile(data_profile(costs), title, self.out / f"{name}_data.png", "seconds")

    def end(self) -> None:
        """Write the table of all runs, and print the load of the machine."""
        table = stacked(*self.tables)
        if self.csv is not None:
            with whole(self.csv) as fresh:
                table.to_csv(fresh, index=False)
        self.console.print(
            f"Load average of the machine: {self.load:.2f} at the beginning, "
            f"{load_average():.2f} at the end, at most {table.load.max():.2f} at the beginning of "
            f"a run, on {os.cpu_count()} cores. On an idle machine it is at most 1.",
            highlight=False,
        )


def _variants(only: str | None, names: Sequence[str]) -> list[Variant]:
    """Return the variants that the user has chosen, or the given ones."""
    if only is None:
        return [METHODS[name] for name in names]
    return [METHODS[one_of(name.strip(), "only", METHODS)] for name in only.split(",")]


def _matching(given: Mapping[str, T], parts: Sequence[str] | None) -> dict[str, T]:
    """Return what has one of the given parts in its name."""
    chosen = {
        name: one for name, one in given.items() if any(part in name for part in parts or [""])
    }
    if not chosen:
        names = "; ".join(list(given)[:3])
        raise ArgumentError("problems", repr(parts), f"parts of names such as: {names}")
    return chosen


if __name__ == "__main__":
    app()
