"""Timing of the lower level against CVXPY: `python -m bilad.scripts.benchmark_lower`.

All measurements use one thread and are medians of 5 runs, of fewer if a run is long. Our method is
SSNAL, to a relative gap and a relative KKT residual of 1e-6; of the other solvers only the gap is
required. The certificates of the labels, which no other solver computes, are timed separately. Rows
are written to a CSV file as soon as they are measured.

The instances are two half moons, and eight Gaussian clouds in ten dimensions, with weights
exp(-0.5 ||a_i - a_j||^2) on the graph of the 10 nearest neighbours (Sun, Toh and Yuan, section 5).
For each size, one gamma gives few clusters, and another 5 to 20 % of n.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import qdldl
import scipy.sparse as sp
import typer
from rich.console import Console
from sklearn.datasets import make_moons
from threadpoolctl import threadpool_limits

from bilad.formulations.clustering.conic import ConicProgram
from bilad.models import ConvexClustering, FusionGraph
from bilad.models.validation import FloatArray, one_of
from bilad.scripts.command import command, noted_interrupts
from bilad.scripts.conic_solvers import CONIC_SOLVERS, time_solver
from bilad.scripts.display import show
from bilad.scripts.run_store import Output, RunStore
from bilad.solvers import cluster_path
from bilad.solvers.clustering.labels.partition import prove_partition
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
        points = KINDS[self.kind](self.n)
        return ConvexClustering(points, FusionGraph.knn(points, 10, 0.5), self.gamma, self.p)


def moons(n: int) -> FloatArray:
    """Return two half moons with noise 0.05: shape (n, 2)."""
    return np.asarray(make_moons(n, noise=0.05, random_state=0)[0])


def gaussians(n: int) -> FloatArray:
    """Return eight Gaussian clouds with centres drawn from 3 N(0, 1): shape (n, 10)."""
    rng = np.random.default_rng(0)
    centres = 3 * rng.normal(size=(8, 10))
    return centres[rng.integers(0, 8, n)] + rng.normal(size=(n, 10))


KINDS = {"moons": moons, "gaussians": gaussians}

COLD = (
    Instance("moons", 2_000, 10.0),
    Instance("moons", 2_000, 0.05),
    Instance("moons", 5_000, 10.0),
    Instance("moons", 5_000, 0.05),
    Instance("moons", 10_000, 30.0),
    Instance("moons", 10_000, 0.05),
    Instance("gaussians", 2_000, 1000.0),
    Instance("gaussians", 2_000, 50.0),
    Instance("gaussians", 5_000, 1000.0),
    Instance("gaussians", 5_000, 20.0),
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


TABLES = ("cold", "warm", "path", "growth", "norms")
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


def cold_rows(instances: Iterable[Instance], repeats: int) -> Iterator[Row]:
    """Time solves without a warm start, and the other solvers."""
    for instance in instances:
        model = instance.model()
        seconds, solution = median_time(partial(solve_ssnal, model, GAP), repeats)
        proof, partition = median_time(
            partial(prove_partition, model, solution.X, solution.Z), repeats
        )
        others = {
            solver.name: time_solver(solver, model, GAP, repeats, SOLVER_LIMIT)
            for solver in CONIC_SOLVERS
        }
        fastest = min(timing.seconds for timing in others.values())
        yield {
            "instance": instance.name,
            "clusters": int(partition.labels.max()) + 1,
            "gap": model.gap(solution.X, solution.Z),
            "seconds": seconds,
            "steps": f"{solution.admm_steps} + {solution.newton_steps}",
            "factorisations": seconds / factorisation_time(model, repeats),
            **{name: timing.seconds for name, timing in others.items()},
            **{f"{name} gap": timing.gap for name, timing in others.items()},
            "times faster": fastest / seconds,
            "labels proved": "yes" if partition.proved else "no",
            "proof seconds": proof,
        }


def warm_rows(instances: Iterable[Instance], repeats: int) -> Iterator[Row]:
    """Time warm starts after eps, which moves a few points, has grown by 1 %."""
    for instance in instances:
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
        yield {
            "instance": instance.name,
            "cold": cold,
            "warm": warm,
            "times faster": cold / warm,
            "gap": at[1].gap(after.X, after.Z),
            "steps": f"{after.admm_steps} + {after.newton_steps}",
        }


def path_row(repeats: int) -> Row:
    """Time 50 values of gamma, by `cluster_path` and by Clarabel with one program for all."""
    model = PATH.model()
    seconds, path = median_time(lambda: cluster_path(model, PATH_GAMMAS, "ssnal", tol=GAP), repeats)
    proofs = 0.0
    for clustering in path.clusterings:
        began = time.perf_counter()
        prove_partition(clustering.model, clustering.X, clustering.Z)
        proofs += time.perf_counter() - began

    def clarabel() -> float:
        program, worst = ConicProgram(path.clusterings[0].model), 0.0
        for clustering in path.clusterings:
            program.set_model(clustering.model)
            program.solve(tol_gap_abs=GAP, tol_gap_rel=GAP, tol_feas=GAP)
            assert program.X is not None
            assert program.Z is not None
            worst = max(worst, clustering.model.gap(program.X, program.Z))
        return worst

    clarabel_seconds, worst = median_time(clarabel, 1)
    return {
        "path": f"{PATH.kind} {PATH.n}, {len(PATH_GAMMAS)} gammas",
        "seconds": seconds,
        "of which proofs": proofs,
        "labels proved": sum(clustering.proved for clustering in path.clusterings),
        "worst gap": max(clustering.gap for clustering in path.clusterings),
        "Clarabel": clarabel_seconds,
        "Clarabel's worst gap": worst,
        "times faster": clarabel_seconds / seconds,
    }


def growth_rows(instances: Iterable[Instance], repeats: int) -> Iterator[Row]:
    """Time instances of increasing size."""
    for instance in instances:
        model = instance.model()
        times = repeats if instance.n <= 10_000 else 1
        seconds, solution = median_time(partial(solve_ssnal, model, GAP), times)
        yield {
            "n": instance.n,
            "edges": model.graph.m,
            "seconds": seconds,
            "gap": model.gap(solution.X, solution.Z),
            "steps": f"{solution.admm_steps} + {solution.newton_steps}",
            "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        }


def growth_exponent(rows: list[Row]) -> float:
    """Return the least-squares slope of log(seconds) against log(n)."""
    n, seconds = np.array([(row["n"], row["seconds"]) for row in rows]).T
    return float(np.polyfit(np.log(n), np.log(seconds), 1)[0])


def report(title: str, name: str, rows: Iterable[Row], output: Output) -> list[Row]:
    """Measure the rows, write each to `name`.csv, then print the table."""
    done: list[Row] = []
    with noted_interrupts() as interrupts, ExitStack() as stack:
        for row in rows:
            interrupts.check()
            if not done:
                path = output.folder / f"{name}.csv"
                store = stack.enter_context(RunStore(path, list(row), list(row)[:1]))
            store.add(row)
            done.append(row)
            output.say(f"{name}: {next(iter(row.values()))}")
    show(output.console, title, done)
    return done


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
    output = Output(out, Console(width=max(150, Console().width)))

    def small(instances: Iterable[Instance]) -> list[Instance]:
        return [instance for instance in instances if instance.n <= largest]

    with threadpool_limits(1):
        for instance in small(COLD)[:: max(len(small(COLD)) - 1, 1)]:
            solve_ssnal(instance.model(), 1e-2)  # compiles
        if "cold" in chosen:
            rows = cold_rows(small(COLD), repeats)
            report("Without a warm start, to a relative gap of 1e-6", "cold", rows, output)
        if "warm" in chosen:
            rows = warm_rows(small(COLD), repeats)
            report("Warm start after eps has grown by 1 %", "warm", rows, output)
        if "path" in chosen:
            report("A path of gammas", "path", iter([path_row(repeats)]), output)
        if "growth" in chosen:
            growth = report(
                "Increasing size", "growth", growth_rows(small(GROWTH), repeats), output
            )
            if len(growth) > 1:
                text = f"Fitted exponent of the seconds in n: {growth_exponent(growth):.2f}"
                output.console.print(text, highlight=False)
        if "norms" in chosen:
            report("Other norms", "norms", cold_rows(small(OTHER_NORMS), repeats), output)


if __name__ == "__main__":
    typer.run(benchmark)
