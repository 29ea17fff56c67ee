"""Value-function reformulation of convex clustering: x attains the optimal value up to t.

    f(x, eps) <= v(eps) + t,        v(eps) = min_X f(X, eps)

v is replaced by a lower bound. By weak duality, every scaled dual z with ||z_e||_q <= 1 gives

    v(eps) >= <A(eps), F> - 1/2 ||F||_F^2,      F = B'(r(eps) z),

with equality at an eps whose dual solution is z. Every point that is feasible with this bound
therefore satisfies the original constraint. Each lower-level solution provides a new bound. If only
the data are perturbed, v is convex (a Moreau envelope) and the bound is its tangent. If only
weights are perturbed, the bound is a concave quadratic function of eps; otherwise it is quadratic.

The norms in f are replaced by the smooth upper bounds ||u|| <= sqrt(||u||^2 + mu^2). The smoothing
parameter mu is small compared with t, and the original constraint remains satisfied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyomo.environ as pyo
import scipy.sparse as sp

from bilad.formulations.clustering.edge_terms import add_differences, bound_entries
from bilad.formulations.clustering.points import PointConditions, scaled_dual
from bilad.formulations.reformulations import value_function
from bilad.formulations.schedule import ScheduleStage
from bilad.formulations.single_level import set_parameter
from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray

SMOOTHING_FRACTION = 0.5  # the largest error of the smoothed norms in f, as a fraction of t


@value_function.register(ConvexClustering)
class ValueFunctionConditions(PointConditions):
    """The constraint f(x, eps) <= (lower bound of v(eps)) + t.

    Parameters
    ----------
    lower, model, problem, unit, baseline
        As in `PointConditions`.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Its further components are the differences `u[e, c]` (constraints
        `difference[e, c]`); the parameters `mu` and `bound_constant`, `bound_slope[k]`,
        `bound_curvature[j, k]` of the lower bound; and the constraint `value_bound`. The variables
        `value_term[i]` bound the terms of f that belong to point i and to edges (i, j), j > i
        (constraints `value_by_point[i]`). For p = inf there is `s[e]` >= |u_e,c| (`at_most_s`,
        `at_least_minus_s`). f, v and t are measured in units of `unit`^2.
    """

    def __init__(
        self,
        lower: ConvexClustering,
        model: pyo.ConcreteModel,
        problem: BilevelProblem,
        unit: float,
        baseline: Any,
    ) -> None:
        super().__init__(lower, model, problem, unit, baseline)
        model.edges = pyo.Set(initialize=list(self.ends), dimen=1)
        model.u = pyo.Var(model.edges, model.features)
        add_differences(model, self.ends, self.difference)
        self._add_lengths()
        self._add_objective_terms()
        self._add_bound()

    def difference(self, e: int, c: int) -> Any:
        """Return the variable of feature c of u_e."""
        return self.model.u[e, c]

    def _add_lengths(self) -> None:
        model, lower = self.model, self.lower
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
            bound_entries(model)
            self._length = lambda e: model.s[e]

    def _add_objective_terms(self) -> None:
        """Add f as a sum over the points, because differentiating one long constraint is slow."""
        model, outgoing = self.model, self.edges_by_tail()

        def term(m: pyo.ConcreteModel, i: int) -> Any:
            misfit = sum(0.5 * (m.x[i, c] - self.data[i, c]) ** 2 for c in m.features)
            fusion = pyo.quicksum(self.radii[e] * self._length(e) for e in outgoing[i])
            return misfit + fusion

        model.objective_term = pyo.Expression(model.points, rule=term)
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
        """Return the pairs j <= k for which the bound contains the product eps_j eps_k."""
        ones = np.ones((self.lower.graph.m, self.lower.d))
        flow, data = abs(_flow_matrix(self.problem, ones)), abs(self.problem.operator("data"))
        pattern = sp.triu(flow.T @ (flow + data) + data.T @ flow).tocoo()
        return sorted(zip(pattern.row.tolist(), pattern.col.tolist(), strict=True))

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set mu such that the smoothing changes f by at most a fraction of t."""
        total = max(float(self.lower.radii.sum()), 1e-300)
        set_parameter(self.model.mu, SMOOTHING_FRACTION * stage.relaxation * self.unit**2 / total)
        self._start_terms()

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Set the variables to a lower-level solution at eps, and derive the bound of v from it."""
        model = self.model
        super().start_from(eps, solution)
        lower = self.problem.perturbation.apply(self.lower, eps)
        U = lower.graph.differences(solution.X)
        for e in self.ends:
            for c in model.features:
                model.u[e, c].set_value(float(U[e, c]))
            if model.component("s") is not None:
                model.s[e].set_value(float(np.abs(U[e]).max()))
        self._set_bound(scaled_dual(lower, solution.X, solution.Z))
        self._start_terms()

    def _start_terms(self) -> None:
        """Set `value_term` to its smallest feasible values once all variables have values."""
        for i in self.model.points:
            term = pyo.value(self.model.objective_term[i], exception=False)
            self.model.value_term[i].set_value(None if term is None else term / self.unit**2)

    def violation(self) -> float:
        """Return max(f - lower bound of v, 0) at the current point, in units of `unit`^2."""
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


def frozen_dual_bound(
    problem: BilevelProblem, z: FloatArray
) -> tuple[float, FloatArray, sp.csr_array]:
    """Return c, g (k,), Q (k, k) with v(eps) >= c + <g, eps> + <eps, Q eps> for all admissible eps.

    Parameters
    ----------
    problem : BilevelProblem
    z : ndarray, shape (m, d)
        A scaled dual, ||z_e||_q <= 1, which is held constant.
    """
    lower, T = clustering_of(problem), problem.operator("data")
    G = _flow_matrix(problem, z)
    a, f = lower.data.ravel(), lower.graph.adjoint(lower.radii[:, None] * z).ravel()
    constant = float(a @ f - 0.5 * f @ f)
    return constant, T.T @ f + G.T @ (a - f), (T.T @ G - 0.5 * (G.T @ G)).tocsr()


def _flow_matrix(problem: BilevelProblem, z: FloatArray) -> sp.csr_array:
    """Return G, shape (n d, k), with B'(r(eps) z) = B'(r z) + G eps."""
    graph, d = clustering_of(problem).graph, clustering_of(problem).d
    changes = edge_operator(problem).tocoo()
    products = (
        -changes.data[:, None] * clustering_of(problem).radii[changes.row, None] * z[changes.row]
    )
    ends = graph.edges[changes.row]
    columns = np.repeat(changes.col, d)
    flows = [
        sp.coo_array(
            ((sign * products).ravel(), ((ends[:, [side]] * d + np.arange(d)).ravel(), columns)),
            shape=(graph.n * d, problem.perturbation.dim),
        )
        for side, sign in ((0, 1.0), (1, -1.0))
    ]
    return (flows[0] + flows[1]).tocsr()
