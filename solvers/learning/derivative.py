"""Derivatives of the parameters of a linear model in its data and targets, by the adjoint method.

For a direction v, the gradient of <v, theta(X, y)> follows from the implicit function theorem. With
a differentiable loss, q = H^-1 v and the scores z,

    d/dx_i = -[l'_i q + l''_i (x_i'q) theta],        d/dy_i = -(d l'_i / d y_i) (x_i'q).

With the hinge loss and the pieces r_k and weights u_k of module `hinge`, theta minimises
penalty / 2 ||theta||^2 - sum_{k inside} u_k r_k'theta subject to r_k'theta = 1 for the pieces on
their margin, as long as the active sets do not change. With R = (r_k)_{k on the margin},
q = (I - R^+ R) v / penalty and s = (R^+)' v,

    d/dr_k = alpha_k q - s_k theta,        d/du_k = r_k'q for pieces inside,

where s_k = 0 for pieces that are not on their margin.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from bilad.models.learning.linear_model import Fit
from bilad.models.learning.margin_loss import label_weights
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
    model, X = fit.model, fit.model.design
    if fit.duals is None:
        raise ValueError("a fit of the hinge loss has dual variables")
    weights = np.concatenate(label_weights(model.targets))
    rows = np.concatenate([X, -X])
    on = (fit.duals > 0) & (fit.duals < weights)
    inside = np.where(weights > 0, fit.duals >= weights, rows @ fit.theta < 1.0)
    forces = np.linalg.pinv(rows[on]).T @ direction
    q = (direction - rows[on].T @ forces) / model.penalty
    in_rows = np.outer(fit.duals, q)
    in_rows[on] -= np.outer(forces, fit.theta)
    in_weights = np.where(inside, rows @ q, 0.0)
    y, n = model.targets, model.n
    in_targets = np.where(y >= -1, in_weights[:n], 0.0) - np.where(y <= 1, in_weights[n:], 0.0)
    return in_rows[:n] - in_rows[n:], 0.5 * in_targets
