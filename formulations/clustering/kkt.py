"""KKT of convex clustering: stationarity, and for each edge the complementarities, relaxed.

For p = 2 the form u_e = tau_e z_e, 0 <= tau_e _|_ 1 - ||z_e||^2 >= 0, though smoother, is not used:
its multipliers diverge.
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
    """The complementarities of all edges, relaxed.

    Parameters
    ----------
    conditions : StationaryConditions
        Its model gets `relaxed[e, r, q]`, the q-th row of the r-th complementarity of edge e. `t`
        has no unit.
    relaxation : Relaxation

    Attributes
    ----------
    pairs : dict of (int, int) to Complementarity
        By edge and number.
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
        """Return the exact penalty: per edge, `scale` over the number of edges at product t."""
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
