"""CVXPY with Clarabel and with SCS, as timed in the benchmark of the lower level.

Each solver runs with the loosest tolerance for which its solution has the required relative gap.
The gap is computed from the model, not by the solver.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import cvxpy as cp
import numpy as np

from bilad.formulations.clustering.conic import ConicProgram
from bilad.models import ConvexClustering
from bilad.models.validation import FloatArray

TOLERANCES = (1e-5, 1e-6, 1e-7, 1e-8)
ENOUGH = 15.0  # total seconds of runs after which a solver is not run again
Pair = tuple[FloatArray, FloatArray]  # X and Z
Solver = Callable[[ConvexClustering, float, float], Pair | None]  # model, tolerance, time limit


def clarabel(model: ConvexClustering, tol: float, time_limit: float) -> Pair | None:
    """Solve the conic program of this package by Clarabel."""
    program = ConicProgram(model)
    program.solve(tol_gap_abs=tol, tol_gap_rel=tol, tol_feas=tol, time_limit=time_limit)
    return None if program.X is None or program.Z is None else (program.X, program.Z)


def scs(model: ConvexClustering, tol: float, time_limit: float) -> Pair | None:
    """Solve the form with a variable for every difference by SCS."""
    scaled, centre, unit = model.standardised()
    X, U = cp.Variable((model.n, model.d)), cp.Variable((model.graph.m, model.d))
    coupling = model.graph.incidence @ X - U == 0
    fusion = scaled.radii @ cp.norm(U, model.p, axis=1)
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(X - scaled.data) + fusion), [coupling])
    try:
        problem.solve(solver=cp.SCS, eps_abs=tol, eps_rel=tol, time_limit_secs=time_limit)
    except cp.SolverError:
        return None
    if X.value is None:
        return None
    Z = np.reshape(np.asarray(coupling.dual_value), (model.graph.m, model.d))
    return centre + unit * np.asarray(X.value), unit * Z


CONIC_SOLVERS: dict[str, Solver] = {"Clarabel": clarabel, "SCS": scs}


def smallest_gap(model: ConvexClustering, pair: Pair | None) -> float:
    """Return the smaller of the gaps of (X, Z) and of (A - B'Z, Z); infinite without a solution."""
    if pair is None:
        return float("inf")
    X, Z = pair
    Z = model.project_dual(Z)
    return min(model.gap(X, Z), model.gap(model.data - model.graph.adjoint(Z), Z))


def time_solver(
    solver: Solver, model: ConvexClustering, gap: float, repeats: int, time_limit: float
) -> tuple[float, float]:
    """Find the loosest tolerance that attains a gap, and repeat the run with it.

    Returns
    -------
    seconds : float
        The median; a lower bound if no tolerance attains the gap.
    gap : float
        That of the solution.
    """
    best, reached = float("inf"), float("inf")
    for tol in TOLERANCES:
        seconds, reached = _once(solver, model, tol, time_limit)
        best = min(best, seconds)
        if reached <= gap:
            runs = [seconds]
            while len(runs) < repeats and sum(runs) < ENOUGH:
                runs.append(_once(solver, model, tol, time_limit)[0])
            return float(np.median(runs)), reached
        if seconds >= time_limit:
            return seconds, reached
    return best, reached


def _once(
    solver: Solver, model: ConvexClustering, tol: float, time_limit: float
) -> tuple[float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.perf_counter()
        pair = solver(model, tol, time_limit)
        seconds = time.perf_counter() - began
    return seconds, smallest_gap(model, pair)
