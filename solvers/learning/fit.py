"""Fitting of a linear model: Newton's method, or the active set method for the hinge loss."""

from __future__ import annotations

import math
import time

import numpy as np

from bilad.models.learning.linear_model import Fit, LinearModel
from bilad.models.validation import ArgumentError, real_number, seconds_limit
from bilad.solvers.learning.hinge import solve_hinge
from bilad.solvers.learning.newton import solve_smooth


def fit(model: LinearModel, tol: float = 1e-10, time_limit: float | None = None) -> Fit:
    """Fit a linear model.

    Parameters
    ----------
    model : LinearModel
        `Ridge`, `LogisticRegression`, `SupportVectorMachine`, or another linear model.
    tol : float, default 1e-10
        Tolerance of the relative gap, > 0.
    time_limit : float, optional
        Seconds, > 0; no limit if infinite.

    Returns
    -------
    Fit
        With `theta`, the proved `gap` and `distance_bound`, `predict` and `proved_predictions`. Its
        status is "optimal", "inaccurate", "time limit" or "error: ...".

    Raises
    ------
    ArgumentError
        If an argument is invalid.
    """
    if not isinstance(model, LinearModel):
        raise ArgumentError("model", type(model).__name__, "a LinearModel")
    seconds = seconds_limit(time_limit, "time_limit", above=0)
    return fit_from(model, None, real_number(tol, "tol", above=0.0), seconds)


def fit_from(model: LinearModel, start: Fit | None, tol: float, seconds: float) -> Fit:
    """Fit a linear model from a solution of a similar one; a failure ends in a status."""
    deadline = time.perf_counter() + seconds
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            if model.loss_function.is_smooth:
                theta = None if start is None else start.theta
                return solve_smooth(model, theta, tol, deadline)
            return solve_hinge(model, start, tol, deadline)
        except (np.linalg.LinAlgError, ValueError) as error:  # an overflow
            theta = np.zeros(model.design.shape[1])
            duals = None if model.loss_function.is_smooth else np.zeros(2 * model.n)
            status = f"error: {type(error).__name__}: {error}"
            return Fit(model, theta, math.inf, status, 0, duals)
