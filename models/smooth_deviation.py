"""Smooth approximations of deviation functions, with values and derivatives.

The relation "i and j are together" is replaced by a kernel k(||x_i - x_j||^2 / w^2) with k(0) = 1
and k(inf) = 0, where w > 0 is the smoothing width:

    U_w(X) = sum over pairs of  c_ij (1 - k) if i, j are together at eps = 0, c_ij k otherwise.

U_w tends to U = sum c_ij [the relation of i and j changed] as w tends to 0. The distance of
parameters, ||theta - theta_0||, is approximated by sqrt(||theta - theta_0||^2 + w^2) - w, and
deviations of predictions by sums of smooth functions of scores.

Each formula is written once, for numbers and for Pyomo expressions. The argument `functions` is the
module that provides `exp` and `sqrt`: NumPy for arrays, `pyomo.environ` for expressions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy

from bilad.models.validation import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Kernel:
    """A kernel k as a function of s = ||x_i - x_j||^2 and w^2.

    Attributes
    ----------
    name : str
    together : callable(s, w2, functions)
        k.
    apart : callable(s, w2, functions)
        1 - k.
    slope, curvature : callable(s, w2)
        The first and second derivative of k with respect to s, for arrays.
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
    """A smooth approximation of a deviation, as a function of the state of the lower level.

    The state is the array of lower-level variables: X for convex clustering.
    """

    def at(self, state: FloatArray, width: float) -> tuple[float, FloatArray]:
        """Return the value and its gradient with respect to the state, for a width w > 0."""


@dataclass(frozen=True)
class SmoothPairs:
    """U_w, a sum over pairs of points; the state is X, shape (n, d).

    If all pairs occur with equal coefficients, as for "delta" and "rand", an evaluation costs the
    square of the number of distinct rows of X; otherwise it costs the number of pairs.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
        The labels at eps = 0.
    pairs : ndarray of int, shape (P, 2)
    coefficients : ndarray, shape (P,)
        The coefficients c_ij.
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
        """Return the sum over the pairs with `kept` true: `kept` has shape (P,)."""
        return SmoothPairs(self.labels, self.pairs[kept], self.coefficients[kept], self.kernel)

    def term(self, row: int, squared: Any, w2: Any, functions: Any) -> Any:
        """Return the term of pair number `row`, from its squared distance and squared width."""
        change = self.kernel.apart if self.together[row] else self.kernel.together
        return float(self.coefficients[row]) * change(squared, w2, functions)

    def at(self, state: FloatArray, width: float) -> tuple[float, FloatArray]:
        """Return U_w(X) and its gradient with respect to X, shape (n, d)."""
        if self._is_of_all_pairs:
            return self._at_all_pairs(state, width, float(self.coefficients[0]))
        return self._at_given_pairs(state, width)

    def _at_all_pairs(
        self, X: FloatArray, width: float, coefficient: float
    ) -> tuple[float, FloatArray]:
        """Evaluate U_w after grouping the points into classes of equal label and equal row of X."""
        first, cell, counts = _cells(self.labels, X)
        rows, labels = X[first], self.labels[first]
        squared, w2 = scipy.spatial.distance.cdist(rows, rows, "sqeuclidean"), width**2
        apart = labels[:, None] != labels
        change = np.where(apart, self.kernel.together(squared, w2), self.kernel.apart(squared, w2))
        value = 0.5 * coefficient * float(counts @ change @ counts)
        slope = self.kernel.slope(squared, w2)
        factors = 2.0 * coefficient * np.where(apart, slope, -slope) * counts
        gradient = factors.sum(axis=1)[:, None] * rows - factors @ rows
        return value, gradient[cell]

    def _at_given_pairs(self, X: FloatArray, width: float) -> tuple[float, FloatArray]:
        i, j = np.ascontiguousarray(self.pairs.T)
        U, apart = X[i] - X[j], ~self.together
        squared, w2 = np.einsum("ij,ij->i", U, U), width**2
        change = np.where(apart, self.kernel.together(squared, w2), self.kernel.apart(squared, w2))
        slope = self.kernel.slope(squared, w2)
        terms = (2.0 * self.coefficients * np.where(apart, slope, -slope))[:, None] * U
        columns = [np.bincount(i, c, len(X)) - np.bincount(j, c, len(X)) for c in terms.T]
        return float(self.coefficients @ change), np.stack(columns, axis=1)


def _cells(labels: IntArray, X: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Group points with equal labels and equal rows of X into C classes.

    Returns the index of one point of each class, shape (C,), the class of each point, shape (n,),
    and the sizes of the classes, shape (C,).
    """
    order = np.lexsort((*X.T, labels))
    rows, names = X[order], labels[order]
    new = np.ones(len(X), dtype=bool)
    new[1:] = (names[1:] != names[:-1]) | (rows[1:] != rows[:-1]).any(axis=1)
    cell = np.empty(len(X), dtype=np.int64)
    cell[order] = np.cumsum(new) - 1
    return order[new], cell, np.bincount(cell).astype(float)


@dataclass(frozen=True)
class SmoothDistance:
    """sqrt(||theta - theta_0||^2 + w^2) - w, a smooth approximation of ||theta - theta_0||.

    Attributes
    ----------
    reference : ndarray
        theta_0, the state at eps = 0.
    """

    reference: FloatArray

    def term(self, squared: Any, width: Any, functions: Any) -> Any:
        """Return the value, given the squared distance and the width w."""
        return functions.sqrt(squared + width**2) - width

    def at(self, state: FloatArray, width: float) -> tuple[float, FloatArray]:
        """Return the value and its gradient, which has the shape of the state."""
        moved = state - self.reference
        squared = float(np.vdot(moved, moved))
        return self.term(squared, width, np), moved / np.sqrt(squared + width**2)


@dataclass(frozen=True)
class SmoothScores:
    """factor sum_j f_w(y_j, z_j) - offset, a function of the scores z = D theta.

    Attributes
    ----------
    design : ndarray, shape (m, p)
        D; theta, shape (p,), is the state.
    targets : ndarray, shape (m,)
        y.
    reference : ndarray, shape (p,)
        theta_0, the state at eps = 0.
    form : callable(y, z, w, functions)
        f_w, elementwise for arrays, and for Pyomo expressions.
    slope : callable(y, z, w)
        Its derivative with respect to z, for arrays.
    factor, offset : float
    """

    design: FloatArray
    targets: FloatArray
    reference: FloatArray
    form: Callable[..., Any]
    slope: Callable[..., FloatArray]
    factor: float = 1.0
    offset: float = 0.0

    @property
    def unit(self) -> float:
        """The unit of the widths: the root mean square of the scores at theta_0, or 1."""
        return float(np.sqrt(np.mean((self.design @ self.reference) ** 2))) or 1.0

    def term(self, row: int, score: Any, width: Any, functions: Any) -> Any:
        """Return the term of score number `row`."""
        return self.factor * self.form(float(self.targets[row]), score, width, functions)

    def at(self, state: FloatArray, width: float) -> tuple[float, FloatArray]:
        """Return the value and its gradient with respect to theta, shape (p,)."""
        z, y = self.design @ state, self.targets
        value = self.factor * float(self.form(y, z, width, np).sum()) - self.offset
        return value, self.factor * (self.design.T @ self.slope(y, z, width))


def sign_changes(design: FloatArray, reference: FloatArray) -> SmoothScores:
    """Return the smooth number of scores whose sign differs from that at the reference.

    The step of a score z with the sign y is f_w(y, z) = (1 - y z / sqrt(z^2 + w^2)) / 2.
    """
    signs = np.where(design @ reference >= 0, 1.0, -1.0)
    return SmoothScores(design, signs, reference, _step, _step_slope)


# These are named functions and not lambdas, because a problem must be picklable.
def _step(y: Any, z: Any, width: Any, functions: Any = np) -> Any:
    return 0.5 * (1 - y * z / functions.sqrt(z**2 + width**2))


def _step_slope(y: FloatArray, z: FloatArray, width: float) -> FloatArray:
    return -0.5 * y * width**2 / (z**2 + width**2) ** 1.5


def width_unit(deviation: SmoothDeviation, state: FloatArray, data: FloatArray) -> float:
    """Return the unit of the widths of a smooth deviation.

    It is its attribute `unit`, or by default the typical distance of two rows (`length_unit`).
    """
    own: float | None = getattr(deviation, "unit", None)
    return length_unit(state, data) if own is None else own


def length_unit(state: FloatArray, data: FloatArray) -> float:
    """Return the unit in which smoothing widths are measured: the typical distance of two rows.

    It is the root mean square of ||x_i - x_j|| over all ordered pairs of rows of the state. If all
    rows of the state are equal, the data are used in its place; if these are equal too, it is 1.
    """
    for points in (np.atleast_2d(state), data):
        spread = float(np.sqrt(2 * np.var(points, axis=0).sum()))
        if spread > 1e-9 * float(np.abs(points).max(initial=0.0)):
            return spread
    return 1.0
