"""The conic program solved by Clarabel through CVXPY, the check on every other method."""

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

# Clarabel's own 0.99 stalls before 1e-12 on clusters that have collapsed to a point.
STEP_FRACTION = 0.9
REACHABLE_TOL = 1e-9
# Numbers in the differences of the edges: canonicalised, and factorised for each edge at a point.
CANONICALISED_A_SECOND, FACTORISED_A_SECOND = 1e5, 2e7


@dataclass(frozen=True)
class ConicSolution:
    """What Clarabel found.

    Attributes
    ----------
    X, Z : ndarray, shapes (n, d) and (m, d)
    iterations : int
        Interior-point steps.
    status_if_short : str
        What to say if X and Z miss the tolerance.
    program : ConicProgram or None
        For the next call; None if the graph has no edge.
    """

    X: FloatArray
    Z: FloatArray
    iterations: int
    status_if_short: str
    program: ConicProgram | None


def solve_clarabel(
    model: ConvexClustering,
    tol: float,
    max_iterations: int,
    deadline: float = float("inf"),
    program: ConicProgram | None = None,
) -> ConicSolution:
    """Solve the conic program with Clarabel's gap and feasibility tolerances at `tol`.

    Parameters
    ----------
    model : ConvexClustering
        Any p and d.
    tol : float
    max_iterations : int
    deadline : float, default inf
        Value of `time.perf_counter()` at which to stop.
    program : ConicProgram, optional
        The one of an earlier solution: moved to this model if it fits, else made anew.
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
    for reached in (tol, max(tol, REACHABLE_TOL)):  # it may fail outright on what it cannot reach
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
    """Estimate the time of what cannot be stopped: CVXPY's work and Clarabel's first factorisation.

    The factorisation fills in with the number of edges at a point.
    """
    numbers = model.graph.m * model.d
    seconds = numbers * 2 * model.graph.m / model.n / FACTORISED_A_SECOND
    return seconds if canonicalised else seconds + numbers / CANONICALISED_A_SECOND


def _unsolved(model: ConvexClustering, status: str, program: ConicProgram | None) -> ConicSolution:
    """Return the trivial pair."""
    return ConicSolution(model.data, np.zeros((model.graph.m, model.d)), 0, status, program)


def _run(program: ConicProgram, tol: float, max_iterations: int, time_limit: float) -> None:
    with warnings.catch_warnings():  # how inaccurate a solution is, our own residuals tell
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")
        program.solve(
            tol_gap_abs=tol,
            tol_gap_rel=tol,
            tol_feas=tol,
            max_iter=max_iterations,
            time_limit=time_limit,
            max_step_fraction=STEP_FRACTION,
        )
