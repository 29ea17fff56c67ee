"""Any Pyomo solver behind the interface of `IpoptSession`."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.models.validation import ArgumentError
from bilad.solvers.nlp.pyomo_plugin import TERMINATION
from bilad.solvers.nlp.result import NlpResult, NlpStatus

STATUSES = {condition: status for status, (condition, _) in reversed(TERMINATION.items())}
# The options under which solvers take a limit in seconds.
LIMITS = {
    "baron": "MaxTime",
    "gurobi": "TimeLimit",
    "ipopt": "max_cpu_time",
    "knitro": "maxtime_real",
    "scip": "limits/time",
}


class PyomoSession:
    """A Pyomo model that a solver of Pyomo solves from its current values.

    Parameters
    ----------
    model : pyomo.environ.ConcreteModel
    solver : object
        What `pyo.SolverFactory` returns.
    """

    def __init__(self, model: Any, solver: Any) -> None:
        self._model, self._solver = model, solver
        self.engine = str(getattr(solver, "name", type(solver).__name__))
        version = getattr(solver, "version", lambda: None)()
        self.version = ".".join(map(str, version)) if version else "of unknown version"

    def solve(self, time_limit: float | None = None) -> NlpResult:
        """Solve from the current values; an error of the solver is a status without a point.

        Parameters
        ----------
        time_limit : float, optional
            Seconds, for solvers of which the name of such an option is known.
        """
        began, options = time.perf_counter(), {}
        if time_limit is not None and self.engine in LIMITS:
            options[LIMITS[self.engine]] = time_limit
        before = [(v, v.value) for v in self._model.component_data_objects(pyo.Var)]
        try:
            outcome = self._solver.solve(self._model, load_solutions=False, options=options)
            status = STATUSES.get(outcome.solver.termination_condition, NlpStatus.UNKNOWN)
            message = str(outcome.solver.message or outcome.solver.termination_condition)
            if status.has_point and len(outcome.solution):
                self._model.solutions.load_from(outcome)
        except Exception as error:  # third-party code can raise anything
            status, message = NlpStatus.FOREIGN_EXCEPTION, f"{type(error).__name__}: {error}"
        objective = self._objective() if status.has_point else None
        if objective is None:
            for variable, value in before:
                variable.set_value(value, skip_validation=True)
            status = NlpStatus.INVALID_NUMBER if status.has_point else status
        return NlpResult(
            status=status,
            objective=objective,
            iterations=None,
            seconds=time.perf_counter() - began,
            engine=self.engine,
            version=self.version,
            message=message,
            values=pyo.ComponentMap(),
            duals=pyo.ComponentMap(),
            reduced_costs=pyo.ComponentMap(),
        )

    def _objective(self) -> float | None:
        """Return the active objective at the current values; None where it is not finite."""
        (objective,) = self._model.component_data_objects(pyo.Objective, active=True)
        value = pyo.value(objective, exception=False)
        finite = isinstance(value, int | float) and np.isfinite(value)
        return float(value) if finite else None


def check_solver(solver: Any) -> None:
    """Refuse what is no Pyomo solver, or cannot run here.

    Raises
    ------
    ArgumentError
        If `solver` has no method `solve`, or is not available.
    """
    if not callable(getattr(solver, "solve", None)):
        raise ArgumentError("solver", type(solver).__name__, "what pyo.SolverFactory returns")
    name = str(getattr(solver, "name", type(solver).__name__))
    if not solver.available(exception_flag=False):
        raise ArgumentError("solver", f"{name!r}, which is not available", "an installed solver")
