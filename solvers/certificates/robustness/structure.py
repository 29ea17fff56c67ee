"""A partition as a structure: the contracted problem, and what the blocks do to one another.

    min_y  1/2 sum_k n_k ||y_k - abar_k||^2 + gamma sum_{k<l} w_kl ||y_k - y_l||_p

Its solution is X* on the blocks as long as these are the clusters. The forces of block l on block
k are then gamma w_ij zeta_kl with one zeta_kl, a subgradient of the norm at y_k - y_l, for all
edges between the two: what the members of a block feel differs by their weights only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, project_rows, row_norms, subgradient_rows
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.certificates.contracted import ContractedProblem
from bilad.solvers.certificates.routing import block_means

ROUNDOFF = float(np.finfo(float).eps)


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
        ||zeta||_q <= 1.
    forces : sparse array, shape (n, P)
        gamma w_ij with its sign, summed over the edges of each pair: the forces are
        `forces @ zeta`.
    error : float
        sqrt(sum_k n_k ||y_k - y*_k||^2) is at most this.
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
    def of(
        cls, model: ConvexClustering, blocks: IntArray, X: FloatArray, Z: FloatArray
    ) -> Structure:
        """Contract the blocks of an approximate solution X (n, d), Z (m, d)."""
        sizes = np.bincount(blocks).astype(float)
        pairs, owner, signs, between = _block_pairs(model, blocks)
        radii = model.radii[between]
        strength = np.bincount(owner, radii, len(pairs)).astype(float)
        centroids = _centroids(model, blocks, X)
        if model.p == 2 or model.d == 1:
            U = centroids[pairs[:, 0]] - centroids[pairs[:, 1]]
            zeta = U / np.where(strength > 0, row_norms(U, 2), np.inf)[:, None]
        else:
            sums = np.stack(
                [np.bincount(owner, signs * column[between], len(pairs)) for column in Z.T], axis=1
            )
            zeta = sums / strength[:, None]
        zeta = project_rows(zeta, np.ones(len(zeta)), conjugate(model.p))
        ends = model.graph.edges[between]
        places = (ends.T.ravel(), np.tile(owner, 2))
        values = np.concatenate([signs * radii, -signs * radii])
        forces = sp.coo_array((values, places), shape=(model.n, len(pairs))).tocsr()
        error = _distance(model, blocks, sizes, centroids, pairs, strength, zeta, forces)
        return cls(model, blocks, sizes, centroids, pairs, zeta, forces, error)

    def turns(self, moved: float) -> FloatArray:
        """Bound ||zeta' - zeta||_q for each pair of blocks: shape (P,).

        Parameters
        ----------
        moved : float
            sqrt(sum_k n_k ||y'_k - y_k||^2) is at most this, y' where zeta' is wanted. On a line,
            y' has the order of y.
        """
        if self.model.d == 1:
            return np.zeros(len(self.pairs))
        U = self.centroids[self.pairs[:, 0]] - self.centroids[self.pairs[:, 1]]
        shift = moved * np.sqrt((1 / self.sizes[self.pairs]).sum(axis=1))
        if self.model.p == 2:
            lengths = row_norms(U, 2)
            sine = np.divide(shift, lengths, out=np.ones_like(shift), where=lengths > shift)
            return np.where(lengths > shift, 2 * np.sin(0.5 * np.arcsin(sine)), 2.0)
        return self._turns_of_vertices(U, shift)

    def _turns_of_vertices(self, U: FloatArray, shift: FloatArray) -> FloatArray:
        """Bound the turns for p = inf: where one feature stays the largest, zeta is its vertex."""
        descending = -np.sort(-np.abs(U), axis=1)
        steady = descending[:, 0] - descending[:, 1] > 2 * shift
        vertices = subgradient_rows(U, self.model.p)
        return np.where(steady, row_norms(vertices - self.zeta, 1), 2.0)

    def edge_zeta(self) -> FloatArray:
        """Return zeta for each edge, oriented as the edge, zero inside blocks: shape (m, d)."""
        ends = self.blocks[self.model.graph.edges]
        keys = self.pairs @ [len(self.sizes), 1]
        wanted = np.sort(ends, axis=1) @ [len(self.sizes), 1]
        place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        result = np.zeros((len(ends), self.model.d))
        known = (ends[:, 0] != ends[:, 1]) & (self.model.radii > 0)
        signs = np.where(ends[:, 0] < ends[:, 1], 1.0, -1.0)[known, None]
        result[known] = signs * self.zeta[place[known]]
        return result

    def weakened(self, loss: FloatArray) -> sp.csr_array:
        """Return the sums, over each point's edges to each pair's other block, of (m,): (n, P)."""
        _, owner, _, between = _block_pairs(self.model, self.blocks)
        ends = self.model.graph.edges[between]
        places = (ends.T.ravel(), np.tile(owner, 2))
        shape = (self.model.n, len(self.pairs))
        return sp.coo_array((np.tile(loss[between], 2), places), shape=shape).tocsr()

    @property
    def uneven(self) -> sp.csr_array:
        """The forces less their mean over each block: shape (n, P). Zero for equal weights."""
        K = len(self.sizes)
        members = sp.csr_array(
            (np.ones(len(self.blocks)), self.blocks, np.arange(len(self.blocks) + 1)),
            shape=(len(self.blocks), K),
        )
        means = sp.diags_array(1 / self.sizes) @ (members.T @ self.forces)
        return (self.forces - members @ means).tocsr()


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
    pairs: IntArray,
    strength: FloatArray,
    zeta: FloatArray,
    forces: sp.csr_array,
) -> float:
    """Bound the distance from the contracted solution, which the gap does: strongly convex.

    Where zeta is the subgradient at the centroids the residual alone does, without a root.
    """
    masses = np.sqrt(sizes)[:, None]
    residual = masses * (centroids - block_means(model.data - forces @ zeta, blocks))
    size = np.abs(model.data).max(initial=0.0) + abs(forces).sum(axis=1).max(initial=0.0)
    rounding = ROUNDOFF * (8 + model.n) * np.sqrt(model.n * model.d) * size
    norm = float(np.linalg.norm(residual)) + rounding
    if model.p == 2 or model.d == 1:
        return norm + rounding
    U = centroids[pairs[:, 0]] - centroids[pairs[:, 1]]
    lengths = row_norms(U, model.p)
    edges = strength * np.maximum(lengths - np.einsum("ij,ij->i", zeta, U), 0.0)
    unseen = 8 * model.d * ROUNDOFF * float(strength @ lengths)
    return float(np.sqrt(norm**2 + 2 * (edges.sum() + unseen)) + rounding)
