"""Value-function reformulation: x must be no worse than the lower level's optimal value.

    f(x, eps) <= v(eps) + t,        v(eps) = min_X f(X, eps)

v is convex and differentiable, grad v = T'(A(eps) - X*(eps)) = T'B'Z* (Moreau envelope), so its
tangent at an eps already solved lies below it: with the tangent in its place, every point allowed
here obeys the true constraint. One lower-level solve gives one tangent; any feasible Z gives one
that is below v, <A(eps), B'Z> - 1/2 ||B'Z||^2, by weak duality. The norms in f are rounded,
||u|| <= sqrt(||u||^2 + mu^2), again on the safe side, with mu small against t.
"""

from __future__ import annotations

import pyomo.environ as pyo

from bilad.formulations.schedule import ScheduleStage
from bilad.formulations.single_level import SingleLevel, set_parameter
from bilad.models.validation import FloatArray

ROUNDING_SHARE = 0.5  # of the slack t, that the rounding of the norms may use up


class ValueFunctionFormulation(SingleLevel):
    """The problem with v replaced by its tangent.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        As in `SingleLevel`, and: `tangent_constant`, `tangent_slope[k]` and `mu`, parameters;
        `lower_objective`, an Expression; `value_bound`, the constraint. Here `t` is in units of
        the lower-level objective.
    """

    def _add_lower_level(self) -> None:
        model, lower = self.model, self.problem.model
        model.mu, model.tangent_constant = pyo.Var(), pyo.Var()
        model.tangent_slope = pyo.Var(model.parameters)
        self._total_radius = float(lower.radii.sum())
        misfit = pyo.quicksum(0.5 * (model.x[i, c] - a) ** 2 for (i, c), a in self.data.items())
        mu2 = model.mu**2
        fusion = pyo.quicksum(
            float(r)
            * pyo.sqrt(
                sum((model.x[int(i), c] - model.x[int(j), c]) ** 2 for c in range(lower.d)) + mu2
            )
            for (i, j), r in zip(lower.graph.edges, lower.radii, strict=True)
            if r > 0
        )
        model.lower_objective = pyo.Expression(expr=misfit + fusion)
        tangent = model.tangent_constant + pyo.quicksum(
            model.tangent_slope[k] * model.eps[k] for k in model.parameters
        )
        model.value_bound = pyo.Constraint(expr=model.lower_objective <= tangent + model.t)

    def set_stage(self, stage: ScheduleStage) -> None:
        """Set the slack, in units of the objective, and the width."""
        set_parameter(self.model.t, stage.relaxation * self.unit**2)
        self._set_width(stage.width)
        mu = ROUNDING_SHARE * stage.relaxation * self.unit**2 / max(self._total_radius, 1e-300)
        set_parameter(self.model.mu, mu)

    def start_from(self, eps: FloatArray, X: FloatArray, Z: FloatArray) -> None:
        """Start at, and take the tangent of v at, a lower-level solution."""
        super().start_from(eps, X, Z)
        lower = self.problem.model
        flow = lower.graph.adjoint(lower.project_dual(Z))
        for k, value in enumerate(self.problem.perturbation.operator.T @ flow.ravel()):
            set_parameter(self.model.tangent_slope[k], float(value))
        set_parameter(self.model.tangent_constant, lower.dual(Z))
