"""IPOPT as a Pyomo solver: `pyo.SolverFactory("bilad_ipopt")`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pyomo.environ as pyo
from pyomo.common.collections import Bunch
from pyomo.core.base import SymbolMap
from pyomo.opt import (
    Solution,
    SolutionStatus,
    SolverResults,
    SolverStatus,
    TerminationCondition,
)

from bilad.solvers.nlp.engine import Engine, EngineError
from bilad.solvers.nlp.ipopt import IpoptSession, find_engine
from bilad.solvers.nlp.result import NlpResult, NlpStatus

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

# Keywords that Pyomo's own solvers take, and that have no effect here: no files are kept.
WITHOUT_EFFECT = {"keepfiles", "report_timing", "solnfile", "symbolic_solver_labels"}
IMPORTED = {"dual", "rc", ".*"}


@pyo.SolverFactory.register(NAME, doc="IPOPT: an executable on PATH, else the one in CasADi")
class BiladIpopt:
    """A Pyomo solver for single solves; `IpoptSession` is for many solves of a model.

    Parameters
    ----------
    engine : {"auto", "executable", "casadi"}, default "auto"
        See `find_engine`.
    options : mapping, optional
        IPOPT's options for every solve; they can be changed in `.options`.
    executable : str, default "ipopt"
        See `find_engine`.
    solver_io : {"nl"}, optional
        The model is always written in the .nl format.

    Raises
    ------
    ValueError
        If `solver_io` is another format.
    """

    name = NAME

    def __init__(
        self,
        engine: str = "auto",
        options: Mapping[str, Any] | None = None,
        executable: str = "ipopt",
        solver_io: str | None = None,
    ) -> None:
        if solver_io not in {None, "nl"}:
            raise ValueError(f"solver_io: expected 'nl', given {solver_io!r}")
        self.engine = engine
        self._executable = executable
        self.options = Bunch(**(options or {}))

    def __enter__(self) -> BiladIpopt:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: the solver holds no resource."""

    def available(self, exception_flag: bool = False) -> bool:
        """Return whether an engine can run; with `exception_flag`, raise EngineError if not."""
        try:
            self._find()
        except EngineError:
            if exception_flag:
                raise
            return False
        return True

    def license_is_valid(self) -> bool:
        """Return True: IPOPT needs no licence."""
        return True

    def warm_start_capable(self) -> bool:
        """Return True: a solve starts from the values of the variables."""
        return True

    def version(self) -> tuple[int, ...]:
        """Return the version of IPOPT, such as (3, 14, 19)."""
        return tuple(map(int, re.findall(r"\d+", self._find().version)))

    def solve(
        self,
        model: Any,
        tee: bool = False,
        options: Mapping[str, Any] | None = None,
        timelimit: float | None = None,
        load_solutions: bool = True,
        logfile: str | None = None,
        suffixes: Iterable[str] = (),
        **keywords: Any,
    ) -> SolverResults:
        """Solve a model, and fill the suffixes `dual` and `rc` that it imports.

        Parameters
        ----------
        model : pyomo.environ.Block
            See `IpoptSession`.
        tee : bool, default False
            Whether IPOPT's output is shown.
        options : mapping, optional
            IPOPT's options for this solve; they take precedence over those in `.options`.
        timelimit : float, optional
            A limit in seconds.
        load_solutions : bool, default True
            Whether the point is written into the model. If not, every variable keeps its value,
            and `model.solutions.load_from(results)` loads the point later.
        logfile : str, optional
            The file for IPOPT's output, its option "output_file".
        suffixes : iterable of str, optional
            "dual" and "rc" are always available.
        **keywords
            `warmstart`, `keepfiles`, `report_timing`, `solnfile` and `symbolic_solver_labels` are
            accepted as by Pyomo's own solvers. IPOPT always starts from the values of the
            variables; the other keywords have no effect.

        Returns
        -------
        pyomo.opt.SolverResults

        Raises
        ------
        TypeError
            If a keyword is unknown.
        ValueError, EngineError
            See `IpoptSession`.

        Warns
        -----
        RuntimeWarning
            If a keyword without effect, or a suffix that is not available, is asked for.
        """
        unknown = sorted(set(keywords) - WITHOUT_EFFECT - {"warmstart"})
        if unknown:
            raise TypeError(f"{NAME}: unknown keyword {', '.join(unknown)}")
        ignored = sorted(name for name in WITHOUT_EFFECT if keywords.get(name))
        ignored += sorted(f"suffix {name}" for name in set(suffixes or ()) - IMPORTED)
        if ignored:
            warnings.warn(f"{NAME} ignores {', '.join(ignored)}", RuntimeWarning, stacklevel=2)
        merged = {**self.options, **(options or {})}
        if tee:
            merged.setdefault("print_level", 5)
        if logfile is not None:
            merged = {"output_file": str(logfile), "file_print_level": 5, **merged}
        result = IpoptSession(model, merged, self._find()).solve(timelimit, load_solutions)
        results = _results(model, result)
        if not load_solutions:
            _attach_solution(results, result)
            return results
        for name, values in (("dual", result.duals), ("rc", result.reduced_costs)):
            suffix = model.component(name)
            if isinstance(suffix, pyo.Suffix) and suffix.active and suffix.import_enabled():
                suffix.clear()
                suffix.update(values)
        return results

    def _find(self) -> Engine:
        return find_engine(self.engine, self._executable)


def _attach_solution(results: SolverResults, result: NlpResult) -> None:
    """Add the point to the results, where `model.solutions.load_from` reads it."""
    if result.objective is None:
        return
    solution, symbols = Solution(), SymbolMap()
    condition = str(results.solver.termination_condition)
    solution.status = SolutionStatus.__members__.get(condition, SolutionStatus.unknown)
    for j, (variable, value) in enumerate(result.values.items()):
        symbols.addSymbol(variable, f"x{j}")
        solution.variable[f"x{j}"] = {"Value": value, "Rc": result.reduced_costs[variable]}
    for i, (row, dual) in enumerate(result.duals.items()):
        symbols.addSymbol(row, f"c{i}")
        solution.constraint[f"c{i}"] = {"Dual": dual}
    results.solution.insert(solution)
    results._smap = symbols


def _results(model: Any, result: NlpResult) -> SolverResults:
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
        if condition in {_Condition.optimal, _Condition.feasible}:
            # A local optimum bounds the optimal value from one side only.
            side = "upper_bound" if objective.sense == pyo.minimize else "lower_bound"
            setattr(results.problem, side, result.objective)
    return results
