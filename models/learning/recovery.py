"""Sufficient conditions under which convex clustering returns a given partition (Theorems 1 and 2).

Theorem 1 of the paper is Theorem 5 of Sun, Toh and Yuan (JMLR 22(9), 2021). The partition has
clusters I_1, .., I_K with sizes n_a and centroids abar_a. With 1/p + 1/q = 1, w_ij = 0 for pairs
that are not edges, w^(a,b) = the sum of w_ij over i in I_a, j in I_b, w^(a,.) = sum_{b != a}
w^(a,b), and

    mu_ij^(a) = sum_{b != a} | sum_{l in I_b} (w_il - w_jl) |,

the conditions are

    (C1)  n_a w_ij > mu_ij^(a)    for all i != j in I_a and all a,
    (C2)  gamma_min < gamma_max,  where
          gamma_min = max_a max_{i, j in I_a} ||a_i - a_j||_q / (n_a w_ij - mu_ij^(a)),
          gamma_max = min_{a < b} ||abar_a - abar_b||_q / (w^(a,.) / n_a + w^(b,.) / n_b).

If (C1) and (C2) hold and gamma is in [gamma_min, gamma_max), convex clustering returns the
partition. Theorem 2 applies the same conditions, called (C1') and (C2'), to perturbed data. A
perturbation that changes the partition therefore violates one of them. The conditions are
sufficient and not necessary; `bilad.solvers` contains an exact test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy
from numpy.typing import ArrayLike

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, in_unit_range, row_norms
from bilad.models.perturbation import Perturbation
from bilad.models.representation import Represented
from bilad.models.validation import ArgumentError, FloatArray, IntArray, integer_array

# The names of the norms in SciPy.
METRICS: dict[float, Literal["cityblock", "euclidean", "chebyshev"]] = {
    1.0: "cityblock",
    2.0: "euclidean",
    float("inf"): "chebyshev",
}


@dataclass(frozen=True, repr=False)
class RecoveryInterval(Represented):
    """The interval [gamma_min, gamma_max) of Theorem 1 for one partition.

    Attributes
    ----------
    gamma : float
        gamma of the model.
    holds_c1 : bool
        Whether (C1) holds. It fails if two points of a cluster are not joined by an edge with
        positive weight.
    gamma_min : float
        In the unit of the model's gamma. 0 if the points of each cluster coincide; inf, so that the
        interval is empty, if (C1) fails. Never NaN.
    gamma_max : float
        0 if two centroids coincide; inf if there is one cluster, or no edge joins two clusters.
    """

    gamma: float
    holds_c1: bool
    gamma_min: float
    gamma_max: float

    def summary(self) -> dict[str, Any]:
        """Return whether the partition is proved to be recovered, and the interval."""
        interval = {"gamma_min": self.gamma_min, "gamma_max": self.gamma_max}
        return {"recovers": self.recovers, "gamma": self.gamma, **interval, "c1": self.holds_c1}

    @property
    def holds_c2(self) -> bool:
        """Whether gamma_min < gamma_max."""
        return self.gamma_min < self.gamma_max

    @property
    def recovers(self) -> bool:
        """Whether Theorem 1 proves that the partition is returned; False proves nothing."""
        return self.holds_c1 and self.gamma_min <= self.gamma < self.gamma_max


def recovery_interval(model: ConvexClustering, labels: ArrayLike) -> RecoveryInterval:
    """Return the interval of gamma in which Theorem 1 guarantees a partition.

    The formulas are evaluated in double precision, so a gamma that equals an end point up to
    rounding can be classified either way. For (C1') and (C2') of Theorem 2, pass the perturbed
    model `perturbation.apply(model, eps)`.

    Parameters
    ----------
    model : ConvexClustering
        Any p and any weights. Its gamma affects `recovers` only.
    labels : array_like of int, shape (n,)
        The partition: points with equal labels form a cluster.

    Returns
    -------
    RecoveryInterval

    Raises
    ------
    ArgumentError
        If the model is not convex clustering, or the labels are not n integers.
    """
    if not isinstance(model, ConvexClustering):
        raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
    clusters = cluster_numbers(labels, model.n)
    sizes = np.bincount(clusters)
    points, exponent = in_unit_range(model.data, "data of the model")
    gamma_min = _gamma_min(model, points, clusters, sizes)
    gamma_max = _gamma_max(model, points, clusters, sizes)
    with np.errstate(over="ignore"):
        return RecoveryInterval(
            gamma=model.gamma,
            holds_c1=bool(np.isfinite(gamma_min)),
            gamma_min=float(np.ldexp(gamma_min, exponent)),
            gamma_max=float(np.ldexp(gamma_max, exponent)),
        )


def attack_is_possible(
    model: ConvexClustering, labels: ArrayLike, perturbation: Perturbation, eps: ArrayLike
) -> bool:
    """Return whether eps satisfies the necessary condition for changing a partition.

    By the corollary of Theorem 2, if the model returns another partition at eps, then (C1') or
    (C2') fails there, or gamma is not in [gamma_min, gamma_max). A result False therefore proves
    that the partition does not change at eps. A result True proves nothing.

    Parameters
    ----------
    model : ConvexClustering
    labels : array_like of int, shape (n,)
        The partition that the model returns at eps = 0.
    perturbation : Perturbation
    eps : array_like, shape (k,)

    Raises
    ------
    ArgumentError
        If the labels are not n integers, the perturbation does not fit the model, or eps is
        invalid.
    """
    if not isinstance(perturbation, Perturbation):
        raise ArgumentError("perturbation", type(perturbation).__name__, "a Perturbation")
    return not recovery_interval(perturbation.apply(model, eps), labels).recovers


def cluster_numbers(labels: ArrayLike, n: int) -> IntArray:
    """Return the labels renumbered 0, .., K-1 in increasing order: shape (n,).

    Raises
    ------
    ArgumentError
        If they are not n integers.
    """
    expected = f"one integer for each of {n} points"
    array = integer_array(labels, "labels", expected)
    if array.shape != (n,):
        raise ArgumentError("labels", f"{array.dtype} array of shape {array.shape}", expected)
    return np.unique(array, return_inverse=True)[1].astype(np.int64)


def _weights_to_clusters(model: ConvexClustering, clusters: IntArray) -> scipy.sparse.csr_array:
    """Return sum_{l in I_b} w_il for each point i and cluster b: shape (n, K)."""
    i, j = model.graph.edges.T
    weights = model.graph.weights
    rows, columns = np.concatenate([i, j]), np.concatenate([clusters[j], clusters[i]])
    shape = (model.n, int(clusters.max()) + 1)
    return scipy.sparse.coo_array((np.tile(weights, 2), (rows, columns)), shape=shape).tocsr()


def _gamma_min(
    model: ConvexClustering, points: FloatArray, clusters: IntArray, sizes: IntArray
) -> float:
    """Return gamma_min, or inf if (C1) fails."""
    edges = _inner_edges(model, clusters)
    numbers = sizes * (sizes - 1) // 2
    owners = clusters[model.graph.edges[edges, 0]]
    if (np.bincount(owners, minlength=len(sizes)) < numbers).any():
        return float("inf")  # some w_ij is 0
    loads = _weights_to_clusters(model, clusters)
    ends = np.concatenate([[0], np.cumsum(numbers)])
    members = np.split(np.argsort(clusters, kind="stable"), np.cumsum(sizes)[:-1])
    largest = 0.0
    for a in np.flatnonzero(sizes > 1):
        inner = edges[ends[a] : ends[a + 1]]
        denominators = sizes[a] * model.graph.weights[inner] - _imbalances(
            loads, members[a], int(a)
        )
        if (denominators <= 0).any():
            return float("inf")
        i, j = model.graph.edges[inner].T
        lengths = row_norms(points[i] - points[j], conjugate(model.p))
        largest = max(largest, float((lengths / denominators).max()))
    return largest


def _inner_edges(model: ConvexClustering, clusters: IntArray) -> IntArray:
    """Return the edges inside clusters with positive weight, sorted by cluster, i and j."""
    i, j = model.graph.edges.T
    inner = np.flatnonzero((clusters[i] == clusters[j]) & (model.graph.weights > 0))
    return inner[np.lexsort((j[inner], i[inner], clusters[i[inner]]))]


def _imbalances(loads: scipy.sparse.csr_array, members: IntArray, own: int) -> FloatArray:
    """Return mu_ij for all pairs i < j of a cluster, in the order of `pdist`."""
    table = loads[members].tocsc()
    pulling = np.flatnonzero(np.diff(table.indptr))
    others = pulling[pulling != own]
    if len(others) == 0:
        return np.zeros(len(members) * (len(members) - 1) // 2)
    return np.asarray(scipy.spatial.distance.pdist(table[:, others].toarray(), "cityblock"))


def _gamma_max(
    model: ConvexClustering, points: FloatArray, clusters: IntArray, sizes: IntArray
) -> float:
    """Return gamma_max."""
    if len(sizes) == 1:
        return float("inf")
    # Means are taken relative to one member, so that equal points have exactly equal centroids.
    first = points[np.unique(clusters, return_index=True)[1]]
    sums = [np.bincount(clusters, column) for column in (points - first[clusters]).T]
    centroids = first + np.stack(sums, axis=1) / sizes[:, None]
    distances = scipy.spatial.distance.pdist(centroids, METRICS[conjugate(model.p)])
    if not distances.all():
        return 0.0
    i, j = clusters[model.graph.edges].T
    outer = np.where(i != j, model.graph.weights, 0.0)
    K = len(sizes)
    pull = (np.bincount(i, outer, K) + np.bincount(j, outer, K)) / sizes
    a, b = np.triu_indices(K, k=1)
    with np.errstate(divide="ignore"):
        return float((distances / (pull[a] + pull[b])).min())
