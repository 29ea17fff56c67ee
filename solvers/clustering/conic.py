"""The conic program solved by Clarabel through CVXPY, the reference for every other method."""

from __future__ import annotations

import contextlib
import time
import warnings
from functools import partial

import cvxpy as cp
import numpy as np

from bilad.formulations.clustering.conic import ConicProgram
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.solvers.clustering.labels.partition import nothing_proved
from bilad.solvers.clustering.result import MethodResult, SolveOptions

# With the default 0.99 Clarabel stalls before 1e-12 if all points of a cluster are fused.
STEP_FRACTION = 0.9
REACHABLE_TOL = 1e-9
# Numbers of entries of BX that are canonicalised, and factorised, in a second. The second number
# is divided by the number of edges at a point.
CANONICALISED_A_SECOND, FACTORISED_A_SECOND = 1e5, 2e7


def solve_clarabel(model: ConvexClustering, options: SolveOptions) -> MethodResult:
    """Solve the conic program by the interior-point method of Clarabel, through CVXPY: every model.

    The gap and feasibility tolerances of Clarabel are `options.tol`. The program of an earlier
    result is used again if it fits the model. The status of the result is the one to report if the
    errors of X and Z turn out to be above the tolerance.

    References
    ----------
    Goulart and Chen, Clarabel: an interior-point solver for conic programs with quadratic
    objectives, arXiv 2405.12762.
    """
    if model.graph.m == 0:
        return _unsolved(model, "inaccurate", None)
    program = options.reusable if isinstance(options.reusable, ConicProgram) else None
    fits = program is not None and program.fits(model)
    if time.perf_counter() + _seconds_before_the_first_step(model, fits) > options.deadline:
        return _unsolved(model, "time limit", program)
    if program is not None and fits:
        program.set_model(model)
    else:
        program = ConicProgram(model)
    # Clarabel may fail on a tolerance that it cannot reach.
    for tol in (options.tol, max(options.tol, REACHABLE_TOL)):
        left = options.deadline - time.perf_counter()
        if left <= 0:
            return _unsolved(model, "time limit", program)
        with contextlib.suppress(cp.SolverError):
            _run(program, tol, options.max_iterations, left)
            break
    X, Z, iterations = program.X, program.Z, program.iterations
    status = "inaccurate"
    if program.status == cp.USER_LIMIT:
        status = "iteration limit" if iterations >= options.max_iterations else "time limit"
    if X is None or Z is None or not (np.isfinite(X).all() and np.isfinite(Z).all()):
        return _unsolved(model, status, program)  # stopped before the first iterate
    make_dual = partial(np.asarray, model.project_dual(Z))
    return MethodResult(X, make_dual, nothing_proved(model.n), status, iterations, program)


def _seconds_before_the_first_step(model: ConvexClustering, canonicalised: bool) -> float:
    """Estimate the time of canonicalisation and the first factorisation, which cannot be stopped.

    The fill-in of the factorisation grows with the number of edges at a point.
    """
    numbers = model.graph.m * model.d
    seconds = numbers * 2 * model.graph.m / model.n / FACTORISED_A_SECOND
    return seconds if canonicalised else seconds + numbers / CANONICALISED_A_SECOND


def _unsolved(model: ConvexClustering, status: str, program: ConicProgram | None) -> MethodResult:
    """Return X = A and Z = 0."""
    make_dual = partial(np.zeros, (model.graph.m, model.d))
    return MethodResult(model.data, make_dual, nothing_proved(model.n), status, 0, program)


def _run(program: ConicProgram, tol: float, max_iterations: int, time_limit: float) -> None:
    with warnings.catch_warnings():  # accuracy is measured by our own residuals
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")
        program.solve(
            tol_gap_abs=tol,
            tol_gap_rel=tol,
            tol_feas=tol,
            max_iter=max_iterations,
            time_limit=time_limit,
            max_step_fraction=STEP_FRACTION,
        )
