"""HiGHS, through Pyomo, with tolerances tight enough for bounds to be called proved.

Ctrl-C stops it softly: what it has proved by then is not lost.
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
        "optimal", "infeasible", "time limit", "interrupted" or "error: ...".
    value : float or None
        Objective of the best solution, which is loaded into the model; None if there is none.
    bound : float or None
        Proved bound on the optimum.
    interrupt : BaseException or None
        What a signal raised during the solve. Raise it, once the rest is in safety.
    """

    status: str
    value: float | None
    bound: float | None
    interrupt: BaseException | None


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
        """Return the reduced cost of each variable of the last solve, of a linear program."""
        return self._loader.get_reduced_costs()

    def _stop(self) -> bool:
        """Ask HiGHS to stop; say whether it is there to be asked."""
        # Pyomo turns HiGHS's handling of interrupts on, and has no call of its own for this.
        engine = self._solver._solver_model
        if engine is not None:
            engine.cancelSolve()
        return engine is not None


@contextlib.contextmanager
def _signals_noted(stop: Callable[[], bool]) -> Iterator[list[BaseException]]:
    """Note what the handler of SIGINT raises inside, instead of raising it, if `stop` works.

    Only the main thread runs the handlers of signals.
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
