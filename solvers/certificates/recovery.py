"""The exact test: whether convex clustering returns a partition, proved either way.

By the proof of a solution's labels. Unlike Theorem 1's, the test is not only sufficient, and
weights may be zero, points and centroids may coincide, and clusters may be unbalanced.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.recovery import cluster_numbers
from bilad.models.validation import ArgumentError, FloatArray, IntArray
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.labels.partition import Partition
from bilad.solvers.clustering.result import Clustering


def is_recovered(model: ConvexClustering, labels: ArrayLike) -> bool | None:
    """Say whether convex clustering returns a partition.

    Parameters
    ----------
    model : ConvexClustering
    labels : array_like of int, shape (n,)
        Points with the same label are together.

    Returns
    -------
    bool or None
        True and False are proved. None: not proved either way; the partition is at a tie, or too
        near one for double precision.

    Raises
    ------
    ArgumentError
        If the labels are not n integers.
    """
    if not isinstance(model, ConvexClustering):
        raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
    return Verdicts(model, cluster_numbers(labels, model.n)).verdict(model.gamma)


class Verdicts:
    """Verdicts on one partition at any gamma, each solve started from the last.

    Parameters
    ----------
    model : ConvexClustering
    clusters : ndarray of int, shape (n,)
        0..K-1.

    Attributes
    ----------
    solves : int
    unjoined : bool
        Whether no weight joins two clusters.
    """

    def __init__(self, model: ConvexClustering, clusters: IntArray) -> None:
        self.model, self.clusters = model, clusters
        i, j = clusters[model.graph.edges].T
        self.unjoined = not ((i != j) & (model.graph.weights > 0)).any()
        self.solves = 0
        self._last: Clustering | None = None
        self._order: bytes | None = None

    def verdict(self, gamma: float) -> bool | None:
        """Say whether the partition is returned; on a line, in the order of the first yes."""
        for refine in (False, True):
            solved = self.solve(gamma, refine)
            returned = _compare(solved.partition, self.clusters)
            if returned is not None:
                return returned and self._in_order(solved.X)
        return None

    def _at(self, gamma: float) -> ConvexClustering:
        return ConvexClustering(self.model.data, self.model.graph, gamma, self.model.p)

    def solve(self, gamma: float, refine: bool = False) -> Clustering:
        """Solve the lower level, if that was not the last thing done."""
        if self._last is None or self._last.model.gamma != gamma or refine:
            self.solves += 1
            self._last = solve_lower(self._at(gamma), start=self._last, refine=refine)
        return self._last

    def _in_order(self, X: FloatArray) -> bool:
        if self.model.d > 1:
            return True
        order = np.argsort(block_means(X, self.clusters)[:, 0]).tobytes()
        self._order = order if self._order is None else self._order
        return order == self._order


def _compare(partition: Partition, clusters: IntArray) -> bool | None:
    """Say whether what is proved of a partition is, or excludes, that of the clusters."""
    pairs = np.unique(np.column_stack([clusters, partition.labels]), axis=0)
    if len(pairs) > clusters.max() + 1:
        return False  # different labels are proved apart
    settled = ~np.isin(pairs[:, 1], partition.labels[partition.undecided])
    if (np.bincount(pairs[settled, 1]) > 1).any():
        return False
    return True if partition.proved else None
