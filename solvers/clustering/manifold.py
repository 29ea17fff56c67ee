"""The manifold M on which the lower-level solution stays while its partition is constant.

Module `derivative` defines M and the map J. There is a class for each norm: `_Separable` (p = 1),
`_Curved` (p = 2), `_Turned` (p = inf, d = 2) and `_Tied` (p = inf, d > 2). X is the solution
projected on M, and `apply(R)` returns J R, both of shape (n, d).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import lsmr

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.separable import has_turned_lines, sums_and_differences
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.clustering.labels.active_set import candidate_active_sets
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.labels.partition import prove_partition
from bilad.solvers.clustering.labels.proof import examine
from bilad.solvers.clustering.labels.proof_linf import PolyhedralRestriction
from bilad.solvers.clustering.result import Clustering

RTOL = 1e-12  # of least-squares problems
TIE_STEPS = 10  # steps of least squares for each tie


def _features(clustering: Clustering) -> list[IntArray]:
    """Return the labels of each feature of a separable model: shape (n,)."""
    model = clustering.model
    if model.d == 1:
        return [clustering.labels]
    if clustering.method == "exact":  # then fused entries are equal numbers
        return [np.unique(x, return_inverse=True)[1] for x in clustering.X.T]
    return _line_labels(model, model.data, clustering.X, clustering.Z)


def _line_labels(
    model: ConvexClustering, data: FloatArray, X: FloatArray, Z: FloatArray
) -> list[IntArray]:
    """Return the labels of each column as a problem on a line: shape (n,)."""
    return [
        prove_partition(
            ConvexClustering(data[:, [k]], model.graph, model.gamma), X[:, [k]], Z[:, [k]]
        ).labels
        for k in range(data.shape[1])
    ]


def _connected(model: ConvexClustering, labels: IntArray) -> IntArray:
    """Split clusters that are not connected: their points are equal by coincidence only."""
    if model.graph.uniform_weight and model.gamma:  # connected; avoids making the edges
        return labels
    i, j = model.graph.edges.T
    return model.graph.components((labels[i] == labels[j]) & (model.radii > 0))


class _Separable:
    """p = 1 or d = 1: every feature is averaged over blocks of its own."""

    def __init__(self, X: FloatArray, blocks: list[IntArray]) -> None:
        self._blocks = blocks
        self.X = self.apply(X)

    def apply(self, R: FloatArray) -> FloatArray:
        """Average each column over its blocks."""
        columns = [
            block_means(column[:, None], blocks)[blocks, 0]
            for column, blocks in zip(R.T, self._blocks, strict=True)
        ]
        return np.stack(columns, axis=1)


class _Turned:
    """p = inf and d = 2: the sum and the difference of the features are averaged over blocks."""

    def __init__(self, clustering: Clustering) -> None:
        model = clustering.model
        turned = [sums_and_differences(part) for part in (model.data, clustering.X, clustering.Z)]
        labels = _line_labels(model, *turned)
        self._lines = _Separable(turned[1], [_connected(model, line) for line in labels])
        self.X = 0.5 * sums_and_differences(self._lines.X)

    def apply(self, R: FloatArray) -> FloatArray:
        """Average the sums and differences over the blocks of each line."""
        return 0.5 * sums_and_differences(self._lines.apply(sums_and_differences(R)))


class _Curved:
    """p = 2: X is constant on blocks, and the fusion terms between blocks have curvature."""

    def __init__(self, model: ConvexClustering, X: FloatArray, blocks: IntArray) -> None:
        centroids = block_means(X, blocks)
        self._blocks, self.X = blocks, centroids[blocks]
        self._centroids, self._problem = centroids, ContractedProblem.of(model, blocks)

    def apply(self, R: FloatArray) -> FloatArray:
        """Average over the blocks, then multiply by H^-1 M on the centroids."""
        means = block_means(R, self._blocks)
        if len(self._problem.radii):
            means = self._problem.solve_hessian(
                self._centroids, self._problem.masses[:, None] * means
            )
        return means[self._blocks]


class _Tied:
    """p = inf: X is constant on blocks, and satisfies the ties C'x = 0 between their features.

    The projection is computed by an iterative least-squares method, because the columns of C may be
    linearly dependent and C may be large.
    """

    def __init__(self, clustering: Clustering, blocks: IntArray) -> None:
        self._blocks = blocks
        restriction = _best_restriction(clustering, blocks)
        self.X = restriction.X
        self._root_masses = np.sqrt(restriction.masses)[:, None]
        ties = _ties(restriction.tied, restriction.signs, restriction.ends, len(restriction.masses))
        self._scaled = sp.diags_array(np.repeat(1 / self._root_masses, clustering.model.d)) @ ties

    def apply(self, R: FloatArray) -> FloatArray:
        """Average over the blocks, then project on the ties in the norm weighted by the masses."""
        means = block_means(R, self._blocks)
        t = self._scaled.shape[1]
        if t:
            scaled = (self._root_masses * means).ravel()
            limits = {"atol": RTOL, "btol": RTOL, "conlim": 0.0, "maxiter": TIE_STEPS * t}
            scaled = scaled - self._scaled @ lsmr(self._scaled, scaled, **limits)[0]
            means = scaled.reshape(means.shape) / self._root_masses
        return means[self._blocks]


Manifold = _Separable | _Turned | _Curved | _Tied


def solution_manifold(clustering: Clustering) -> Manifold:
    """Return M at a solution."""
    model = clustering.model
    if model.p == 1 or model.d == 1:
        return _Separable(clustering.X, [_connected(model, c) for c in _features(clustering)])
    if has_turned_lines(model):
        return _Turned(clustering)
    blocks = _connected(model, clustering.labels)
    if model.p == 2:
        return _Curved(model, clustering.X, blocks)
    return _Tied(clustering, blocks)


def _ties(tied: BoolArray, signs: FloatArray, ends: IntArray, K: int) -> sp.csr_array:
    """Return C, with a column for each pair of blocks and each tied feature except the first."""
    d = tied.shape[1]
    first = np.argmax(tied, axis=1)
    others = tied.copy()
    others[np.arange(len(tied)), first] = False
    pair, second = np.nonzero(others)
    rows, values = [], []
    for feature, side in ((first[pair], 1.0), (second, -1.0)):
        for end, direction in ((0, 1.0), (1, -1.0)):
            rows.append(ends[pair, end] * d + feature)
            values.append(side * direction * signs[pair, feature])
    columns = np.tile(np.arange(len(pair)), 4)
    shape = (K * d, len(pair))
    return sp.csr_array((np.concatenate(values), (np.concatenate(rows), columns)), shape=shape)


def _best_restriction(clustering: Clustering, blocks: IntArray) -> PolyhedralRestriction:
    """Return the candidate for blocks and ties for which most blocks are proved fused."""
    model, X, Z = clustering.model, clustering.X, clustering.Z
    found: list[tuple[tuple[int, float], PolyhedralRestriction]] = []
    for candidate in candidate_active_sets(model, X, Z):
        restriction = PolyhedralRestriction(model, X, Z, replace(candidate, blocks=blocks))
        proof = examine(model, restriction)
        open_blocks = int(np.count_nonzero(~proof.fused))
        found.append(((open_blocks, proof.resolution), restriction))
        if open_blocks == 0:
            break
    return min(found, key=lambda pair: pair[0])[1]
