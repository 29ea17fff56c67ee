"""The points of convex clustering in Pyomo: x, the moved data and capacities, squared distances.

Every nonlinear term is written in the variables of one edge, or of one pair. The Hessian of the
Lagrangian is then block diagonal, which makes it many times cheaper to set up than in terms of x.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations.clustering.displacement import may_coincide
from bilad.formulations.leader import perturbed_part
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import subgradient_rows
from bilad.models.problem import BilevelProblem
from bilad.models.smooth_deviation import SmoothDeviation, SmoothPairs
from bilad.models.validation import FloatArray


def scaled_dual(model: ConvexClustering, X: FloatArray, Z: FloatArray) -> FloatArray:
    """Return z with Z_e = r_e z_e, ||z_e||_q <= 1: shape (m, d).

    Where r_e = 0, a subgradient of the norm at u_e, which leaves no gap.
    """
    z = subgradient_rows(model.graph.differences(X), model.p)
    positive = model.radii > 0
    z[positive] = model.project_dual(Z)[positive] / model.radii[positive, None]
    return z


class Points:
    """The points of one problem.

    Parameters
    ----------
    model : pyomo.environ.ConcreteModel
        With `eps`; gets `points`, `features`, `x[i, c]` (feature c of point i), and, where a pair
        that counts is no edge, `pair_u[i, j, c]`, its difference.
    problem : BilevelProblem
    baseline : ScaledClustering
        At eps = 0.

    Attributes
    ----------
    data : ndarray of object, shape (n, d)
        A(eps), numbers where no eps acts.
    radii : ndarray of object, shape (m,)
        gamma w(eps).
    ends : dict of int to (int, int)
        The two points, i < j, of each edge that has weight.
    """

    def __init__(
        self,
        model: pyo.ConcreteModel,
        problem: BilevelProblem,
        baseline: Any,
    ) -> None:
        self.model, self.problem, self._baseline = model, problem, baseline
        lower = clustering_of(problem)
        model.points, model.features = pyo.RangeSet(0, lower.n - 1), pyo.RangeSet(0, lower.d - 1)
        model.x = pyo.Var(model.points, model.features)
        self.data = perturbed_part(model, problem, "data")
        self.radii = perturbed_part(model, problem, "weights", lower.gamma)
        kept = np.flatnonzero(lower.radii > 0).tolist()
        edges = lower.graph.edges
        self.ends = {e: (int(edges[e, 0]), int(edges[e, 1])) for e in kept}
        self._edge_of = {pair: e for e, pair in self.ends.items()}

    def edges_by_tail(self) -> dict[int, list[int]]:
        """Return, for each point, the edges that begin at it."""
        outgoing: dict[int, list[int]] = {i: [] for i in self.model.points}
        for e, (i, _) in self.ends.items():
            outgoing[i].append(e)
        return outgoing

    def variables(self) -> list[Any]:
        """Return x, point by point."""
        return [self.model.x[i, c] for i in self.model.points for c in self.model.features]

    def relevant(self, deviation: SmoothDeviation) -> SmoothDeviation:
        """Leave out the pairs apart that no eps brings together; add differences for the others."""
        if isinstance(deviation, SmoothPairs):
            near = may_coincide(self.problem, self._baseline.X, deviation.pairs)
            kept = (deviation.coefficients > 0) & (deviation.together | near)
            deviation = deviation.restricted(kept)
            self._add_pairs([(i, j) for i, j in deviation.pairs.tolist()])
        return deviation

    def _add_pairs(self, pairs: list[tuple[int, int]]) -> None:
        model = self.model
        model.pairs = pyo.Set(initialize=[p for p in pairs if p not in self._edge_of], dimen=2)
        model.pair_u = pyo.Var(model.pairs, model.features)
        model.pair_difference = pyo.Constraint(
            model.pairs,
            model.features,
            rule=lambda m, i, j, c: m.x[i, c] - m.x[j, c] == m.pair_u[i, j, c],
        )

    def squared_distance(self, i: int, j: int, difference: Callable[[int, int], Any]) -> Any:
        """Return an expression of ||x_i - x_j||^2, in the variables of the edge or the pair.

        Parameters
        ----------
        i, j : int
            Points, i < j.
        difference : callable(e, c)
            Returns an expression of feature c of the difference of edge e.
        """
        e = self._edge_of.get((i, j))
        if e is None:
            return sum(self.model.pair_u[i, j, c] ** 2 for c in self.model.features)
        return sum(difference(e, c) ** 2 for c in self.model.features)

    def start_from(self, X: FloatArray) -> None:
        """Give the points, and the differences of the pairs, the values of X."""
        model = self.model
        for (i, c), value in np.ndenumerate(X):
            model.x[i, c].set_value(float(value))
        if model.component("pairs") is not None:
            for i, j in model.pairs:
                for c in model.features:
                    model.pair_u[i, j, c].set_value(float(X[i, c] - X[j, c]))
