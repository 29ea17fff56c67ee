"""Timing of the lower level against Clarabel and SCS: `python -m bilad.scripts.benchmark_lower`.

All measurements use one thread and are medians of 5 runs, of fewer if a run is long. `cluster` and
`cluster_path` are timed as a user calls them, with the proof of the labels, to a relative gap and a
relative KKT residual of 1e-6. No other solver proves labels. Their programs are built, and in CVXPY
canonicalised, before the time is taken, and only their objective must be accurate to 1e-6. They run
at the loosest tolerance that attains this; "> 60" is a solver that did not attain it in the longest
time that was spent on one tolerance. The plain form is also timed at the tolerance 1e-6, and for a
single solve with its building, as a user would call it.
Rows are printed as soon as they are measured; an interrupted table contains those that are
complete. Each table is also written as CSV and in Markdown.

The instances are two half moons, and eight Gaussian clouds in 3, 5 and 10 dimensions, with weights
exp(-0.5 ||a_i - a_j||^2) on the graph of the 10 nearest neighbours (Sun, Toh and Yuan, section 5).
For each size, one gamma gives few clusters, and another 5 to 20 % of n.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from bilad.formulations.clustering.conic import ConicProgram
from bilad.models import ConvexClustering
from bilad.models.validation import FloatArray, one_of, whole_number
from bilad.scripts.benchmark_evaluations import ATTACKS, EVALUATIONS, attack_row, evaluation_row
from bilad.scripts.command import command, noted_interrupts
from bilad.scripts.conic_solvers import CONIC_SOLVERS, excess, run_clarabel, time_solver
from bilad.scripts.display import markdown, show, shown
from bilad.scripts.experiments.parts import Sample, convex_clustering, moons
from bilad.scripts.files import check_folder, write_text
from bilad.solvers import Clustering, cluster, cluster_path


@dataclass(frozen=True)
class Instance:
    """One problem: kind of data, size, gamma and norm."""

    kind: str
    n: int
    gamma: float
    p: float = 2.0

    @property
    def name(self) -> str:
        """A name for tables."""
        return f"{self.kind} {self.n}, gamma {self.gamma:g}" + (
            "" if self.p == 2 else f", p = {self.p:g}"
        )

    def model(self) -> ConvexClustering:
        """Build the model; every call gives the same."""
        sample = KINDS[self.kind](np.random.default_rng(0), points=self.n)
        return convex_clustering(sample, gamma=self.gamma, p=self.p, neighbours=10)


def gaussians(rng: np.random.Generator, *, points: int, d: int) -> Sample:
    """Draw eight Gaussian clouds in d dimensions, with centres drawn from 3 N(0, 1)."""
    centres = 3 * rng.normal(size=(8, d))
    return Sample(centres[rng.integers(0, 8, points)] + rng.normal(size=(points, d)))


KINDS: dict[str, Callable[..., Sample]] = {
    "moons": moons,
    **{f"gaussians, d = {d}": partial(gaussians, d=d) for d in (3, 5, 10)},
}

COLD = tuple(
    Instance(kind, n, gamma)
    for kind, n, gammas in (
        ("moons", 2_000, (10.0, 0.05)),
        ("moons", 5_000, (10.0, 0.05)),
        ("moons", 10_000, (30.0, 0.05)),
        ("gaussians, d = 3", 2_000, (20.0, 2.0)),
        ("gaussians, d = 3", 5_000, (20.0, 2.0)),
        ("gaussians, d = 5", 2_000, (100.0, 3.0)),
        ("gaussians, d = 5", 5_000, (100.0, 2.5)),
        ("gaussians, d = 10", 2_000, (1000.0, 50.0)),
        ("gaussians, d = 10", 5_000, (1000.0, 20.0)),
    )
    for gamma in gammas
)
OTHER_NORMS = tuple(
    Instance("moons", n, gamma, p)
    for p in (1.0, float("inf"))
    for n in (1_000, 2_000, 5_000)
    for gamma in (10.0, 0.05)
)
PATH = Instance("moons", 2_000, 0.0)
PATH_GAMMAS = np.geomspace(0.01, 10.0, 50)
GROWTH = tuple(
    Instance("moons", n, 0.05) for n in (1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000)
)

GAP = 1e-6
PLAIN = "CVXPY, Clarabel, 1e-6"  # the plain form at this tolerance, which a user would choose
BUILT = "CVXPY, Clarabel, 1e-6, with building"
BOUND_TOL = 1e-9  # of the solution whose dual objective bounds the others'
SOLVER_LIMIT = 60.0  # time limit of another solver
ATTACKED, NOISE = 20, 0.05  # points that eps moves before a warm start, and how far
Row = dict[str, Any]


def median_time(
    work: Callable[[Any], Any], repeats: int, prepare: Callable[[], Any]
) -> tuple[float, Any]:
    """Return the median seconds of work(prepare()) without `prepare`, and the last result."""
    seconds = []
    for _ in range(repeats):
        prepared = prepare()
        began = time.perf_counter()
        result = work(prepared)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds)), result


def cold_row(instance: Instance, repeats: int) -> Row:
    """Time a solve without a warm start, and the other solvers."""
    seconds, found = median_time(partial(cluster, tol=GAP), repeats, instance.model)
    ssnal, _ = median_time(partial(cluster, method="ssnal", tol=GAP), repeats, instance.model)
    model = instance.model()
    error = partial(excess, model, lower_bound=_lower_bound(model))
    others = {
        name: time_solver(build(model), error, GAP, repeats, SOLVER_LIMIT)
        for name, build in CONIC_SOLVERS.items()
    }
    build, fastest = CONIC_SOLVERS["CVXPY, Clarabel"], min(others.values())

    def written(tol: float, time_limit: float) -> FloatArray | None:
        return build(model)(tol, time_limit)

    plain, _ = time_solver(written, error, np.inf, repeats, SOLVER_LIMIT, (GAP,))
    return {
        "instance": instance.name,
        "clusters": found.n_clusters,
        "method": found.method,
        "seconds": seconds,
        "gap": found.gap,
        "labels proved": _yes(found.proved),
        "SSNAL": ssnal,
        BUILT: plain,
        **{name: _or_more(own, reached) for name, (own, reached) in others.items()},
        f"times faster than {BUILT}": plain / seconds,
        "than the fastest": _or_more(fastest[0] / seconds, fastest[1]),
    }


def _lower_bound(model: ConvexClustering) -> float:
    return model.dual(cluster(model, tol=BOUND_TOL, time_limit=SOLVER_LIMIT).Z)


def _or_more(number: float, reached: float) -> float | str:
    """Return a number, marked as a lower bound if the accuracy was not reached."""
    return number if reached <= GAP else f"> {shown(number)}"


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


def warm_row(instance: Instance, repeats: int) -> Row:
    """Time a warm start after eps, which moves a few points, has grown by 1 %."""
    cold, _ = median_time(partial(cluster, tol=GAP), repeats, lambda: attacked(instance, 1.01))
    before, model = cluster(attacked(instance, 1.0), tol=GAP), attacked(instance, 1.01)
    again = partial(cluster, tol=GAP, start=before)
    warm, after = median_time(again, repeats, lambda: model)
    return {
        "instance": instance.name,
        "method": after.method,
        "cold": cold,
        "warm": warm,
        "times faster": cold / warm,
        "gap": after.gap,
        "labels proved": _yes(after.proved),
    }


def attacked(instance: Instance, factor: float) -> ConvexClustering:
    """Return the model at `factor` times an eps that moves a few points."""
    model, rng = instance.model(), np.random.default_rng(0)
    data = model.data.copy()
    moved = rng.choice(model.n, ATTACKED, replace=False)
    data[moved] += factor * NOISE * rng.normal(size=(ATTACKED, model.d))
    return model.replace(data=data)


def path_row(instance: Instance, repeats: int) -> Row:
    """Time 50 values of gamma, by `cluster_path` and by Clarabel: as written, and one program."""
    path_of = partial(cluster_path, gammas=PATH_GAMMAS, tol=GAP)
    seconds, path = median_time(path_of, repeats, instance.model)
    found: list[Clustering] = path.clusterings
    models = [clustering.model for clustering in found]
    bounds = [_lower_bound(model) for model in models]
    program = ConicProgram(models[0])

    def clarabel(tol: float, time_limit: float) -> list[FloatArray | None]:
        return [_solved(program, model, tol, time_limit) for model in models]

    def worst(solutions: list[FloatArray | None]) -> float:
        return max(map(excess, models, solutions, bounds))

    build = CONIC_SOLVERS["CVXPY, Clarabel"]
    programs = [build(model) for model in models]

    def written(tol: float, time_limit: float) -> list[FloatArray | None]:
        return [run(tol, time_limit) for run in programs]

    plain, _ = time_solver(written, worst, np.inf, 1, SOLVER_LIMIT, (GAP,))
    rival, reached = time_solver(clarabel, worst, GAP, 1, SOLVER_LIMIT)
    return {
        "path": f"{instance.kind} {instance.n}, {len(PATH_GAMMAS)} gammas",
        "seconds": seconds,
        "labels proved": sum(clustering.proved for clustering in found),
        "worst gap": max(clustering.gap for clustering in found),
        PLAIN: plain,
        "Clarabel": _or_more(rival, reached),
        f"times faster than {PLAIN}": plain / seconds,
        "than the fastest": _or_more(rival / seconds, reached),
    }


def _solved(
    program: ConicProgram, model: ConvexClustering, tol: float, time_limit: float
) -> FloatArray | None:
    program.set_model(model)
    return run_clarabel(program, tol, time_limit)


def growth_row(instance: Instance, repeats: int) -> Row:
    """Time an instance, with its size and the largest memory of the process so far."""
    times, model = repeats if instance.n <= 10_000 else 1, instance.model()
    seconds, found = median_time(partial(cluster, tol=GAP), times, lambda: model)
    return {
        "n": instance.n,
        "edges": model.graph.m,
        "clusters": found.n_clusters,
        "method": found.method,
        "seconds": seconds,
        "gap": found.gap,
        "status": found.status,
        "labels proved": _yes(found.proved),
        "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


# The title of each table, the function that measures a row, and the instances. That of the memory
# stands first, because it shows the largest of the process.
TABLES: dict[str, tuple[str, Callable[[Any, int], Row], Sequence[Any]]] = {
    "growth": ("Increasing size", growth_row, GROWTH),
    "cold": ("Without a warm start, to a relative gap of 1e-6", cold_row, COLD),
    "warm": ("Warm start after eps has grown by 1 %", warm_row, COLD),
    "path": ("A path of gammas", path_row, (PATH,)),
    "norms": ("Other norms", cold_row, OTHER_NORMS),
    "evaluations": ("One evaluation of eps", evaluation_row, EVALUATIONS),
    "attacks": ("Attacks on lines in equal time", attack_row, ATTACKS),
}


def growth_exponent(table: pd.DataFrame) -> float:
    """Return the least-squares slope of log(seconds) against log(n)."""
    return float(np.polyfit(np.log(table.n), np.log(table.seconds), 1)[0])


def measure(rows: Iterable[Row], path: Path, console: Console) -> pd.DataFrame:
    """Print each row as soon as it is known, and write all rows, also if a later one fails."""
    done: list[Row] = []
    try:
        with noted_interrupts() as interrupts:
            for row in rows:
                interrupts.check()
                done.append(row)
                text = ", ".join(f"{name} {shown(value)}" for name, value in row.items())
                console.print(f"{path.stem}: {text}", style="dim", highlight=False, markup=False)
    finally:
        table = pd.DataFrame(done)
        write_text(path, table.to_csv(index=False))
        write_text(path.with_suffix(".md"), markdown(table))
    return table


@command
def benchmark(
    out: Annotated[Path, typer.Option(help="Output folder of the tables.")] = Path(
        "results/benchmark_lower"
    ),
    repeats: Annotated[int, typer.Option(min=1, help="Number of runs for each median.")] = 5,
    largest: Annotated[int, typer.Option(help="Omit instances with more points.")] = 100_000,
    only: Annotated[str, typer.Option(help="Tables, comma-separated.")] = ",".join(TABLES),
) -> None:
    """Time the lower level against Clarabel and SCS."""
    asked = [one_of(name.strip(), "only", TABLES) for name in only.split(",")]
    chosen = [name for name in TABLES if name in asked]
    smallest = [min(instance.n for instance in TABLES[name][2]) for name in chosen]
    whole_number(largest, "largest", least=max(smallest))
    check_folder(out)
    console = Console(width=max(180, Console().width))
    with threadpool_limits(1):
        for kind in KINDS:  # loads compiled code
            for method in ("auto", "ssnal"):
                cluster(Instance(kind, 1_000, 10.0).model(), method, tol=GAP)
        for name in chosen:
            title, row_of, instances = TABLES[name]
            rows = (row_of(instance, repeats) for instance in instances if instance.n <= largest)
            table = measure(rows, out / f"{name}.csv", console)
            show(console, title, table)
            if name == "growth" and len(table) > 1:
                text = f"Fitted exponent of the seconds in n: {growth_exponent(table):.2f}"
                console.print(text, highlight=False)


if __name__ == "__main__":
    typer.run(benchmark)
