"""Recovery: gammas for which convex clustering is sure to return a given partition.

Theorem 1 of the paper (Sun, Toh and Yuan, JMLR 22(9), 2021, Theorem 5), for clusters I_1 .. I_K
of sizes n_a with centroids abar_a, and 1/p + 1/q = 1:

    mu_ij^(a) = sum_{b != a} | sum_{l in I_b} (w_il - w_jl) |,      w^(a,b) = sum of the weights
                                                                   between I_a and I_b
    (C1)  n_a w_ij > mu_ij^(a)                     for all i != j in I_a, all a
    gamma_min = max_a max_{i, j in I_a} ||a_i - a_j||_q / (n_a w_ij - mu_ij^(a))
    gamma_max = min_{a < b} ||abar_a - abar_b||_q / (w^(a,.) / n_a + w^(b,.) / n_b)
    (C2)  gamma_min < gamma_max

If (C1) and (C2) hold and gamma is in [gamma_min, gamma_max), the partition is returned. Theorem 2
says the same of perturbed data, with (C1') and (C2'): so a perturbation that changes the partition
violates one of them. The conditions are sufficient only, and loose. The exact test is in
`bilad.solvers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.spatial.distance import pdist

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, in_unit_range, row_norms
from bilad.models.perturbation import Perturbation
from bilad.models.validation import ArgumentError, FloatArray, IntArray, integer_array

# SciPy's names of the norms.
METRICS: dict[float, Literal["cityblock", "euclidean", "chebyshev"]] = {
    1.0: "cityblock",
    2.0: "euclidean",
    float("inf"): "chebyshev",
}


@dataclass(frozen=True)
class RecoveryInterval:
    """What Theorem 1 says of one partition.

    Attributes
    ----------
    gamma : float
        The model's.
    holds_c1 : bool
        Whether (C1) holds. It does not if two points of a cluster are joined by no weight.
    gamma_min : float
        In units of the model's gamma. 0 if the points of each cluster coincide; inf if (C1) fails,
        so that the interval is empty. Never NaN.
    gamma_max : float
        0 if two centroids coincide; inf if there is one cluster, or none is joined to another.
    """

    gamma: float
    holds_c1: bool
    gamma_min: float
    gamma_max: float

    @property
    def holds_c2(self) -> bool:
        """Whether gamma_min < gamma_max."""
        return self.gamma_min < self.gamma_max

    @property
    def recovers(self) -> bool:
        """Whether the theorem says that the partition is returned. If not, it cannot tell."""
        return self.holds_c1 and self.gamma_min <= self.gamma < self.gamma_max


def recovery_interval(model: ConvexClustering, labels: ArrayLike) -> RecoveryInterval:
    """Return the gammas for which Theorem 1 guarantees a partition.

    The formulas are evaluated in double precision: at an end itself, rounding decides. For (C1')
    and (C2'), give the model at perturbed data, `perturbation.apply(model, eps)`.

    Parameters
    ----------
    model : ConvexClustering
        Any p, any weights; its gamma only decides `recovers`.
    labels : array_like of int, shape (n,)
        The partition: points with the same label are together.

    Raises
    ------
    ArgumentError
        If the labels are not n integers.
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
    """Return whether eps meets the necessary condition for changing a partition.

    The corollary of Theorem 2: if the model returns another partition at eps, then (C1') or (C2')
    fails there, or gamma is outside [gamma_min, gamma_max). False proves that eps changes nothing;
    True proves nothing.

    Parameters
    ----------
    model : ConvexClustering
    labels : array_like of int, shape (n,)
        The partition returned without perturbation.
    perturbation : Perturbation
    eps : array_like, shape (k,)

    Raises
    ------
    ArgumentError
        If the labels are not n integers, or the perturbation does not take the model or eps.
    """
    if not isinstance(perturbation, Perturbation):
        raise ArgumentError("perturbation", type(perturbation).__name__, "a Perturbation")
    return not recovery_interval(perturbation.apply(model, eps), labels).recovers


def cluster_numbers(labels: ArrayLike, n: int) -> IntArray:
    """Return labels as numbers 0..K-1, in the order of the labels: shape (n,).

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


def _loads(model: ConvexClustering, clusters: IntArray) -> sp.csr_array:
    """Return how strongly each cluster pulls each point, sum_{l in I_b} w_il: shape (n, K)."""
    i, j = model.graph.edges.T
    weights = model.graph.weights
    rows, columns = np.concatenate([i, j]), np.concatenate([clusters[j], clusters[i]])
    shape = (model.n, int(clusters.max()) + 1)
    return sp.coo_array((np.tile(weights, 2), (rows, columns)), shape=shape).tocsr()


def _gamma_min(
    model: ConvexClustering, points: FloatArray, clusters: IntArray, sizes: IntArray
) -> float:
    """Return gamma_min; inf if (C1) fails."""
    edges = _inner_edges(model, clusters)
    numbers = sizes * (sizes - 1) // 2
    owners = clusters[model.graph.edges[edges, 0]]
    if (np.bincount(owners, minlength=len(sizes)) < numbers).any():
        return float("inf")  # some w_ij is 0
    loads = _loads(model, clusters)
    ends = np.concatenate([[0], np.cumsum(numbers)])
    members = np.split(np.argsort(clusters, kind="stable"), np.cumsum(sizes)[:-1])
    largest = 0.0
    for a in np.flatnonzero(sizes > 1):
        inner = edges[ends[a] : ends[a + 1]]
        room = sizes[a] * model.graph.weights[inner] - _imbalances(loads, members[a], int(a))
        if (room <= 0).any():
            return float("inf")
        i, j = model.graph.edges[inner].T
        lengths = row_norms(points[i] - points[j], conjugate(model.p))
        largest = max(largest, float((lengths / room).max()))
    return largest


def _inner_edges(model: ConvexClustering, clusters: IntArray) -> IntArray:
    """Return the edges with weight inside clusters, sorted by cluster, i and j."""
    i, j = model.graph.edges.T
    inner = np.flatnonzero((clusters[i] == clusters[j]) & (model.graph.weights > 0))
    return inner[np.lexsort((j[inner], i[inner], clusters[i[inner]]))]


def _imbalances(loads: sp.csr_array, members: IntArray, own: int) -> FloatArray:
    """Return mu_ij for the pairs of members of a cluster, in the order of `pdist`."""
    table = loads[members].tocsc()
    pulling = np.flatnonzero(np.diff(table.indptr))
    others = pulling[pulling != own]
    if len(others) == 0:
        return np.zeros(len(members) * (len(members) - 1) // 2)
    return np.asarray(pdist(table[:, others].toarray(), "cityblock"))


def _gamma_max(
    model: ConvexClustering, points: FloatArray, clusters: IntArray, sizes: IntArray
) -> float:
    """Return gamma_max: up to there the centroids' own problem keeps them distinct."""
    if len(sizes) == 1:
        return float("inf")
    # Counted from one member each, so that the centroids of equal points are exactly equal.
    first = points[np.unique(clusters, return_index=True)[1]]
    sums = [np.bincount(clusters, column) for column in (points - first[clusters]).T]
    centroids = first + np.stack(sums, axis=1) / sizes[:, None]
    distances = pdist(centroids, METRICS[conjugate(model.p)])
    if not distances.all():
        return 0.0
    i, j = clusters[model.graph.edges].T
    outer = np.where(i != j, model.graph.weights, 0.0)
    K = len(sizes)
    pull = (np.bincount(i, outer, K) + np.bincount(j, outer, K)) / sizes
    a, b = np.triu_indices(K, k=1)
    with np.errstate(divide="ignore"):
        return float((distances / (pull[a] + pull[b])).min())
