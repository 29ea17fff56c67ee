"""KKT reformulation of convex clustering: stationarity and relaxed complementarity of each edge.

For p = 2 the alternative form u_e = tau_e z_e, 0 <= tau_e _|_ 1 - ||z_e||^2 >= 0 is smoother, but
its multipliers diverge, so it is not used.
"""

from __future__ import annotations

from typing import Any

import pyomo.environ as pyo

from bilad.formulations.clustering.edge_terms import smoothed_edge_terms
from bilad.formulations.clustering.stationarity import StationaryConditions
from bilad.formulations.complementarity import RELAXATIONS, penalty, relax
from bilad.formulations.kkt import kkt
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.problem import BilevelProblem
from bilad.models.validation import IntArray


@kkt.register(ConvexClustering)
class KktConditions(StationaryConditions):
    """Stationarity, and relaxed complementarity constraints of all edges.

    Parameters
    ----------
    lower, model, problem, unit, baseline, block_of
        As in `PointConditions`.
    relaxation : str, default "smoothing"
        A key of `RELAXATIONS`. For p = 1 and p = 2 "smoothing" eliminates the dual variables
        (`SmoothedEdges`), and there are no complementarities.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Its further components are the constraints `relaxed[e, r, q]`: row q of the relaxation of
        the complementarity r of edge e. t is dimensionless.
    pairs : dict of (int, int) to Complementarity
        The complementarity r of edge e, by (e, r).
    relaxation : Relaxation
    """

    def __init__(
        self,
        lower: ConvexClustering,
        model: pyo.ConcreteModel,
        problem: BilevelProblem,
        unit: float,
        baseline: Any,
        relaxation: str = "smoothing",
        block_of: IntArray | None = None,
    ) -> None:
        self.relaxation = RELAXATIONS[relaxation]
        smoothed = smoothed_edge_terms(lower.p, lower.d) if relaxation == "smoothing" else None
        super().__init__(lower, model, problem, unit, baseline, block_of, smoothed)
        if self.relaxation.needs_sides:
            self.edges.add_sides()
        self.pairs = {
            (e, r): pair
            for e in self.ends
            for r, pair in enumerate(self.edges.complementarities(e))
        }
        relax(model, self.pairs, self.relaxation)

    def penalty(self, scale: float) -> Any:
        """Return `scale / (number of edges)` times the sum of the penalty terms of all edges."""
        total = penalty(self.model, self.pairs.values(), self.relaxation)
        return scale / max(len(self.ends), 1) * total
