"""Part `size` of the comparison of formulations: the largest problems that `kkt` can solve.

The seconds of the lower level, of writing and opening the models, and of IPOPT are those that the
result reports. There is no closing search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.learning.clustering_problem import clustering_of
from bilad.scripts.attack_runs import Plan
from bilad.scripts.display import Cells, as_share, show
from bilad.scripts.run_store import Output
from bilad.solvers import attack

SECONDS, QUICK_SECONDS = 60.0, 10.0  # time limit of one run
FIRST_N, MOST_N = 25, 12_800
ENTRIES = 5
BUDGET = 3.0
COMPLETE_GAMMA, NEIGHBOUR_GAMMAS = 3.0, {2: 2.0, 5: 20.0}  # chosen for few clusters


SHOWN = {  # columns of the table, and their headings
    "family": "family", "n": "n", "edges": "edges", "blocks": "blocks", "lower": "lower",
    "writing": "Pyomo", "opening": "opening", "ipopt": "IPOPT", "total": "total",
    "building_share": "building", "iterations": "iterations", "deviation": "own",
    "status": "status",
}  # fmt: skip


def size_table(rows: Sequence[SizeRow]) -> list[Cells]:
    """Return the table of the seconds of each step."""
    shown = [{name: getattr(row, key) for key, name in SHOWN.items()} for row in rows]
    return [{**cells, "building": as_share(cells["building"])} for cells in shown]


def run(plan: Plan, output: Output) -> None:
    """Run the part and print its table."""
    limit = plan.limit(SECONDS, QUICK_SECONDS)
    rows = output.collect(
        "size",
        (row for family in FAMILIES for row in size_rows(family, limit)),
        SizeRow,
        ("family", "n"),
    )
    show(
        output.console,
        f"Size: kkt from one start, at most {limit:g} s; seconds of each step",
        size_table(rows),
        "building: the share of Pyomo and opening in the total. blocks: rows of the model.",
    )


@dataclass(frozen=True)
class Family:
    """Problems of increasing size: two Gaussian clouds, complete graph or 10 nearest neighbours."""

    d: int
    p: float
    neighbours: int | None

    @property
    def name(self) -> str:
        """A name for tables."""
        graph = "complete" if self.neighbours is None else f"k-NN {self.neighbours}"
        return f"d = {self.d}, p = {self.p:g}, {graph}"

    def problem(self, n: int) -> MaxDeviation:
        """Build the problem with n points; every call gives the same."""
        rng = np.random.default_rng(0)
        data = rng.normal(size=(n, self.d))
        data[: n // 2] += 4.0
        if self.neighbours is None:
            graph, gamma = FusionGraph.complete(n, 1 / n), COMPLETE_GAMMA
        else:
            graph, gamma = FusionGraph.knn(data, self.neighbours), NEIGHBOUR_GAMMAS[self.d]
        model = ConvexClustering(data, graph, gamma, self.p)
        free = Perturbation.additive(data.shape, rng.choice(n, ENTRIES, replace=False), [0])
        return MaxDeviation(model, free, BUDGET, float("inf"))


FAMILIES = (
    Family(1, 2.0, None),
    *(Family(d, p, 10) for d in (2, 5) for p in (1.0, 2.0)),
)


@dataclass(frozen=True)
class SizeRow:
    """The seconds of each step."""

    family: str
    n: int
    edges: int
    blocks: int  # rows of the largest model
    # Seconds of the lower-level solves, of writing the Pyomo models, of opening them in IPOPT (.nl
    # file and differentiation), of IPOPT, and in total.
    lower: float
    writing: float
    opening: float
    ipopt: float
    total: float
    building_share: float  # the share of `writing` and `opening` in the total
    iterations: int
    deviation: float  # of the best stage
    status: str  # what ended the run

    @property
    def line(self) -> str:
        """The row in one line."""
        return f"{self.family}, n = {self.n}: {self.total:.1f} s, {self.status}"


def measure(family: Family, n: int, limit: float) -> SizeRow:
    """Run `kkt` once from eps = 0, without a closing search."""
    problem = family.problem(n)
    found = attack(problem, "kkt", time_limit=limit, bound="none", closing="none")
    stages = found.stages
    writing, opening = (sum(getattr(s, part) for s in stages) for part in ("writing", "opening"))
    return SizeRow(
        family=family.name,
        n=n,
        edges=clustering_of(problem).graph.m,
        blocks=max((stage.blocks or n for stage in stages), default=n),
        lower=found.seconds_solving,
        writing=writing,
        opening=opening,
        ipopt=sum(stage.seconds for stage in stages),
        total=found.seconds,
        building_share=(writing + opening) / found.seconds,
        iterations=sum(stage.iterations for stage in stages),
        deviation=found.own.deviation,
        status=found.termination,
    )


def size_rows(family: Family, limit: float) -> Iterator[SizeRow]:
    """Yield rows for n doubled each time, until the method does not end within the time limit."""
    n = FIRST_N
    while n <= MOST_N:
        row = measure(family, n, limit)
        yield row
        if row.status != "converged":
            return
        n *= 2
