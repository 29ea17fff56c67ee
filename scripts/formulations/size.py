"""Part `size` of the comparison of formulations: the largest problems that `kkt` can solve.

The steps of the continuation method are called and timed one by one: the Pyomo model, its .nl file,
the opening (reading and differentiating the file), and IPOPT. The closing search is not included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bilad.formulations.reformulations import KKT
from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.learning.clustering_problem import clustering_of
from bilad.scripts.attack_runs import Plan
from bilad.scripts.display import Cells, as_share, show
from bilad.scripts.run_store import Output
from bilad.solvers.bilevel.continuation import ContinuationState, follow_warm_started
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.scaling import Scaling
from bilad.solvers.bilevel.trace import Trace
from bilad.solvers.nlp import IpoptSession
from bilad.solvers.nlp.nl_model import NlModel
from bilad.solvers.termination import BudgetSpentError
from bilad.solvers.upper.reformulation import BY_KKT

SECONDS, QUICK_SECONDS = 60.0, 10.0  # time limit of one run
FIRST_N, MOST_N = 25, 12_800
ENTRIES = 5
BUDGET = 3.0
COMPLETE_GAMMA, NEIGHBOUR_GAMMAS = 3.0, {2: 2.0, 5: 20.0}  # chosen for few clusters
NAN = float("nan")


SHOWN = {  # columns of the table, and their headings
    "family": "family", "n": "n", "edges": "edges", "variables": "variables", "lower": "lower",
    "pyomo": "Pyomo", "nl": ".nl", "opening": "opening", "ipopt": "IPOPT", "total": "total",
    "building_share": "building", "iterations": "iterations", "status": "status",
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
        "building: the share of Pyomo, .nl and opening in the total.",
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
    """The seconds of each step; NaN for steps that were not reached."""

    family: str
    n: int
    edges: int
    variables: int  # of the NLP, parameters included
    # Seconds of the lower-level solves, of building the Pyomo model, of writing the .nl file, of
    # reading and differentiating it, of IPOPT, and in total.
    lower: float
    pyomo: float
    nl: float
    opening: float
    ipopt: float
    total: float
    building_share: float  # the share of `pyomo`, `nl` and `opening` in the total
    iterations: int
    deviation: float  # of the best stage
    status: str  # "ended", "time limit" or an error

    @property
    def line(self) -> str:
        """The row in one line."""
        return f"{self.family}, n = {self.n}: {self.total:.1f} s, {self.status}"


class _Clock:
    """Measures the steps; raises BudgetSpentError before a step if the time limit is reached."""

    def __init__(self, limit: float) -> None:
        self._began, self._limit = time.perf_counter(), limit
        self.pieces: dict[str, float] = {}

    @property
    def total(self) -> float:
        return time.perf_counter() - self._began

    def left(self) -> float:
        return max(self._limit - self.total, 0.0)

    def time(self, piece: str, work: Callable[[], Any]) -> Any:
        if self.left() <= 0:
            raise BudgetSpentError("time limit")
        began = time.perf_counter()
        try:
            return work()
        finally:
            self.pieces[piece] = time.perf_counter() - began


def measure(family: Family, n: int, limit: float) -> SizeRow:
    """Run the continuation method for `kkt` once from eps = 0, and time each step."""
    problem, clock, trace = family.problem(n), _Clock(limit), Trace()
    variables, writing, status = 0, 0.0, "ended"
    try:
        lower = LowerLevel(problem, time_limit=limit)
        clock.time("lower", lambda: lower.baseline)
        scaling = Scaling.of(problem)
        baseline = scaling.scale_solution(lower.baseline)
        formulation = clock.time("pyomo", lambda: KKT(scaling.problem, baseline))
        written = clock.time("nl", lambda: NlModel(formulation.model))
        variables, writing = len(written.variables), clock.pieces["nl"]
        del written
        session = clock.time(
            "session", lambda: IpoptSession(formulation.model, BY_KKT.ipopt_options)
        )
        state = ContinuationState(scaling, formulation, session, lower, trace)
        lower.deadline = time.perf_counter() + clock.left() + writing  # it was written twice
        clock.time("stages", lambda: follow_warm_started(state, np.zeros(ENTRIES), BY_KKT.schedule))
    except BudgetSpentError as limit_met:
        status = str(limit_met)
    except Exception as error:  # a failure is a result of the comparison
        status = f"error: {type(error).__name__}: {error}"
    staging = clock.pieces.get("stages", NAN)
    total = clock.total - writing
    if status == "ended" and total > limit:
        status = "time limit"
    ipopt = sum(stage.seconds for stage in trace.stages) if trace.stages else NAN
    pieces = {name: clock.pieces.get(name, NAN) for name in ("lower", "pyomo", "nl")}
    pieces["opening"] = clock.pieces.get("session", NAN) - pieces["nl"]
    building = pieces["pyomo"] + pieces["nl"] + pieces["opening"]
    pieces["lower"] += staging - ipopt
    return SizeRow(
        family=family.name,
        n=n,
        edges=clustering_of(problem).graph.m,
        variables=variables,
        **pieces,
        ipopt=ipopt,
        total=total,
        building_share=building / total,
        iterations=sum(stage.iterations for stage in trace.stages),
        deviation=max((stage.deviation for stage in trace.stages), default=0.0),
        status=status,
    )


def size_rows(family: Family, limit: float) -> Iterator[SizeRow]:
    """Yield rows for n doubled each time, until the method does not end within the time limit."""
    n = FIRST_N
    while n <= MOST_N:
        row = measure(family, n, limit)
        yield row
        if row.status != "ended":
            return
        n *= 2
