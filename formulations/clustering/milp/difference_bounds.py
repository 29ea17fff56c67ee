"""Bounds of x_ic - x_jc over all admissible eps: the big-M constants of the MILP.

The bounds use the data and, if it is given, a solution at eps = 0. With r_ij the radius gamma w_ij
(0 if (i, j) is not an edge) and R_i = sum_l r_il, the smallest of the following is taken.

1. The width of the box that contains all data.
2. a_ic - a_jc + R_i + R_j, because |x_ic - a_ic| <= R_i.
3. If i and j are apart,  ||x_i - x_j||_p <= ||a_i - a_j||_q - 2 r_ij + sum_l |r_il - r_jl|.  This
   follows by multiplying the difference of the stationarity conditions of i and j by x_i - x_j. For
   p = 1 it holds for each feature in which x_ic > x_jc:  x_ic - x_jc <= a_ic - a_jc - 2 r_ij + ...
4. If only data are perturbed and p = 1: the value at eps = 0 plus the range, over the points, of
   the change of feature c, because X* is monotone in A and equivariant under translations.
5. If only data are perturbed: the value at eps = 0 plus sqrt(2) ||A(eps) - A||_F, because X* is a
   nonexpansive function of A.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from bilad.formulations.clustering.displacement import data_box, displacement_bound
from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray

ROUNDING = 1e-12  # rounding error of a bound, relative to the largest entry of the data


class DifferenceBounds:
    """Bounds of x_ic - x_jc and of the radii over all admissible eps.

    Parameters
    ----------
    problem : BilevelProblem
    X : ndarray, shape (n, d), optional
        A solution at eps = 0.
    error : float, default 0
        An upper bound of ||X - X*||_F.

    Attributes
    ----------
    upper : ndarray, shape (n, n, d)
        x_ic - x_jc <= upper[i, j, c]. Where it is 0, x_ic > x_jc is impossible.
    most_radii : ndarray, shape (m,)
        gamma w_e(eps) <= most_radii[e].
    """

    def __init__(
        self, problem: BilevelProblem, X: FloatArray | None = None, error: float = 0.0
    ) -> None:
        self._problem = problem
        self._model = model = clustering_of(problem)
        self._by_feature = model.p == 1 or model.d == 1
        radii = model.radii
        least_change, most_change = _range(problem, edge_operator(problem))
        self.most_radii = np.maximum(radii * (1 - least_change), 0.0)
        self._least_radii = np.maximum(radii * (1 - most_change), 0.0)
        data = self._data_differences()
        bounds = [np.broadcast_to(_box_widths(problem), data.shape), self._by_forces(data)]
        if X is not None and edge_operator(problem).nnz == 0:
            bounds.append(X[:, None] - X[None] + self._largest_change() + 2 * error)
        slack = ROUNDING * float(np.abs(model.data).max() + problem.radius)
        self.upper: FloatArray = np.min(bounds, axis=0) + slack
        if_apart = self._if_apart(data)
        self.upper = np.minimum(self.upper, np.where(if_apart > 0, if_apart + slack, 0.0))

    def _data_differences(self) -> FloatArray:
        """Return the largest value of a_ic(eps) - a_jc(eps): shape (n, n, d)."""
        problem = self._problem
        n, d = self._model.data.shape
        T = problem.operator("data")
        i, j, c = (axis.ravel() for axis in np.indices((n, n, d)))
        rows = T[i * d + c] - T[j * d + c]
        _, most = _range(problem, sp.csr_array(rows))
        A = self._model.data
        return A[:, None] - A[None] + most.reshape(n, n, d)

    def _by_forces(self, data: FloatArray) -> FloatArray:
        graph = self._model.graph
        total = np.asarray(abs(graph.incidence).T @ self.most_radii)
        return data + (total[:, None] + total[None])[:, :, None]

    def _if_apart(self, data: FloatArray) -> FloatArray:
        """Return bound 3, for points that are apart (p = 1: for x_ic > x_jc)."""
        if not self._by_feature:
            longest = np.maximum(data, data.transpose(1, 0, 2))
            data = np.broadcast_to(longest.sum(axis=2, keepdims=True), data.shape)
        n, edges = self._model.n, self._model.graph.edges
        least, most = np.zeros((n, n)), np.zeros((n, n))
        for table, radii in ((least, self._least_radii), (most, self.most_radii)):
            table[edges[:, 0], edges[:, 1]] = table[edges[:, 1], edges[:, 0]] = radii
        spread = np.maximum(most[:, None] - least[None], most[None] - least[:, None])
        spread[np.arange(n), :, np.arange(n)] = spread[:, np.arange(n), np.arange(n)] = 0.0
        return data + (spread.sum(axis=2) - 2 * least)[:, :, None]

    def _largest_change(self) -> FloatArray:
        """Return by how much x_ic - x_jc can change if only data are perturbed: shape (d,)."""
        problem = self._problem
        whole = np.full(self._model.d, np.sqrt(2) * displacement_bound(problem))
        if not self._by_feature:
            return whole
        A = self._model.data
        rest = self._data_differences() - (A[:, None] - A[None])
        return np.minimum(whole, rest.max(axis=(0, 1)))


def _range(problem: BilevelProblem, rows: sp.csr_array) -> tuple[FloatArray, FloatArray]:
    """Return the smallest and the largest value of rows @ eps over the admissible eps."""
    low, high = problem.box
    positive, negative = rows.maximum(0.0), rows.minimum(0.0)
    dual = {1.0: np.inf, 2.0: 2, np.inf: 1}[problem.norm]
    size = problem.radius * np.asarray(sp.linalg.norm(rows, dual, axis=1))
    most = np.minimum(np.asarray(positive @ high + negative @ low), size)
    least = np.maximum(np.asarray(positive @ low + negative @ high), -size)
    return least, most


def _box_widths(problem: BilevelProblem) -> FloatArray:
    low, high = data_box(problem)
    return high - low
