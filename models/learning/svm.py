"""The linear support vector machine, with the squared hinge loss or the hinge loss."""

from __future__ import annotations

import copy
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.learning.linear_model import LinearClassifier, Loss
from bilad.models.validation import FloatArray, one_of

ROUNDING = 1e-9  # of a margin y z that decides whether a point is active


@dataclass(frozen=True)
class MarginLoss(Loss):
    """l(y, z) = g(1 - y z), where g is a function of the positive part max(m, 0).

    With a width w > 0 the positive part is smoothed, p_w(m) = (m + sqrt(m^2 + w^2)) / 2, and p_w'
    and p_w'' are its derivatives; for w = 0 they are the indicator of m > 0, and 0.
    """

    width: float = 0.0

    @staticmethod
    @abstractmethod
    def of_part(p: Any) -> Any:
        """Return g as a function of the positive part p."""

    @staticmethod
    @abstractmethod
    def slope_of_part(p: FloatArray) -> FloatArray:
        """Return the derivative of `of_part`."""

    @staticmethod
    @abstractmethod
    def curvature_of_part(p: FloatArray) -> FloatArray:
        """Return the second derivative of `of_part`."""

    def value(self, y: Any, z: Any) -> FloatArray:
        """Return g(1 - y z)."""
        values: FloatArray = self.smoothed(y, z, self.width)
        return values

    def slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return -y g'."""
        return -y * self._derivatives(1.0 - y * z)[0]

    def curvature(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return y^2 g''."""
        return y**2 * self._derivatives(1.0 - y * z)[1]

    def target_slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return -g' + y z g''."""
        first, second = self._derivatives(1.0 - y * z)
        return -first + y * z * second

    def smoothed(self, y: Any, z: Any, width: Any, functions: Any = np) -> Any:
        """Return g(1 - y z) with the smoothed positive part."""
        m = 1.0 - y * z
        return self.of_part(0.5 * (m + functions.sqrt(m**2 + width**2)))

    def smoothed_slope(self, y: FloatArray, z: FloatArray, width: float) -> FloatArray:
        """Return the derivative of `smoothed` in z."""
        return replace(self, width=width).slope(y, z)

    def _derivatives(self, m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return g' and g'' at m, by the chain rule."""
        size = np.hypot(m, self.width)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = np.where(size > 0, 0.5 * (1.0 + m / size), 0.0)
            bend = np.where(size > 0, 0.5 * self.width**2 / size**3, 0.0)
        part = 0.5 * (m + size)
        first, second = self.slope_of_part(part), self.curvature_of_part(part)
        return first * step, second * step**2 + first * bend


class SquaredHingeLoss(MarginLoss):
    """l(y, z) = max(1 - y z, 0)^2."""

    @staticmethod
    def of_part(p: Any) -> Any:
        """Return p^2."""
        return p**2

    @staticmethod
    def slope_of_part(p: FloatArray) -> FloatArray:
        """Return 2 p."""
        return 2.0 * p

    @staticmethod
    def curvature_of_part(p: FloatArray) -> FloatArray:
        """Return 2."""
        return np.full_like(p, 2.0)

    def largest_target_slope(
        self, low: FloatArray, high: FloatArray, z: FloatArray
    ) -> FloatArray | None:
        """Return the larger of |2 (1 - 2 y z)| at both ends, where y z is reduced to 1.

        There is none if the loss is smoothed.
        """
        if self.width > 0:
            return None
        first, last = (np.minimum(y * z, 1.0) for y in (low, high))
        active = np.minimum(low * z, high * z) < 1.0 + ROUNDING
        slopes = np.maximum(np.abs(2.0 - 4.0 * first), np.abs(2.0 - 4.0 * last))
        return np.where(active, slopes, 0.0)


class HingeLoss(MarginLoss):
    """l(y, z) = max(1 - y z, 0), which is not differentiable at y z = 1 unless it is smoothed."""

    @property
    def is_smooth(self) -> bool:
        """Whether the width is positive."""
        return self.width > 0

    def largest_slope_change(
        self, y: FloatArray, new: FloatArray, z: FloatArray, error: FloatArray
    ) -> FloatArray | None:
        """Return the sum of |y| and |new|, each where the point may be inside its margin."""
        if self.is_smooth:
            return super().largest_slope_change(y, new, z, error)
        sizes = [np.abs(t) * (t * z <= 1.0 + np.abs(t) * error) for t in (y, new)]
        return sizes[0] + sizes[1]

    @staticmethod
    def of_part(p: Any) -> Any:
        """Return p."""
        return p

    @staticmethod
    def slope_of_part(p: FloatArray) -> FloatArray:
        """Return 1."""
        return np.ones_like(p)

    @staticmethod
    def curvature_of_part(p: FloatArray) -> FloatArray:
        """Return 0."""
        return np.zeros_like(p)


LOSSES: dict[str, MarginLoss] = {"squared_hinge": SquaredHingeLoss(), "hinge": HingeLoss()}


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

    loss_function: MarginLoss

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

    def with_smoothing(self, width: float) -> Self:
        """Return the model with the smoothed positive part of width > 0 in its loss."""
        new = copy.copy(self)
        new.loss_function = replace(self.loss_function, width=width)
        return new
