"""HiGHS, through Pyomo, with tolerances tight enough for bounds to be called proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.contrib.solver.common.results import TerminationCondition
from pyomo.contrib.solver.solvers.highs import Highs

# HiGHS's feasibility tolerances are absolute: models should be in unit scale.
OPTIONS = {
    "mip_feasibility_tolerance": 1e-9,
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
}
COMPLETE = {
    TerminationCondition.convergenceCriteriaSatisfied: "optimal",
    TerminationCondition.provenInfeasible: "infeasible",
    # Every variable that matters is bounded.
    TerminationCondition.infeasibleOrUnbounded: "infeasible",
    TerminationCondition.maxTimeLimit: "time limit",
}


@dataclass(frozen=True)
class MilpAnswer:
    """What one solve of a mixed-integer (or linear) program found.

    Attributes
    ----------
    status : str
        "optimal", "infeasible", "time limit" or "error: ...".
    value : float or None
        Objective of the best solution, which is loaded into the model; None if there is none.
    bound : float or None
        Proved bound on the optimum.
    """

    status: str
    value: float | None
    bound: float | None


class HighsSession:
    """One Pyomo model, solved repeatedly; it may change between solves.

    Parameters
    ----------
    model : pyomo.environ.ConcreteModel
    gap : float
        Absolute gap at which the search may stop.
    options : mapping
        HiGHS's own options.
    """

    def __init__(
        self, model: pyo.ConcreteModel, gap: float, options: Mapping[str, Any] = {}
    ) -> None:
        self._model = model
        self._solver = solver = Highs()
        solver.config.load_solutions = False
        solver.config.raise_exception_on_nonoptimal_result = False
        solver.config.rel_gap, solver.config.abs_gap = 0.0, gap
        solver.config.threads = 1
        solver.config.solver_options = {**OPTIONS, **options}
        self.engine = "HiGHS " + ".".join(map(str, solver.version()))

    def solve(self, time_limit: float = np.inf) -> MilpAnswer:
        """Solve from the model's present state."""
        self._solver.config.time_limit = None if np.isinf(time_limit) else time_limit
        results = self._solver.solve(self._model)
        status = COMPLETE.get(results.termination_condition)
        value = results.incumbent_objective
        if value is not None:
            results.solution_loader.load_vars()
        return MilpAnswer(
            status or f"error: {results.termination_condition.name}",
            value,
            _finite(results.objective_bound),
        )

    def reduced_costs(self) -> Any:
        """Return the reduced cost of each variable of the last solve, of a linear program."""
        return self._solver._get_reduced_costs()


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
