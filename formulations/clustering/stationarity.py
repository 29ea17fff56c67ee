"""Stationarity of convex clustering, in primal and dual variables, and what couples these.

    x - A(eps) + B' Z = 0,       Z_e = r_e(eps) z_e,     r_e(eps) = gamma w_e(eps),   ||z_e||_q <= 1

The scaled dual z keeps its bounds whatever the weights. What is left to say, that z_e is a
subgradient of the norm at u_e, is the coupling, in which the KKT and the duality reformulations
differ.
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
    """What ties the duals to the differences; made from the conditions that it belongs to."""

    @property
    def pairs(self) -> Mapping[tuple[int, int], Complementarity]:
        """The complementarities that it relaxes one by one, by edge and number."""

    def penalty(self, scale: float) -> Any:
        """Return a penalty, as in `Conditions`."""


class StationaryConditions:
    """Stationarity, and a coupling.

    Parameters
    ----------
    model, problem, unit, baseline
        As in `Conditions`.
    couple : callable(conditions)
        Adds the coupling.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Gets the components of `Points`, and, indexed by edge e (edges of zero weight are left out):
        `stationarity[i, c]`; `difference[e, c]`, which defines u_e; the variables of `SplitEdges`,
        `EuclideanEdges` or `LargestEdges`.
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

    @property
    def pairs(self) -> Mapping[tuple[int, int], Complementarity]:
        """The complementarities that the coupling relaxes one by one."""
        return self.coupling.pairs

    def variables(self) -> list[Any]:
        """Return x, point by point."""
        return self.points.variables()

    def relevant(self, deviation: SmoothDeviation) -> SmoothDeviation:
        """Return the smooth deviation without pairs that no eps brings together."""
        return self.points.relevant(deviation)

    def squared_distance(self, i: int, j: int) -> Any:
        """Return an expression of ||x_i - x_j||^2."""
        return self.points.squared_distance(i, j, self.edges.difference)

    def penalty(self, scale: float) -> Any:
        """Return the coupling's penalty."""
        return self.coupling.penalty(scale)

    def set_stage(self, stage: ScheduleStage) -> None:
        """Leave everything as it is."""

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Start at a lower-level solution: primal, dual and complementarity slacks."""
        self.points.start_from(solution.X)
        lower = self.problem.perturbation.apply(clustering_of(self.problem), eps)
        U, z = lower.graph.differences(solution.X), scaled_dual(lower, solution.X, solution.Z)
        for e in self.points.ends:
            self.edges.start(e, U[e], z[e])

    def violation(self) -> float:
        """Return the largest complementarity product of an edge's pairs."""
        gaps = (pyo.value(self.edges.gap(e)) / self.unit for e in self.points.ends)
        return max(gaps, default=0.0)

    def Z(self, eps: FloatArray) -> FloatArray:
        """Return the current dual variables in the data's units, for eps (k,): shape (m, d)."""
        lower = self.problem.perturbation.apply(clustering_of(self.problem), eps)
        Z = np.zeros((lower.graph.m, lower.d))
        for e in self.points.ends:
            for c in self.model.features:
                Z[e, c] = lower.radii[e] * pyo.value(self.edges.dual(e, c))
        return Z
