"""Losses of classifiers: functions of the margin, for labels between -1 and 1.

    l(y, z) = w_+ phi(z) + w_- phi(-z),        w_+ = max((1 + y) / 2, 0),  w_- = max((1 - y) / 2, 0)

phi is convex, and phi(y z) is the loss of a label y = -1 or 1. A label between them is the expected
loss if the label is 1 with the probability (1 + y) / 2, so that a relaxed label is affine in the
loss, and no label makes the loss constant in z. For every y the loss is convex in z.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from bilad.models.learning.linear_model import Loss
from bilad.models.validation import FloatArray


def label_weights(y: Any) -> tuple[Any, Any]:
    """Return w_+ and w_- of a label: a number, an array, or a Pyomo expression in [-1, 1]."""
    if isinstance(y, float | int | np.ndarray | np.number):
        return np.maximum(0.5 * (1.0 + y), 0.0), np.maximum(0.5 * (1.0 - y), 0.0)
    return 0.5 * (1.0 + y), 0.5 * (1.0 - y)


def _sum(y: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Return w_+ first + w_- second, where a weight of zero cancels an infinite value."""
    plus, minus = label_weights(y)
    total: FloatArray = np.where(plus > 0, plus * first, 0.0)
    return total + np.where(minus > 0, minus * second, 0.0)


class MarginLoss(Loss):
    """A loss l(y, z) = w_+ phi(z) + w_- phi(-z)."""

    @abstractmethod
    def of_margin(self, m: Any, width: Any, functions: Any = np) -> Any:
        """Return phi(m), smoothed with a width >= 0, for arrays or Pyomo expressions."""

    @abstractmethod
    def derivatives(self, m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return phi'(m) and phi''(m), or elements of their generalised derivatives."""

    @property
    def own_width(self) -> float:
        """The width of the smoothing that is a part of the loss; 0 by default."""
        return 0.0

    def value(self, y: Any, z: Any) -> FloatArray:
        """Return l(y, z)."""
        return _sum(y, *(self.of_margin(m, self.own_width) for m in (z, -z)))

    def slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return w_+ phi'(z) - w_- phi'(-z)."""
        return _sum(y, self.derivatives(z)[0], -self.derivatives(-z)[0])

    def curvature(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return w_+ phi''(z) + w_- phi''(-z)."""
        return _sum(y, self.derivatives(z)[1], self.derivatives(-z)[1])

    def target_slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return (phi'(z) + phi'(-z)) / 2 for |y| <= 1; beyond, the term of the other label is 0.

        At y = -1 and y = 1 it is the derivative towards the inside.
        """
        first, second = self.derivatives(z)[0], self.derivatives(-z)[0]
        return 0.5 * (np.where(y >= -1, first, 0.0) + np.where(y <= 1, second, 0.0))

    def largest_target_slope(
        self, low: FloatArray, high: FloatArray, z: FloatArray
    ) -> FloatArray | None:
        """Return the largest |target_slope|, which is constant on each side of -1 and of 1."""
        if not self.is_smooth:
            return None
        first, second = self.derivatives(z)[0], self.derivatives(-z)[0]
        inside = np.where((low <= 1) & (high >= -1), np.abs(first + second), 0.0)
        above, below = np.where(high > 1, -first, 0.0), np.where(low < -1, -second, 0.0)
        return 0.5 * np.maximum(inside, np.maximum(np.abs(above), np.abs(below)))

    def smoothed(self, y: Any, z: Any, width: Any, functions: Any = np) -> Any:
        """Return l(y, z) with the smoothed phi."""
        if functions is np:
            return _sum(y, self.of_margin(z, width), self.of_margin(-z, width))
        terms = zip(label_weights(y), (z, -z), strict=True)
        return sum(
            w * self.of_margin(m, width, functions)
            for w, m in terms
            if not isinstance(w, float) or w > 0
        )
