"""The support vector machine with hinge loss: active sets of its dual, from Clarabel's solution.

    primal:  min_theta  sum_k u_k max(1 - r_k'theta, 0) + penalty / 2 ||theta||^2
    dual:    max_alpha  sum_k alpha_k - ||sum_k alpha_k r_k||^2 / (2 penalty),  0 <= alpha <= u

The pieces are r = x_i with u = w_+ and r = -x_i with u = w_- (module `margin_loss`); for labels -1
and 1 one of them has the weight zero. theta = sum_k alpha_k r_k / penalty. A piece is inside its
margin (r_k'theta < 1) where alpha_k = u_k, outside where alpha_k = 0, and on it (r_k'theta = 1) in
between. For given sets of these pieces, theta solves a linear system, first for the sets of the
start, and then for those of an interior-point solution; the duality gap decides whether they are
the right ones.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import clarabel
import numpy as np
import scipy.sparse as sp

from bilad.models.learning.linear_model import UNIT_ROUNDOFF, Fit, LinearModel
from bilad.models.learning.margin_loss import label_weights
from bilad.models.validation import BoolArray, FloatArray

CHANGES = 30  # largest number of changes of the active sets
INTERIOR_TOL = 1e-10
AT_BOUND = 1e-6  # distance from 0 or 1 of a dual variable of Clarabel that counts as active


@dataclass(frozen=True)
class HingeDual:
    """The dual problem of one model, without the pieces of weight zero.

    Attributes
    ----------
    model : LinearModel
    kept : ndarray of bool, shape (2 n,)
        Which pieces have a positive weight.
    rows : ndarray, shape (K, p)
        r_k of these pieces.
    bounds : ndarray, shape (K,)
        u_k > 0.
    """

    model: LinearModel
    kept: BoolArray
    rows: FloatArray
    bounds: FloatArray

    @classmethod
    def of(cls, model: LinearModel) -> HingeDual:
        """Return the dual problem of a model."""
        weights = np.concatenate(label_weights(model.targets))
        kept = weights > 0
        rows = np.concatenate([model.design, -model.design])[kept]
        return cls(model, kept, rows, weights[kept])

    def near(self, start: Fit) -> FloatArray:
        """Return dual variables with the active sets of a solution of a similar model."""
        weights = np.concatenate(label_weights(start.model.targets))[self.kept]
        given = np.zeros(len(weights)) if start.duals is None else start.duals[self.kept]
        inside = (self.rows @ start.theta < 1.0).astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.bounds * np.where(weights > 0, given / weights, inside)

    def fit(self, alpha: FloatArray, steps: int) -> Fit:
        """Return the fit whose theta minimises the Lagrangian of feasible dual variables.

        With s_k = 1 - r_k'theta the gap is the sum of u_k max(s_k, 0) - alpha_k s_k >= 0. Where
        alpha_k = u_k and s_k > 0, or alpha_k = 0 and s_k < 0, the term is zero without rounding
        errors.
        """
        model, rows = self.model, self.rows
        theta = rows.T @ alpha / model.penalty
        s = 1.0 - rows @ theta
        terms = np.maximum(self.bounds * np.maximum(s, 0.0) - alpha * s, 0.0)
        rounding = rows.shape[1] * UNIT_ROUNDOFF * (1.0 + np.abs(rows) @ np.abs(theta))
        uncertain = (terms > 0) | (np.abs(s) <= rounding)
        in_theta = rows.shape[0] * UNIT_ROUNDOFF * np.linalg.norm(np.abs(rows).T @ alpha)
        gap = terms.sum() + (self.bounds * rounding)[uncertain].sum()
        gap += in_theta**2 / (2.0 * model.penalty)
        theta.flags.writeable = False
        duals = np.zeros(len(self.kept))
        duals[self.kept] = alpha
        return Fit(model, theta, float(gap), "optimal", steps, duals)

    def with_active_sets(self, alpha: FloatArray, tol: float) -> Fit:
        """Return the best fit of a primal-dual active set method that starts at alpha.

        References
        ----------
        Hintermueller, Ito and Kunisch, The primal-dual active set strategy as a semismooth Newton
        method, SIAM Journal on Optimization 13(3), 2002.
        """
        rows, bounds, penalty = self.rows, self.bounds, self.model.penalty
        inside, on = alpha >= bounds, (alpha > 0.0) & (alpha < bounds)
        best = self.fit(alpha, 0)
        for step in range(1, CHANGES + 1):
            dual = np.where(inside, bounds, 0.0)
            if on.any():
                right = penalty - rows[on] @ (rows.T @ dual)
                dual[on] = np.linalg.lstsq(rows[on] @ rows[on].T, right, rcond=1e-13)[0]
            new = self.fit(np.clip(dual, 0.0, bounds), step)
            best = min(best, new, key=lambda fit: fit.absolute_gap)
            if _is_good(best, tol):
                break
            s = 1.0 - rows @ (rows.T @ dual / penalty)
            inside, on = (
                (inside & (s >= 0)) | (on & (dual > bounds)),
                (on & (dual >= 0) & (dual <= bounds))
                | (inside & (s < 0))
                | (~inside & ~on & (s > 0)),
            )
        return best


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
    dual = HingeDual.of(model)
    best = dual.fit(np.zeros(len(dual.bounds)), 0)
    if start is not None:
        best = dual.with_active_sets(dual.near(start), tol)
        if _is_good(best, tol):
            return best
    left = deadline - time.perf_counter()
    if left <= 0:
        return replace(best, status="time limit")
    alpha, steps, status = _interior(dual, left)
    interior, share = dual.fit(alpha, steps), alpha / dual.bounds
    snapped = np.where(share < AT_BOUND, 0.0, np.where(share > 1.0 - AT_BOUND, dual.bounds, alpha))
    polished = dual.with_active_sets(snapped, tol)
    best = min(best, interior, polished, key=lambda fit: fit.absolute_gap)
    if _is_good(best, tol):
        return best
    return replace(best, status="time limit" if "Time" in status else "inaccurate")


def _is_good(fit: Fit, tol: float) -> bool:
    return fit.gap <= tol and fit.proved


def _interior(dual: HingeDual, seconds: float) -> tuple[FloatArray, int, str]:
    """Solve min penalty / 2 ||theta||^2 + sum_k u_k xi_k, xi_k >= 1 - r_k'theta, xi >= 0.

    Returns feasible dual variables, the number of iterations and the status.
    """
    K, p = dual.rows.shape
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.time_limit = seconds
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = INTERIOR_TOL
    quadratic = [dual.model.penalty * sp.eye_array(p), sp.csc_array((K, K))]
    left = sp.vstack([-sp.csc_array(dual.rows), sp.csc_array((K, p))])
    right = sp.vstack([-sp.eye_array(K), -sp.eye_array(K)])
    solver = clarabel.DefaultSolver(
        sp.csc_matrix(sp.block_diag(quadratic)),
        np.concatenate([np.zeros(p), dual.bounds]),
        sp.csc_matrix(sp.hstack([left, right])),
        np.concatenate([-np.ones(K), np.zeros(K)]),
        [clarabel.NonnegativeConeT(2 * K)],
        options,
    )
    found = solver.solve()
    alpha = np.nan_to_num(np.asarray(found.z)[:K])
    return np.clip(alpha, 0.0, dual.bounds), int(found.iterations), str(found.status)
