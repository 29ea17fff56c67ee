"""The support vector machine with hinge loss: active sets of its dual, from Clarabel's solution.

    primal:  min_theta  sum_i max(1 - y_i x_i'theta, 0) + penalty / 2 ||theta||^2
    dual:    max_alpha  sum_i alpha_i - ||sum_i alpha_i y_i x_i||^2 / (2 penalty),  0 <= alpha <= 1

theta = sum_i alpha_i y_i x_i / penalty. The margins y_i x_i'theta are < 1 where alpha_i = 1, > 1
where alpha_i = 0, and 1 in between. For given sets of these points, theta solves a linear system,
first for the sets of the start, and then for those of an interior-point solution; the duality gap
decides whether they are the right ones.
"""

from __future__ import annotations

import time
from dataclasses import replace

import clarabel
import numpy as np
import scipy.sparse as sp

from bilad.models.learning.linear_model import UNIT_ROUNDOFF, Fit, LinearModel
from bilad.models.validation import FloatArray

CHANGES = 30  # largest number of changes of the active sets
INTERIOR_TOL = 1e-10
AT_BOUND = 1e-6  # distance from 0 or 1 of a dual variable of Clarabel that counts as active


def solve_hinge(model: LinearModel, start: Fit | None, tol: float, deadline: float) -> Fit:
    """Solve the problem from the active sets of a start, or else from an interior-point solution.

    Parameters
    ----------
    model : LinearModel
        With the hinge loss.
    start : Fit or None
        A solution of a similar model.
    tol : float
        Tolerance of the relative duality gap.
    deadline : float
        Value of `time.perf_counter()`.
    """
    rows = model.targets[:, None] * model.design
    best = _fit(model, rows, np.zeros(model.n), 0)
    if start is not None and start.duals is not None:
        best = _with_active_sets(model, rows, start.duals, tol)
        if _is_good(best, tol):
            return best
    left = deadline - time.perf_counter()
    if left <= 0:
        return replace(best, status="time limit")
    alpha, steps, status = _interior(model, rows, left)
    interior = _fit(model, rows, alpha, steps)
    snapped = np.where(alpha < AT_BOUND, 0.0, np.where(alpha > 1.0 - AT_BOUND, 1.0, alpha))
    polished = _with_active_sets(model, rows, snapped, tol)
    best = min(best, interior, polished, key=lambda fit: fit.absolute_gap)
    if _is_good(best, tol):
        return best
    return replace(best, status="time limit" if "Time" in status else "inaccurate")


def _is_good(fit: Fit, tol: float) -> bool:
    return fit.gap <= tol and fit.proved


def _fit(model: LinearModel, rows: FloatArray, alpha: FloatArray, steps: int) -> Fit:
    """Return the fit whose theta minimises the Lagrangian of dual variables in [0, 1].

    With s_i = 1 - y_i x_i'theta the gap is the sum of max(s_i, 0) - alpha_i s_i >= 0. Where
    alpha_i = 1 and s_i > 0, or alpha_i = 0 and s_i < 0, the term is zero without rounding errors.
    """
    theta = rows.T @ alpha / model.penalty
    s = 1.0 - rows @ theta
    terms = np.maximum(np.maximum(s, 0.0) - alpha * s, 0.0)
    rounding = rows.shape[1] * UNIT_ROUNDOFF * (1.0 + np.abs(rows) @ np.abs(theta))
    uncertain = (terms > 0) | (np.abs(s) <= rounding)
    in_theta = rows.shape[0] * UNIT_ROUNDOFF * np.linalg.norm(np.abs(rows).T @ alpha)
    gap = terms.sum() + rounding[uncertain].sum() + in_theta**2 / (2.0 * model.penalty)
    theta.flags.writeable = False
    return Fit(model, theta, float(gap), "optimal", steps, alpha)


def _with_active_sets(model: LinearModel, rows: FloatArray, alpha: FloatArray, tol: float) -> Fit:
    """Return the best fit of a primal-dual active set method that starts at alpha.

    References
    ----------
    Hintermueller, Ito and Kunisch, The primal-dual active set strategy as a semismooth Newton
    method, SIAM Journal on Optimization 13(3), 2002.
    """
    inside, on = alpha >= 1.0, (alpha > 0.0) & (alpha < 1.0)
    best = _fit(model, rows, alpha, 0)
    for step in range(1, CHANGES + 1):
        dual = inside.astype(float)
        right = model.penalty - rows[on] @ (rows[inside].sum(axis=0))
        if on.any():
            dual[on] = np.linalg.lstsq(rows[on] @ rows[on].T, right, rcond=1e-13)[0]
        new = _fit(model, rows, np.clip(dual, 0.0, 1.0), step)
        best = min(best, new, key=lambda fit: fit.absolute_gap)
        if _is_good(best, tol):
            break
        s = 1.0 - rows @ (rows.T @ dual / model.penalty)
        inside, on = (
            (inside & (s >= 0)) | (on & (dual > 1)),
            (on & (dual >= 0) & (dual <= 1)) | (inside & (s < 0)) | (~inside & ~on & (s > 0)),
        )
    return best


def _interior(model: LinearModel, rows: FloatArray, seconds: float) -> tuple[FloatArray, int, str]:
    """Solve min penalty / 2 ||theta||^2 + sum_i xi_i, xi_i >= 1 - y_i x_i'theta, xi >= 0.

    Returns the dual variables, clipped to [0, 1], the number of iterations and the status.
    """
    n, p = rows.shape
    options = clarabel.DefaultSettings()
    options.verbose, options.max_threads = False, 1
    options.time_limit = seconds
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = INTERIOR_TOL
    quadratic = sp.block_diag([model.penalty * sp.eye_array(p), sp.csc_array((n, n))], format="csc")
    left = sp.vstack([-sp.csc_array(rows), sp.csc_array((n, p))])
    right = sp.vstack([-sp.eye_array(n), -sp.eye_array(n)])
    solver = clarabel.DefaultSolver(
        sp.csc_matrix(quadratic),
        np.concatenate([np.zeros(p), np.ones(n)]),
        sp.csc_matrix(sp.hstack([left, right])),
        np.concatenate([-np.ones(n), np.zeros(n)]),
        [clarabel.NonnegativeConeT(2 * n)],
        options,
    )
    found = solver.solve()
    alpha = np.nan_to_num(np.asarray(found.z)[:n])
    return np.clip(alpha, 0.0, 1.0), int(found.iterations), str(found.status)
