"""The points of convex clustering in Pyomo: x, the perturbed data and radii, squared distances.

Each nonlinear term is written in variables of its own edge or pair. The Hessian of the Lagrangian
is then block diagonal, and much cheaper to evaluate than for terms in x.
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
    """Return the scaled dual z with Z_e = r_e z_e, ||z_e||_q <= 1: shape (m, d).

    Where r_e = 0, z_e is a subgradient of ||.||_p at u_e, for which the Fenchel-Young gap is 0.
    """
    z = subgradient_rows(model.graph.differences(X), model.p)
    positive = model.radii > 0
    z[positive] = model.project_dual(Z)[positive] / model.radii[positive, None]
    return z


class Points:
    """The points of a problem, as Pyomo variables.

    Parameters
    ----------
    model : pyomo.environ.ConcreteModel
        A model with `eps`. The sets `points` and `features` and the variables `x[i, c]` (feature c
        of point i) are added, and `pair_u[i, j, c]` = x_ic - x_jc for the pairs of the deviation
        that are not edges.
    problem : BilevelProblem
    baseline : ScaledClustering
        The lower-level solution at eps = 0.

    Attributes
    ----------
    data : ndarray of object, shape (n, d)
        A(eps). Entries that eps does not change are numbers.
    radii : ndarray of object, shape (m,)
        r(eps) = gamma w(eps).
    ends : dict of int to (int, int)
        The end points i < j of each edge with positive weight.
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
        """Return, for each point i, the edges (i, j) with j > i."""
        outgoing: dict[int, list[int]] = {i: [] for i in self.model.points}
        for e, (i, _) in self.ends.items():
            outgoing[i].append(e)
        return outgoing

    def variables(self) -> list[Any]:
        """Return the variables x, point by point."""
        return [self.model.x[i, c] for i in self.model.points for c in self.model.features]

    def relevant(self, deviation: SmoothDeviation) -> SmoothDeviation:
        """Return the deviation without the pairs that are apart for every eps.

        The variables `pair_u` of the remaining pairs are added.
        """
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
        """Return an expression for ||x_i - x_j||^2 in the variables of the edge or the pair.

        Parameters
        ----------
        i, j : int
            Points, i < j.
        difference : callable(e, c)
            Returns an expression for feature c of u_e.
        """
        e = self._edge_of.get((i, j))
        if e is None:
            return sum(self.model.pair_u[i, j, c] ** 2 for c in self.model.features)
        return sum(difference(e, c) ** 2 for c in self.model.features)

    def start_from(self, X: FloatArray) -> None:
        """Set x and `pair_u` to their values at X, shape (n, d)."""
        model = self.model
        for (i, c), value in np.ndenumerate(X):
            model.x[i, c].set_value(float(value))
        if model.component("pairs") is not None:
            for i, j in model.pairs:
                for c in model.features:
                    model.pair_u[i, j, c].set_value(float(X[i, c] - X[j, c]))
