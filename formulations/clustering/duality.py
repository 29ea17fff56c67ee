"""Duality reformulation of convex clustering: primal and dual feasibility and a zero duality gap.

For primal and dual variables that satisfy the stationarity condition, the duality gap equals

    sum_e r_e (||u_e||_p - <z_e, u_e>),        u_e = x_i - x_j,   r_e = gamma w_e,

with the scaled dual ||z_e||_q <= 1. Each term is a nonnegative Fenchel-Young gap. The relaxation
bounds each gap by t or, as in the literature, their sum, which is weaker for the same t. For p = 2
the product of the complementarity of an edge is its gap, so a bound on each gap is then the KKT
reformulation with Scholtes' relaxation.
"""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from bilad.formulations.clustering.stationarity import StationaryConditions
from bilad.formulations.reformulations import duality
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.problem import BilevelProblem
from bilad.models.validation import IntArray


@duality.register(ConvexClustering)
class DualityConditions(StationaryConditions):
    """Stationarity, and relaxed Fenchel-Young gaps.

    Parameters
    ----------
    lower, model, problem, unit, baseline, block_of
        As in `PointConditions`.
    aggregate : bool, default False
        False: the constraints `fenchel_young[e]` state gap_e <= t unit. True: the constraint
        `duality_gap` states sum_e r_e gap_e <= t unit sum_e r_e.
    """

    def __init__(
        self,
        lower: ConvexClustering,
        model: pyo.ConcreteModel,
        problem: BilevelProblem,
        unit: float,
        baseline: Any,
        aggregate: bool = False,
        block_of: IntArray | None = None,
    ) -> None:
        super().__init__(lower, model, problem, unit, baseline, block_of)
        if aggregate:
            whole = float(self.blocks.radii.sum()) * unit
            total = pyo.quicksum(r * self.edges.gap(e) for e, r in self.radii.items())
            model.duality_gap = pyo.Constraint(expr=total / whole <= model.t)
        else:
            model.fenchel_young = pyo.Constraint(
                model.edges, rule=lambda m, e: self.edges.gap(e) / unit <= m.t
            )
