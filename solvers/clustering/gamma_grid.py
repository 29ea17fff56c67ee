"""`gamma_grid`: the values of gamma between which the partition changes, for a path.

Upper end. Let A' be the data minus the mean of each component of the graph. Every component is one
cluster if and only if A' = B'Z for a Z with ||z_e||_q <= gamma w_e. If this holds at one gamma it
holds at every larger one, and by duality the least such gamma is

    gamma* = max_X  <A', X> / sum_e w_e ||x_i - x_j||_p.

So each X gives a lower bound. With the centred solution at some gamma < gamma* it is the Newton
step for h(gamma) = ||centred solution||_F, which is convex, decreasing, and zero from gamma* on.
A single point i gives the bound ||a'_i||_q / sum of the weights of its edges. Each bound is
exceeded by a small margin; the first of these gammas at which every component is proved to be one
cluster is the upper end, which therefore exceeds gamma* by at most this margin. The margin grows
where rounding errors prevent the proof.

Lower end. X* = A - B'Z* moves point i by at most gamma times the sum of the weights of its edges in
each feature, so that no two points are fused if this is less than half of the least difference of
two values of a feature. From there the least gamma that fuses two points is bracketed by bisection.
"""

from __future__ import annotations

import math
import time
import warnings

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.fusion_graph import DisconnectedGraphWarning, FusionGraph
from bilad.models.norms import conjugate, row_norms
from bilad.models.validation import ArgumentError, FloatArray, IntArray, whole_number
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.labels.partition import numbered
from bilad.solvers.clustering.labels.proof import sum_at_ends
from bilad.solvers.clustering.result import Clustering
from bilad.solvers.clustering.unit_scale import unit_scale

MARGIN = 1.02  # factor by which a lower bound of the upper end is exceeded
SHARE = 0.06  # of the logarithmic range that the bracket of the lower end may take
WIDTH = math.log(1.1)  # a bracket of the lower end that is narrow enough for any range
DIGITS = 9  # decimals, relative to the range of the data, to which coincident points agree
MOST_SIZES = 6  # number of components whose sizes a warning lists


class UnfinishedGridError(RuntimeError):
    """A solve that a grid of gammas needs did not succeed; `status` gives the reason."""

    def __init__(self, status: str) -> None:
        super().__init__(f"no grid of gammas: a lower-level solve ended with {status!r}")
        self.status = status


def gamma_grid(model: ConvexClustering, count: int = 50) -> FloatArray:
    """Return a geometric grid of gammas that contains the whole clusterpath.

    At the first gamma no two distinct points share a cluster. At the last one every component of
    the graph is one cluster; it exceeds the least such gamma by at most 2 per cent, or by more if
    this is not proved so near to it.

    Parameters
    ----------
    model : ConvexClustering
        Its gamma is not used.
    count : int, default 50
        The number of gammas, at least 2.

    Returns
    -------
    ndarray, shape (count,)
        Increasing, in the unit of the data divided by that of the weights. Points that agree to
        nine digits of the range of the data count as one.

    Raises
    ------
    ArgumentError
        If an argument is wrong, or no two distinct points are in one component, so that the
        partition is the same for all gammas.
    UnfinishedGridError
        If one of the solves, usually about a dozen, does not succeed.

    Warns
    -----
    DisconnectedGraphWarning
        If the graph has several components, which no gamma fuses with each other.
    """
    if not isinstance(model, ConvexClustering):
        raise ArgumentError("model", type(model).__name__, "a ConvexClustering")
    number = whole_number(count, "count", least=2)
    warn_if_disconnected(model.graph)
    return GammaRange(model).grid(number)


def warn_if_disconnected(graph: FusionGraph) -> None:
    """Issue a `DisconnectedGraphWarning` on behalf of the caller of the caller, if it applies."""
    count = graph.n_components
    if count == 1:
        return
    sizes = [str(size) for size in np.sort(np.bincount(graph.component_labels))[::-1]]
    listed = ", ".join(sizes[:MOST_SIZES]) + (", ..." if count > MOST_SIZES else "")
    weightless = np.count_nonzero(graph.weights == 0) if graph.uniform_weight is None else 0
    zero = f" (weight 0 on {weightless} of {graph.m} edges)" if weightless else ""
    warnings.warn(
        f"the graph has {count} components of sizes {listed}{zero}: no gamma gives fewer than "
        f"{count} clusters, and these are suggested only if {count} clusters are asked for; more "
        "neighbours, or a smaller phi, connect it",
        DisconnectedGraphWarning,
        stacklevel=3,
    )


def is_coarsest(graph: FusionGraph, labels: IntArray) -> bool:
    """Return whether every component of a graph is in one cluster."""
    return bool(numbered([graph.component_labels, labels]).max() + 1 == graph.n_components)


def is_finest(distinct: IntArray, labels: IntArray) -> bool:
    """Return whether no two distinct points, as numbered by `distinct_points`, share a cluster."""
    return bool(numbered([labels, distinct]).max() == labels.max())


def distinct_points(data: FloatArray) -> IntArray:
    """Return numbers (n,) that are equal for points that agree to nine digits of the range."""
    return np.unique(_rounded(data), axis=0, return_inverse=True)[1].reshape(-1)


def _rounded(data: FloatArray) -> FloatArray:
    """Return the data in the unit of their range, rounded, so that coincident points are equal."""
    scaled = np.ldexp(data, -math.frexp(np.abs(data).max())[1])  # differences do not overflow
    scaled -= scaled.min(axis=0)
    return np.round(scaled / (scaled.max() or 1.0), DIGITS)


class GammaRange:
    """The range of gammas in which the partition of a model changes.

    Parameters
    ----------
    model : ConvexClustering
        Its gamma is not used.
    method : str, default "auto"
        As for `cluster`.
    deadline : float, default inf
        Value of `time.perf_counter()`.

    Raises
    ------
    ArgumentError
        If no two distinct points are in one component.
    """

    def __init__(
        self, model: ConvexClustering, method: str = "auto", deadline: float = float("inf")
    ) -> None:
        scale = unit_scale(model.with_gamma(0.0))
        self._model, self._exponent = scale.model, scale.exponent
        self._method, self._deadline = method, deadline
        self._distinct = distinct_points(model.data)
        self._last: Clustering | None = None
        if is_finest(self._distinct, model.graph.component_labels):
            raise ArgumentError(
                "model",
                "no edge of positive weight between two distinct points",
                "a model whose partition depends on gamma",
            )
        weight = model.graph.uniform_weight  # avoids making the edges of the complete graph
        self._weights = model.graph.weights if weight is None else np.array([weight])
        self._strength = (
            sum_at_ends(self._model, self._weights)
            if weight is None
            else np.full(model.n, (model.n - 1) * weight)
        )

    def grid(self, count: int) -> FloatArray:
        """Return the geometric grid over the range: shape (count,).

        Raises
        ------
        UnfinishedGridError
            If a solve ends with an error or at the deadline.
        """
        high = self._upper_end()
        low = self._lower_end(high)
        first, last = (float(np.ldexp(end, self._exponent)) for end in (low, high))
        if not (first > 0 and math.isfinite(last)):
            given = f"weights from {self._weights.min():.1e} to {self._weights.max():.1e}"
            raise ArgumentError("model", given, "weights for which gamma is a double")
        return np.geomspace(first, last, count)

    def _upper_end(self) -> float:
        """Return a gamma at which every component is one cluster, just above the least one."""
        model, components = self._model, self._model.graph.component_labels
        centred = model.data - block_means(model.data, components)[components]
        linked = self._strength > 0
        singles = row_norms(centred[linked], conjugate(model.p)) / self._strength[linked]
        surely = 4.0 * model.n * model.d / self._weights[self._weights > 0].min()
        bound = max(float(singles.max()), self._newton_step(centred, centred))
        least, margin = 0.0, MARGIN
        while True:
            # Without progress the rounding errors dominate, or the labels were not proved.
            least, margin = (bound, MARGIN) if bound > least else (least, margin**2)
            gamma = margin * least
            clustering = self._solve(gamma)
            ends = components[clustering.undecided]
            doubtful = (ends[:, 0] == ends[:, 1]).any()
            if gamma >= surely or (is_coarsest(model.graph, clustering.labels) and not doubtful):
                return gamma
            means = block_means(clustering.state, components)
            bound = self._newton_step(centred, clustering.state - means[components])

    def _newton_step(self, centred: FloatArray, X: FloatArray) -> float:
        """Return the lower bound of the upper end that X gives; 0 if X is constant."""
        variation = self._model.graph.total_variation(X, self._model.p)
        return float(np.vdot(centred, X)) / variation if variation > 0 else 0.0

    def _lower_end(self, top: float) -> float:
        """Return a gamma below the least one that fuses two distinct points."""
        data = self._model.data
        steps = np.diff(np.sort(_rounded(data), axis=0), axis=0)
        least = float(steps.min(where=steps > 0, initial=1.0)) * np.ptp(data, axis=0).max()
        low, high = math.log(least / (2 * MARGIN * self._strength.max())), math.log(top)
        while high - low > max(SHARE * (math.log(top) - low), WIDTH):
            middle = 0.5 * (low + high)
            apart = is_finest(self._distinct, self._solve(math.exp(middle)).labels)
            low, high = (middle, high) if apart else (low, middle)
        return math.exp(low)

    def _solve(self, gamma: float) -> Clustering:
        left = self._deadline - time.perf_counter()
        if left <= 0:
            raise UnfinishedGridError("time limit")
        model = self._model.with_gamma(gamma)
        self._last = solve_lower(model, self._method, start=self._last, time_limit=left)
        if self._last.status == "time limit" or self._last.status.startswith("error"):
            raise UnfinishedGridError(self._last.status)
        return self._last
