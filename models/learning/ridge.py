"""Ridge regression: l(y, z) = (z - y)^2 / 2."""

from __future__ import annotations

from typing import Any

import numpy as np

from bilad.models.learning.linear_model import LinearModel, Loss
from bilad.models.validation import FloatArray


class SquaredLoss(Loss):
    """l(y, z) = (z - y)^2 / 2."""

    def value(self, y: Any, z: Any) -> FloatArray:
        """Return (z - y)^2 / 2."""
        return 0.5 * (z - y) ** 2

    def slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return z - y."""
        return z - y

    def curvature(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return 1."""
        return np.ones_like(z)

    def target_slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return -1."""
        return -np.ones_like(z)

    def largest_target_slope(self, low: FloatArray, high: FloatArray, z: FloatArray) -> FloatArray:
        """Return 1."""
        return np.ones_like(z)

    def smoothed(self, y: Any, z: Any, width: Any, functions: Any = np) -> Any:
        """Return the loss itself, which is smooth."""
        return 0.5 * (z - y) ** 2


class Ridge(LinearModel):
    """Ridge regression, argmin_theta 1/2 ||X theta - y||^2 + penalty / 2 ||theta||^2. Immutable.

    It equals scikit-learn's `Ridge(alpha=penalty, fit_intercept=False)`; with `intercept=True` the
    data of scikit-learn need another column of ones. With targets -1 and 1 the sign of the score is
    the prediction of scikit-learn's `RidgeClassifier`.

    Parameters
    ----------
    data : array_like, shape (n, d)
    targets : array_like, shape (n,)
        Finite and not constant.
    penalty : float, default 1
    intercept : bool, default False
        As in `LinearModel`.

    Raises
    ------
    ArgumentError
        If an argument is invalid.
    """

    loss_function = SquaredLoss()
