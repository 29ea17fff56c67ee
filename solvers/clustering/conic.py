"""The conic program solved by Clarabel, the reference for every other method."""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from bilad.formulations.clustering.conic import ConicProgram
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.solvers.clustering.labels.partition import nothing_proved
from bilad.solvers.clustering.result import MethodResult, SolveOptions

# With the default 0.99 Clarabel stalls before 1e-12 if all points of a cluster are fused.
STEP_FRACTION = 0.9
REACHABLE_TOL = 1e-9
SHARE = 0.1  # of the tolerance that Clarabel gets, because the projection of Z increases the gap
# Statuses of Clarabel.
FAILED = ("InsufficientProgress", "NumericalError")
LIMITS = {"MaxIterations": "iteration limit", "MaxTime": "time limit"}
# Number of entries of BX that are factorised in a second, times that of the edges at a point.
FACTORISED_A_SECOND = 2e7


def solve_clarabel(model: ConvexClustering, options: SolveOptions) -> MethodResult:
    """Solve the conic program by the interior-point method of Clarabel: every model.

    The gap and feasibility tolerances of Clarabel are a tenth of `options.tol`. The program of an
    earlier result is used again if it fits the model. The status of the result is the one to report
    if the errors of X and Z turn out to be above the tolerance.

    References
    ----------
    Goulart and Chen, Clarabel: an interior-point solver for conic programs with quadratic
    objectives, arXiv 2405.12762.
    """
    if model.graph.m == 0:
        return _unsolved(model, "inaccurate", None)
    program = options.reusable if isinstance(options.reusable, ConicProgram) else None
    if time.perf_counter() + _seconds_before_the_first_step(model) > options.deadline:
        return _unsolved(model, "time limit", program)
    if program is not None and program.fits(model):
        program.set_model(model)
    else:
        program = ConicProgram(model)
    asked = SHARE * options.tol
    for tol in (asked, max(asked, REACHABLE_TOL)):  # Clarabel may fail on one it cannot reach
        left = options.deadline - time.perf_counter()
        if left <= 0:
            return _unsolved(model, "time limit", program)
        program.solve(
            tol_gap_abs=tol,
            tol_gap_rel=tol,
            tol_feas=tol,
            max_iter=options.max_iterations,
            time_limit=left,
            max_step_fraction=STEP_FRACTION,
        )
        if program.status not in FAILED:
            break
    X, Z = program.X, program.Z
    status = LIMITS.get(str(program.status), "inaccurate")
    if X is None or Z is None or not (np.isfinite(X).all() and np.isfinite(Z).all()):
        return _unsolved(model, status, program)  # stopped before the first iterate
    make_dual = partial(np.asarray, model.project_dual(Z))
    return MethodResult(X, make_dual, nothing_proved(model.n), status, program.iterations, program)


def _seconds_before_the_first_step(model: ConvexClustering) -> float:
    """Estimate the time of the first factorisation, which cannot be stopped.

    Its fill-in grows with the number of edges at a point.
    """
    return model.graph.m * model.d * 2 * model.graph.m / model.n / FACTORISED_A_SECOND


def _unsolved(model: ConvexClustering, status: str, program: ConicProgram | None) -> MethodResult:
    """Return X = A and Z = 0."""
    make_dual = partial(np.zeros, (model.graph.m, model.d))
    return MethodResult(model.data, make_dual, nothing_proved(model.n), status, 0, program)
