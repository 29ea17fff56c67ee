"""A partition as a structure: the contracted problem, and what the blocks do to one another.

    min_y  1/2 sum_k n_k ||y_k - abar_k||^2 + gamma sum_{k<l} w_kl ||y_k - y_l||_p

for p = 2, or on a line. Its solution is X* on the blocks as long as these are the clusters. The
forces of block l on block k are then gamma w_ij zeta_kl with one zeta_kl, a subgradient of the norm
at y_k - y_l, for all edges between the two: what the members of a block feel differs by their
weights only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import row_norms, subgradient_rows
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.flow import block_means


@dataclass(frozen=True)
class Structure:
    """Blocks, their centroids, and the forces between them.

    Attributes
    ----------
    model : ConvexClustering
    blocks : ndarray of int, shape (n,)
        Block of each point, 0..K-1.
    sizes : ndarray, shape (K,)
    centroids : ndarray, shape (K, d)
        y, an approximate solution of the contracted problem.
    pairs : ndarray of int, shape (P, 2)
        Blocks k < l that are joined by an edge.
    zeta : ndarray, shape (P, d)
        ||zeta||_2 <= 1; the subgradient at y, where y_k and y_l differ.
    forces : sparse array, shape (n, P)
        gamma w_ij with its sign, summed over the edges of each pair: the forces are
        `forces @ zeta`.
    error : float
        sqrt(sum_k n_k ||y_k - y*_k||^2) is at most this, and y is the solution for data that
        differ from the true ones by at most this.
    """

    model: ConvexClustering
    blocks: IntArray
    sizes: FloatArray
    centroids: FloatArray
    pairs: IntArray
    zeta: FloatArray
    forces: sp.csr_array
    error: float

    @classmethod
    def of(cls, model: ConvexClustering, blocks: IntArray, X: FloatArray) -> Structure:
        """Contract the blocks of an approximate solution X (n, d); p = 2 or d = 1."""
        sizes = np.bincount(blocks).astype(float)
        pairs, owner, signs, between = _block_pairs(model, blocks)
        centroids = _centroids(model, blocks, X)
        zeta = subgradient_rows(centroids[pairs[:, 0]] - centroids[pairs[:, 1]], model.p)
        forces = _forces(model, len(pairs), owner, signs, between)
        error = _distance(model, blocks, sizes, centroids, zeta, forces)
        return cls(model, blocks, sizes, centroids, pairs, zeta, forces, error)

    def refined(self, blocks: IntArray, owner: IntArray) -> Structure:
        """Cut blocks into smaller ones, that stay where they are.

        Parameters
        ----------
        blocks : ndarray of int, shape (n,)
            Part of each point, 0..L-1.
        owner : ndarray of int, shape (L,)
            The block that each part is of.

        Returns
        -------
        Structure
            Its zeta between parts of one block is 0, which need not balance anything: each true
            one differs from it by at most 1. Its y is a solution only if this structure's blocks
            are the clusters.
        """
        model = self.model
        pairs, edge_pair, signs, between = _block_pairs(model, blocks)
        low, high = owner[pairs].T
        numbers = np.zeros((len(self.sizes), len(self.sizes)), dtype=np.int64)
        numbers[self.pairs[:, 0], self.pairs[:, 1]] = np.arange(len(self.pairs))
        zeta = np.zeros((len(pairs), model.d))
        across = low != high
        known = numbers[np.minimum(low, high), np.maximum(low, high)][across]
        zeta[across] = np.where(low < high, 1.0, -1.0)[across, None] * self.zeta[known]
        forces = _forces(model, len(pairs), edge_pair, signs, between)
        sizes = np.bincount(blocks).astype(float)
        centroids = self.centroids[owner]
        return Structure(model, blocks, sizes, centroids, pairs, zeta, forces, self.error)

    @cached_property
    def differences(self) -> FloatArray:
        """y_k - y_l of the joined pairs: shape (P, d)."""
        return self.centroids[self.pairs[:, 0]] - self.centroids[self.pairs[:, 1]]

    @cached_property
    def _joins(self) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
        return _block_pairs(self.model, self.blocks)

    def turns(self, shifts: FloatArray) -> FloatArray:
        """Bound ||zeta' - zeta||_q for each joined pair: shape (P,).

        Parameters
        ----------
        shifts : ndarray, shape (P,)
            Bounds on the Euclidean distance of y'_k - y'_l from y_k - y_l, y' where zeta' is a
            subgradient. On a line, y' must have the order of y.
        """
        if self.model.d == 1:
            return np.zeros(len(self.pairs))
        lengths = row_norms(self.differences, 2) * (1 - (self.model.d + 8) * ROUNDOFF)
        sine = np.divide(shifts, lengths, out=np.ones_like(shifts), where=lengths > shifts)
        chords = 2 * np.sin(0.5 * np.arcsin(sine))
        return np.where(lengths > shifts, chords * (1 + 16 * ROUNDOFF), 2.0)

    def edge_zeta(self) -> FloatArray:
        """Return zeta for each edge, oriented as the edge, zero inside blocks: shape (m, d)."""
        _, owner, signs, between = self._joins
        result = np.zeros((self.model.graph.m, self.model.d))
        result[between] = signs[:, None] * self.zeta[owner]
        return result

    def pair_sums(self, values: FloatArray) -> FloatArray:
        """Return the sums of the edges' values (m,) over the edges of each pair: shape (P,)."""
        _, owner, _, between = self._joins
        return np.bincount(owner, values[between], len(self.pairs)).astype(float)

    def weakened(self, change: FloatArray) -> sp.csr_array:
        """Return the sums, over each point's edges to each pair's other block, of (m,): (n, P)."""
        shape = (self.model.n, len(self.pairs))
        if not change.any():
            return sp.csr_array(shape)
        _, owner, _, between = self._joins
        ends = self.model.graph.edges[between]
        places = (ends.T.ravel(), np.tile(owner, 2))
        return sp.coo_array((np.tile(change[between], 2), places), shape=shape).tocsr()


def _block_pairs(
    model: ConvexClustering, blocks: IntArray
) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
    """Return the pairs of joined blocks; for the edges between blocks their pair and sign."""
    ends = blocks[model.graph.edges]
    between = np.flatnonzero((ends[:, 0] != ends[:, 1]) & (model.radii > 0))
    chosen = ends[between]
    pairs, owner = np.unique(np.sort(chosen, axis=1), axis=0, return_inverse=True)
    signs = np.where(chosen[:, 0] < chosen[:, 1], 1.0, -1.0)
    return pairs.astype(np.int64), owner.ravel().astype(np.int64), signs, between


def _forces(
    model: ConvexClustering, count: int, owner: IntArray, signs: FloatArray, between: IntArray
) -> sp.csr_array:
    """Return gamma w_ij with its sign, summed over the edges of each pair: shape (n, count)."""
    places = (model.graph.edges[between].T.ravel(), np.tile(owner, 2))
    signed = signs * model.radii[between]
    values = np.concatenate([signed, -signed])
    return sp.coo_array((values, places), shape=(model.n, count)).tocsr()


def _centroids(model: ConvexClustering, blocks: IntArray, X: FloatArray) -> FloatArray:
    centroids = block_means(X, blocks)
    if model.p == 2 and model.d > 1 and len(centroids) > 1:
        problem = ContractedProblem(model, blocks)
        return problem.polished(centroids) if problem.small else centroids
    if model.d == 1:
        return _on_a_line(model, blocks, centroids)
    return centroids


def _on_a_line(model: ConvexClustering, blocks: IntArray, centroids: FloatArray) -> FloatArray:
    """Return what the order of the centroids makes of them: forces are signs."""
    tails, heads = blocks[model.graph.edges].T
    signs = np.sign(centroids[tails, 0] - centroids[heads, 0])
    push = model.graph.adjoint((model.radii * signs)[:, None])
    return block_means(model.data - push, blocks)


def _distance(
    model: ConvexClustering,
    blocks: IntArray,
    sizes: FloatArray,
    centroids: FloatArray,
    zeta: FloatArray,
    forces: sp.csr_array,
) -> float:
    """Bound the distance from the contracted solution by the residual: zeta is a subgradient."""
    masses = np.sqrt(sizes)[:, None]
    residual = masses * (centroids - block_means(model.data - forces @ zeta, blocks))
    size = np.abs(model.data).max(initial=0.0) + abs(forces).sum(axis=1).max(initial=0.0)
    rounding = ROUNDOFF * (16 + model.d + 4 * model.n) * np.sqrt(model.n * model.d) * size
    return float(np.linalg.norm(residual)) * (1 + residual.size * ROUNDOFF) + rounding
