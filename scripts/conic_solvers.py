"""Clarabel and SCS on the conic program, as timed in the benchmark of the lower level.

Each program is built before the time is taken, and runs with the loosest tolerance for which its
solution has the required accuracy. A solution X is accurate if its objective exceeds a proved lower
bound by a given share: the other solvers need not find a dual solution.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

import cvxpy as cp
import numpy as np

from bilad.formulations.clustering.conic import ConicProgram
from bilad.models import ConvexClustering
from bilad.models.validation import FloatArray

TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
ENOUGH = 15.0  # total seconds of runs after which a solver is not run again
Found = TypeVar("Found")
Solver = Callable[[float, float], FloatArray | None]  # tolerance, time limit in seconds


def cvxpy_clarabel(model: ConvexClustering) -> Solver:
    """Return a solve by Clarabel of the model as written in CVXPY, which is canonicalised here."""
    problem, X = _written_in_cvxpy(model, cp.CLARABEL)

    def solve(tol: float, time_limit: float) -> FloatArray | None:
        return _solved(problem, X, cp.CLARABEL, **_clarabel_settings(tol, time_limit))

    return solve


def cvxpy_scs(model: ConvexClustering) -> Solver:
    """Return a solve by SCS of the model as written in CVXPY, which is canonicalised here."""
    problem, X = _written_in_cvxpy(model, cp.SCS)

    def solve(tol: float, time_limit: float) -> FloatArray | None:
        return _solved(problem, X, cp.SCS, eps_abs=tol, eps_rel=tol, time_limit_secs=time_limit)

    return solve


def clarabel(model: ConvexClustering) -> Solver:
    """Return a solve by Clarabel of the conic program of this package."""
    program = ConicProgram(model)
    return lambda tol, time_limit: run_clarabel(program, tol, time_limit)


def run_clarabel(program: ConicProgram, tol: float, time_limit: float) -> FloatArray | None:
    """Solve the conic program of this package with one thread and return X."""
    program.solve(**_clarabel_settings(tol, time_limit))
    return program.X


CONIC_SOLVERS: dict[str, Callable[[ConvexClustering], Solver]] = {
    "CVXPY, Clarabel": cvxpy_clarabel,
    "CVXPY, SCS": cvxpy_scs,
    "Clarabel": clarabel,
}


def _written_in_cvxpy(model: ConvexClustering, solver: str) -> tuple[cp.Problem, cp.Variable]:
    X = cp.Variable(model.data.shape)
    lengths = cp.norm(model.graph.incidence @ X, model.p, axis=1)
    fit = cp.sum_squares(X - model.data) / 2
    problem = cp.Problem(cp.Minimize(fit + model.gamma * model.graph.weights @ lengths))
    problem.get_problem_data(solver)  # CVXPY keeps the canonicalised program
    return problem, X


def _clarabel_settings(tol: float, time_limit: float) -> dict[str, float]:
    """Return the fastest settings; these accuracies need no iterative refinement."""
    tolerances = {"tol_gap_abs": tol, "tol_gap_rel": tol, "tol_feas": tol}
    limits = {"max_threads": 1, "time_limit": time_limit}
    return {**tolerances, **limits, "iterative_refinement_enable": False}


def _solved(
    problem: cp.Problem, X: cp.Variable, solver: str, **settings: float
) -> FloatArray | None:
    try:
        problem.solve(solver=solver, warm_start=False, **settings)
    except cp.SolverError:
        return None
    return None if X.value is None else np.asarray(X.value)


def excess(model: ConvexClustering, X: FloatArray | None, lower_bound: float) -> float:
    """Return (primal - lower bound) / (1 + |primal|) at X; infinite without a solution."""
    if X is None or not np.isfinite(X).all():
        return float("inf")
    primal = model.primal(X)
    return (primal - lower_bound) / (1 + abs(primal))


def time_solver(
    solve: Callable[[float, float], Found],
    error: Callable[[Found], float],
    most: float,
    repeats: int,
    time_limit: float,
    tolerances: Sequence[float] = TOLERANCES,
) -> tuple[float, float]:
    """Find the loosest tolerance that attains an accuracy, and repeat the run with it.

    Parameters
    ----------
    solve : callable(tol, time_limit)
    error : callable(solution)
    most : float
        The largest error that is accepted.
    repeats : int
    time_limit : float
        In seconds, for each run.
    tolerances : sequence of float, optional
        The tolerances to try, in descending order.

    Returns
    -------
    seconds : float
        The median; a lower bound if no tolerance attains the accuracy.
    error : float
        That of the solution.
    """
    best, reached = float("inf"), float("inf")
    for tol in tolerances:
        seconds, reached = _once(solve, error, tol, time_limit)
        best = min(best, seconds)
        if reached <= most:
            runs = [seconds]
            while len(runs) < repeats and sum(runs) < ENOUGH:
                runs.append(_once(solve, error, tol, time_limit)[0])
            return float(np.median(runs)), reached
        if seconds >= time_limit:
            return seconds, reached
    return best, reached


def _once(
    solve: Callable[[float, float], Found],
    error: Callable[[Found], float],
    tol: float,
    time_limit: float,
) -> tuple[float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.perf_counter()
        found = solve(tol, time_limit)
        seconds = time.perf_counter() - began
    return seconds, error(found)
