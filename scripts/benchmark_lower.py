"""The lower level timed against CVXPY: `python -m bilad.scripts.benchmark_lower`.

One thread, medians of 5 (of fewer for a rival that takes long), ratios within one run. Ours is
SSNAL to a relative gap and a relative KKT residual of 1e-6; a rival needs the gap only. Proofs of
labels, which no rival gives, are timed apart. Rows are written to a CSV file as they are measured.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import qdldl
import scipy.sparse as sp
import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from bilad.formulations.clustering.conic import ConicProgram
from bilad.models import ConvexClustering
from bilad.models.validation import one_of
from bilad.scripts.command import command
from bilad.scripts.interrupts import noted_interrupts
from bilad.scripts.lower.conic_rivals import RIVALS, time_rival
from bilad.scripts.lower.lower_instances import (
    COLD,
    GROWTH,
    OTHER_NORMS,
    PATH,
    PATH_GAMMAS,
    Instance,
)
from bilad.scripts.run_log import RunLog
from bilad.scripts.tables import show
from bilad.solvers import cluster_path
from bilad.solvers.clustering.labels.partition import prove_partition
from bilad.solvers.clustering.ssnal.ssnal import solve_ssnal

TABLES = ("cold", "warm", "path", "growth", "norms")
GAP = 1e-6
RIVAL_LIMIT = 40.0  # seconds after which a rival is stopped
ATTACKED, NOISE = 20, 0.05  # points moved by eps in the warm re-solves, and how far
Row = dict[str, Any]


def median_time(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Return the median seconds of so many runs, and what the last returned."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds)), result


def factorisation_time(model: ConvexClustering, repeats: int) -> float:
    """Return the seconds of one numeric n x n factorisation, of I + B'B (qdldl's update)."""
    B = model.graph.incidence
    matrix = sp.csc_matrix(sp.triu(sp.eye_array(model.n) + B.T @ B))
    solver = qdldl.Solver(matrix, upper=True)
    return median_time(lambda: solver.update(matrix, upper=True), repeats)[0]


def cold_rows(instances: Iterable[Instance], repeats: int) -> Iterator[Row]:
    """Time cold solves beside the rivals'."""
    for instance in instances:
        model = instance.model()
        seconds, solution = median_time(partial(solve_ssnal, model, GAP), repeats)
        proof, partition = median_time(
            partial(prove_partition, model, solution.X, solution.Z), repeats
        )
        rivals = {
            rival.name: time_rival(rival, model, GAP, repeats, RIVAL_LIMIT) for rival in RIVALS
        }
        fastest = min(timing.seconds for timing in rivals.values())
        yield {
            "instance": instance.name,
            "clusters": int(partition.labels.max()) + 1,
            "gap": model.gap(solution.X, solution.Z),
            "seconds": seconds,
            "steps": f"{solution.admm_steps} + {solution.newton_steps}",
            "factorisations": seconds / factorisation_time(model, repeats),
            **{name: timing.seconds for name, timing in rivals.items()},
            **{f"{name} gap": timing.gap for name, timing in rivals.items()},
            "times faster": fastest / seconds,
            "labels proved": "yes" if partition.proved else "no",
            "proof seconds": proof,
        }


def warm_rows(instances: Iterable[Instance], repeats: int) -> Iterator[Row]:
    """Time re-solves after eps, which moves a few points, has grown by 1 %."""
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
    """Time a path of 50 gammas, by `cluster_path` and by Clarabel with one program for all."""
    model = PATH.model()
    seconds, path = median_time(lambda: cluster_path(model, PATH_GAMMAS, "ssnal", tol=GAP), repeats)
    proofs = 0.0
    for clustering in path.clusterings:
        began = time.perf_counter()
        prove_partition(clustering.model, clustering.X, clustering.Z)
        proofs += time.perf_counter() - began
    tol = GAP

    def rival() -> float:
        program, worst = ConicProgram(path.clusterings[0].model), 0.0
        for clustering in path.clusterings:
            program.set_model(clustering.model)
            program.solve(tol_gap_abs=tol, tol_gap_rel=tol, tol_feas=tol)
            assert program.X is not None
            assert program.Z is not None
            worst = max(worst, clustering.model.gap(program.X, program.Z))
        return worst

    rival_seconds, worst = median_time(rival, 1)
    return {
        "path": f"{PATH.kind} {PATH.n}, {len(PATH_GAMMAS)} gammas",
        "seconds": seconds,
        "of which proofs": proofs,
        "labels proved": sum(clustering.proved for clustering in path.clusterings),
        "worst gap": max(clustering.gap for clustering in path.clusterings),
        "Clarabel": rival_seconds,
        "Clarabel's worst gap": worst,
        "times faster": rival_seconds / seconds,
    }


def growth_rows(instances: Iterable[Instance], repeats: int) -> Iterator[Row]:
    """Time growing instances."""
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
    """Return the least-squares slope of log seconds against log n."""
    n, seconds = np.array([(row["n"], row["seconds"]) for row in rows]).T
    return float(np.polyfit(np.log(n), np.log(seconds), 1)[0])


class Report:
    """Prints tables, and writes every row at once."""

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder, self._console = folder, console

    def table(self, title: str, name: str, rows: Iterable[Row]) -> list[Row]:
        """Measure the rows, writing each to `name`.csv, then print them."""
        done: list[Row] = []
        with noted_interrupts() as interrupts, ExitStack() as stack:
            for row in rows:
                interrupts.check()
                if not done:
                    path = self._folder / f"{name}.csv"
                    log = stack.enter_context(RunLog(path, list(row), list(row)[:1]))
                log.add(row)
                done.append(row)
                self._console.print(f"[dim]{name}: {next(iter(row.values()))}[/]", highlight=False)
        show(self._console, title, done)
        return done

    def line(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, highlight=False)


@command
def benchmark(
    out: Annotated[Path, typer.Option(help="Folder for the CSV files.")] = Path(
        "results/benchmark_lower"
    ),
    repeats: Annotated[int, typer.Option(min=1, help="Runs of which the median counts.")] = 5,
    largest: Annotated[int, typer.Option(help="Leave out instances with more points.")] = 100_000,
    only: Annotated[str, typer.Option(help="Comma-separated tables.")] = ",".join(TABLES),
) -> None:
    """Time the lower level against CVXPY with Clarabel and with SCS."""
    chosen = [one_of(name.strip(), "only", TABLES) for name in only.split(",")]
    console = Console(width=max(150, Console().width))
    report = Report(out, console)

    def small(instances: Iterable[Instance]) -> list[Instance]:
        return [instance for instance in instances if instance.n <= largest]

    with threadpool_limits(1):
        for instance in small(COLD)[:: max(len(small(COLD)) - 1, 1)]:
            solve_ssnal(instance.model(), 1e-2)  # compile the kernels
        if "cold" in chosen:
            report.table("Cold, to a relative gap of 1e-6", "cold", cold_rows(small(COLD), repeats))
        if "warm" in chosen:
            report.table("Re-solve, eps 1 % larger", "warm", warm_rows(small(COLD), repeats))
        if "path" in chosen:
            report.table("A path", "path", iter([path_row(repeats)]))
        if "growth" in chosen:
            growth = report.table("Growth", "growth", growth_rows(small(GROWTH), repeats))
            if len(growth) > 1:
                report.line(f"fitted exponent: {growth_exponent(growth):.2f}")
        if "norms" in chosen:
            report.table("Other norms", "norms", cold_rows(small(OTHER_NORMS), repeats))


if __name__ == "__main__":
    typer.run(benchmark)
