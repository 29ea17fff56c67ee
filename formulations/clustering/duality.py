"""Duality of convex clustering: primal and dual feasibility, and no duality gap.

Given stationarity, primal minus dual objective is  sum_e r_e (||u_e||_p - <z_e, u_e>),  a sum of
Fenchel-Young gaps, each nonnegative. Relaxed edge by edge, or in sum as the literature does; the
sum leaves the lower level freer at the same t. For p = 2 an edge has one complementarity, whose
product is its gap: relaxed edge by edge, this is the KKT reformulation by Scholtes.
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
    """What relaxes gaps and not pairs."""

    @property
    def pairs(self) -> dict[tuple[int, int], Complementarity]:
        """There are none."""
        return {}

    def penalty(self, scale: float) -> Any:
        """Return 0."""
        return 0.0


class EachGap(Gaps):
    """Every gap relaxed by itself: `fenchel_young[e]`, gap_e <= t unit."""

    def __init__(self, conditions: StationaryConditions) -> None:
        edges, unit = conditions.edges, conditions.unit
        conditions.model.fenchel_young = pyo.Constraint(
            conditions.model.edges, rule=lambda m, e: edges.gap(e) / unit <= m.t
        )


class SummedGap(Gaps):
    """The sum of the gaps relaxed, point by point, to keep the rows short.

    `gap_term[i]` (`gap_by_point[i]`), the weighted gaps of the edges that begin at point i, and
    `duality_gap`, their sum at most t unit sum_e r_e.
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
