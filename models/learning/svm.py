"""The linear support vector machine, with the squared hinge loss or the hinge loss."""

from __future__ import annotations

import copy
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.learning.linear_model import LinearClassifier
from bilad.models.learning.margin_loss import MarginLoss, label_weights
from bilad.models.validation import FloatArray, one_of


@dataclass(frozen=True, repr=False)
class PositivePartLoss(MarginLoss):
    """phi(m) = g(p) is a function of the positive part p of 1 - m.

    With a width w > 0 the positive part is smoothed, p_w(t) = (t + sqrt(t^2 + w^2)) / 2, and p_w'
    and p_w'' are its derivatives; for w = 0 they are the indicator of t > 0, and 0.
    """

    width: float = 0.0

    @property
    def own_width(self) -> float:
        """The width."""
        return self.width

    @staticmethod
    @abstractmethod
    def of_part(p: Any) -> Any:
        """Return g(p)."""

    @staticmethod
    @abstractmethod
    def derivatives_of_part(p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return g'(p) and g''(p)."""

    def of_margin(self, m: Any, width: Any, functions: Any = np) -> Any:
        """Return g(p_w(1 - m))."""
        t = 1.0 - m
        size = np.hypot(t, width) if functions is np else functions.sqrt(t**2 + width**2)
        return self.of_part(0.5 * (t + size))

    def derivatives(self, m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of g(p_w(1 - m)) by the chain rule."""
        t = 1.0 - m
        size = np.hypot(t, self.width)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = np.where(size > 0, 0.5 * (1.0 + t / size), 0.0)
            bend = np.where(size > 0, 0.5 * self.width**2 / size**3, 0.0)
        first, second = self.derivatives_of_part(0.5 * (t + size))
        return -first * step, second * step**2 + first * bend

    def smoothed_slope(self, y: FloatArray, z: FloatArray, width: float) -> FloatArray:
        """Return the derivative of `smoothed` in z."""
        return replace(self, width=width).slope(y, z)


class SquaredHingeLoss(PositivePartLoss):
    """phi(m) = max(1 - m, 0)^2."""

    @staticmethod
    def of_part(p: Any) -> Any:
        """Return p^2."""
        return p**2

    @staticmethod
    def derivatives_of_part(p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return 2 p and 2."""
        return 2.0 * p, np.full_like(p, 2.0)


class HingeLoss(PositivePartLoss):
    """phi(m) = max(1 - m, 0), which is not differentiable at m = 1 unless it is smoothed."""

    @property
    def is_smooth(self) -> bool:
        """Whether the width is positive."""
        return self.width > 0

    @staticmethod
    def of_part(p: Any) -> Any:
        """Return p."""
        return p

    @staticmethod
    def derivatives_of_part(p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return 1 and 0."""
        return np.ones_like(p), np.zeros_like(p)

    def largest_slope_change(
        self, y: FloatArray, new: FloatArray, z: FloatArray, error: FloatArray
    ) -> FloatArray | None:
        """Return the sum of the weights of both labels where a point may be inside its margin."""
        if self.is_smooth:
            return super().largest_slope_change(y, new, z, error)
        near = [m <= 1.0 + error for m in (z, -z)]
        sizes = [
            sum(w * at for w, at in zip(label_weights(t), near, strict=True)) for t in (y, new)
        ]
        total: FloatArray = sizes[0] + sizes[1]
        return total


LOSSES: dict[str, PositivePartLoss] = {"squared_hinge": SquaredHingeLoss(), "hinge": HingeLoss()}


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
        Labels of two classes; in sorted order they become -1 and 1. A perturbation may relax them
        to numbers between, whose loss is that of module `margin_loss`.
    penalty : float, default 1
    loss : {"squared_hinge", "hinge"}, default "squared_hinge"
    intercept : bool, default False
        As in `LinearModel`.

    Raises
    ------
    ArgumentError
        If an argument is invalid.
    """

    loss_function: PositivePartLoss

    def __init__(
        self,
        data: ArrayLike,
        targets: ArrayLike,
        penalty: float = 1.0,
        loss: str = "squared_hinge",
        *,
        intercept: bool = False,
    ) -> None:
        self.loss = one_of(loss, "loss", LOSSES)
        self.loss_function = LOSSES[self.loss]
        super().__init__(data, targets, penalty, intercept=intercept)

    def summary(self) -> dict[str, Any]:
        """Return the sizes of the data, the parameters, the two classes and the loss."""
        return {**super().summary(), "loss": self.loss}

    def with_smoothing(self, width: Any) -> Self:
        """Return the model with the smoothed positive part of width > 0 in its loss.

        The width is a number, or a variable of Pyomo in a model that is only written.
        """
        new = copy.copy(self)
        new.loss_function = replace(self.loss_function, width=width)
        return new
