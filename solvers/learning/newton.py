"""Newton's method for linear models with a differentiable loss.

The objective is strongly convex and its gradient semismooth, so that the damped method converges
from every start, and quadratically near the solution (for the squared hinge loss after finitely
many steps). Qi and Sun, A nonsmooth version of Newton's method, Mathematical Programming 58, 1993.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from bilad.models.learning.linear_model import UNIT_ROUNDOFF, Fit, LinearModel
from bilad.models.validation import FloatArray

MOST_STEPS = 200
ARMIJO, SHORTEST = 1e-4, 1e-12
ROUNDING = 1e-13  # relative increase of the objective that may be due to rounding errors


def solve_smooth(model: LinearModel, start: FloatArray | None, tol: float, deadline: float) -> Fit:
    """Minimise until the distance from the minimiser is proved to be small, or cannot be reduced.

    Parameters
    ----------
    model : LinearModel
        With a differentiable loss.
    start : ndarray, shape (p,), or None
    tol : float
        Tolerance of the relative gap. Newton's last step costs little and squares the error, so
        that the distance bound is reduced to 1e-4 sqrt(tol), relative to ||theta||, or as far as
        rounding errors allow. The unit of theta is that of the targets over that of the data, so
        that no absolute distance is small.
    deadline : float
        Value of `time.perf_counter()`.
    """
    theta = np.zeros(model.design.shape[1]) if start is None else start
    best = _bounded(model, theta)
    for step in range(1, MOST_STEPS + 1):
        if best[0] <= 1e-4 * np.sqrt(tol) * np.linalg.norm(best[1]):
            return _result(model, best, "optimal", step - 1)
        if time.perf_counter() > deadline:
            return _result(model, best, "time limit", step - 1)
        theta = _newton_step(model, theta)
        new = _bounded(model, theta)
        if new[0] > 0.5 * best[0] and step > 1 and _is_good(model, best, tol):
            break  # rounding errors dominate
        best = min(best, new, key=lambda pair: pair[0])
    return _result(model, best, "optimal" if _is_good(model, best, tol) else "inaccurate", step)


def _newton_step(model: LinearModel, theta: FloatArray) -> FloatArray:
    """Return the next iterate of the damped Newton method."""
    gradient = model.gradient(theta)
    direction = -cho_solve(cho_factor(model.hessian(theta)), gradient)
    value, slope, share = model.primal(theta), float(gradient @ direction), 1.0
    while share > SHORTEST:
        trial = theta + share * direction
        most = value + ARMIJO * share * slope + ROUNDING * abs(value)
        if model.primal(trial) <= most:
            return trial
        share *= 0.5
    return theta


def _bounded(model: LinearModel, theta: FloatArray) -> tuple[float, FloatArray]:
    """Return a proved bound of ||theta - theta*||, which covers rounding errors, and theta."""
    design, scores = model.design, model.design @ theta
    slopes = model.loss_function.slope(model.targets, scores)
    gradient = design.T @ slopes + model.penalty * theta
    # Rounding errors of the scores (through the curvature), and of the sum that is the gradient.
    sizes, count = np.abs(design), sum(design.shape)
    in_scores = sizes @ np.abs(theta)
    curvatures = np.abs(model.loss_function.curvature(model.targets, scores))
    spread = sizes.T @ (np.abs(slopes) + curvatures * in_scores) + model.penalty * np.abs(theta)
    # Squares could underflow, and a norm of 0 would prove everything.
    error = count * UNIT_ROUNDOFF * float(np.hypot.reduce(spread))
    return (float(np.hypot.reduce(gradient)) + error) / model.penalty, theta


def _is_good(model: LinearModel, best: tuple[float, FloatArray], tol: float) -> bool:
    distance, theta = best
    return 0.5 * model.penalty * distance * distance <= tol * (1.0 + abs(model.primal(theta)))


def _result(model: LinearModel, best: tuple[float, FloatArray], status: str, steps: int) -> Fit:
    distance, theta = best
    theta.flags.writeable = False
    return Fit(model, theta, 0.5 * model.penalty * distance * distance, status, steps)
