"""Timing of the lower level against CVXPY: `python -m bilad.scripts.benchmark_lower`.

All measurements use one thread and are medians of 5 runs, of fewer if a run is long. Our method is
SSNAL, to a relative gap and a relative KKT residual of 1e-6; of the other solvers only the gap is
required. The certificates of the labels, which no other solver computes, are timed separately. Rows
are printed as soon as they are measured; an interrupted table contains those that are complete.

The instances are two half moons, and eight Gaussian clouds in ten dimensions, with weights
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
import qdldl
import scipy.sparse as sp
import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from bilad.formulations.clustering.conic import ConicProgram
from bilad.models import ConvexClustering
from bilad.models.validation import one_of, whole_number
from bilad.scripts.command import command, noted_interrupts
from bilad.scripts.conic_solvers import CONIC_SOLVERS, smallest_gap, time_solver
from bilad.scripts.display import show, shown
from bilad.scripts.experiments.parts import Sample, convex_clustering, moons
from bilad.scripts.files import check_folder, write_text
from bilad.solvers import Clustering, cluster_path
from bilad.solvers.clustering.labels.partition import Partition, prove_partition
from bilad.solvers.clustering.ssnal.ssnal import solve_ssnal


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


def gaussians(rng: np.random.Generator, *, points: int) -> Sample:
    """Draw eight Gaussian clouds in ten dimensions, with centres drawn from 3 N(0, 1)."""
    centres = 3 * rng.normal(size=(8, 10))
    return Sample(centres[rng.integers(0, 8, points)] + rng.normal(size=(points, 10)))


KINDS: dict[str, Callable[..., Sample]] = {"moons": moons, "gaussians": gaussians}

COLD = tuple(
    Instance(kind, n, gamma)
    for kind, n, gammas in (
        ("moons", 2_000, (10.0, 0.05)),
        ("moons", 5_000, (10.0, 0.05)),
        ("moons", 10_000, (30.0, 0.05)),
        ("gaussians", 2_000, (1000.0, 50.0)),
        ("gaussians", 5_000, (1000.0, 20.0)),
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
GROWTH = tuple(Instance("moons", n, 0.05) for n in (1_000, 3_000, 10_000, 30_000, 100_000))


GAP = 1e-6
SOLVER_LIMIT = 40.0  # time limit of another solver
ATTACKED, NOISE = 20, 0.05  # points that eps moves before a warm start, and how far
Row = dict[str, Any]


def median_time(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Return the median seconds of the given number of runs, and the result of the last."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds)), result


def factorisation_time(model: ConvexClustering, repeats: int) -> float:
    """Return the seconds of one numerical factorisation of I + B'B (n x n), by qdldl's update."""
    B = model.graph.incidence
    matrix = sp.csc_matrix(sp.triu(sp.eye_array(model.n) + B.T @ B))
    solver = qdldl.Solver(matrix, upper=True)
    return median_time(lambda: solver.update(matrix, upper=True), repeats)[0]


def cold_row(instance: Instance, repeats: int) -> Row:
    """Time a solve without a warm start, and the other solvers."""
    model = instance.model()
    seconds, solution = median_time(partial(solve_ssnal, model, GAP), repeats)
    proof, partition = median_time(partial(prove_partition, model, solution.X, solution.Z), repeats)
    others = {
        name: time_solver(solver, model, GAP, repeats, SOLVER_LIMIT)
        for name, solver in CONIC_SOLVERS.items()
    }
    return {
        "instance": instance.name,
        "clusters": int(partition.labels.max()) + 1,
        "gap": model.gap(solution.X, solution.Z),
        "seconds": seconds,
        "steps": f"{solution.admm_steps} + {solution.newton_steps}",
        "factorisations": seconds / factorisation_time(model, repeats),
        **{name: own for name, (own, _) in others.items()},
        **{f"{name} gap": reached for name, (_, reached) in others.items()},
        "times faster": min(own for own, _ in others.values()) / seconds,
        "labels proved": "yes" if partition.proved else "no",
        "proof seconds": proof,
    }


def warm_row(instance: Instance, repeats: int) -> Row:
    """Time a warm start after eps, which moves a few points, has grown by 1 %."""
    model = instance.model()
    rng = np.random.default_rng(0)
    eps = np.zeros_like(model.data)
    moved = rng.choice(model.n, ATTACKED, replace=False)
    eps[moved] = NOISE * rng.normal(size=(ATTACKED, model.d))
    at = [model.replace(data=model.data + factor * eps) for factor in (1.0, 1.01)]
    cold, _ = median_time(partial(solve_ssnal, at[1], GAP), repeats)
    before = solve_ssnal(at[0], GAP)
    again = partial(solve_ssnal, at[1], GAP, (before.X, before.Z), before.workspace)
    warm, after = median_time(again, repeats)
    return {
        "instance": instance.name,
        "cold": cold,
        "warm": warm,
        "times faster": cold / warm,
        "gap": at[1].gap(after.X, after.Z),
        "steps": f"{after.admm_steps} + {after.newton_steps}",
    }


def path_row(instance: Instance, repeats: int) -> Row:
    """Time 50 values of gamma, by `cluster_path` and by Clarabel with one program for all."""
    model = instance.model()
    seconds, path = median_time(lambda: cluster_path(model, PATH_GAMMAS, "ssnal", tol=GAP), repeats)
    found, program = path.clusterings, ConicProgram(path.clusterings[0].model)

    def clarabel() -> float:
        worst = 0.0
        for clustering in found:
            program.set_model(clustering.model)
            program.solve(tol_gap_abs=GAP, tol_gap_rel=GAP, tol_feas=GAP)
            pair = None if program.X is None or program.Z is None else (program.X, program.Z)
            worst = max(worst, smallest_gap(clustering.model, pair))
        return worst

    rival, worst = median_time(clarabel, 1)
    return {
        "path": f"{instance.kind} {instance.n}, {len(PATH_GAMMAS)} gammas",
        "seconds": seconds,
        "of which proofs": median_time(lambda: [_proof(one) for one in found], 1)[0],
        "labels proved": sum(clustering.proved for clustering in found),
        "worst gap": max(clustering.gap for clustering in found),
        "Clarabel": rival,
        "Clarabel's worst gap": worst,
        "times faster": rival / seconds,
    }


def _proof(clustering: Clustering) -> Partition:
    return prove_partition(clustering.model, clustering.X, clustering.Z)


def growth_row(instance: Instance, repeats: int) -> Row:
    """Time an instance, with its size."""
    model = instance.model()
    times = repeats if instance.n <= 10_000 else 1
    seconds, solution = median_time(partial(solve_ssnal, model, GAP), times)
    return {
        "n": instance.n,
        "edges": model.graph.m,
        "seconds": seconds,
        "gap": model.gap(solution.X, solution.Z),
        "steps": f"{solution.admm_steps} + {solution.newton_steps}",
        "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


# The title of each table, the function that measures a row, and the instances.
TABLES: dict[str, tuple[str, Callable[[Instance, int], Row], Sequence[Instance]]] = {
    "cold": ("Without a warm start, to a relative gap of 1e-6", cold_row, COLD),
    "warm": ("Warm start after eps has grown by 1 %", warm_row, COLD),
    "path": ("A path of gammas", path_row, (PATH,)),
    "growth": ("Increasing size", growth_row, GROWTH),
    "norms": ("Other norms", cold_row, OTHER_NORMS),
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
    return table


@command
def benchmark(
    out: Annotated[Path, typer.Option(help="Output folder for the CSV files.")] = Path(
        "results/benchmark_lower"
    ),
    repeats: Annotated[int, typer.Option(min=1, help="Number of runs for each median.")] = 5,
    largest: Annotated[int, typer.Option(help="Omit instances with more points.")] = 100_000,
    only: Annotated[str, typer.Option(help="Tables, comma-separated.")] = ",".join(TABLES),
) -> None:
    """Time the lower level against CVXPY with Clarabel and with SCS."""
    chosen = [one_of(name.strip(), "only", TABLES) for name in only.split(",")]
    smallest = [min(instance.n for instance in TABLES[name][2]) for name in chosen]
    whole_number(largest, "largest", least=max(smallest))
    check_folder(out)
    console = Console(width=max(180, Console().width))
    with threadpool_limits(1):
        for kind, gamma in (("moons", 10.0), ("gaussians", 20.0)):
            solve_ssnal(Instance(kind, 1_000, gamma).model(), 1e-2)  # compiles
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
