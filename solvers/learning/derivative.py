"""Derivatives of the parameters of a linear model in its data and targets, by the adjoint method.

For a direction v, the gradient of <v, theta(X, y)> follows from the implicit function theorem. With
a differentiable loss, q = H^-1 v and the scores z,

    d/dx_i = -[l'_i q + l''_i (x_i'q) theta],        d/dy_i = -(d l'_i / d y_i) (x_i'q).

With the hinge loss, theta minimises penalty / 2 ||theta||^2 - sum_{i inside} y_i x_i'theta subject
to y_i x_i'theta = 1 for the points on the margin, as long as the active sets do not change. With
r_i = y_i x_i, R = (r_i)_{i on the margin}, q = (I - R^+ R) v / penalty and s = (R^+)' v,

    d/dr_i = q  inside,        d/dr_i = alpha_i q - s_i theta  on the margin.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from bilad.models.learning.linear_model import Fit
from bilad.models.validation import FloatArray


def adjoint_of_fit(fit: Fit, direction: FloatArray) -> dict[str, FloatArray]:
    """Return the gradients of <direction, theta> in the data (n, d) and the targets (n,).

    Parameters
    ----------
    fit : Fit
    direction : ndarray, shape of theta
    """
    in_design, in_targets = (
        _smooth(fit, direction) if fit.model.loss_function.is_smooth else _hinge(fit, direction)
    )
    return {"data": in_design[:, : fit.model.d], "targets": in_targets}


def _smooth(fit: Fit, direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    model, loss = fit.model, fit.model.loss_function
    scores, y = model.design @ fit.theta, model.targets
    q = cho_solve(cho_factor(model.hessian(fit.theta)), direction)
    along = model.design @ q
    in_theta = loss.curvature(y, scores) * along
    in_design = -(np.outer(loss.slope(y, scores), q) + np.outer(in_theta, fit.theta))
    return in_design, -loss.target_slope(y, scores) * along


def _hinge(fit: Fit, direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    model, alpha = fit.model, fit.duals
    if alpha is None:
        raise ValueError("a fit of the hinge loss has dual variables")
    y, on = model.targets[:, None], (alpha > 0) & (alpha < 1)
    inverse = np.linalg.pinv(y[on] * model.design[on])
    forces = inverse.T @ direction
    q = (direction - (y[on] * model.design[on]).T @ forces) / model.penalty
    in_rows = np.outer(alpha, q)
    in_rows[on] -= np.outer(forces, fit.theta)
    return y * in_rows, np.einsum("ij,ij->i", in_rows, model.design)
