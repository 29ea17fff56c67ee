"""The conic program solved by Clarabel through CVXPY, the reference for every other method."""

from __future__ import annotations

import contextlib
import time
import warnings
from dataclasses import dataclass

import cvxpy as cp
import numpy as np

from bilad.formulations.clustering.conic import ConicProgram
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray

# With the default 0.99 Clarabel stalls before 1e-12 if all points of a cluster are fused.
STEP_FRACTION = 0.9
REACHABLE_TOL = 1e-9
# Entries of BX that are canonicalised in a second, and factorised in a second per edge at a point.
CANONICALISED_A_SECOND, FACTORISED_A_SECOND = 1e5, 2e7


@dataclass(frozen=True)
class ConicSolution:
    """The result of Clarabel.

    Attributes
    ----------
    X, Z : ndarray, shapes (n, d) and (m, d)
    iterations : int
        Interior-point steps.
    status : str
        "inaccurate", "iteration limit" or "time limit": the status to report if the errors of X and
        Z are above the tolerance.
    program : ConicProgram or None
        For the next call; None if the graph has no edges.
    """

    X: FloatArray
    Z: FloatArray
    iterations: int
    status: str
    program: ConicProgram | None


def solve_clarabel(
    model: ConvexClustering,
    tol: float,
    max_iterations: int,
    deadline: float = float("inf"),
    program: ConicProgram | None = None,
) -> ConicSolution:
    """Solve the conic program with the gap and feasibility tolerances of Clarabel at `tol`.

    Parameters
    ----------
    model : ConvexClustering
        Any p and d.
    tol : float
    max_iterations : int
    deadline : float, default inf
        Value of `time.perf_counter()` at which to stop.
    program : ConicProgram, optional
        The program of an earlier solution, reused if it fits the model.
    """
    if model.graph.m == 0:
        return ConicSolution(model.data, np.zeros((0, model.d)), 0, "inaccurate", None)
    fits = program is not None and program.fits(model)
    if time.perf_counter() + _seconds_before_the_first_step(model, fits) > deadline:
        return _unsolved(model, "time limit", program)
    if program is not None and fits:
        program.set_model(model)
    else:
        program = ConicProgram(model)
    for reached in (
        tol,
        max(tol, REACHABLE_TOL),
    ):  # it may fail on a tolerance that it cannot reach
        left = deadline - time.perf_counter()
        if left <= 0:
            return _unsolved(model, "time limit", program)
        with contextlib.suppress(cp.SolverError):
            _run(program, reached, max_iterations, left)
            break
    X, Z, iterations = program.X, program.Z, program.iterations
    status = "inaccurate"
    if program.status == cp.USER_LIMIT:
        status = "iteration limit" if iterations >= max_iterations else "time limit"
    if X is None or Z is None or not (np.isfinite(X).all() and np.isfinite(Z).all()):
        return _unsolved(model, status, program)  # stopped before any iterate
    return ConicSolution(X, Z, iterations, status, program)


def _seconds_before_the_first_step(model: ConvexClustering, canonicalised: bool) -> float:
    """Estimate the time of canonicalisation and the first factorisation, which cannot be stopped.

    The fill-in of the factorisation grows with the number of edges at a point.
    """
    numbers = model.graph.m * model.d
    seconds = numbers * 2 * model.graph.m / model.n / FACTORISED_A_SECOND
    return seconds if canonicalised else seconds + numbers / CANONICALISED_A_SECOND


def _unsolved(model: ConvexClustering, status: str, program: ConicProgram | None) -> ConicSolution:
    """Return X = A and Z = 0."""
    return ConicSolution(model.data, np.zeros((model.graph.m, model.d)), 0, status, program)


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
