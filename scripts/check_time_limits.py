"""Check that time limits are respected: `python -m bilad.scripts.check_time_limits`.

Each function that has a time limit is called once with a limit that is too short, after everything
has been compiled. A limit is respected if the call exceeds it by at most 20 % plus one second. The
exit code is 1 if some limit is not respected.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from threadpoolctl import threadpool_limits

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.scripts.command import command
from bilad.scripts.run_store import Output
from bilad.solvers import attack, certify, cluster_path
from bilad.solvers.clustering.cluster import solve_lower

SHARE, SECONDS = 0.2, 1.0  # by which a call may exceed its limit
LIMITS = (0.2, 1.0)
NORMS = (1, 2, np.inf)
SIZES = (
    *(("complete", n) for n in (60, 300, 1000)),
    *(("k-NN", n) for n in (60, 500, 2000, 6000)),
)
FREE = 5  # points that an attack perturbs


@dataclass(frozen=True)
class Call:
    """One call with a time limit."""

    function: str
    graph: str
    n: int
    p: float
    limit: float
    wall: float
    processor: float
    ended: str

    @property
    def kept(self) -> bool:
        """Whether the call exceeded its limit by at most 20 % plus one second."""
        return self.wall <= (1 + SHARE) * self.limit + SECONDS

    @property
    def line(self) -> str:
        """The call in one line."""
        return (
            f"{self.function}, {self.graph}, n = {self.n}, p = {self.p:g}: limit {self.limit:g} s, "
            f"{self.wall:.2f} s ({self.processor:.2f} s of processor time), {self.ended}"
            f"{'' if self.kept else '; not respected'}"
        )


@command
def check_time_limits(
    largest: Annotated[int, typer.Option(min=50, help="Omit models with more points.")] = 6000,
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("results/time_limits"),
) -> None:
    """Call every function that has a time limit with a limit that is too short."""
    output = Output(out, Console())
    with threadpool_limits(1):
        for _ in _calls(60):  # compiles and imports
            pass
        key = ("function", "graph", "n", "p", "limit")
        calls = output.collect("calls", _calls(largest), Call, key)
    late = [call for call in calls if not call.kept]
    output.console.print(f"{len(calls) - len(late)} of {len(calls)} limits respected")
    raise typer.Exit(int(bool(late)))


def _calls(largest: int) -> Iterator[Call]:
    for graph, n in SIZES:
        if n > largest:
            continue
        A = np.random.default_rng(0).normal(size=(n, 2))
        edges = FusionGraph.complete(n, 1 / n) if graph == "complete" else FusionGraph.knn(A, 10)
        for p in NORMS:
            model = ConvexClustering(A, edges, 0.1, p)
            _ = model.radii
            for limit in LIMITS:
                for name, function in _functions(model).items():
                    yield _timed(name, graph, model, limit, function)


def _functions(model: ConvexClustering) -> dict[str, Callable[[float], str]]:
    """Return the functions by name; each is called with a limit and returns how it ended."""
    moved = Perturbation.additive(model.data.shape, points=range(FREE))
    problem = MaxDeviation(model, moved, 0.5)
    gammas = np.geomspace(0.01, 1, 10)

    def lower(method: str, **options: Any) -> Callable[[float], str]:
        return lambda limit: solve_lower(model, method, time_limit=limit, **options).status

    def upper(method: str) -> Callable[[float], str]:
        return lambda limit: attack(problem, method, time_limit=limit).termination

    return {
        "cluster ssnal": lower("ssnal"),
        "cluster ssnal, refine": lower("ssnal", refine=True),
        "cluster clarabel": lower("clarabel"),
        "cluster_path": lambda limit: cluster_path(model, gammas, time_limit=limit).status,
        "attack corners": upper("corners"),
        "attack hypergradient": upper("hypergradient"),
        "attack kkt": upper("kkt"),
        "certify": lambda limit: certify(problem, time_limit=limit).termination,
    }


def _timed(
    name: str, graph: str, model: ConvexClustering, limit: float, function: Callable[[float], str]
) -> Call:
    wall, processor = time.perf_counter(), time.process_time()
    ended = function(limit)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return Call(name, graph, model.n, model.p, limit, wall, processor, ended)


if __name__ == "__main__":
    typer.run(check_time_limits)
