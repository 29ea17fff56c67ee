"""Value function reformulation of a lower level that the learning model writes as a Pyomo block.

    f(y, eps) <= v(a) + v'(a) (eps - a) + t F,    v(eps) = min_y f(y, eps)  s.t.  y feasible

v is linearised at an eps a at which the lower level was solved, and F = 1 + |v(0)| makes t
dimensionless. By the envelope theorem v'(a) is the gradient of the Lagrangian in eps, for
multipliers of the solution. A continuation renews the linearisation at the eps of the last NLP. As
v is linear near a only, eps stays in a trust region. The linearisation is no bound of v, so that
the eps of an NLP is a candidate whose deviation must be recomputed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.core.expr.calculus.derivatives import Modes, differentiate

from bilad.formulations.conditions import Conditions
from bilad.formulations.follower_state import FollowerState
from bilad.formulations.leader import set_parameter
from bilad.models.learning.capability import Capability
from bilad.models.learning.learning_model import LearningModel, write_follower
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray

TRUST = (1e-3, 0.1, 2.0)  # of the radius: the least, the first and the largest trust region
CHANGE = (0.1, 2.0)  # of the last step: the least and the largest trust region that follows it
TINY = 1e-12  # least error of a linearisation


class FollowerValueConditions(FollowerState):
    """The constraint f(y, eps) <= (linearisation of v) + t F, beside those of the follower.

    Parameters
    ----------
    lower, model, problem, baseline
        As in `FollowerState`.
    unit
        As in `Conditions`.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Its new components are the block `follower`, with inactive objective; the parameters
        `value_constant` and `value_slope[k]` of the Expression `lower_value`; and the constraint
        `value_bound`, divided by F; and the trust region |eps[k] - `point[k]`| <= `trust` by the
        constraints `ahead[k]` and `behind[k]`.
    """

    def __init__(
        self,
        lower: LearningModel,
        model: pyo.ConcreteModel,
        problem: BilevelProblem,
        unit: float,
        baseline: Any,
    ) -> None:
        super().__init__(lower, model, problem, baseline)
        self.problem, program = problem, self.follower.program
        program.objective.deactivate()
        self.pairs = {}
        self._set_eps(np.zeros(problem.perturbation.dim))
        self.set_solution(baseline)
        self._size = 1.0 + abs(float(pyo.value(program.cost)))
        model.value_constant = pyo.Var()
        model.value_slope = pyo.Var(model.parameters)
        change = pyo.quicksum(model.value_slope[k] * model.eps[k] for k in model.parameters)
        model.lower_value = pyo.Expression(expr=model.value_constant + change)
        excess = (program.cost - model.lower_value) / self._size
        model.value_bound = pyo.Constraint(expr=excess <= model.t)
        model.trust = pyo.Var()
        model.point = pyo.Var(model.parameters)
        set_parameter(model.trust, TRUST[1] * problem.radius)
        moves = {k: model.eps[k] - model.point[k] for k in model.parameters}
        model.ahead = pyo.Constraint(model.parameters, rule=lambda m, k: moves[k] <= m.trust)
        model.behind = pyo.Constraint(model.parameters, rule=lambda m, k: -moves[k] <= m.trust)

    def _set_eps(self, eps: FloatArray) -> None:
        for k, value in enumerate(eps):
            self.model.eps[k].set_value(float(value))

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Set the variables to a solution at eps, and linearise v there."""
        self._set_eps(eps)
        self.set_solution(solution)
        program, model = self.follower.program, self.model
        if model.value_constant.value is not None:
            self._renew_trust(eps)
        for k, entry in enumerate(eps.tolist()):
            set_parameter(model.point[k], entry)
        multipliers = self.multipliers().tolist()
        terms = [(m, row.body) for m, row in zip(multipliers, program.rows, strict=True) if m]
        lagrangian = program.cost + pyo.quicksum(m * body for m, body in terms)
        wanted = list(model.eps.values())
        slopes = np.array(differentiate(lagrangian, wrt_list=wanted, mode=Modes.reverse_numeric))
        value = float(pyo.value(program.cost)) - float(slopes @ eps)
        set_parameter(model.value_constant, value)
        for k, slope in enumerate(slopes.tolist()):
            set_parameter(model.value_slope[k], slope)

    def _renew_trust(self, eps: FloatArray) -> None:
        """Choose the trust region for which the error of the last linearisation becomes t F.

        The error is proportional to the square of the distance.
        """
        model, radius = self.model, self.problem.radius
        before = np.array([model.point[k].value for k in model.parameters])
        moved = float(np.abs(eps - before).max())
        error = abs(pyo.value(self.follower.program.cost) - pyo.value(model.lower_value))
        share = np.sqrt(model.t.value * self._size / max(float(error), TINY))
        trust = moved * float(np.clip(share, *CHANGE)) if moved > 0 else model.trust.value
        set_parameter(model.trust, float(np.clip(trust, TRUST[0] * radius, TRUST[2] * radius)))

    def violation(self) -> float:
        """Return the largest of f - (linearisation of v), relative to F, and 0."""
        excess = pyo.value(self.follower.program.cost) - pyo.value(self.model.lower_value)
        return max(float(excess) / self._size, 0.0)


# value_function(learning model, model, problem, unit, baseline): Conditions.
value_function: Capability[Conditions] = Capability(
    "value_function", FollowerValueConditions, needs=write_follower
)
