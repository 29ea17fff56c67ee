"""KKT reformulation of convex clustering: stationarity and relaxed complementarity of each edge.

For p = 2 the alternative form u_e = tau_e z_e, 0 <= tau_e _|_ 1 - ||z_e||^2 >= 0 is smoother, but
its multipliers diverge, so it is not used.
"""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from bilad.formulations.clustering.stationarity import StationaryConditions
from bilad.formulations.complementarity import RELAXATIONS, Relaxation, penalty, relax
from bilad.formulations.kkt import kkt
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.problem import BilevelProblem


class RelaxedPairs:
    """The relaxed complementarity constraints of all edges.

    Parameters
    ----------
    conditions : StationaryConditions
        The constraints `relaxed[e, r, q]` are added to its model: row q of the relaxation of the
        complementarity r of edge e. t is dimensionless.
    relaxation : Relaxation

    Attributes
    ----------
    pairs : dict of (int, int) to Complementarity
        The complementarity r of edge e, by (e, r).
    """

    def __init__(self, conditions: StationaryConditions, relaxation: Relaxation) -> None:
        self._conditions, self.relaxation = conditions, relaxation
        if relaxation.needs_sides:
            conditions.edges.add_sides()
        self.pairs = {
            (e, r): pair
            for e in conditions.points.ends
            for r, pair in enumerate(conditions.edges.complementarities(e))
        }
        relax(conditions.model, self.pairs, relaxation)

    def penalty(self, scale: float) -> Any:
        """Return `scale / (number of edges)` times the sum of the penalty terms of all edges."""
        total = penalty(self._conditions.model, self.pairs.values(), self.relaxation)
        return scale / max(len(self._conditions.points.ends), 1) * total


@kkt.register(ConvexClustering)
def _kkt(
    lower: ConvexClustering,
    model: pyo.ConcreteModel,
    problem: BilevelProblem,
    unit: float,
    baseline: Any,
    relaxation: str = "scholtes",
) -> StationaryConditions:
    chosen = RELAXATIONS[relaxation]
    return StationaryConditions(
        model, problem, unit, baseline, lambda conditions: RelaxedPairs(conditions, chosen)
    )
