"""Stationarity of convex clustering in primal and dual variables.

    x - A(eps) + B'Z = 0,       Z_e = r_e(eps) z_e,     r_e(eps) = gamma w_e(eps),   ||z_e||_q <= 1

The bounds of the scaled dual z do not depend on the weights. The remaining optimality condition is
that z_e is a subgradient of ||.||_p at u_e = x_i - x_j. The KKT and the duality reformulation,
which are subclasses, state it in different ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.common.collections import ComponentMap

from bilad.formulations.clustering.edge_terms import EdgeTerms, edge_terms
from bilad.formulations.clustering.points import PointConditions
from bilad.formulations.schedule import ScheduleStage
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, IntArray


class StationaryConditions(PointConditions):
    """Stationarity of convex clustering and dual feasibility.

    Parameters
    ----------
    lower, model, problem, unit, baseline, block_of
        As in `PointConditions`.
    edges : callable(model, ends, unit), optional
        Makes the `EdgeTerms`.
        By default that of the norm.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Its further components are the constraints `stationarity[i, c]`; the constraints
        `difference[e, c]`, which define u_e; and the variables of `SplitEdges`, `EuclideanEdges` or
        `LargestEdges`. Edges e of zero weight are omitted.
    edges : EdgeTerms
    """

    def __init__(
        self,
        lower: ConvexClustering,
        model: pyo.ConcreteModel,
        problem: BilevelProblem,
        unit: float,
        baseline: Any,
        block_of: IntArray | None = None,
        edges: Callable[..., EdgeTerms] | None = None,
    ) -> None:
        super().__init__(lower, model, problem, unit, baseline, block_of)
        self.edges = (edges or edge_terms(lower.p, lower.d))(model, self.ends, unit)
        self._add_stationarity()
        pairs = self.edges.multipliers()
        self._multiplier_of = ComponentMap(pairs)
        self._constraint_of = ComponentMap((variable, row) for row, variable in pairs)

    def _add_stationarity(self) -> None:
        model = self.model
        incident: dict[int, list[tuple[int, Any]]] = {i: [] for i in model.points}
        for e, (i, j) in self.ends.items():
            incident[i].append((e, self.radii[e]))
            incident[j].append((e, -self.radii[e]))

        def stationarity(m: pyo.ConcreteModel, i: int, c: int) -> Any:
            flow = pyo.quicksum(r * self.edges.dual(e, c) for e, r in incident[i])
            return m.x[i, c] + flow / m.mass[i] - self.data[i, c] == 0

        model.stationarity = pyo.Constraint(model.points, model.features, rule=stationarity)

    def multiplier_of(self, constraint: Any) -> Any:
        """Return the variable that is the multiplier of a lower-level constraint, divided by r_e.

        Raises
        ------
        KeyError
            If the constraint does not belong to the lower level.
        """
        return self._multiplier_of[constraint]

    def constraint_of(self, variable: Any) -> Any:
        """Return the lower-level constraint whose multiplier, divided by r_e, is the variable.

        Raises
        ------
        KeyError
            If the variable is not such a multiplier.
        """
        return self._constraint_of[variable]

    def difference(self, e: int, c: int) -> Any:
        """Return an expression for feature c of u_e."""
        return self.edges.difference(e, c)

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Set all variables to a lower-level solution at eps."""
        super().start_from(eps, solution)
        x = self.blocks.rows(solution.X)
        z = self.blocks.scaled_dual(eps, x, solution.Z)
        for e, u_e, z_e in zip(self.ends, self.blocks.differences(x), z, strict=True):
            self.edges.start(e, u_e, z_e)

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set the smoothing of the edge terms, if they have one."""
        self.edges.set_stage(stage)

    def violation(self) -> float:
        """Return the largest Fenchel-Young gap of an edge, in units of `unit`."""
        gaps = (pyo.value(self.edges.gap(e)) / self.unit for e in self.ends)
        return max(gaps, default=0.0)

    def Z(self, eps: FloatArray) -> FloatArray:
        """Return the current dual variables Z at eps in the units of the data: shape (m, d).

        Of the edges that join the same two blocks, the first carries the flow of all.
        """
        Z = np.zeros((self.lower.graph.m, self.lower.d))
        radii = self.blocks.radii + self.blocks.radii_rates @ eps
        for e, r in zip(self.ends, radii, strict=True):
            Z[e] = [r * pyo.value(self.edges.dual(e, c)) for c in self.model.features]
        return Z
