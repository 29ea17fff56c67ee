"""Registers the solvers of linear models as capabilities."""

from __future__ import annotations

import math
from collections.abc import Collection

from bilad.models.learning.learning_model import adjoint, confirm, smoothed, solve, state_gap
from bilad.models.learning.linear_model import Fit, LinearModel
from bilad.models.learning.svm import SupportVectorMachine
from bilad.models.validation import FloatArray
from bilad.solvers.learning.derivative import adjoint_of_fit
from bilad.solvers.learning.fit import fit_from
from bilad.solvers.learning.newton import solve_smooth
from bilad.solvers.termination import TIME_LIMIT, BudgetSpentError

SMOOTHED_TOL = 1e-8


@solve.register(LinearModel)
def _solve(
    model: LinearModel, start: Fit | None = None, tol: float = 1e-8, time_limit: float = math.inf
) -> Fit:
    return fit_from(model, start, tol, time_limit)


@confirm.register(LinearModel)
def _confirm(model: LinearModel, tol: float, time_limit: float = math.inf) -> Fit:
    return fit_from(model, None, tol, time_limit)


@adjoint.register(LinearModel)
def _adjoint(
    model: LinearModel, solution: Fit, direction: FloatArray, parts: Collection[str]
) -> dict[str, FloatArray]:
    return adjoint_of_fit(solution, direction)


@smoothed.register(SupportVectorMachine)
def _smoothed(
    model: SupportVectorMachine, smoothing: float, start: Fit | None, deadline: float
) -> Fit:
    """Fit the model with a smoothed loss, so that points beyond the margin have a slope too."""
    theta = None if start is None else start.theta
    found = solve_smooth(model.with_smoothing(smoothing), theta, SMOOTHED_TOL, deadline)
    if found.status == "time limit":
        raise BudgetSpentError(TIME_LIMIT)
    return found


@state_gap.register(LinearModel)
def _gap(model: LinearModel, state: FloatArray, solution: Fit) -> float:
    """Return a proved relative gap of the parameters of a reformulation."""
    value = model.primal(state)
    least = model.primal(solution.theta) - solution.absolute_gap
    return max(value - least, 0.0) / (1.0 + abs(value))
