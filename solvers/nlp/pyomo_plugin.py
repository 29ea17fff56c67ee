"""The adapter as a Pyomo solver: `pyo.SolverFactory("bilad_ipopt")`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyomo.environ as pyo
from pyomo.common.collections import Bunch
from pyomo.opt import SolverResults, SolverStatus, TerminationCondition

from bilad.solvers.nlp.engines import find_engine
from bilad.solvers.nlp.errors import EngineError
from bilad.solvers.nlp.ipopt import IpoptSession
from bilad.solvers.nlp.result import NlpResult
from bilad.solvers.nlp.status import NlpStatus

NAME = "bilad_ipopt"

_Condition, _Status = TerminationCondition, SolverStatus
TERMINATION = {
    NlpStatus.OPTIMAL: (_Condition.optimal, _Status.ok),
    NlpStatus.ACCEPTABLE: (_Condition.optimal, _Status.ok),
    NlpStatus.FEASIBLE_POINT: (_Condition.feasible, _Status.ok),
    NlpStatus.INFEASIBLE: (_Condition.infeasible, _Status.warning),
    NlpStatus.UNBOUNDED: (_Condition.unbounded, _Status.warning),
    NlpStatus.ITERATION_LIMIT: (_Condition.maxIterations, _Status.warning),
    NlpStatus.TIME_LIMIT: (_Condition.maxTimeLimit, _Status.aborted),
    NlpStatus.SMALL_STEP: (_Condition.minStepLength, _Status.warning),
    NlpStatus.USER_STOP: (_Condition.userInterrupt, _Status.aborted),
    NlpStatus.RESTORATION_FAILED: (_Condition.noSolution, _Status.warning),
    NlpStatus.STEP_ERROR: (_Condition.solverFailure, _Status.error),
    NlpStatus.INVALID_NUMBER: (_Condition.error, _Status.error),
    NlpStatus.TOO_FEW_DEGREES_OF_FREEDOM: (_Condition.invalidProblem, _Status.error),
    NlpStatus.INVALID_PROBLEM: (_Condition.invalidProblem, _Status.error),
    NlpStatus.INVALID_OPTION: (_Condition.error, _Status.error),
    NlpStatus.UNRECOVERABLE_EXCEPTION: (_Condition.solverFailure, _Status.error),
    NlpStatus.FOREIGN_EXCEPTION: (_Condition.solverFailure, _Status.error),
    NlpStatus.INSUFFICIENT_MEMORY: (_Condition.resourceInterrupt, _Status.error),
    NlpStatus.INTERNAL_ERROR: (_Condition.internalSolverError, _Status.error),
    NlpStatus.UNKNOWN: (_Condition.unknown, _Status.unknown),
}
FEASIBLE = {_Condition.optimal, _Condition.feasible}


class BiladIpopt:
    """One-shot solves in the manner of Pyomo's solvers; `IpoptSession` is for many.

    Parameters
    ----------
    engine : {"auto", "executable", "casadi"}, default "auto"
        See `find_engine`.
    options : mapping, optional
        IPOPT's options for every solve; also in `.options`.
    """

    name = NAME

    def __init__(self, engine: str = "auto", options: Mapping[str, Any] | None = None) -> None:
        self.engine = engine
        self.options = Bunch(**(options or {}))

    def __enter__(self) -> BiladIpopt:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def available(self, exception_flag: bool = False) -> bool:
        """Whether an engine can run; with `exception_flag`, raise EngineError when not."""
        try:
            find_engine(self.engine)
        except EngineError:
            if exception_flag:
                raise
            return False
        return True

    def license_is_valid(self) -> bool:
        """Always: IPOPT needs no licence key."""
        return True

    def version(self) -> tuple[int, ...]:
        """IPOPT's version, such as (3, 14, 19)."""
        return tuple(map(int, re.findall(r"\d+", find_engine(self.engine).version)))

    def solve(
        self,
        model: Any,
        tee: bool = False,
        options: Mapping[str, Any] | None = None,
        timelimit: float | None = None,
        load_solutions: bool = True,
    ) -> SolverResults:
        """Solve once, and fill the suffixes `dual` and `rc` where the model imports them.

        Parameters
        ----------
        model : pyomo.environ.ConcreteModel
            See `IpoptSession`.
        tee : bool, default False
            Show IPOPT's output.
        options : mapping, optional
            IPOPT's options for this solve, over those in `.options`.
        timelimit : float, optional
            Seconds.
        load_solutions : bool, default True
            Write the point into the model; otherwise the model stays as it was.

        Returns
        -------
        pyomo.opt.SolverResults
        """
        merged = {**self.options, **(options or {})}
        if tee:
            merged.setdefault("print_level", 5)
        session = IpoptSession(model, merged, self.engine)
        before = [(v, v.value) for v in model.component_data_objects(pyo.Var)]
        result = session.solve(timelimit)
        if load_solutions:
            _fill_suffixes(model, result)
        else:
            for variable, value in before:
                variable.set_value(value, skip_validation=True)
        return _legacy(model, result)


def _fill_suffixes(model: Any, result: NlpResult) -> None:
    for name, values in (("dual", result.duals), ("rc", result.reduced_costs)):
        suffix = model.component(name)
        if isinstance(suffix, pyo.Suffix) and suffix.active and suffix.import_enabled():
            suffix.clear()
            suffix.update(values)


def _legacy(model: Any, result: NlpResult) -> SolverResults:
    results = SolverResults()
    condition, status = TERMINATION[result.status]
    results.solver.name = f"{result.engine} {result.version}"
    results.solver.termination_condition = condition
    results.solver.status = status
    results.solver.message = result.message
    results.solver.time = result.seconds
    results.problem.name = model.name
    objective = next(model.component_data_objects(pyo.Objective, active=True), None)
    if objective is not None:
        results.problem.sense = objective.sense
        if condition in FEASIBLE:
            # A local optimum proves one bound only: the optimum is at least as good.
            side = "upper_bound" if objective.sense == pyo.minimize else "lower_bound"
            setattr(results.problem, side, result.objective)
    return results


pyo.SolverFactory.register(NAME, doc="IPOPT: an executable on PATH, else the one in CasADi")(
    BiladIpopt
)
