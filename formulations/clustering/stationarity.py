"""Stationarity of convex clustering in primal and dual variables, and the coupling of the two.

    x - A(eps) + B'Z = 0,       Z_e = r_e(eps) z_e,     r_e(eps) = gamma w_e(eps),   ||z_e||_q <= 1

The bounds of the scaled dual z do not depend on the weights. The remaining optimality condition is
that z_e is a subgradient of ||.||_p at u_e = x_i - x_j. It is stated by a coupling, which is
different in the KKT and the duality reformulation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import pyomo.environ as pyo
from pyomo.common.collections import ComponentMap

from bilad.formulations.clustering.edge_terms import edge_terms
from bilad.formulations.clustering.points import Points, scaled_dual
from bilad.formulations.complementarity import Complementarity
from bilad.formulations.schedule import ScheduleStage
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.problem import BilevelProblem
from bilad.models.smooth_deviation import SmoothDeviation
from bilad.models.validation import FloatArray


class Coupling(Protocol):
    """Constraints which state that each z_e is a subgradient of ||.||_p at u_e as t tends to 0."""

    @property
    def pairs(self) -> Mapping[tuple[int, int], Complementarity]:
        """The relaxed complementarity constraints, by edge and counter."""

    def penalty(self, scale: float) -> Any:
        """Return the penalty term of the objective, as in `Conditions`."""


class StationaryConditions:
    """Stationarity of convex clustering together with a coupling.

    Parameters
    ----------
    model, problem, unit, baseline
        As in `Conditions`.
    couple : callable(conditions)
        Adds the coupling, and returns it.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Its new components are those of `Points`; the constraints `stationarity[i, c]`; the
        constraints `difference[e, c]`, which define u_e; and the variables of `SplitEdges`,
        `EuclideanEdges` or `LargestEdges`. Edges e of zero weight are omitted.
    points : Points
    edges : EdgeTerms
    coupling : Coupling
    """

    def __init__(
        self,
        model: pyo.ConcreteModel,
        problem: BilevelProblem,
        unit: float,
        baseline: Any,
        couple: Callable[[StationaryConditions], Coupling],
    ) -> None:
        self.model, self.problem, self.unit = model, problem, unit
        self.points = Points(model, problem, baseline)
        lower = clustering_of(problem)
        self.edges = edge_terms(lower.p, lower.d)(model, self.points.ends, unit)
        self._add_stationarity()
        self.coupling = couple(self)
        pairs = self.edges.multipliers()
        self._multiplier_of = ComponentMap(pairs)
        self._constraint_of = ComponentMap((variable, row) for row, variable in pairs)

    def _add_stationarity(self) -> None:
        model, points = self.model, self.points
        incident: dict[int, list[tuple[int, Any]]] = {i: [] for i in model.points}
        for e, (i, j) in points.ends.items():
            incident[i].append((e, points.radii[e]))
            incident[j].append((e, -points.radii[e]))

        def stationarity(m: pyo.ConcreteModel, i: int, c: int) -> Any:
            flow = pyo.quicksum(r * self.edges.dual(e, c) for e, r in incident[i])
            return m.x[i, c] + flow - points.data[i, c] == 0

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

    @property
    def pairs(self) -> Mapping[tuple[int, int], Complementarity]:
        """The relaxed complementarity constraints of the coupling."""
        return self.coupling.pairs

    def variables(self) -> list[Any]:
        """Return the variables x, point by point."""
        return self.points.variables()

    def relevant(self, deviation: SmoothDeviation) -> SmoothDeviation:
        """Return the smooth deviation without the pairs that are apart for every eps."""
        return self.points.relevant(deviation)

    def squared_distance(self, i: int, j: int) -> Any:
        """Return an expression for ||x_i - x_j||^2."""
        return self.points.squared_distance(i, j, self.edges.difference)

    def penalty(self, scale: float) -> Any:
        """Return the penalty term of the coupling."""
        return self.coupling.penalty(scale)

    def set_stage(self, stage: ScheduleStage) -> None:
        """Do nothing, because no other parameter depends on the stage."""

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Set all variables to a lower-level solution at eps."""
        self.points.start_from(solution.X)
        lower = self.problem.perturbation.apply(clustering_of(self.problem), eps)
        U, z = lower.graph.differences(solution.X), scaled_dual(lower, solution.X, solution.Z)
        for e in self.points.ends:
            self.edges.start(e, U[e], z[e])

    def violation(self) -> float:
        """Return the largest Fenchel-Young gap of an edge, in units of `unit`."""
        gaps = (pyo.value(self.edges.gap(e)) / self.unit for e in self.points.ends)
        return max(gaps, default=0.0)

    def Z(self, eps: FloatArray) -> FloatArray:
        """Return the current dual variables Z at eps in the units of the data: shape (m, d)."""
        lower = self.problem.perturbation.apply(clustering_of(self.problem), eps)
        Z = np.zeros((lower.graph.m, lower.d))
        for e in self.points.ends:
            for c in self.model.features:
                Z[e, c] = lower.radii[e] * pyo.value(self.edges.dual(e, c))
        return Z
