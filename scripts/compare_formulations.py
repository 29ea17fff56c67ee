"""The formulations compared: `python -m bilad.scripts.compare_formulations`.

Four parts: `grid`, problems whose optimum is known; `rays`, one eps along which the optimum is
known from a grid; `entries`, many free entries, beside corner and random search in the same time;
`size`, how large a problem may be. Every value is the lower level's own, failures stay in, and each
run is on disk before the next begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from bilad.models import ArgumentError, BilevelProblem, DatasetError
from bilad.models.validation import FloatArray, one_of
from bilad.scripts.attack_runs import (
    REFUSED,
    VARIANTS,
    Row,
    Run,
    RunLog,
    Variant,
    improvements,
    run_attack,
    value_at,
)
from bilad.scripts.free_entries import FreeEntries
from bilad.scripts.known_problems import BEATEN_TOLERANCE, is_attained, known_problems
from bilad.scripts.performance_profile import draw_profile
from bilad.scripts.ray_optimum import POINTS, ray_optimum
from bilad.scripts.settings import SETTINGS
from bilad.scripts.size_limits import FAMILIES, SizeRow, size_rows

PARTS = ("grid", "rays", "entries", "size")
SECONDS = {"grid": 10.0, "rays": 60.0, "entries": 30.0, "size": 60.0}  # of one run
QUICK_SECONDS = {"grid": 10.0, "rays": 30.0, "entries": 10.0, "size": 10.0}
QUICK_EVERY = 7  # of the known problems; odd, as (BL1) and (BL2) alternate
STARTS = 5
RAY_STARTS = (0.0, -0.75, -0.375, 0.375, 0.875)  # in units of the radius
ENTRY_COUNTS = (5, 20, 60)
CLOSE = 0.99  # of the best known, for the profile of `entries`
ENOUGH = 0.999  # of the optimum, for the profile of `rays`


Cells = dict[str, Any]
Problems = dict[str, BilevelProblem]


# grid


def grid_runs(variants: Sequence[Variant], seed: int, seconds: float, every: int) -> Iterator[Row]:
    """Attack every so manieth known problem, from one start; from five if that was not enough."""
    for known in list(known_problems().values())[::every]:
        for variant in variants:
            row = run_attack(
                known.problem, Run(known.name, variant.name, seed, seconds), known.optimum
            )
            yield row
            if variant.takes_starts and not is_attained(known.problem, row.share):
                again = Run(known.name, variant.name, seed, seconds, {"starts": STARTS})
                yield run_attack(known.problem, again, known.optimum)


def grid_table(rows: Sequence[Row]) -> list[Cells]:
    """Count, for each variant, the problems whose optimum it attains."""
    known, table = known_problems(), []
    for variant, own in _by(rows, lambda row: row.variant):
        taken = [row for row in own if row.status != REFUSED]
        first = [row for row in taken if not row.options]
        attained = {row.problem for row in taken if _attains(known[row.problem].problem, row)}
        at_first = sum(_attains(known[row.problem].problem, row) for row in first)
        count = len(first)
        table.append(
            {
                "formulation": variant,
                "problems": count,
                "refused": len(own) - len(taken),
                "1 start": _percent(at_first, count),
                f"within {STARTS}": _percent(len(attained), count),
                "worst share": min(
                    (max(r.share for r in runs) for _, runs in _by(taken, lambda r: r.problem)),
                    default=float("nan"),
                ),
                "gap 0": _percent(sum(_closes(r) for r in first), count)
                if any(np.isfinite(r.bound) for r in first)
                else "",
                "errors": sum(row.status.startswith("error") for row in taken),
                "beaten": sum(row.share > 1 + BEATEN_TOLERANCE for row in taken),
                "median s": _median([row.seconds for row in first]),
            }
        )
    return table


def _attains(problem: BilevelProblem, row: Row) -> bool:
    return is_attained(problem, row.share)


def _closes(row: Row) -> bool:
    return row.status == "optimal"


def grid_costs(rows: Sequence[Row]) -> dict[str, FloatArray]:
    """Return, for each variant, the seconds to the optimum of each problem, all runs added."""
    known = known_problems()
    names = list(dict.fromkeys(row.problem for row in rows))
    costs = {}
    for variant, own in _by(rows, lambda row: row.variant):
        seconds = {name: float("inf") for name in names}
        for name, runs in _by(own, lambda row: row.problem):
            problem, spent = known[name].problem, 0.0
            for row in runs:
                seconds[name] = min(seconds[name], spent + time_to(problem, row, _attains))
                spent += row.seconds
        costs[variant] = np.array(list(seconds.values()))
    return costs


def time_to(
    problem: BilevelProblem, row: Row, enough: Callable[[BilevelProblem, Row], bool]
) -> float:
    """Return the seconds a run took, infinity if it was not enough.

    A simple search goes on until it is stopped: it is charged the time to its last improvement.
    """
    if not enough(problem, row):
        return float("inf")
    if VARIANTS[row.variant].is_rival:
        return improvements(row)[-1][0]
    return row.seconds


# rays


def ray_problems(names: Iterable[str], say: Callable[[str], None]) -> Problems:
    """Return (BL1) and (BL2) of the settings, without those whose data cannot be had."""
    problems: Problems = {}
    for name in names:
        setting = SETTINGS[name]
        try:
            problems[f"{name} BL1"] = setting.max_deviation()
            problems[f"{name} BL2"] = setting.min_perturbation()
        except DatasetError as error:
            say(f"{name} is left out: {error}")
    return problems


def ray_runs(
    problems: Problems,
    variants: Sequence[Variant],
    seed: int,
    seconds: float,
    points: int,
    starts: Sequence[float],
) -> Iterator[Row]:
    """Attack along each ray, from several starts, and compare with the optimum over the ray."""
    for name, problem in problems.items():
        optimum = ray_optimum(problem, points).value
        for variant in variants:
            chosen = starts if variant.takes_starts else [0.0]
            for start in chosen:
                options = {"start": start * problem.radius} if variant.takes_starts else {}
                run = Run(name, variant.name, seed, seconds, options)
                yield run_attack(problem, run, optimum)


def ray_table(rows: Sequence[Row]) -> list[Cells]:
    """Give, for each problem and variant, the best and the worst start."""
    table = []
    for (problem, variant), own in _by(rows, lambda row: (row.problem, row.variant)):
        if all(row.status == REFUSED for row in own):
            continue
        shares = [row.share for row in own]
        table.append(
            {
                "problem": problem,
                "formulation": variant,
                "optimum": own[0].optimum,
                "best": _share(max(shares)),
                "mean": _share(float(np.mean(shares))),
                "worst": _share(min(shares)),
                "median s": _median([row.seconds for row in own]),
                "median solves": int(np.median([row.lower_solves for row in own])),
                "errors": sum(row.status.startswith("error") for row in own),
            }
        )
    return table


def ray_costs(rows: Sequence[Row], problems: Problems) -> dict[str, FloatArray]:
    """Return, for each variant, its seconds from each start, infinite below 99.9 %.

    A variant that has no starts counts the same for each.
    """
    indices = list(dict.fromkeys((row.problem, row.options) for row in rows))
    indices = [index for index in indices if index[1]] or indices
    costs = {}
    for variant, own in _by(rows, lambda row: row.variant):
        seconds = {
            (row.problem, row.options): time_to(
                problems[row.problem], row, lambda _, row: row.share >= ENOUGH
            )
            for row in own
        }
        costs[variant] = np.array(
            [seconds.get(index, seconds.get((index[0], ""), np.inf)) for index in indices]
        )
    return costs


# entries


def entry_instances(seed: int, seeds: int, counts: Sequence[int]) -> list[FreeEntries]:
    """Return the instances with several free entries."""
    return [
        FreeEntries(data, k, norm, seed + number)
        for data in ("iris", "gaussians")
        for k in counts
        for norm in (float("inf"), 2.0)
        for number in range(seeds)
    ]


def entry_runs(
    instances: Sequence[FreeEntries], variants: Sequence[Variant], seconds: float
) -> Iterator[Row]:
    """Attack each instance, everyone with the same time limit."""
    for instance in instances:
        problem = instance.problem()
        for variant in variants:
            yield run_attack(problem, Run(instance.name, variant.name, instance.seed, seconds))


def entry_table(rows: Sequence[Row], instances: Sequence[FreeEntries]) -> list[Cells]:
    """Give means over the seeds of U over the best known U.

    `stage` is the best stage, before the closing search; `corners then` and `random then` are what
    the rivals had found in the seconds that the formulation took.
    """
    groups = {instance.name: instance.group for instance in instances}
    problems = {instance.name: instance.problem() for instance in instances}
    best = {name: max(r.value for r in own) for name, own in _by(rows, lambda row: row.problem)}
    rivals = {(r.problem, r.variant): r for r in rows if VARIANTS[r.variant].is_rival}

    def of_best(row: Row, value: float) -> float:
        return value / best[row.problem] if best[row.problem] else float("nan")

    def then(row: Row, rival: str) -> float:
        """Return what the rival had after as many seconds."""
        other = rivals.get((row.problem, rival))
        if other is None:
            return float("nan")
        return of_best(row, value_at(problems[row.problem], other, row.seconds))

    table = []
    for (group, variant), own in _by(rows, lambda row: (groups[row.problem], row.variant)):
        if all(row.status == REFUSED for row in own):
            continue
        table.append(
            {
                "instance": group,
                "formulation": variant,
                "U / best": _mean([of_best(row, row.value) for row in own]),
                "stage / best": _mean([of_best(row, row.best_stage) for row in own]),
                "corners then": _mean([then(row, "corners") for row in own]),
                "random then": _mean([then(row, "random") for row in own]),
                "worst U / best": min(of_best(row, row.value) for row in own),
                "median s": _median([row.seconds for row in own]),
                "median solves": int(np.median([row.lower_solves for row in own])),
                "cut short": sum(row.status == "time limit" for row in own),
                "errors": sum(row.status.startswith("error") for row in own),
            }
        )
    return table


def entry_costs(rows: Sequence[Row]) -> dict[str, FloatArray]:
    """Return, for each variant, the seconds to 99 % of the best known."""
    best = {name: max(r.value for r in own) for name, own in _by(rows, lambda row: row.problem)}
    costs = {}
    for variant, own in _by(rows, lambda row: row.variant):
        hits = {row.problem: _first_close(row, CLOSE * best[row.problem]) for row in own}
        costs[variant] = np.array([hits.get(name, np.inf) for name in best])
    return costs


def _first_close(row: Row, wanted: float) -> float:
    """Return when a run first had the wanted deviation; whatever it did before and after."""
    if row.value < wanted or wanted == 0:
        return float("inf")
    return next(seconds for seconds, value in improvements(row) if value >= wanted)


# size


def size_table(rows: Sequence[SizeRow]) -> list[Cells]:
    """Lay out the seconds of the pieces."""
    return [
        {
            "family": row.family,
            "n": row.n,
            "edges": row.edges,
            "variables": row.variables,
            "lower": row.lower,
            "Pyomo": row.pyomo,
            ".nl": row.nl,
            "opening": row.opening,
            "IPOPT": row.ipopt,
            "total": row.total,
            "building": _share(row.building_share),
            "iterations": row.iterations,
            "status": row.status,
        }
        for row in rows
    ]


# output


def _by(rows: Iterable[Row], key: Callable[[Row], Any]) -> list[tuple[Any, list[Row]]]:
    """Group rows, the groups in the order in which they are met."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return list(groups.items())


def _percent(count: int, total: int) -> str:
    return f"{count / total:.1%}" if total else ""


def _share(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2%}"


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else float("nan")


def show(console: Console, title: str, cells: Sequence[Cells], caption: str = "") -> None:
    """Print a table; NaN is left blank."""
    view = Table(box=SIMPLE_HEAD, title=title, caption=caption)
    words = ("formulation", "problem", "instance", "family", "status")
    for name in cells[0] if cells else ():
        view.add_column(name, justify="left" if name in words else "right", no_wrap=name in words)
    for row in cells:
        view.add_row(*map(_shown, row.values()))
    console.print(view)


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if np.isnan(value) else f"{value:.4g}"


class Output:
    """Where the rows go: to the disk at once, a line each to the terminal."""

    def __init__(self, folder: Path, console: Console) -> None:
        self.folder, self.console = folder, console

    def say(self, text: str) -> None:
        """Print a dim line."""
        self.console.print(text, style="dim", highlight=False, markup=False)

    def collect(self, name: str, rows: Iterable[Any], row_type: Any = Row) -> list[Any]:
        """Write each row to `name`.csv as it comes; return all."""
        done = []
        with RunLog(self.folder / f"{name}.csv", row_type) as log:
            for row in rows:
                log.add(row)
                done.append(row)
                self.say(f"{name}: {_line(row)}")
        return done


def _line(row: Any) -> str:
    if isinstance(row, SizeRow):
        return f"{row.family}, n = {row.n}: {row.total:.1f} s, {row.status}"
    start = f" {row.options}" if row.options else ""
    return (
        f"{row.problem} | {row.variant}{start}: {row.value:.6g}, {row.seconds:.2f} s, {row.status}"
    )


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    variants: Sequence[Variant]
    seed: int
    seeds: int
    seconds: float | None
    quick: bool

    def limit(self, part: str) -> float:
        """Return the seconds of one run."""
        if self.seconds is not None:
            return self.seconds
        return (QUICK_SECONDS if self.quick else SECONDS)[part]


def run_grid(plan: Plan, output: Output) -> None:
    """Known optima: the agreement table."""
    every = QUICK_EVERY if plan.quick else 1
    rows = output.collect("grid", grid_runs(plan.variants, plan.seed, plan.limit("grid"), every))
    show(
        output.console,
        "Grid: problems whose known optimum is attained",
        grid_table(rows),
        "BL1: the deviation itself; BL2: within 0.1 % of the least norm. worst share: of the "
        "better of the runs.\nbeaten: answers better than the known optimum; there must be none.",
    )
    picture = output.folder / "grid.png"
    draw_profile(grid_costs(rows), "Grid: seconds to the known optimum", picture)


def run_rays(plan: Plan, output: Output) -> None:
    """One eps: share of the optimum over the ray."""
    problems = ray_problems(["iris"] if plan.quick else SETTINGS, output.say)
    rows = output.collect(
        "rays",
        ray_runs(
            problems,
            plan.variants,
            plan.seed,
            plan.limit("rays"),
            2001 if plan.quick else POINTS,
            RAY_STARTS[:2] if plan.quick else RAY_STARTS,
        ),
    )
    show(
        output.console,
        "Rays (our settings): share of the optimum over the ray, from several starts",
        ray_table(rows),
    )
    picture = output.folder / "rays.png"
    draw_profile(ray_costs(rows, problems), f"Rays: seconds to {ENOUGH:.1%}", picture)


def run_entries(plan: Plan, output: Output) -> None:
    """Many free entries: beside simple searches in the same time."""
    seeds, counts = (1, ENTRY_COUNTS[:1]) if plan.quick else (plan.seeds, ENTRY_COUNTS)
    instances = entry_instances(plan.seed, seeds, counts)
    rows = output.collect("entries", entry_runs(instances, plan.variants, plan.limit("entries")))
    show(
        output.console,
        "Entries: U over the best known, means over seeds",
        entry_table(rows, instances),
        "stage: the best stage, before the closing search. corners then, random then: what these "
        "searches\nhad found in the seconds that the formulation took; their own rows: at the "
        "time limit.",
    )
    title = f"Entries: seconds to {CLOSE:.0%} of the best known"
    draw_profile(entry_costs(rows), title, output.folder / "entries.png")


def run_size(plan: Plan, output: Output) -> None:
    """Growing problems: where the time goes."""
    limit = plan.limit("size")
    rows = output.collect(
        "size", (row for family in FAMILIES for row in size_rows(family, limit)), SizeRow
    )
    show(
        output.console,
        f"Size: kkt from one start, {limit:g} s at most; seconds",
        size_table(rows),
        "building: Pyomo, .nl and opening, of the total.",
    )


RUN_PART = {"grid": run_grid, "rays": run_rays, "entries": run_entries, "size": run_size}


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
    out: Annotated[Path, typer.Option(help="Folder for the CSV files and pictures.")] = Path(
        "results/compare_formulations"
    ),
) -> None:
    """Compare the single-level formulations of (BL1) and (BL2)."""
    try:
        parts = [one_of(name.strip(), "only", PARTS) for name in only.split(",")]
        chosen = [one_of(name.strip(), "methods", VARIANTS) for name in methods.split(",")]
        out.mkdir(parents=True, exist_ok=True)
    except (ArgumentError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    plan = Plan([VARIANTS[name] for name in chosen], seed, seeds, seconds, quick)
    output = Output(out, Console(width=max(150, Console().width)))
    with threadpool_limits(1):
        for part in parts:
            RUN_PART[part](plan, output)
    output.console.print(f"Written: CSV files and pictures in {out}", highlight=False)


if __name__ == "__main__":
    typer.run(compare_formulations)
