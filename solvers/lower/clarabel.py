"""The conic program solved by Clarabel through CVXPY, the check on every other method."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np

from bilad.formulations.conic import ConicProgram
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray

# Clarabel's own 0.99 stalls before 1e-12 on clusters that have collapsed to a point.
STEP_FRACTION = 0.9
REACHABLE_TOL = 1e-9


@dataclass(frozen=True)
class ConicSolution:
    """X (n, d), Z (m, d), Clarabel's iterations, and what to say if they miss the tolerance."""

    X: FloatArray
    Z: FloatArray
    iterations: int
    status_if_short: str


def solve_clarabel(
    model: ConvexClustering, tol: float, max_iterations: int, time_limit: float
) -> ConicSolution:
    """Solve the conic program with Clarabel's gap and feasibility tolerances at `tol`."""
    if model.graph.m == 0:
        return ConicSolution(model.data, np.zeros((0, model.d)), 0, "inaccurate")
    program = ConicProgram(model)
    limits = {"max_iter": max_iterations, "time_limit": time_limit}
    for reached in (tol, max(tol, REACHABLE_TOL)):  # it may fail outright on what it cannot reach
        with contextlib.suppress(cp.SolverError):
            _run(program.problem, reached, limits)
            break
    X, Z, stats = program.X, program.Z, program.problem.solver_stats
    iterations = 0 if stats is None or stats.num_iters is None else int(stats.num_iters)
    status = "inaccurate"
    if program.problem.status == cp.USER_LIMIT:
        status = "iteration limit" if iterations >= max_iterations else "time limit"
    if X is None or Z is None:  # stopped before any iterate: the trivial pair, with its true gap
        X, Z = model.data, np.zeros((model.graph.m, model.d))
    return ConicSolution(X, Z, iterations, status)


def _run(problem: cp.Problem, tol: float, limits: dict[str, Any]) -> None:
    settings = {"tol_gap_abs": tol, "tol_gap_rel": tol, "tol_feas": tol}
    with warnings.catch_warnings():  # how inaccurate a solution is, our own residuals tell
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")
        problem.solve(solver=cp.CLARABEL, max_step_fraction=STEP_FRACTION, **settings, **limits)
