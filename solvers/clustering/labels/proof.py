"""The proof of a partition: the parts that are the same for every norm.

Let X be constant on blocks and lie on a linear manifold M. On the edges between blocks let z_e be a
subgradient of gamma w_e ||.||_p at u_e = x_i - x_j, and inside the blocks let z be dual feasible.
Then G = X - A + B'z is a subgradient of the objective at X. The objective is strongly convex with
modulus 1.

*Apart, even if the blocks are wrong.* ||X - X*||_F <= ||G||_F. For wrong blocks the duality gap g
of X and the solver's own Z may be sharper: ||X - X*||_F <= sqrt(2 g). Let rho be the smaller bound.

*Together.* Let X_M be the minimiser of the objective on M; ||X - X_M||_F <= ||P_M G||_F, where P_M
is the projection on M. X_M = X* if and only if z can be changed so that X_M - A + B'z = 0. Between
blocks, z changes with the forces from X to X_M. Inside a block, the remaining imbalance can be sent
along any spanning tree whose edges have enough unused capacity: an edge of the tree carries at most
half of the sum of the imbalances at the points, in any norm. So it is enough that the edges with so
much unused capacity connect each block. If this holds for all blocks, X* = X_M, and ||P_M G||_F
bounds the error of X, which is far below rho.

*Only some blocks together.* If the test fails for some blocks, each block is tested on its own,
with the forces of the others held at their exact values. These forces are then known up to rho
only.

Every bound includes rounding errors and underflow; in a model scaled by `unit_scale` the latter is
less than `UNDERFLOW` for each edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import minimum_spanning_tree

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import conjugate, row_norms
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.labels.flow import block_means

ROUNDOFF = float(np.finfo(float).eps)
# The square of a length below 1e-154 underflows, and the force of such an edge of capacity r is
# unknown. This moves X* by at most sqrt(4e-154 r), which is less than max(ROUNDOFF r, UNDERFLOW).
UNDERFLOW = 1e-130


class Restriction:
    """A primal-dual pair on a candidate for the manifold M. Subclasses depend on the norm.

    Attributes
    ----------
    blocks : ndarray of int, shape (n,)
        Block of each point, 0..K-1.
    centroids : ndarray, shape (K, d)
        X on each block.
    Z : ndarray, shape (m, d)
        A subgradient on the edges between blocks, dual feasible inside them.
    own : ndarray, shape (m, d)
        The dual-feasible Z of the solver.
    offset : float
        Bound on the distance of X from M; inf if it is not known.
    data_errors : ndarray, shape (n,), or 0
        Bounds on the error of each row of the data.
    """

    blocks: IntArray
    centroids: FloatArray
    Z: FloatArray
    own: FloatArray
    offset: float = 0.0
    data_errors: FloatArray | float = 0.0

    @property
    def X(self) -> FloatArray:
        """X, the centroid of the block of each point: shape (n, d)."""
        return self.centroids[self.blocks]

    def polish(self, deadline: float) -> bool:
        """Move X closer to the minimiser on M if possible; return whether this was tried.

        Parameters
        ----------
        deadline : float
            Value of `time.perf_counter()` after which nothing new is begun.
        """
        return False

    def tangent_norm(self, means: FloatArray) -> float:
        """Return ||P_M G||_F for the means (K, d) of G on the blocks."""
        raise NotImplementedError

    def force_error(
        self, error: float, central: float, imbalance: float, subgradient: float = np.inf
    ) -> FloatArray:
        """Bound the change of the forces on the points of each block, summed over them: shape (K,).

        Parameters
        ----------
        error : float
            Bound on the distance of X from the point at which the forces are evaluated.
        central : float
            Bound on the distance of X from the minimiser on M.
        imbalance : float
            Bound on the Frobenius norm of G averaged over blocks.
        subgradient : float, default inf
            Bound on the norm of the part of G that vanishes at that point.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Proof:
    """What is proved about the blocks.

    Attributes
    ----------
    blocks : ndarray of int, shape (n,)
    centroids : ndarray, shape (K, d)
    resolution : float
        Blocks whose centroids are farther apart than this are apart in X*.
    fused : ndarray of bool, shape (K,)
        Whether the points of the block are proved to be equal in X*.
    balanced : ndarray of bool, shape (K,)
        Whether they are proved equal under the assumption that all other blocks are correct.
    demand : ndarray, shape (K,)
        Flow that an edge of the block may have to carry in addition to z.
    slack : ndarray, shape (m,)
        Unused capacity of the edges.
    """

    blocks: IntArray
    centroids: FloatArray
    resolution: float
    fused: NDArray[np.bool_]
    balanced: NDArray[np.bool_]
    demand: FloatArray
    slack: FloatArray

    @property
    def doubtful(self) -> IntArray:
        """Pairs that connect the points of each block not proved fused in a chain: shape (u, 2)."""
        points = np.flatnonzero(~self.fused[self.blocks])
        points = points[np.argsort(self.blocks[points], kind="stable")]
        linked = self.blocks[points[:-1]] == self.blocks[points[1:]]
        return np.column_stack([points[:-1], points[1:]])[linked]

    def why_not_fused(self, model: ConvexClustering) -> str:
        """Return why blocks are not proved fused; empty if all are."""
        open_blocks = np.flatnonzero(~self.fused)
        if len(open_blocks) == 0:
            return ""
        i, j = model.graph.edges.T
        edges = np.count_nonzero((self.blocks[i] == self.blocks[j]) & ~self.fused[self.blocks[i]])
        worst = open_blocks[np.argmax(self.demand[open_blocks])]
        unused = _bottleneck(model, self.blocks == worst, self.slack)
        return (
            f"fusion not proved: {edges} edges in {len(open_blocks)} blocks; "
            f"missing flow {self.demand[worst]:.1e} against unused capacity {unused:.1e}"
        )


def _bottleneck(model: ConvexClustering, members: NDArray[np.bool_], slack: FloatArray) -> float:
    """Return the largest minimum slack over the spanning trees of the members."""
    i, j = model.graph.edges.T
    chosen = members[i] & members[j] & (slack > 0)
    cost = 1.0 + slack.max(initial=0.0) - slack[chosen]  # positive, since zeros are not stored
    ends = i[chosen].astype(np.int32), j[chosen].astype(np.int32)  # int64 needs SciPy 1.17.1
    adjacency = sp.coo_array((cost, ends), shape=(model.n, model.n))
    tree = minimum_spanning_tree(adjacency.tocsr())
    if tree.nnz < np.count_nonzero(members) - 1:
        return 0.0
    return float(1.0 + slack.max(initial=0.0) - tree.data.max(initial=1.0))


def examine(model: ConvexClustering, restriction: Restriction) -> Proof:
    """Test all blocks together, and then each block on its own if that fails."""
    blocks, Z, q = restriction.blocks, restriction.Z, conjugate(model.p)
    i, j = model.graph.edges.T
    G = restriction.X - model.data + model.graph.adjoint(Z)
    means = block_means(G, blocks)
    sizes = np.bincount(blocks)
    # The rounding error of a sum over a block is proportional to the size of the block.
    errors = restriction.data_errors
    rounding = (
        _rounding(model, restriction.X) + errors + 2 * ROUNDOFF * sizes.max() * row_norms(G, 2)
    )
    unseen = float(np.linalg.norm(rounding)) + restriction.offset
    inflate = 1 + 4 * G.size * ROUNDOFF  # for rounding in the norms
    rho = inflate * (float(np.linalg.norm(G)) + unseen + restriction.offset)
    central = inflate * (restriction.tangent_norm(means) + unseen + restriction.offset)
    imbalance = inflate * (float(np.linalg.norm(np.sqrt(sizes)[:, None] * means)) + unseen)

    away = row_norms(G - means[blocks], q) + 2 * np.sqrt(model.d) * rounding
    missing = np.bincount(blocks, away)
    slack = (1 - (model.d + 4) * ROUNDOFF) * model.radii - row_norms(Z, q)
    inside = blocks[i] == blocks[j]

    def passing(error: float, subgradient: float) -> tuple[NDArray[np.bool_], FloatArray]:
        force_error = restriction.force_error(error, central, imbalance, subgradient)
        demand = (0.5 + model.n * ROUNDOFF) * (missing + 2 * force_error)
        usable = inside & (slack > 0) & (slack >= demand[blocks[i]])
        connected = model.graph.components(usable)
        return np.bincount(blocks[np.unique(connected, return_index=True)[1]]) == 1, demand

    error = central
    balanced, demand = passing(error, central)
    fused = balanced
    if not (balanced.all() and np.isfinite(demand).all()):
        error = min(rho, distance_by_gap(model, restriction.X, restriction.own, errors))
        fused, demand = passing(error, rho)
    resolution = np.sqrt(2) * error
    return Proof(blocks, restriction.centroids, resolution, fused, balanced, demand, slack)


def distance_by_gap(
    model: ConvexClustering, X: FloatArray, Z: FloatArray, data_errors: FloatArray | float = 0.0
) -> float:
    """Return sqrt(2 g) >= ||X - X*||_F for the duality gap g of X and a feasible Z."""
    residual = X - model.data + model.graph.adjoint(Z)
    unseen = np.linalg.norm(_rounding(model, X) + data_errors)
    U = model.graph.differences(X)
    terms = model.radii * row_norms(U, model.p)
    edges = np.maximum(terms - np.einsum("ij,ij->i", Z, U), 0.0) + 8 * model.d * ROUNDOFF * terms
    gap = 0.5 * (np.linalg.norm(residual) + unseen) ** 2 + edges.sum()
    return float((1 + 4 * X.size * ROUNDOFF) * np.sqrt(2 * gap))


def sum_at_ends(model: ConvexClustering, values: FloatArray) -> FloatArray:
    """Return the sum of the values over the edges of each point: shape (n,)."""
    i, j = model.graph.edges.T
    return (np.bincount(i, values, model.n) + np.bincount(j, values, model.n)).astype(float)


def _rounding(model: ConvexClustering, X: FloatArray) -> FloatArray:
    """Bound the rounding error of each row of X - A + B'z, including that of z: shape (n,)."""
    degree = sum_at_ends(model, np.ones(model.graph.m))
    forces = sum_at_ends(model, model.radii)
    relative = row_norms(X - model.data, 2) + (degree + 8.0 + 2 * model.d) * forces
    return ROUNDOFF * relative + UNDERFLOW * degree
