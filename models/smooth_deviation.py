"""Smooth deviations: functions of squared distances, with value and derivatives, in any algebra.

"Together" is blurred to a kernel k(||x_i - x_j||^2 / w^2), k(0) = 1, k(inf) = 0:

    U_w(X) = sum over pairs of  c_ij (1 - k)  if i, j are together at eps = 0,  c_ij k  if not

which tends to the deviation U = sum c_ij [relation of i and j changed] as the width w goes to 0.
The distance of parameters is sqrt(||theta - theta_0||^2 + w^2) - w.

`functions` is the module whose `exp` and `sqrt` are called: NumPy for arrays, `pyomo.environ` for
expressions. So each form is written once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from scipy.spatial.distance import cdist

from bilad.models.validation import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Kernel:
    """A kernel, its complement and its derivatives, functions of ||x_i - x_j||^2 and w^2.

    `together(squared, w2, functions)` and `apart(squared, w2, functions)` add up to 1.
    `slope(squared, w2)` and `curvature(squared, w2)`, for arrays, are the first and the second
    derivative of `together` in the squared distance.
    """

    name: str
    together: Callable[..., Any]
    apart: Callable[..., Any]
    slope: Callable[[Any, Any], Any]
    curvature: Callable[[Any, Any], Any]


def _exponential(squared: Any, w2: Any, functions: Any = np) -> Any:
    return functions.exp(-squared / w2)


KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel(
            "rational",
            lambda squared, w2, functions=np: w2 / (w2 + squared),
            lambda squared, w2, functions=np: squared / (w2 + squared),
            lambda squared, w2: -w2 / (w2 + squared) ** 2,
            lambda squared, w2: 2 * w2 / (w2 + squared) ** 3,
        ),
        Kernel(
            "exponential",
            _exponential,
            lambda squared, w2, functions=np: 1 - _exponential(squared, w2, functions),
            lambda squared, w2: -_exponential(squared, w2) / w2,
            lambda squared, w2: _exponential(squared, w2) / w2**2,
        ),
    )
}


class SmoothDeviation(Protocol):
    """A smooth deviation of a state from what it is at eps = 0."""

    def at(self, state: FloatArray, width: float) -> tuple[float, FloatArray]:
        """Return the value and its gradient in the state; the width w > 0 has the state's unit."""


@dataclass(frozen=True)
class SmoothPairs:
    """U_w over some pairs of points; the state is X, shape (n, d).

    All pairs with equal coefficients, as of "delta" and "rand", cost the square of the number of
    distinct rows of X; other pairs cost their number.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
        At eps = 0.
    pairs : ndarray of int, shape (P, 2)
    coefficients : ndarray, shape (P,)
        c_ij.
    kernel : Kernel
    """

    labels: IntArray
    pairs: IntArray
    coefficients: FloatArray
    kernel: Kernel

    @cached_property
    def together(self) -> BoolArray:
        """Whether the two points of each pair are together at eps = 0: shape (P,)."""
        together: BoolArray = self.labels[self.pairs[:, 0]] == self.labels[self.pairs[:, 1]]
        return together

    @cached_property
    def _is_of_all_pairs(self) -> bool:
        n = len(self.labels)
        return len(self.pairs) == n * (n - 1) // 2 and np.ptp(self.coefficients) == 0

    def restricted(self, kept: BoolArray) -> SmoothPairs:
        """Return the same function of some of the pairs only: `kept` of shape (P,)."""
        return SmoothPairs(self.labels, self.pairs[kept], self.coefficients[kept], self.kernel)

    def term(self, row: int, squared: Any, w2: Any, functions: Any) -> Any:
        """Return the term of one pair, from its squared distance and the squared width."""
        change = self.kernel.apart if self.together[row] else self.kernel.together
        return float(self.coefficients[row]) * change(squared, w2, functions)

    def at(self, state: FloatArray, width: float) -> tuple[float, FloatArray]:
        """Return U_w(X) and its gradient: shape (n, d)."""
        if self._is_of_all_pairs:
            return self._at_all_pairs(state, width, float(self.coefficients[0]))
        return self._at_given_pairs(state, width)

    def _at_all_pairs(
        self, X: FloatArray, width: float, coefficient: float
    ) -> tuple[float, FloatArray]:
        """Count points of one cell, with the same label and the same row of X, as one."""
        first, cell, counts = _cells(self.labels, X)
        rows, labels = X[first], self.labels[first]
        squared, w2 = cdist(rows, rows, "sqeuclidean"), width**2
        apart = labels[:, None] != labels
        change = np.where(apart, self.kernel.together(squared, w2), self.kernel.apart(squared, w2))
        value = 0.5 * coefficient * float(counts @ change @ counts)
        slope = self.kernel.slope(squared, w2)
        rates = 2.0 * coefficient * np.where(apart, slope, -slope) * counts
        gradient = rates.sum(axis=1)[:, None] * rows - rates @ rows
        return value, gradient[cell]

    def _at_given_pairs(self, X: FloatArray, width: float) -> tuple[float, FloatArray]:
        i, j = np.ascontiguousarray(self.pairs.T)
        U, apart = X[i] - X[j], ~self.together
        squared, w2 = np.einsum("ij,ij->i", U, U), width**2
        change = np.where(apart, self.kernel.together(squared, w2), self.kernel.apart(squared, w2))
        slope = self.kernel.slope(squared, w2)
        pulls = (2.0 * self.coefficients * np.where(apart, slope, -slope))[:, None] * U
        columns = [np.bincount(i, c, len(X)) - np.bincount(j, c, len(X)) for c in pulls.T]
        return float(self.coefficients @ change), np.stack(columns, axis=1)


def _cells(labels: IntArray, X: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Return a point of each cell, (C,), the cell of each point, (n,), and the sizes, (C,)."""
    order = np.lexsort((*X.T, labels))
    rows, names = X[order], labels[order]
    new = np.ones(len(X), dtype=bool)
    new[1:] = (names[1:] != names[:-1]) | (rows[1:] != rows[:-1]).any(axis=1)
    cell = np.empty(len(X), dtype=np.int64)
    cell[order] = np.cumsum(new) - 1
    return order[new], cell, np.bincount(cell).astype(float)


@dataclass(frozen=True)
class SmoothDistance:
    """The distance of the state from what it is at eps = 0, rounded at zero.

    Attributes
    ----------
    reference : ndarray
        The state at eps = 0.
    """

    reference: FloatArray

    def term(self, squared: Any, width: Any, functions: Any) -> Any:
        """Return the value, from the squared distance and the width."""
        return functions.sqrt(squared + width**2) - width

    def at(self, state: FloatArray, width: float) -> tuple[float, FloatArray]:
        """Return the value and its gradient, of the state's shape."""
        moved = state - self.reference
        squared = float(np.vdot(moved, moved))
        return self.term(squared, width, np), moved / np.sqrt(squared + width**2)


def length_unit(state: FloatArray, data: FloatArray) -> float:
    """Return the unit of length of widths: the typical distance of two rows of a state.

    The root mean square of ||x_i - x_j|| over all pairs; that of the data if there are no two
    different rows; 1 if all data are equal.
    """
    for points in (np.atleast_2d(state), data):
        spread = float(np.sqrt(2 * np.var(points, axis=0).sum()))
        if spread > 1e-9 * float(np.abs(points).max(initial=0.0)):
            return spread
    return 1.0
