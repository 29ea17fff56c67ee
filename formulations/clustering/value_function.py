"""Value-function reformulation: x must be no worse than the lower level's optimal value.

    f(x, eps) <= v(eps) + t,        v(eps) = min_X f(X, eps)

By weak duality every scaled dual z in its balls bounds v from below,

    v(eps) >= <A(eps), F> - 1/2 ||F||^2,      F = B'(r(eps) z),

and the z of the solution at an eps already solved makes the bound touch v there: with the bound in
the place of v, every point allowed here obeys the true constraint. One lower-level solve gives one
bound. Where only the data are perturbed, v is convex (a Moreau envelope) and the bound is its
tangent; changed weights make it quadratic, and concave. The norms in f are rounded,
||u|| <= sqrt(||u||^2 + mu^2), again on the safe side, with mu small against t.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyomo.environ as pyo
import scipy.sparse as sp

from bilad.formulations.clustering.points import Points, scaled_dual
from bilad.formulations.complementarity import Complementarity
from bilad.formulations.reformulations import value_function
from bilad.formulations.schedule import ScheduleStage
from bilad.formulations.single_level import set_parameter
from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.problem import BilevelProblem
from bilad.models.smooth_deviation import SmoothDeviation
from bilad.models.validation import FloatArray

SMOOTHING_FRACTION = 0.5  # of the slack t, that the rounding of the norms may use up


class ValueFunctionConditions:
    """x no worse than the bound of v.

    Parameters
    ----------
    model, problem, unit, baseline
        As in `Conditions`.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Gets the components of `Points`, and: `u[e, c]`, the edge differences (`difference[e, c]`);
        `bound_constant`, `bound_slope[k]`, `bound_curvature[j, k]` and `mu`, parameters;
        `value_term[i]`, at least what point i and its later neighbours have in the lower-level
        objective (`value_by_point[i]`), in units of `unit`^2; `value_bound`, the constraint. `t`
        has the unit `unit`^2 too. For p = inf, `s[e]` >= |u_e,c| (`at_most_s`,
        `at_least_minus_s`).
    points : Points
    """

    def __init__(
        self, model: pyo.ConcreteModel, problem: BilevelProblem, unit: float, baseline: Any
    ) -> None:
        self.model, self.problem, self.unit = model, problem, unit
        self.points = Points(model, problem, baseline)
        ends = self.points.ends
        model.edges = pyo.Set(initialize=list(ends), dimen=1)
        model.u = pyo.Var(model.edges, model.features)

        def difference(m: pyo.ConcreteModel, e: int, c: int) -> Any:
            i, j = ends[e]
            return m.x[i, c] - m.x[j, c] == m.u[e, c]

        model.difference = pyo.Constraint(model.edges, model.features, rule=difference)
        self._add_lengths()
        self._add_objective_terms()
        self._add_bound()

    @property
    def pairs(self) -> dict[tuple[int, int], Complementarity]:
        """There are none: no dual variables, so no complementarities."""
        return {}

    def variables(self) -> list[Any]:
        """Return x, point by point."""
        return self.points.variables()

    def relevant(self, deviation: SmoothDeviation) -> SmoothDeviation:
        """Return the smooth deviation without pairs that no eps brings together."""
        return self.points.relevant(deviation)

    def squared_distance(self, i: int, j: int) -> Any:
        """Return an expression of ||x_i - x_j||^2."""
        return self.points.squared_distance(i, j, lambda e, c: self.model.u[e, c])

    def penalty(self, scale: float) -> Any:
        """Return 0."""
        return 0.0

    def _add_lengths(self) -> None:
        model, lower = self.model, clustering_of(self.problem)
        model.mu = pyo.Var()
        self._length: Callable[[int], Any]
        if lower.p == 1 or lower.d == 1:
            self._length = lambda e: sum(
                pyo.sqrt(model.u[e, c] ** 2 + model.mu**2) for c in model.features
            )
        elif lower.p == 2:
            self._length = lambda e: pyo.sqrt(
                sum(model.u[e, c] ** 2 for c in model.features) + model.mu**2
            )
        else:
            model.s = pyo.Var(model.edges)
            model.at_most_s = pyo.Constraint(
                model.edges, model.features, rule=lambda m, e, c: m.u[e, c] <= m.s[e]
            )
            model.at_least_minus_s = pyo.Constraint(
                model.edges, model.features, rule=lambda m, e, c: m.u[e, c] >= -m.s[e]
            )
            self._length = lambda e: model.s[e]

    def _add_objective_terms(self) -> None:
        """Split the objective by points: one row with every variable in it is slow to colour."""
        model, points, outgoing = self.model, self.points, self.points.edges_by_tail()

        def share(m: pyo.ConcreteModel, i: int) -> Any:
            misfit = sum(0.5 * (m.x[i, c] - points.data[i, c]) ** 2 for c in m.features)
            fusion = pyo.quicksum(points.radii[e] * self._length(e) for e in outgoing[i])
            return misfit + fusion

        model.objective_term = pyo.Expression(model.points, rule=share)
        model.lower_objective = pyo.Expression(
            expr=pyo.quicksum(model.objective_term[i] for i in model.points)
        )
        model.value_term = pyo.Var(model.points)
        model.value_by_point = pyo.Constraint(
            model.points,
            rule=lambda m, i: m.objective_term[i] / self.unit**2 <= m.value_term[i],
        )

    def _add_bound(self) -> None:
        model = self.model
        model.bound_constant = pyo.Var()
        model.bound_slope = pyo.Var(model.parameters)
        model.coupled = pyo.Set(initialize=self._coupled_parameters(), dimen=2)
        model.bound_curvature = pyo.Var(model.coupled)
        bound = (
            model.bound_constant
            + pyo.quicksum(model.bound_slope[k] * model.eps[k] for k in model.parameters)
            + pyo.quicksum(
                model.bound_curvature[j, k] * model.eps[j] * model.eps[k] for j, k in model.coupled
            )
        )
        total = pyo.quicksum(model.value_term[i] for i in model.points)
        model.value_bound = pyo.Constraint(expr=total <= bound + model.t)

    def _coupled_parameters(self) -> list[tuple[int, int]]:
        """Return the pairs j <= k of eps whose product is in the bound."""
        ones = np.ones((clustering_of(self.problem).graph.m, clustering_of(self.problem).d))
        flow, data = abs(_moved_flow(self.problem, ones)), abs(self.problem.operator("data"))
        pattern = sp.triu(flow.T @ (flow + data) + data.T @ flow).tocoo()
        return sorted(zip(pattern.row.tolist(), pattern.col.tolist(), strict=True))

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set the rounding of the norms, small against the slack."""
        total = max(float(clustering_of(self.problem).radii.sum()), 1e-300)
        set_parameter(self.model.mu, SMOOTHING_FRACTION * stage.relaxation * self.unit**2 / total)
        self._start_terms()

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Start at, and take the bound of v at, a lower-level solution."""
        model = self.model
        self.points.start_from(solution.X)
        lower = self.problem.perturbation.apply(clustering_of(self.problem), eps)
        U = lower.graph.differences(solution.X)
        for e in self.points.ends:
            for c in model.features:
                model.u[e, c].set_value(float(U[e, c]))
            if model.component("s") is not None:
                model.s[e].set_value(float(np.abs(U[e]).max()))
        self._set_bound(scaled_dual(lower, solution.X, solution.Z))
        self._start_terms()

    def _start_terms(self) -> None:
        """Give the shares the least values allowed, once there are a solution and a stage."""
        for i in self.model.points:
            share = pyo.value(self.model.objective_term[i], exception=False)
            self.model.value_term[i].set_value(None if share is None else share / self.unit**2)

    def violation(self) -> float:
        """Return by how much the objective is above the bound of v, in units of `unit`^2."""
        return max(pyo.value(self.model.value_bound.body) + self.model.t.value, 0.0)

    def _set_bound(self, z: FloatArray) -> None:
        model = self.model
        constant, slope, curvature = frozen_dual_bound(self.problem, z)
        square = self.unit**2
        set_parameter(model.bound_constant, constant / square)
        for k in model.parameters:
            set_parameter(model.bound_slope[k], float(slope[k]) / square)
        for j, k in model.coupled:
            both = curvature[j, k] if j == k else curvature[j, k] + curvature[k, j]
            set_parameter(model.bound_curvature[j, k], float(both) / square)


@value_function.register(ConvexClustering)
def _value_function(
    lower: ConvexClustering,
    model: pyo.ConcreteModel,
    problem: BilevelProblem,
    unit: float,
    baseline: Any,
) -> ValueFunctionConditions:
    return ValueFunctionConditions(model, problem, unit, baseline)


def frozen_dual_bound(
    problem: BilevelProblem, z: FloatArray
) -> tuple[float, FloatArray, sp.csr_array]:
    """Return c, g (k,), Q (k, k) with v(eps) >= c + <g, eps> + <eps, Q eps> for every eps allowed.

    Parameters
    ----------
    z : ndarray, shape (m, d)
        Scaled dual, ||z_e||_q <= 1.
    """
    lower, T = clustering_of(problem), problem.operator("data")
    G = _moved_flow(problem, z)
    a, f = lower.data.ravel(), lower.graph.adjoint(lower.radii[:, None] * z).ravel()
    constant = float(a @ f - 0.5 * f @ f)
    return constant, T.T @ f + G.T @ (a - f), (T.T @ G - 0.5 * (G.T @ G)).tocsr()


def _moved_flow(problem: BilevelProblem, z: FloatArray) -> sp.csr_array:
    """Return G (n d, k): B'(r(eps) z) = B'(r z) + G eps."""
    graph, d = clustering_of(problem).graph, clustering_of(problem).d
    changes = edge_operator(problem).tocoo()
    taken = (
        -changes.data[:, None] * clustering_of(problem).radii[changes.row, None] * z[changes.row]
    )
    ends = graph.edges[changes.row]
    columns = np.repeat(changes.col, d)
    flows = [
        sp.coo_array(
            ((sign * taken).ravel(), ((ends[:, [side]] * d + np.arange(d)).ravel(), columns)),
            shape=(graph.n * d, problem.perturbation.dim),
        )
        for side, sign in ((0, 1.0), (1, -1.0))
    ]
    return (flows[0] + flows[1]).tocsr()
