"""HiGHS, called through Pyomo with tolerances so small that its bounds count as proved.

After Ctrl-C, HiGHS ends its search and returns the bound that it has proved so far.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.contrib.solver.common.results import TerminationCondition
from pyomo.contrib.solver.solvers.highs import Highs

# The feasibility tolerances of HiGHS are absolute, so models should be scaled.
OPTIONS = {
    "mip_feasibility_tolerance": 1e-9,
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
}
COMPLETE = {
    TerminationCondition.convergenceCriteriaSatisfied: "optimal",
    TerminationCondition.provenInfeasible: "infeasible",
    # The program is not unbounded, since every relevant variable is bounded.
    TerminationCondition.infeasibleOrUnbounded: "infeasible",
    TerminationCondition.maxTimeLimit: "time limit",
}


@dataclass(frozen=True)
class MilpAnswer:
    """The result of one solve of a mixed-integer or linear program.

    Attributes
    ----------
    status : str
        "optimal", "infeasible", "time limit", "interrupted" or "error: ...".
    value : float or None
        Objective value of the best solution, which is loaded into the model; None without one.
    bound : float or None
        Proved bound on the optimum.
    interrupt : BaseException or None
        The exception that a signal raised during the solve. The caller raises it after storing the
        rest of the result.
    """

    status: str
    value: float | None
    bound: float | None
    interrupt: BaseException | None


class HighsSession:
    """A Pyomo model that is solved repeatedly and may change between two solves.

    Parameters
    ----------
    model : pyomo.environ.ConcreteModel
    gap : float
        Absolute gap at which the search ends.
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
        """Solve the model in its current state."""
        self._solver.config.time_limit = None if np.isinf(time_limit) else time_limit
        with _signals_noted(self._stop) as noted:
            results = self._solver.solve(self._model)
        self._loader = results.solution_loader
        value = results.incumbent_objective
        if value is not None:
            self._loader.load_vars()
        status = COMPLETE.get(results.termination_condition)
        return MilpAnswer(
            "interrupted" if noted else status or f"error: {results.termination_condition.name}",
            value,
            _finite(results.objective_bound),
            noted[0] if noted else None,
        )

    def reduced_costs(self) -> Any:
        """Return the reduced cost of each variable after the solve of a linear program."""
        return self._loader.get_reduced_costs()

    def _stop(self) -> bool:
        """Ask HiGHS to end its search; return False if it is not running."""
        # Pyomo enables the interrupt handling of HiGHS, but has no method that uses it.
        engine = self._solver._solver_model
        if engine is not None:
            engine.cancelSolve()
        return engine is not None


@contextlib.contextmanager
def _signals_noted(stop: Callable[[], bool]) -> Iterator[list[BaseException]]:
    """Store what the handler of SIGINT raises instead of raising it, if `stop` returns True.

    Signal handlers run in the main thread only.
    """
    noted: list[BaseException] = []
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        try:
            handler(number, frame)
        except BaseException as error:
            if not stop():
                raise
            noted.append(error)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, handler)


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
