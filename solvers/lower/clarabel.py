"""The conic program solved by Clarabel through CVXPY, the check on every other method."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass

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
    time_limit: float,
    program: ConicProgram | None = None,
) -> ConicSolution:
    """Solve the conic program with Clarabel's gap and feasibility tolerances at `tol`.

    Parameters
    ----------
    model : ConvexClustering
        Any p and d.
    tol : float
    max_iterations : int
    time_limit : float
        Seconds.
    program : ConicProgram, optional
        The one of an earlier solution: moved to this model if it fits, else made anew.
    """
    if model.graph.m == 0:
        return ConicSolution(model.data, np.zeros((0, model.d)), 0, "inaccurate", None)
    if program is not None and program.fits(model):
        program.set_model(model)
    else:
        program = ConicProgram(model)
    for reached in (tol, max(tol, REACHABLE_TOL)):  # it may fail outright on what it cannot reach
        with contextlib.suppress(cp.SolverError):
            _run(program, reached, max_iterations, time_limit)
            break
    X, Z, iterations = program.X, program.Z, program.iterations
    status = "inaccurate"
    if program.status == cp.USER_LIMIT:
        status = "iteration limit" if iterations >= max_iterations else "time limit"
    if X is None or Z is None:  # stopped before any iterate: the trivial pair, with its true gap
        X, Z = model.data, np.zeros((model.graph.m, model.d))
    return ConicSolution(X, Z, iterations, status, program)


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
