"""The smooth deviation in NumPy, and its gradient in X.

    U_w(X) = sum over pairs of c_ij (1 - k) if i, j are together at eps = 0, c_ij k if not,

k = k(||x_i - x_j||^2 / w^2) a kernel of `formulations.smooth_deviation`. Pairs that no allowed eps
brings together are kept, unlike there: leaving them out would cost more than it saves.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.spatial.distance import cdist

from bilad.formulations.smooth_deviation import Kernel
from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import FloatArray, IntArray


class SmoothedDeviation(Protocol):
    """U_w, for the pairs, coefficients and labels of one problem."""

    def at(self, X: FloatArray, width: float) -> tuple[float, FloatArray]:
        """Return U_w(X) and its gradient, (n, d); the width w > 0 is in units of X."""


def smoothed_deviation(
    problem: BilevelProblem, labels: IntArray, kernel: Kernel
) -> SmoothedDeviation:
    """Return the smooth deviation from the labels (n,) at eps = 0.

    All pairs with equal coefficients, as of "delta" and "rand", cost the square of the number of
    distinct rows of X, other pairs their number.

    Parameters
    ----------
    problem : BilevelProblem
        Its deviation is additive over pairs.
    labels : ndarray of int, shape (n,)
    kernel : Kernel
    """
    assert problem.deviation.pairs is not None
    n = problem.model.n
    pairs, coefficients = problem.deviation.pairs(n)
    if len(pairs) == n * (n - 1) // 2 and np.ptp(coefficients) == 0:
        return AllPairs(labels, float(coefficients[0]), kernel)
    return GivenPairs(labels, pairs, coefficients, kernel)


class AllPairs:
    """Every pair, with one coefficient c.

    Points with the same label and the same row of X, a cell of the contingency table of the labels
    and the rows, count as one with their number.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        At eps = 0.
    coefficient : float
        c.
    kernel : Kernel
    """

    def __init__(self, labels: IntArray, coefficient: float, kernel: Kernel) -> None:
        self._labels, self._coefficient, self._kernel = labels, coefficient, kernel

    def at(self, X: FloatArray, width: float) -> tuple[float, FloatArray]:
        """Return U_w(X) and its gradient: shape (n, d)."""
        first, cell, counts = _cells(self._labels, X)
        rows, labels = X[first], self._labels[first]
        squared, w2 = cdist(rows, rows, "sqeuclidean"), width**2
        apart = labels[:, None] != labels
        change = np.where(
            apart, self._kernel.together(squared, w2), self._kernel.apart(squared, w2)
        )
        value = 0.5 * self._coefficient * float(counts @ change @ counts)
        slope = self._kernel.slope(squared, w2)
        rates = 2.0 * self._coefficient * np.where(apart, slope, -slope) * counts
        gradient = rates.sum(axis=1)[:, None] * rows - rates @ rows
        return value, gradient[cell]


def _cells(labels: IntArray, X: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Return a point of each cell, (C,), the cell of each point, (n,), and the sizes, (C,)."""
    order = np.lexsort((*X.T, labels))
    rows, names = X[order], labels[order]
    new = np.ones(len(X), dtype=bool)
    new[1:] = (names[1:] != names[:-1]) | (rows[1:] != rows[:-1]).any(axis=1)
    cell = np.empty(len(X), dtype=np.int64)
    cell[order] = np.cumsum(new) - 1
    return order[new], cell, np.bincount(cell).astype(float)


class GivenPairs:
    """Some pairs, or with different coefficients.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        At eps = 0.
    pairs : ndarray of int, shape (P, 2)
    coefficients : ndarray, shape (P,)
    kernel : Kernel
    """

    def __init__(
        self, labels: IntArray, pairs: IntArray, coefficients: FloatArray, kernel: Kernel
    ) -> None:
        self._ends = np.ascontiguousarray(pairs.T)
        self._apart = labels[self._ends[0]] != labels[self._ends[1]]
        self._coefficients, self._kernel = coefficients, kernel

    def at(self, X: FloatArray, width: float) -> tuple[float, FloatArray]:
        """Return U_w(X) and its gradient: shape (n, d)."""
        i, j = self._ends
        U = X[i] - X[j]
        squared, w2 = np.einsum("ij,ij->i", U, U), width**2
        change = np.where(
            self._apart, self._kernel.together(squared, w2), self._kernel.apart(squared, w2)
        )
        slope = self._kernel.slope(squared, w2)
        pulls = (2.0 * self._coefficients * np.where(self._apart, slope, -slope))[:, None] * U
        columns = [np.bincount(i, c, len(X)) - np.bincount(j, c, len(X)) for c in pulls.T]
        return float(self._coefficients @ change), np.stack(columns, axis=1)
