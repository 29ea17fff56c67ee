"""The adapter as a Pyomo solver: `pyo.SolverFactory("bilad_ipopt")`."""

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

from bilad.solvers.nlp.engine import Engine
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

# Keywords of Pyomo's own solvers that ask for what there is not: no files stay, none has names.
MEANINGLESS = {"keepfiles", "report_timing", "solnfile", "symbolic_solver_labels"}
ALWAYS = {"warmstart"}  # IPOPT starts from the values of the variables whether asked to or not
IMPORTED = {"dual", "rc", ".*"}


class BiladIpopt:
    """One-shot solves in the manner of Pyomo's solvers; `IpoptSession` is for many.

    Parameters
    ----------
    engine : {"auto", "executable", "casadi"}, default "auto"
        See `find_engine`.
    options : mapping, optional
        IPOPT's options for every solve; also in `.options`.
    executable : str, default "ipopt"
        See `find_engine`.
    solver_io : {"nl"}, optional
        As Pyomo's own solvers take it; the model is always written as .nl.
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
        """Nothing is held open."""

    def available(self, exception_flag: bool = False) -> bool:
        """Whether an engine can run; with `exception_flag`, raise EngineError when not."""
        try:
            self._find()
        except EngineError:
            if exception_flag:
                raise
            return False
        return True

    def license_is_valid(self) -> bool:
        """Always: IPOPT needs no licence key."""
        return True

    def warm_start_capable(self) -> bool:
        """Always: a solve starts from the values of the variables."""
        return True

    def version(self) -> tuple[int, ...]:
        """IPOPT's version, such as (3, 14, 19)."""
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
        """Solve once, and fill the suffixes `dual` and `rc` where the model imports them.

        Parameters
        ----------
        model : pyomo.environ.Block
            See `IpoptSession`.
        tee : bool, default False
            Show IPOPT's output.
        options : mapping, optional
            IPOPT's options for this solve, over those in `.options`.
        timelimit : float, optional
            Seconds.
        load_solutions : bool, default True
            Write the point into the model; otherwise every variable stays as it was, and
            `model.solutions.load_from(results)` loads the point later.
        logfile : str, optional
            File for IPOPT's output: its option "output_file".
        suffixes : iterable of str, optional
            "dual" and "rc" are there in any case.
        **keywords
            `warmstart`, `keepfiles`, `report_timing`, `solnfile`, `symbolic_solver_labels`, as
            Pyomo's own solvers take them. IPOPT always starts from the values of the variables;
            the others have no effect.

        Returns
        -------
        pyomo.opt.SolverResults

        Raises
        ------
        TypeError
            An unknown keyword.
        ValueError, EngineError
            See `IpoptSession`.

        Warns
        -----
        RuntimeWarning
            A keyword or a suffix asks for what there is not.
        """
        _check_keywords(keywords, suffixes)
        merged = {**self.options, **(options or {})}
        if tee:
            merged.setdefault("print_level", 5)
        if logfile is not None:
            merged = {"output_file": str(logfile), "file_print_level": 5, **merged}
        result = IpoptSession(model, merged, self._find()).solve(timelimit, load_solutions)
        results = _legacy(model, result)
        if load_solutions:
            _fill_suffixes(model, result)
        else:
            _attach_solution(results, model, result)
        return results

    def _find(self) -> Engine:
        return find_engine(self.engine, self._executable)


def _check_keywords(keywords: Mapping[str, Any], suffixes: Iterable[str]) -> None:
    unknown = sorted(set(keywords) - MEANINGLESS - ALWAYS)
    if unknown:
        raise TypeError(f"{NAME}: unknown keyword {', '.join(unknown)}")
    ignored = sorted(name for name in MEANINGLESS if keywords.get(name))
    ignored += sorted(f"suffix {name}" for name in set(suffixes or ()) - IMPORTED)
    if ignored:
        warnings.warn(f"{NAME} ignores {', '.join(ignored)}", RuntimeWarning, stacklevel=3)


def _fill_suffixes(model: Any, result: NlpResult) -> None:
    for name, values in (("dual", result.duals), ("rc", result.reduced_costs)):
        suffix = model.component(name)
        if isinstance(suffix, pyo.Suffix) and suffix.active and suffix.import_enabled():
            suffix.clear()
            suffix.update(values)


def _attach_solution(results: SolverResults, model: Any, result: NlpResult) -> None:
    """Put the point into the results, where `model.solutions.load_from` looks for it."""
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
