"""What the KKT and the duality reformulations share: stationarity, in primal and dual variables.

    x - A(eps) + B' Z = 0,       Z_e = r_e(eps) z_e,     r_e(eps) = gamma w_e(eps),   ||z_e||_q <= 1

The scaled dual z keeps its bounds whatever the weights. What is left to say, that z_e is a
subgradient of the norm at u_e, is where the two part.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.common.collections import ComponentMap

from bilad.models.clustering_problem import clustering_of
from bilad.formulations.edge_terms import edge_terms
from bilad.formulations.single_level import SingleLevel, scaled_dual
from bilad.models.validation import FloatArray


class StationaryFormulation(SingleLevel):
    """Lower-level stationarity; subclasses add the complementarity of the edges.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        As in `SingleLevel`, and, indexed by edge e (edges of zero weight are left out):
        `stationarity[i, c]`; `difference[e, c]`, which defines u_e; the variables of
        `SplitEdges`, `EuclideanEdges` or `LargestEdges`.
    edges : EdgeTerms
    """

    def _add_lower_level(self) -> None:
        model, lower = self.model, clustering_of(self.problem)
        self.edges = edge_terms(lower.p, lower.d)(model, self.ends, self.unit)
        incident: dict[int, list[tuple[int, Any]]] = {i: [] for i in model.points}
        for e, (i, j) in self.ends.items():
            incident[i].append((e, self.radii[e]))
            incident[j].append((e, -self.radii[e]))

        def stationarity(m: pyo.ConcreteModel, i: int, c: int) -> Any:
            flow = pyo.quicksum(r * self.edges.dual(e, c) for e, r in incident[i])
            return m.x[i, c] + flow - self.data[i, c] == 0

        model.stationarity = pyo.Constraint(model.points, model.features, rule=stationarity)
        self._add_complementarity()
        pairs = self.edges.multipliers()
        self._multiplier_of = ComponentMap(pairs)
        self._constraint_of = ComponentMap((variable, row) for row, variable in pairs)

    @abstractmethod
    def _add_complementarity(self) -> None:
        """Add what ties the duals to the differences."""

    def difference(self, e: int, c: int) -> Any:
        return self.edges.difference(e, c)

    def multiplier_of(self, constraint: Any) -> Any:
        """Return the variable that is the multiplier of a lower-level constraint.

        Raises
        ------
        KeyError
            The constraint is none of the lower level.
        """
        return self._multiplier_of[constraint]

    def constraint_of(self, variable: Any) -> Any:
        """Return the lower-level constraint whose multiplier, over r_e, a variable is.

        Raises
        ------
        KeyError
            The variable is no multiplier.
        """
        return self._constraint_of[variable]

    def start_from(self, eps: FloatArray, X: FloatArray, Z: FloatArray) -> None:
        """Start at a lower-level solution: primal, dual and complementarity slacks."""
        super().start_from(eps, X, Z)
        lower = self.problem.perturbation.apply(clustering_of(self.problem), eps)
        U, z = lower.graph.differences(X), scaled_dual(lower, X, Z)
        for e in self.ends:
            self.edges.start(e, U[e], z[e])

    def violation(self) -> float:
        """Return the largest complementarity product of an edge's pairs."""
        gaps = (pyo.value(self.edges.gap(e)) / self.unit for e in self.ends)
        return max(gaps, default=0.0)

    def Z(self) -> FloatArray:
        """Return the current dual variables in the data's units: shape (m, d)."""
        lower = self.problem.perturbation.apply(clustering_of(self.problem), self.eps())
        Z = np.zeros((lower.graph.m, lower.d))
        for e in self.ends:
            for c in self.model.features:
                Z[e, c] = lower.radii[e] * pyo.value(self.edges.dual(e, c))
        return Z
