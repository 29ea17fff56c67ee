"""How far apart two points of the solution can be, whatever eps: the big-M constants of a MILP.

Bounds of x_ic - x_jc over every eps that counts, from the data alone; a solution at eps = 0 makes
them tighter. The least of:

    the hull of the data;
    the forces: |x_ic - a_ic| <= R_i, the sum of the radii at i;
    the pull, where i and j are apart:
        ||x_i - x_j||_p <= ||a_i - a_j||_q - 2 r_ij + sum_l |r_il - r_jl|
        (multiply the difference of their stationarity conditions by x_i - x_j: the edge i, j pulls
        with both ends, and a third point does not push them apart if r_il = r_jl); for p = 1 in
        each feature alone, x_ic - x_jc <= a_ic - a_jc - .., where i is above;
    perturbed data, p = 1:    x_ic - x_jc changes by at most max - min of the change of feature c
        (X* is monotone in A and moves along with a translation);
    perturbed data, any p:    it changes by at most sqrt(2) ||A(eps) - A||_F (nonexpansiveness).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from bilad.formulations.clustering.displacement import data_box, displacement_bound
from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray

ROUNDING = 1e-12  # of a bound, relative to the extent of the data


class DifferenceBounds:
    """Bounds of x_ic - x_jc and of the radii, over all eps that count.

    Parameters
    ----------
    problem : BilevelProblem
    X : ndarray, shape (n, d), optional
        A solution at eps = 0.
    error : float, default 0
        A bound on the distance of X from the exact solution, in the Frobenius norm.

    Attributes
    ----------
    upper : ndarray, shape (n, n, d)
        x_ic - x_jc <= upper[i, j, c]; where it is 0, never strictly above.
    most_radii : ndarray, shape (m,)
        gamma w_e (1 - (S eps)_e) <= most_radii[e].
    """

    def __init__(
        self, problem: BilevelProblem, X: FloatArray | None = None, error: float = 0.0
    ) -> None:
        self._problem = problem
        model = clustering_of(problem)
        self._by_feature = model.p == 1 or model.d == 1
        radii = model.radii
        least_share, most_share = _range(problem, edge_operator(problem))
        self.most_radii = np.maximum(radii * (1 - least_share), 0.0)
        self._least_radii = np.maximum(radii * (1 - most_share), 0.0)
        data = self._data_differences()
        bounds = [np.broadcast_to(_hull_widths(problem), data.shape), self._by_forces(data)]
        if X is not None and edge_operator(problem).nnz == 0:
            bounds.append(X[:, None] - X[None] + self._travel() + 2 * error)
        slack = ROUNDING * float(np.abs(model.data).max() + problem.radius)
        self.upper: FloatArray = np.min(bounds, axis=0) + slack
        pulled = self._pulled_together(data)
        self.upper = np.minimum(self.upper, np.where(pulled > 0, pulled + slack, 0.0))

    def _data_differences(self) -> FloatArray:
        """Return the largest a_ic - a_jc: shape (n, n, d)."""
        problem = self._problem
        n, d = clustering_of(problem).data.shape
        T = problem.operator("data")
        i, j, c = (axis.ravel() for axis in np.indices((n, n, d)))
        rows = T[i * d + c] - T[j * d + c]
        _, most = _range(problem, sp.csr_array(rows))
        A = clustering_of(problem).data
        return A[:, None] - A[None] + most.reshape(n, n, d)

    def _by_forces(self, data: FloatArray) -> FloatArray:
        graph = clustering_of(self._problem).graph
        total = np.asarray(abs(graph.incidence).T @ self.most_radii)
        return data + (total[:, None] + total[None])[:, :, None]

    def _pulled_together(self, data: FloatArray) -> FloatArray:
        """Return the bound for points that are apart (p = 1: the first strictly above)."""
        if not self._by_feature:
            longest = np.maximum(data, data.transpose(1, 0, 2))
            data = np.broadcast_to(longest.sum(axis=2, keepdims=True), data.shape)
        n, edges = clustering_of(self._problem).n, clustering_of(self._problem).graph.edges
        least, most = np.zeros((n, n)), np.zeros((n, n))
        for table, radii in ((least, self._least_radii), (most, self.most_radii)):
            table[edges[:, 0], edges[:, 1]] = table[edges[:, 1], edges[:, 0]] = radii
        spread = np.maximum(most[:, None] - least[None], most[None] - least[:, None])
        spread[np.arange(n), :, np.arange(n)] = spread[:, np.arange(n), np.arange(n)] = 0.0
        return data + (spread.sum(axis=2) - 2 * least)[:, :, None]

    def _travel(self) -> FloatArray:
        """Return how much a difference can change when the data are perturbed: shape (d,)."""
        problem = self._problem
        whole = np.full(clustering_of(problem).d, np.sqrt(2) * displacement_bound(problem))
        if not self._by_feature:
            return whole
        rest = self._data_differences() - (
            clustering_of(problem).data[:, None] - clustering_of(problem).data[None]
        )
        return np.minimum(whole, rest.max(axis=(0, 1)))


def _range(problem: BilevelProblem, rows: sp.csr_array) -> tuple[FloatArray, FloatArray]:
    """Return the least and the largest value of rows @ eps over the eps that count."""
    low, high = problem.box
    positive, negative = rows.maximum(0.0), rows.minimum(0.0)
    dual = {1.0: np.inf, 2.0: 2, np.inf: 1}[problem.norm]
    size = problem.radius * np.asarray(sp.linalg.norm(rows, dual, axis=1))
    most = np.minimum(np.asarray(positive @ high + negative @ low), size)
    least = np.maximum(np.asarray(positive @ low + negative @ high), -size)
    return least, most


def _hull_widths(problem: BilevelProblem) -> FloatArray:
    low, high = data_box(problem)
    return high - low
