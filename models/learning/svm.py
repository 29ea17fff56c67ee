"""The linear support vector machine, with the squared hinge loss or the hinge loss."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.learning.linear_model import LinearClassifier, Loss
from bilad.models.validation import FloatArray, one_of


def _smoothed_plus(m: Any, width: Any, functions: Any) -> Any:
    """Return (m + sqrt(m^2 + width^2)) / 2, which tends to max(m, 0)."""
    return 0.5 * (m + functions.sqrt(m**2 + width**2))


def _smoothed_plus_slope(m: FloatArray, width: float) -> FloatArray:
    return 0.5 * (1.0 + m / np.sqrt(m**2 + width**2))


class SquaredHingeLoss(Loss):
    """l(y, z) = max(1 - y z, 0)^2."""

    def value(self, y: Any, z: Any) -> FloatArray:
        """Return max(1 - y z, 0)^2."""
        return np.maximum(1.0 - y * z, 0.0) ** 2

    def slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return -2 y max(1 - y z, 0)."""
        return -2.0 * y * np.maximum(1.0 - y * z, 0.0)

    def curvature(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return 2 y^2 where y z < 1, and 0 elsewhere."""
        return 2.0 * y**2 * (y * z < 1)

    def target_slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return -2 (1 - 2 y z) where y z < 1, and 0 elsewhere."""
        slopes: FloatArray = np.where(y * z < 1, -2.0 * (1.0 - 2.0 * y * z), 0.0)
        return slopes

    def smoothed(self, y: Any, z: Any, width: Any, functions: Any = np) -> Any:
        """Return the square of the smoothed positive part of 1 - y z."""
        return _smoothed_plus(1.0 - y * z, width, functions) ** 2

    def smoothed_slope(self, y: FloatArray, z: FloatArray, width: float) -> FloatArray:
        """Return the derivative of `smoothed` in z."""
        m = 1.0 - y * z
        return -2.0 * y * _smoothed_plus(m, width, np) * _smoothed_plus_slope(m, width)


class HingeLoss(Loss):
    """l(y, z) = max(1 - y z, 0), which is not differentiable at y z = 1.

    `slope`, `curvature` and `target_slope` are those of the active pieces.
    """

    is_smooth = False

    def value(self, y: Any, z: Any) -> FloatArray:
        """Return max(1 - y z, 0)."""
        return np.maximum(1.0 - y * z, 0.0)

    def slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return -y where y z < 1, and 0 elsewhere."""
        return -y * (y * z < 1)

    def curvature(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return 0."""
        return np.zeros_like(z)

    def target_slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return -1 where y z < 1, and 0 elsewhere."""
        return -np.asarray(y * z < 1, dtype=np.float64)

    def smoothed(self, y: Any, z: Any, width: Any, functions: Any = np) -> Any:
        """Return the smoothed positive part of 1 - y z."""
        return _smoothed_plus(1.0 - y * z, width, functions)

    def smoothed_slope(self, y: FloatArray, z: FloatArray, width: float) -> FloatArray:
        """Return the derivative of `smoothed` in z."""
        return -y * _smoothed_plus_slope(1.0 - y * z, width)


LOSSES = {"squared_hinge": SquaredHingeLoss(), "hinge": HingeLoss()}


class SupportVectorMachine(LinearClassifier):
    """The linear support vector machine of two classes (paper, Example 1). Immutable.

        argmin_theta  sum_i l(y_i, x_i'theta) + penalty / 2 ||theta||^2,
        l(y, z) = max(1 - y z, 0)^2  or  max(1 - y z, 0)

    It equals scikit-learn's `LinearSVC(C=1 / penalty, loss=loss, fit_intercept=False)`; with
    `intercept=True` it equals `fit_intercept=True` with the default `intercept_scaling=1`.

    Parameters
    ----------
    data : array_like, shape (n, d)
    targets : array_like, shape (n,)
        Labels of two classes; in sorted order they become -1 and 1.
    penalty : float, default 1
    loss : {"squared_hinge", "hinge"}, default "squared_hinge"
    intercept : bool, default False
        As in `LinearModel`.

    Raises
    ------
    ArgumentError
        If an argument is invalid.
    """

    def __init__(
        self,
        data: ArrayLike,
        targets: ArrayLike,
        penalty: float = 1.0,
        loss: str = "squared_hinge",
        *,
        intercept: bool = False,
    ) -> None:
        super().__init__(data, targets, penalty, intercept=intercept)
        self.loss = one_of(loss, "loss", LOSSES)
        self.loss_function = LOSSES[self.loss]
