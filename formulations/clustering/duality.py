"""Duality reformulation of convex clustering: primal and dual feasibility and a zero duality gap.

For primal and dual variables that satisfy the stationarity condition, the duality gap equals

    sum_e r_e (||u_e||_p - <z_e, u_e>),        u_e = x_i - x_j,   r_e = gamma w_e,

with the scaled dual ||z_e||_q <= 1. Each term is a nonnegative Fenchel-Young gap. The relaxation
bounds each gap by t (`EachGap`) or, as in the literature, their sum (`SummedGap`), which is weaker
for the same t. For p = 2 the product of the complementarity of an edge is its gap, so `EachGap` is
then the KKT reformulation with Scholtes' relaxation.
"""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from bilad.formulations.clustering.stationarity import StationaryConditions
from bilad.formulations.complementarity import Complementarity
from bilad.formulations.reformulations import duality
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.problem import BilevelProblem


class Gaps:
    """Base class of couplings that bound duality gaps, without complementarity constraints."""

    @property
    def pairs(self) -> dict[tuple[int, int], Complementarity]:
        """Empty, because there are no complementarity constraints."""
        return {}

    def penalty(self, scale: float) -> Any:
        """Return 0."""
        return 0.0


class EachGap(Gaps):
    """The gap of each edge is bounded: the constraints `fenchel_young[e]` state gap_e <= t unit."""

    def __init__(self, conditions: StationaryConditions) -> None:
        edges, unit = conditions.edges, conditions.unit
        conditions.model.fenchel_young = pyo.Constraint(
            conditions.model.edges, rule=lambda m, e: edges.gap(e) / unit <= m.t
        )


class SummedGap(Gaps):
    """The weighted sum of the gaps is bounded: sum_e r_e gap_e <= t unit sum_e r_e.

    This is the constraint `duality_gap`. To keep constraints short, it is written in the variables
    `gap_term[i]`, which bound the sum over the edges (i, j), j > i (constraints `gap_by_point[i]`),
    divided by `unit sum_e r_e`.
    """

    def __init__(self, conditions: StationaryConditions) -> None:
        model, points = conditions.model, conditions.points
        outgoing = {i: edges for i, edges in points.edges_by_tail().items() if edges}
        model.gap_term = pyo.Var(list(outgoing), initialize=0.0)
        whole = float(clustering_of(conditions.problem).radii.sum()) * conditions.unit
        model.gap_by_point = pyo.Constraint(
            list(outgoing),
            rule=lambda m, i: (
                pyo.quicksum(points.radii[e] * conditions.edges.gap(e) for e in outgoing[i])
                <= m.gap_term[i] * whole
            ),
        )
        model.duality_gap = pyo.Constraint(
            expr=pyo.quicksum(model.gap_term[i] for i in outgoing) <= model.t
        )


@duality.register(ConvexClustering)
def _duality(
    lower: ConvexClustering,
    model: pyo.ConcreteModel,
    problem: BilevelProblem,
    unit: float,
    baseline: Any,
    aggregate: bool = False,
) -> StationaryConditions:
    couple = SummedGap if aggregate else EachGap
    return StationaryConditions(model, problem, unit, baseline, couple)
