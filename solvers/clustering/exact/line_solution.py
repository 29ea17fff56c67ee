"""The result of an exact method for one feature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bilad.models.validation import FloatArray, IntArray

ROUNDOFF = float(np.finfo(np.float64).eps)
LONG_ROUNDOFF = float(np.finfo(np.longdouble).eps)  # of the sums in extended precision


@dataclass(frozen=True)
class LineSolution:
    """The solution for one feature, with its proof.

    Attributes
    ----------
    x : ndarray, shape (n,)
    fused : ndarray of int, shape (n,)
        Points with equal numbers are proved equal.
    error : ndarray, shape (n,)
        Bound on |x - x*|, including the rounding of x; 0 for points without edges.
    absolute_gap : float
        Duality gap of x and the dual solution.
    residual : float
        Absolute KKT residual of x and the dual solution.
    make_dual : callable
        Returns the flow along each edge: shape (m,).
    """

    x: FloatArray
    fused: IntArray
    error: FloatArray
    absolute_gap: float
    residual: float
    make_dual: Callable[[], FloatArray]

    def proved_equal(self) -> IntArray:
        """Return numbers (n,): points with equal numbers are proved equal."""
        if (self.error > 0).all():
            return self.fused
        by_value = np.unique(self.x, return_inverse=True)[1] + int(self.fused.max()) + 1
        return np.where(self.error == 0, by_value, self.fused)

    def not_proved_apart(self) -> IntArray:
        """Return numbers (n,): points with different numbers are proved apart."""
        lower, upper = self.x - self.error, self.x + self.error
        order = np.argsort(lower, kind="stable")
        reach = np.maximum.accumulate(upper[order])
        numbers = np.zeros(len(order), dtype=np.int64)
        numbers[order[1:]] = np.cumsum(lower[order[1:]] > reach[:-1])
        return numbers
