"""The partition of a solution, and what is proved of it. Labels are made here and nowhere else.

Points i and j share a cluster iff x_i* = x_j*. A solver only knows X*, approximately; so each
pair is proved apart, proved together, or listed as undecided.

*Apart.* Let X be constant on blocks, let z_e = gamma w_e u_e / ||u_e|| on the edges between
blocks, and let z be dual feasible inside them. Then G = X - A + B'z is a subgradient of the
objective at X, and the objective is strongly convex with modulus 1, so ||X - X*||_F <= ||G||_F =
rho (rho^2 / 2 is the duality gap of X and z). So ||x_i - x_j|| > sqrt(2) rho proves i and j apart.

*Together.* A block of X* minimises its own problem, with the forces of the other blocks held at
their exact values; these are known up to an error that rho bounds. The block is one point iff a
feasible flow inside it balances the forces. z nearly does: what is missing can be routed along
any spanning tree whose edges have that much unused capacity. So it is enough that the edges with
so much slack connect the block.

Rounding errors are counted in rho and in the missing flow. Holds for p = 2, and for any p if d = 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.norms import row_norms
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.certificates.routing import block_means, reroute

ROUNDOFF = float(np.finfo(float).eps)
# An edge is guessed fused if it is shorter than these multiples of what the gap leaves open.
GUESSES = (1.0, 1e-2, 1e-4)


@dataclass(frozen=True)
class Partition:
    """Labels, and the pairs whose relation is not proved.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
        0, 1, .. in the order of each cluster's first point. Undecided pairs are labelled together.
    undecided : ndarray of int, shape (u, 2)
        Pairs i < j not proved either way: the edges inside each block not proved fused, and one
        pair for every two blocks not proved apart. Empty iff the partition is proved.
    """

    labels: IntArray
    undecided: IntArray

    @property
    def proved(self) -> bool:
        """Whether the relation of every pair of points is proved."""
        return len(self.undecided) == 0


def make_partition(
    blocks: IntArray, centroids: FloatArray, resolution: float, doubtful: IntArray
) -> Partition:
    """Number the clusters, joining blocks that cannot be told apart.

    Parameters
    ----------
    blocks : ndarray of int, shape (n,)
        Block of each point, 0..K-1.
    centroids : ndarray, shape (K, d)
    resolution : float
        Centroids farther apart than this are proved distinct; 0 if the centroids are exact.
    doubtful : ndarray of int, shape (u, 2)
        Pairs inside blocks that are not proved fused.
    """
    near = _near_pairs(centroids, resolution * (1 + (centroids.shape[1] + 4) * ROUNDOFF))
    if len(near):
        if resolution > 0:  # else they coincide exactly, and that is proved
            member = np.unique(blocks, return_index=True)[1]
            doubtful = np.vstack([doubtful, np.sort(member[near], axis=1)])
        links = sp.coo_array((np.ones(len(near)), tuple(near.T)), shape=(len(centroids),) * 2)
        blocks = connected_components(links, directed=False)[1].astype(np.int64)[blocks]
    _, first, inverse = np.unique(blocks, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return Partition(rank[inverse], doubtful.astype(np.int64))


def _near_pairs(centroids: FloatArray, distance: float) -> IntArray:
    """Return pairs at most `distance` apart; on a line, of neighbours only (enough to join)."""
    if centroids.shape[1] > 1:
        return KDTree(centroids).query_pairs(distance, output_type="ndarray")
    order = np.argsort(centroids[:, 0], kind="stable")
    close = np.flatnonzero(np.diff(centroids[order, 0]) <= distance)
    return np.column_stack([order[close], order[close + 1]])


def prove_partition(model: ConvexClustering, X: FloatArray, Z: FloatArray) -> Partition:
    """Return the partition that an approximate solution suggests, with what is proved of it.

    Parameters
    ----------
    model : ConvexClustering
        With p = 2 or d = 1.
    X, Z : ndarray, shapes (n, d) and (m, d)
        An approximate primal-dual solution, from any solver.
    """
    attempts = []
    for blocks, flow in _attempts(model, X, model.project_dual(Z)):
        partition = _examine(model, X, flow, blocks)
        if partition.proved:
            return partition
        attempts.append(partition)
    return min(attempts, key=lambda partition: len(partition.undecided))


def _attempts(
    model: ConvexClustering, X: FloatArray, Z: FloatArray
) -> Iterator[tuple[IntArray, FloatArray]]:
    """Yield guesses of the blocks, each with the solver's own flow and with one rerouted."""
    lengths = row_norms(model.graph.differences(X), 2)
    open_length = 2.0 * np.sqrt(model.absolute_gap(X, Z))
    for guess in GUESSES:
        blocks = model.graph.components((lengths <= guess * open_length) & (model.radii > 0))
        yield blocks, Z
        centred = block_means(X, blocks)[blocks]
        yield blocks, reroute(model, centred, _aligned(model, centred, Z), blocks)


def _aligned(model: ConvexClustering, X: FloatArray, Z: FloatArray) -> FloatArray:
    """Return Z with gamma w_e u_e / ||u_e|| on the edges whose ends differ in X."""
    U = model.graph.differences(X)
    lengths = row_norms(U, 2)
    between = lengths > 0
    result = Z.copy()
    result[between] = (model.radii[between] / lengths[between])[:, None] * U[between]
    return result


def _examine(model: ConvexClustering, X: FloatArray, Z: FloatArray, blocks: IntArray) -> Partition:
    """Apply the two proofs of the module's docstring to one guess of blocks and flow."""
    i, j = model.graph.edges.T
    centroids = block_means(X, blocks)
    X = centroids[blocks]
    Z = _aligned(model, X, Z)
    G = X - model.data + model.graph.adjoint(Z)
    rounding = _rounding(model, X)
    rho = float(np.linalg.norm(G) + np.linalg.norm(rounding))

    direction_error = _direction_error(model, X, blocks, np.sqrt(2) * rho)
    force_error = _sum_at_ends(model, model.radii * direction_error)
    missing = row_norms(G - block_means(G, blocks)[blocks], 2) + 2 * (force_error + rounding)
    demand = 0.5 * np.bincount(blocks, missing)  # a tree edge carries at most half of the total

    inside = blocks[i] == blocks[j]
    slack = (1 - 4 * ROUNDOFF) * model.radii - row_norms(Z, 2)
    connected = model.graph.components(inside & (slack > 0) & (slack >= demand[blocks[i]]))
    pieces = np.bincount(blocks[np.unique(connected, return_index=True)[1]])
    doubtful = model.graph.edges[inside & (pieces[blocks[i]] > 1)]
    resolution = np.sqrt(2) * rho
    return make_partition(blocks, centroids, resolution, doubtful)


def _sum_at_ends(model: ConvexClustering, values: FloatArray) -> FloatArray:
    """Return at each point the sum of the values of its edges: shape (n,)."""
    i, j = model.graph.edges.T
    return (np.bincount(i, values, model.n) + np.bincount(j, values, model.n)).astype(float)


def _direction_error(
    model: ConvexClustering, X: FloatArray, blocks: IntArray, error: float
) -> FloatArray:
    """Bound the error of u_e / ||u_e|| between blocks if u_e is known up to `error`: (m,)."""
    i, j = model.graph.edges.T
    lengths = row_norms(model.graph.differences(X), 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = np.minimum(2.0, 2.0 * error / lengths)
    if model.d == 1:  # a sign is known exactly or not at all
        bound = np.where(lengths > error, 0.0, 2.0)
    return np.where(blocks[i] == blocks[j], 0.0, bound)


def _rounding(model: ConvexClustering, X: FloatArray) -> FloatArray:
    """Bound the rounding error of each row of G: shape (n,)."""
    degree = _sum_at_ends(model, np.ones(model.graph.m))
    forces = _sum_at_ends(model, model.radii)
    return ROUNDOFF * (row_norms(X - model.data, 2) + (degree + 8.0) * forces)
