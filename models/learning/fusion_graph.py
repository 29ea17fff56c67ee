"""The fusion graph: a weighted graph whose edges are the fusion terms of convex clustering.

Edges are rows (i, j) with i < j. The signed incidence matrix B (m, n) maps X to the differences
(BX)_e = x_i - x_j.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from bilad.models.norms import in_unit_range, row_norms
from bilad.models.representation import Represented
from bilad.models.validation import (
    ArgumentError,
    BoolArray,
    FloatArray,
    IntArray,
    index_array,
    integer_array,
    point_array,
    real_array,
    real_number,
    whole_number,
)

TREE_FEATURES = 15  # in higher dimensions a k-d tree is slower than computing all distances
BLOCK_ENTRIES = 2**21  # number of distances that are computed at a time (16 MB)


class DisconnectedGraphWarning(UserWarning):
    """A fusion graph has several components, which no gamma fuses with each other."""


class FusionGraph(Represented):
    """An undirected graph with nonnegative edge weights on the points 0, .., n-1.

    Parameters
    ----------
    n : int
        The number of points, at least 2.
    edges : array_like of int, shape (m, 2)
        Pairs i < j, without repetition. The graph may be disconnected, and m may be 0.
    weights : array_like, shape (m,)
        The nonnegative weights w_e.

    Raises
    ------
    ArgumentError
        If an edge is out of range, repeated or not ordered, or a weight is negative or not finite.
    """

    def __init__(self, n: int, edges: ArrayLike, weights: ArrayLike) -> None:
        self.n = whole_number(n, "n", least=2)
        self._edges = _check_edges(edges, self.n)
        self._weights = _check_weights(weights, len(self._edges))

    def summary(self) -> dict[str, Any]:
        """Return the numbers of points and edges."""
        return {"n": self.n, "edges": self.m}

    @staticmethod
    def complete(n: int, weight: float = 1.0) -> FusionGraph:
        """Return the complete graph with equal weights, which is the graph of the case study.

        Its n (n - 1) / 2 edges are not stored until they are needed.
        """
        return _CompleteGraph(n, weight)

    @classmethod
    def knn(cls, A: ArrayLike, k: int = 10, phi: float = 0.5) -> FusionGraph:
        """Join i and j if one is among the k nearest neighbours of the other; weights are Gaussian.

        The weight of an edge is exp(-phi ||a_i - a_j||^2). Distances are computed from differences
        of coordinates, so that an offset of the data does not affect their accuracy. If several
        points are k-th nearest at equal distance, the choice among them is not specified.

        Parameters
        ----------
        A : array_like, shape (n, d)
            The points, n >= 2, d >= 1, finite.
        k : int, default 10
            The number of neighbours, 1 <= k < n.
        phi : float, default 0.5
            The decay of the weights, phi >= 0, in 1 / (unit of A)^2.

        Raises
        ------
        ArgumentError
            If an argument is invalid, or the range of the points exceeds that of floating-point
            numbers.

        References
        ----------
        Sun, Toh and Yuan, JMLR 22(9), 2021, section 5.
        """
        given = point_array(A, "A")
        n = len(given)
        if whole_number(k, "k", least=1) >= n:
            raise ArgumentError("k", k, f"fewer neighbours than points (n = {n})")
        mantissa, power = np.frexp(real_number(phi, "phi", least=0.0))
        points, exponent = in_unit_range(given, "A")
        edges = _nearest_pairs(points, k)
        squared = ((points[edges[:, 0]] - points[edges[:, 1]]) ** 2).sum(axis=1)
        with np.errstate(over="ignore"):  # an infinite exponent gives the weight 0
            return cls(n, edges, np.exp(-np.ldexp(mantissa * squared, 2 * exponent + power)))

    def with_weights(self, weights: ArrayLike) -> FusionGraph:
        """Return the graph with other nonnegative weights, shape (m,).

        The edges and everything derived from them are shared, not copied.
        """
        other = FusionGraph.__new__(FusionGraph)
        other.n, other._edges = self.n, self.edges
        other._weights = _check_weights(weights, self.m)
        shared = ("incidence", "ends", "_incidence_transpose")
        other.__dict__.update({name: getattr(self, name) for name in shared})
        return other

    def without(self, points: ArrayLike) -> FusionGraph:
        """Return the graph without some points and their edges.

        The remaining points are renumbered in the same order.

        Parameters
        ----------
        points : array_like of int
            The points to remove, without repetition. At least two points must remain.
        """
        remaining = self._remaining(points)
        number = np.cumsum(remaining) - 1
        kept = remaining[self.edges].all(axis=1)
        return FusionGraph(int(remaining.sum()), number[self.edges[kept]], self.weights[kept])

    def _remaining(self, points: ArrayLike) -> BoolArray:
        """Return a mask of the points that remain: shape (n,)."""
        remaining = np.ones(self.n, dtype=np.bool_)
        dropped = integer_array(points, "points", f"distinct integers from 0 to {self.n - 1}")
        if dropped.size:
            remaining[index_array(dropped, "points", self.n)] = False
        if remaining.sum() < 2:
            given = f"{(~remaining).sum()} of {self.n}"
            raise ArgumentError("points", given, "at least two remaining points")
        return remaining

    def has_edges_of(self, other: FusionGraph) -> bool:
        """Return whether another graph has the same edges in the same order, with any weights."""
        if (self.n, self.m) != (other.n, other.m):
            return False
        return self.edges is other.edges or np.array_equal(self.edges, other.edges)

    @property
    def edges(self) -> IntArray:
        """The pairs i < j: shape (m, 2)."""
        return self._edges

    @property
    def weights(self) -> FloatArray:
        """The weight of each edge: shape (m,)."""
        return self._weights

    @property
    def m(self) -> int:
        """The number of edges."""
        return len(self.edges)

    @cached_property
    def uniform_weight(self) -> float | None:
        """The common weight if the graph is complete with equal weights, else None."""
        whole = self.m == self.n * (self.n - 1) // 2
        return float(self.weights[0]) if whole and np.ptp(self.weights) == 0 else None

    @cached_property
    def incidence(self) -> scipy.sparse.csr_array:
        """The signed incidence matrix B: shape (m, n), with +1 at i and -1 at j."""
        signs = np.tile([1.0, -1.0], self.m)
        rows = np.arange(0, 2 * self.m + 1, 2)
        return scipy.sparse.csr_array((signs, self.edges.ravel(), rows), shape=(self.m, self.n))

    @cached_property
    def ends(self) -> tuple[IntArray, IntArray]:
        """The two ends of each edge as separate arrays: shapes (m,)."""
        tails, heads = np.ascontiguousarray(self.edges.T)
        return tails, heads

    @cached_property
    def _incidence_transpose(self) -> scipy.sparse.csr_array:
        return self.incidence.T.tocsr()

    def differences(self, X: FloatArray) -> FloatArray:
        """Return BX, the differences x_i - x_j: shape (m, d)."""
        tails, heads = self.ends
        return X.take(tails, axis=0) - X.take(heads, axis=0)

    def adjoint(self, Z: FloatArray) -> FloatArray:
        """Return B'Z, the net outflow of each point for the edge flows Z: shape (n, d)."""
        return np.asarray(self._incidence_transpose @ Z)

    def total_variation(self, X: FloatArray, p: float) -> float:
        """Return sum_e w_e ||x_i - x_j||_p."""
        return float(self.weights @ row_norms(self.differences(X), p))

    @cached_property
    def component_labels(self) -> IntArray:
        """The component of each point, by the edges of positive weight, from 0: shape (n,)."""
        return self.components(self.weights > 0)

    @property
    def n_components(self) -> int:
        """The number of components: convex clustering has at least as many clusters."""
        return int(self.component_labels.max()) + 1

    def components(self, chosen: np.ndarray) -> IntArray:
        """Return the connected component of each point in the graph with the chosen edges only.

        Parameters
        ----------
        chosen : ndarray, shape (c,) of int or (m,) of bool
            Indices or mask of the edges.

        Returns
        -------
        ndarray of int, shape (n,)
            The components are numbered from 0.
        """
        i, j = self.edges[chosen].T
        adjacency = scipy.sparse.coo_array((np.ones(len(i)), (i, j)), shape=(self.n, self.n))
        return scipy.sparse.csgraph.connected_components(adjacency, directed=False)[1].astype(
            np.int64
        )


class _CompleteGraph(FusionGraph):
    """The complete graph with equal weights. Edges are created when needed, so n may be 10^6."""

    def __init__(self, n: int, weight: float) -> None:
        self.n = whole_number(n, "n", least=2)
        self._weight = real_number(weight, "weight", least=0.0)

    def summary(self) -> dict[str, Any]:
        """Return the numbers of points and edges, and the weight of every edge."""
        return {**super().summary(), "weight": self._weight}

    @cached_property
    def edges(self) -> IntArray:
        edges = np.column_stack(np.triu_indices(self.n, k=1)).astype(np.int64)
        edges.flags.writeable = False
        return edges

    @cached_property
    def weights(self) -> FloatArray:
        weights = np.full(self.m, self._weight)
        weights.flags.writeable = False
        return weights

    @property
    def m(self) -> int:
        return self.n * (self.n - 1) // 2

    def without(self, points: ArrayLike) -> FusionGraph:
        """Return the complete graph on the points that remain."""
        return _CompleteGraph(int(self._remaining(points).sum()), self._weight)

    def has_edges_of(self, other: FusionGraph) -> bool:
        """Return whether another graph has the same edges in the same order, with any weights."""
        if isinstance(other, _CompleteGraph):  # does not create the edges
            return self.n == other.n
        return super().has_edges_of(other)

    @property
    def uniform_weight(self) -> float:
        return self._weight

    @cached_property
    def component_labels(self) -> IntArray:
        return np.arange(self.n) if self._weight == 0 else np.zeros(self.n, dtype=np.int64)

    def total_variation(self, X: FloatArray, p: float) -> float:
        """Return sum_e w_e ||x_i - x_j||_p; for a separable norm it is computed by sorting."""
        if X.shape[1] > 1 and p != 1:
            return super().total_variation(X, p)
        ranks = 2.0 * np.arange(1, self.n + 1) - self.n - 1
        return float(self._weight * (ranks @ np.sort(X, axis=0)).sum())


def _nearest_pairs(points: FloatArray, k: int) -> IntArray:
    """Return the sorted pairs i < j, one of which is among the other's k nearest: shape (m, 2)."""
    n, d = points.shape
    if d <= TREE_FEATURES:
        nearest = np.asarray(scipy.spatial.KDTree(points).query(points, k + 1)[1])
    else:
        block = max(1, BLOCK_ENTRIES // n)
        distances = (
            scipy.spatial.distance.cdist(points[i : i + block], points) for i in range(0, n, block)
        )
        parts = [np.argpartition(D, k, axis=1)[:, : k + 1].copy() for D in distances]
        nearest = np.concatenate(parts)  # a view would keep the whole block in memory
    others = nearest != np.arange(n)[:, None]
    others[others.all(axis=1), -1] = False  # more than k points coincide with this one
    i, j = np.repeat(np.arange(n), k), nearest[others]
    keys = np.unique(np.minimum(i, j) * n + np.maximum(i, j))
    return np.column_stack(np.divmod(keys, n)).astype(np.int64)


def _check_edges(edges: ArrayLike, n: int) -> IntArray:
    expected = f"shape (m, 2), rows i < j with 0 <= i and j < {n}, none twice"
    array = integer_array(edges, "edges", expected)
    if array.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ArgumentError("edges", f"{array.dtype} array of shape {array.shape}", expected)
    wrong = (array[:, 0] < 0) | (array[:, 0] >= array[:, 1]) | (array[:, 1] >= n)
    if wrong.any():
        raise ArgumentError("edges", f"row {array[wrong][0].tolist()}", expected)
    keys = array[:, 0].astype(np.int64) * n + array[:, 1]
    values, first, counts = np.unique(keys, return_index=True, return_counts=True)
    if len(values) < len(keys):
        doubled = array[first[counts > 1][0]].tolist()
        raise ArgumentError("edges", f"row {doubled} twice", expected)
    result = array.astype(np.int64)
    result.flags.writeable = False
    return result


def _check_weights(weights: ArrayLike, m: int) -> FloatArray:
    array = real_array(weights, "weights", (m,))
    if (array < 0).any():
        raise ArgumentError("weights", array.min(), "nonnegative numbers")
    return array
