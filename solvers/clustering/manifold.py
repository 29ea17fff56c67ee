"""The manifold on which the lower level's solution stays while its partition does, and J on it.

See module `derivative`; a class for each norm: `_Separate` (p = 1), `_Curved` (p = 2), `_Tied`
(p = inf).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import lsmr

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import row_norms
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.clustering.labels.active_set import guesses
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.flow import block_means
from bilad.solvers.clustering.labels.partition import prove_partition
from bilad.solvers.clustering.labels.proof import examine
from bilad.solvers.clustering.labels.proof_linf import PolyhedralRestriction
from bilad.solvers.clustering.result import Clustering
from bilad.solvers.clustering.ssnal.linear_systems import Edges
from bilad.solvers.clustering.ssnal.newton import newton_system

RTOL = 1e-12  # of the linear systems that are too large to be factorised
TIE_STEPS = 10  # of least squares, in units of the number of ties


class Manifold(ABC):
    """M at a solution, and what J does on it.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        The solution, moved onto M.
    """

    X: FloatArray

    @abstractmethod
    def apply(self, R: FloatArray) -> FloatArray:
        """Return J R: shape (n, d)."""


def solution_manifold(clustering: Clustering) -> Manifold:
    """Return M at a solution, p in {1, 2, inf}."""
    model = clustering.model
    if model.p == 1 or model.d == 1:
        return _Separate(clustering.X, [_connected(model, c) for c in _features(clustering)])
    blocks = _connected(model, clustering.labels)
    if model.p == 2:
        return _Curved(model, clustering.X, blocks)
    return _Tied(clustering, blocks)


def _features(clustering: Clustering) -> list[IntArray]:
    """Return the clusters of each feature on its own, p = 1: labels of shape (n,)."""
    model = clustering.model
    if model.d == 1:
        return [clustering.labels]
    if clustering.method == "exact":  # equal numbers, then
        return [np.unique(x, return_inverse=True)[1] for x in clustering.X.T]
    return [
        prove_partition(
            ConvexClustering(model.data[:, [k]], model.graph, model.gamma),
            clustering.X[:, [k]],
            clustering.Z[:, [k]],
        ).labels
        for k in range(model.d)
    ]


def _connected(model: ConvexClustering, labels: IntArray) -> IntArray:
    """Split clusters that no edge holds together: their points agree by chance, or never move."""
    if model.graph.uniform_weight and model.gamma:  # no need to make the edges
        return labels
    i, j = model.graph.edges.T
    return model.graph.components((labels[i] == labels[j]) & (model.radii > 0))


class _Separate(Manifold):
    """No curvature and no ties: every feature is averaged over blocks of its own."""

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


class _Curved(Manifold):
    """p = 2: blocks, and the curvature r_kl / ||u|| (I - u u' / ||u||^2) of their distances."""

    def __init__(self, model: ConvexClustering, X: FloatArray, blocks: IntArray) -> None:
        centroids = block_means(X, blocks)
        self._blocks, self.X = blocks, centroids[blocks]
        pairs = ContractedProblem(model, blocks)
        self._masses = pairs.masses
        self._system = None
        if len(pairs.radii):
            U = centroids[pairs.heads] - centroids[pairs.tails]
            lengths = row_norms(U, 2)[:, None]
            bend = pairs.radii[:, None] / lengths
            # Tails are the smaller numbers here, as in the graph; the pairs call them heads.
            edges = Edges(len(centroids), pairs.heads, pairs.tails, self._masses[:, 0])
            self._system = newton_system(edges, model.d, isotropic=True)
            self._curvature = np.repeat(bend, model.d, axis=1), np.sqrt(bend) * U / lengths

    def apply(self, R: FloatArray) -> FloatArray:
        """Average, then solve for the centroids."""
        means = block_means(R, self._blocks)
        if self._system is not None:
            means = self._system.solve(*self._curvature, self._masses * means, RTOL)
        return means[self._blocks]


class _Tied(Manifold):
    """p = inf: blocks, and the ties C'x = 0 between their features.

    The projection on them is a sparse least-squares problem: ties may depend on each other, and
    there may be too many to factorise.
    """

    def __init__(self, clustering: Clustering, blocks: IntArray) -> None:
        self._blocks = blocks
        restriction = _best_restriction(clustering, blocks)
        self.X = restriction.X
        self._root_masses = np.sqrt(restriction.masses)[:, None]
        ties = _ties(restriction.tied, restriction.signs, restriction.ends, len(restriction.masses))
        self._scaled = sp.diags_array(np.repeat(1 / self._root_masses, clustering.model.d)) @ ties

    def apply(self, R: FloatArray) -> FloatArray:
        """Average, then project on what keeps the ties, in the norm of the masses."""
        means = block_means(R, self._blocks)
        t = self._scaled.shape[1]
        if t:
            scaled = (self._root_masses * means).ravel()
            limits = {"atol": RTOL, "btol": RTOL, "conlim": 0.0, "maxiter": TIE_STEPS * t}
            scaled = scaled - self._scaled @ lsmr(self._scaled, scaled, **limits)[0]
            means = scaled.reshape(means.shape) / self._root_masses
        return means[self._blocks]


def _ties(tied: BoolArray, signs: FloatArray, ends: IntArray, K: int) -> sp.csr_array:
    """Return C: for each pair of blocks a column for each tied feature besides the first."""
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
    """Guess the ties as the proof of the labels does; take those that prove most."""
    model, X, Z = clustering.model, clustering.X, clustering.Z
    found: list[tuple[tuple[int, float], PolyhedralRestriction]] = []
    for guess in guesses(model, X, Z):
        restriction = PolyhedralRestriction(model, X, Z, replace(guess, blocks=blocks))
        proof = examine(model, restriction)
        open_blocks = int(np.count_nonzero(~proof.fused))
        found.append(((open_blocks, proof.resolution), restriction))
        if open_blocks == 0:
            break
    return min(found, key=lambda pair: pair[0])[1]
