"""Convex clustering as a scikit-learn estimator."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data

from bilad.models.frame import is_frame
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.fusion_graph import FusionGraph
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    number_matrix,
    one_of,
    real_array,
    real_number,
    whole_number,
)
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.labels.flow import block_means

# Asymmetry of a weight matrix that is attributed to rounding, relative to its largest weight.
ASYMMETRY = 1e-10


class ConvexClusterer(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Convex clustering with scikit-learn's conventions.

    Minimises ``1/2 ||X - A||_F^2 + gamma sum_e w_e ||x_i - x_j||_p`` for data A; two points share
    a cluster iff their rows of the solution are equal. The number of clusters follows from gamma.

    Parameters
    ----------
    gamma : float, default 1.0
        Weight of the fusion terms, gamma >= 0, in units of the data.
    p : {1, 2, inf}, default 2
        Norm of the fusion terms.
    weights : {"knn", "complete"} or array_like or sparse, shape (n, n), default "knn"
        The weights w_e. "knn": weight ``exp(-phi ||a_i - a_j||^2)`` for pairs of which one point
        is among the nearest neighbours of the other; "complete": weight 1 for every pair; or a
        symmetric nonnegative matrix, whose diagonal is not used.
    n_neighbors : int, default 10
        For "knn": number of nearest neighbours, at most n - 1.
    phi : float, default 0.5
        For "knn": decay of the weight, phi >= 0, in 1 / (unit of the data)^2.
    method : {"auto", "exact", "interior-point", "ssnal", "clarabel"}, default "auto"
        Method, as for `bilad.solvers.cluster`.
    tol : float, default 1e-8
        Largest relative duality gap and relative KKT residual.
    max_iterations : int, default 1000
        Of the method.
    time_limit : float, default inf
        Seconds.
    refine : bool, default False
        Tighten the tolerance until the labels are proved.

    Attributes
    ----------
    labels_ : ndarray of int, shape (n,)
        Cluster of each point, numbered by first appearance.
    cluster_centers_ : ndarray, shape (K, d)
        The row of the solution for each cluster. It differs from the mean of the cluster, since
        fusion terms pull it towards the other clusters.
    clustering_ : Clustering
        The complete result: X, Z, gap, status and proof of the labels.
    n_iter_ : int
        Iterations of the method; 0 for "exact".
    n_features_in_ : int
        Number of features d.
    feature_names_in_ : ndarray of str, shape (d,)
        Defined only if the data have feature names.

    Examples
    --------
    >>> from bilad.solvers import ConvexClusterer
    >>> A = [[0.0, 0.1], [0.2, 0.0], [9.0, 9.1], [9.2, 9.0]]
    >>> clusterer = ConvexClusterer(gamma=0.5, weights="complete").fit(A)
    >>> clusterer.labels_
    array([0, 0, 1, 1])
    >>> clusterer.clustering_.proved
    True
    """

    def __init__(
        self,
        gamma: float = 1.0,
        *,
        p: float = 2,
        weights: Any = "knn",
        n_neighbors: int = 10,
        phi: float = 0.5,
        method: str = "auto",
        tol: float = 1e-8,
        max_iterations: int = 1000,
        time_limit: float = float("inf"),
        refine: bool = False,
    ) -> None:
        self.gamma = gamma
        self.p = p
        self.weights = weights
        self.n_neighbors = n_neighbors
        self.phi = phi
        self.method = method
        self.tol = tol
        self.max_iterations = max_iterations
        self.time_limit = time_limit
        self.refine = refine

    def fit(self, X: Any, y: Any = None) -> ConvexClusterer:
        """Cluster the rows of X.

        Parameters
        ----------
        X : array_like or pandas.DataFrame, shape (n, d)
            The data, n >= 2. `clustering_` keeps the names and the index of a data frame.
        y : ignored

        Returns
        -------
        ConvexClusterer
            Itself.

        Raises
        ------
        ValueError
            If the data cannot be used. `ArgumentError`, a subclass, names the wrong parameter;
            `UnsupportedError`, a subclass, is raised if the method cannot solve the problem.
        """
        A = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        real_array(X, "X", A.shape)  # rejects text, dates and Booleans, which scikit-learn converts
        model = ConvexClustering(X if is_frame(X) else A, self._graph(A), self.gamma, self.p)
        clustering = solve_lower(
            model,
            self.method,
            self.tol,
            max_iterations=self.max_iterations,
            time_limit=self.time_limit,
            refine=self.refine,
        )
        if clustering.status != "optimal":
            warnings.warn(
                f"{clustering.method} stopped short of tol = {self.tol:g}: {clustering.status}, "
                f"gap {clustering.gap:.1e}, KKT residual {clustering.kkt_residual:.1e}",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.clustering_ = clustering
        self.labels_ = clustering.labels
        self.cluster_centers_ = block_means(clustering.X, clustering.labels)
        self.n_iter_ = clustering.iterations
        return self

    def _graph(self, A: FloatArray) -> FusionGraph:
        if not isinstance(self.weights, str):
            return _graph_of_matrix(self.weights, len(A))
        if one_of(self.weights, "weights", ("knn", "complete")) == "complete":
            return FusionGraph.complete(len(A))
        neighbours = min(whole_number(self.n_neighbors, "n_neighbors", least=1), len(A) - 1)
        return FusionGraph.knn(A, neighbours, real_number(self.phi, "phi", least=0.0))


def _graph_of_matrix(weights: Any, n: int) -> FusionGraph:
    """Return the graph of a symmetric weight matrix, dense or sparse."""
    expected = f"'knn', 'complete', or a symmetric, finite, nonnegative matrix of shape ({n}, {n})"
    matrix = number_matrix(weights, "weights", expected)
    if matrix.shape != (n, n):
        raise ArgumentError("weights", f"shape {matrix.shape}", expected)
    matrix = sp.csr_array(sp.triu(matrix, 1) + sp.tril(matrix, -1))  # the diagonal is not used
    if not (np.isfinite(matrix.data) & (matrix.data >= 0)).all():
        raise ArgumentError("weights", "a negative or infinite weight", expected)
    if abs(matrix - matrix.T).max() > ASYMMETRY * matrix.max():
        raise ArgumentError("weights", "an asymmetric matrix", expected)
    matrix.eliminate_zeros()
    upper = sp.triu(matrix, k=1).tocoo()
    edges = np.column_stack([upper.row, upper.col]).astype(np.int64)
    return FusionGraph(n, edges, upper.data)
