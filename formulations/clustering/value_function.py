"""Value-function reformulation of convex clustering: x attains the optimal value up to t.

    f_mu(x, eps) <= v_mu(eps) + t,        v_mu(eps) = min_x f_mu(x, eps)

The fusion norms are smoothed by the same mu on both sides, so that points of one cluster have a
derivative. v_mu is replaced by its second-order Taylor model at an eps at which the smoothed lower
level was solved (module `smoothed_value`). A continuation renews the model at the eps of the last
NLP. The model is no bound of v_mu, so that the eps of an NLP is a candidate whose deviation must be
recomputed. The slack t is proportional to the square of the width w of the smooth deviation,
because f_mu grows by about w^2 if x moves by w.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations.clustering.edge_terms import difference_of_rows, turned_entries
from bilad.formulations.clustering.points import PointConditions
from bilad.formulations.clustering.smoothed_value import SmoothedLowerLevel, absolute_values
from bilad.formulations.leader import set_parameter
from bilad.formulations.schedule import ScheduleStage
from bilad.formulations.value_function import value_function
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, IntArray


@value_function.register(ConvexClustering)
class ValueFunctionConditions(PointConditions):
    """The constraint f_mu(x, eps) <= (Taylor model of v_mu at eps) + t.

    Parameters
    ----------
    lower, model, problem, unit, baseline, block_of
        As in `PointConditions`.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Its further components are the parameters `mu` and `value_constant`, `value_slope[k]`,
        `value_curvature[j, k]` of the Expression `lower_value`; the Expressions
        `objective_term[i]`, which sum to f_mu; and the constraint `value_bound`, divided by t. For
        p = inf with d > 2, the Moreau envelope is written with `nearest[e, c]` and
        `s[e]` >= |u[e, c] - nearest[e, c]| (constraints `at_most_s`, `at_least_minus_s`). f_mu,
        v_mu and t are measured in units of `unit`^2.
    """

    def __init__(
        self,
        lower: ConvexClustering,
        model: pyo.ConcreteModel,
        problem: BilevelProblem,
        unit: float,
        baseline: Any,
        block_of: IntArray | None = None,
    ) -> None:
        super().__init__(lower, model, problem, unit, baseline, block_of)
        model.edges = pyo.Set(initialize=list(self.ends), dimen=1)
        model.mu = pyo.Var()
        self._start: tuple[FloatArray, Any] | None = None
        self._length = self._add_lengths()
        self._add_objective_terms()
        self._add_bound()

    def difference(self, e: int, c: int) -> Any:
        """Return feature c of u_e = x_i - x_j, e = (i, j)."""
        return difference_of_rows(self.model, self.ends[e], c)

    def _add_lengths(self) -> Callable[[int], Any]:
        """Return the smoothed norm of u_e as a function of e; add the variables that it needs."""
        model, u, mu = self.model, self.difference, self.model.mu
        turned = absolute_values(self.lower.p, self.lower.d)
        if turned is not None:
            turn, share = turned
            return lambda e: (
                share
                * sum(
                    pyo.sqrt(v**2 + mu**2)
                    for v in turned_entries([u(e, c) for c in model.features], turn)
                )
            )
        if self.lower.p == 2:
            return lambda e: pyo.sqrt(sum(u(e, c) ** 2 for c in model.features) + mu**2)
        model.s = pyo.Var(model.edges, bounds=(0.0, None))
        model.nearest = pyo.Var(model.edges, model.features)
        index = (model.edges, model.features)
        model.at_most_s = pyo.Constraint(
            *index, rule=lambda m, e, c: u(e, c) - m.nearest[e, c] <= m.s[e]
        )
        model.at_least_minus_s = pyo.Constraint(
            *index, rule=lambda m, e, c: u(e, c) - m.nearest[e, c] >= -m.s[e]
        )
        return lambda e: (
            model.s[e] + sum(model.nearest[e, c] ** 2 for c in model.features) / (2 * mu)
        )

    def _add_objective_terms(self) -> None:
        """Add f_mu as a sum over blocks, each with its edges (i, j), j > i."""
        model, outgoing = self.model, self.edges_by_tail()

        def term(m: pyo.ConcreteModel, i: int) -> Any:
            misfit = sum(0.5 * (m.x[i, c] - self.data[i, c]) ** 2 for c in m.features)
            fusion = pyo.quicksum(self.radii[e] * self._length(e) for e in outgoing[i])
            return (m.mass[i] * misfit + fusion) / self.unit**2

        model.objective_term = pyo.Expression(model.points, rule=term)

    def _add_bound(self) -> None:
        model, k = self.model, self.problem.perturbation.dim
        model.coupled = pyo.Set(initialize=[(i, j) for i in range(k) for j in range(i, k)], dimen=2)
        model.value_constant = pyo.Var()
        model.value_slope = pyo.Var(model.parameters)
        model.value_curvature = pyo.Var(model.coupled)
        model.lower_value = pyo.Expression(
            expr=model.value_constant
            + pyo.quicksum(model.value_slope[i] * model.eps[i] for i in model.parameters)
            + pyo.quicksum(
                model.value_curvature[i, j] * model.eps[i] * model.eps[j] for i, j in model.coupled
            )
        )
        total = pyo.quicksum(model.objective_term.values())
        model.value_bound = pyo.Constraint(expr=(total - model.lower_value) / model.t <= 1)

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set the smoothing parameter mu; if it changes, start again from the same solution."""
        mu = stage.smoothing * stage.width * self.unit
        changed = self.model.mu.value != mu
        set_parameter(self.model.mu, mu)
        if changed and self._start is not None:
            self.start_from(*self._start)

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Set the variables to the smoothed solution at eps, and derive the model of v_mu there."""
        self._start, blocks = (eps, solution), self.blocks
        lower = SmoothedLowerLevel(blocks, eps, self.model.mu.value)
        x = lower.minimise(blocks.rows(solution.X))
        u = blocks.differences(x)
        self._set_rows(x)
        if self.model.component("s") is not None:
            self._set_envelope(u, lower.mu * lower.norm.at(u, lower.mu)[1])
        self._set_value(lower, x)

    def _set_envelope(self, u: FloatArray, nearest: FloatArray) -> None:
        for e, u_e, b in zip(self.ends, u, nearest, strict=True):
            self.model.s[e].set_value(float(np.abs(u_e - b).max()))
            for c in self.model.features:
                self.model.nearest[e, c].set_value(float(b[c]))

    def _set_value(self, lower: SmoothedLowerLevel, x: FloatArray) -> None:
        model, value, square = self.model, lower.model(x), self.unit**2
        set_parameter(model.value_constant, value.constant / square)
        for i in model.parameters:
            set_parameter(model.value_slope[i], float(value.slope[i]) / square)
        for i, j in model.coupled:
            entry = float(value.curvature[i, j]) * (0.5 if i == j else 1.0)
            set_parameter(model.value_curvature[i, j], entry / square)

    def violation(self) -> float:
        """Return max(f_mu - model of v_mu, 0) at the current point, in units of `unit`^2."""
        total = sum(pyo.value(term) for term in self.model.objective_term.values())
        return max(float(total - pyo.value(self.model.lower_value)), 0.0)
