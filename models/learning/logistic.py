"""Logistic regression: l(y, z) = log(1 + exp(-y z))."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from bilad.models.learning.linear_model import LinearClassifier, Loss
from bilad.models.validation import FloatArray

PEAK = 2.3993572805154676  # the m > 0 with m tanh(m / 2) = 2


class LogisticLoss(Loss):
    """l(y, z) = log(1 + exp(-y z))."""

    def value(self, y: Any, z: Any) -> FloatArray:
        """Return log(1 + exp(-y z)) without overflow."""
        return np.logaddexp(0.0, -y * z)

    def slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return -y s with s = 1 / (1 + exp(y z))."""
        return -y * expit(-y * z)

    def curvature(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return y^2 s (1 - s)."""
        return y**2 * expit(y * z) * expit(-y * z)

    def target_slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return -s + y z s (1 - s)."""
        s = expit(-y * z)
        return -s + y * z * s * expit(y * z)

    def largest_target_slope(self, low: FloatArray, high: FloatArray, z: FloatArray) -> FloatArray:
        """Return the larger of |target_slope| at both ends and at y z = -PEAK between them.

        As a function of m = y z it is -s + m s (1 - s), which increases from m = -PEAK to m = PEAK,
        where it is 0.1, and decreases elsewhere.
        """
        ends = np.maximum(*(np.abs(self.target_slope(y, z)) for y in (low, high)))
        m = np.sort([low * z, high * z], axis=0)
        peak = np.where((m[0] <= -PEAK) & (m[1] >= -PEAK), 1.1, 0.0)
        crest = np.where(m[1] >= PEAK, 0.1, 0.0)
        return np.maximum(np.maximum(ends, peak), crest)

    def smoothed(self, y: Any, z: Any, width: Any, functions: Any = np) -> Any:
        """Return the loss itself, in the form log(1 + exp(-|m|)) + max(-m, 0) for arrays."""
        if functions is np:
            return self.value(y, z)
        return functions.log(1 + functions.exp(-y * z))


class LogisticRegression(LinearClassifier):
    """Logistic regression of two classes. Immutable.

        argmin_theta  sum_i log(1 + exp(-y_i x_i'theta)) + penalty / 2 ||theta||^2

    It equals scikit-learn's `LogisticRegression(C=1 / penalty, fit_intercept=False)`; with
    `intercept=True` the data of scikit-learn need another column of ones.

    Parameters
    ----------
    data : array_like, shape (n, d)
    targets : array_like, shape (n,)
        Labels of two classes; in sorted order they become -1 and 1.
    penalty : float, default 1
    intercept : bool, default False
        As in `LinearModel`.

    Raises
    ------
    ArgumentError
        If an argument is invalid.
    """

    loss_function = LogisticLoss()
