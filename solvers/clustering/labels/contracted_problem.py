"""The contracted problem: every block of points replaced by one point with the block's mass.

    min_y  1/2 sum_k n_k ||y_k - abar_k||^2 + sum_{k<l} r_kl ||y_k - y_l||_p,   r_kl = gamma w^(k,l)

where n_k is the mass and abar_k the mean of the data of block k, and w^(k,l) is the sum of the
weights between blocks k and l. For p = 2 the objective is smooth where all y_k differ, and a few
steps of Newton's method from the centroids of a solver's solution give the forces between blocks to
rounding accuracy, although the solver stopped earlier.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.fusion_graph import FusionGraph
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.labels.flow import block_sums
from bilad.solvers.clustering.ssnal import edge_loops
from bilad.solvers.clustering.ssnal.linear_systems import Edges
from bilad.solvers.clustering.ssnal.newton import NewtonSystem, newton_system

STEPS, HALVINGS, RTOL = 20, 8, 1e-12
SLOW = 0.9  # if a step leaves more of the gradient, rounding errors dominate and it is the last
# Newton's matrix is factorised up to this many rows, and up to this many entries if it is sparse.
MOST_ROWS, MOST_ENTRIES, DENSE_ROWS = 30_000, 1_000_000, 1_000


@dataclass(frozen=True)
class BlockPairs:
    """The edges between different blocks, aggregated by pair of blocks.

    Attributes
    ----------
    between : ndarray of int, shape (b,)
        Edges between different blocks, of positive weight.
    pair : ndarray of int, shape (b,)
        The pair of blocks of each of them, 0..P-1.
    signs : ndarray, shape (b, 1)
        1 if the edge goes from the block with the smaller number to the other, else -1.
    ends : ndarray of int, shape (P, 2)
        The two blocks of each pair, the smaller number first.
    weights : ndarray, shape (P,)
        The sum of the weights of the edges of each pair.
    """

    between: IntArray
    pair: IntArray
    signs: FloatArray
    ends: IntArray
    weights: FloatArray


def aggregate_edges(graph: FusionGraph, weights: FloatArray, blocks: IntArray) -> BlockPairs:
    """Aggregate the edges between blocks.

    Parameters
    ----------
    graph : FusionGraph
    weights : ndarray, shape (m,)
        Nonnegative numbers to be summed.
    blocks : ndarray of int, shape (n,)
        Block of each point, 0..K-1.
    """
    K = int(blocks.max()) + 1
    tails, heads = blocks[graph.edges].T
    between = np.flatnonzero((tails != heads) & (weights > 0))
    tails, heads = tails[between], heads[between]
    keys = np.minimum(tails, heads) * K + np.maximum(tails, heads)
    keys, pair = np.unique(keys, return_inverse=True)
    signs = np.where(tails < heads, 1.0, -1.0)[:, None]
    ends = np.column_stack(np.divmod(keys, K))
    summed = np.bincount(pair, weights[between], len(keys)).astype(np.float64)
    return BlockPairs(between, pair, signs, ends, summed)


class ContractedProblem:
    """The problem of the blocks' centroids, p = 2.

    Parameters
    ----------
    model : ConvexClustering
    blocks : ndarray of int, shape (n,)
        Block of each point, 0..K-1.
    masses : ndarray, shape (n,), optional
        Masses of the points, default 1.

    Attributes
    ----------
    masses : ndarray, shape (K, 1)
        Masses of the blocks.
    means : ndarray, shape (K, d)
        Means of the data.
    tails, heads : ndarray of int, shape (P,)
        The joined pairs of blocks, tails < heads.
    radii : ndarray, shape (P,)
        Their capacities r_kl.
    """

    def __init__(
        self, model: ConvexClustering, blocks: IntArray, masses: FloatArray | None = None
    ) -> None:
        self.d = model.d
        masses = np.ones(model.n) if masses is None else masses
        self.masses = block_sums(masses[:, None], blocks)
        self.means = block_sums(masses[:, None] * model.data, blocks) / self.masses
        pairs = aggregate_edges(model.graph, model.radii, blocks)
        self.radii = pairs.weights
        self.tails, self.heads = np.ascontiguousarray(pairs.ends.T)
        self._system: NewtonSystem | None = None

    @property
    def small(self) -> bool:
        """Whether blocks are joined at all, and the Newton matrix is cheap to factorise."""
        rows, entries = self.means.size, 2 * len(self.radii) * self.d**2
        if entries == 0:
            return False
        return rows <= DENSE_ROWS or (rows <= MOST_ROWS and entries <= min(MOST_ENTRIES, 50 * rows))

    def forces(self, y: FloatArray) -> FloatArray:
        """Return r_kl u / ||u|| for u = y_k - y_l, u not zero: shape (P, d)."""
        U = y[self.tails] - y[self.heads]
        return self.radii[:, None] * U / np.linalg.norm(U, axis=1, keepdims=True)

    def gradient(self, y: FloatArray) -> FloatArray:
        """Return the gradient at distinct centroids: shape (K, d)."""
        gradient = self.masses * (y - self.means)
        edge_loops.adjoint(self.tails, self.heads, self.forces(y), gradient)
        return gradient

    def solve_hessian(self, y: FloatArray, R: FloatArray) -> FloatArray:
        """Return H^-1 R for the Hessian H at distinct centroids: shape (K, d).

        H = M + B'CB with C_kl = r_kl / ||u|| (I - u u' / ||u||^2), u = y_k - y_l.
        """
        if self._system is None:
            edges = Edges(len(y), self.tails, self.heads, self.masses[:, 0])
            self._system = newton_system(edges, self.d, isotropic=True)
        U = y[self.tails] - y[self.heads]
        lengths = np.linalg.norm(U, axis=1, keepdims=True)
        curvature = self.radii[:, None] / lengths
        v = np.sqrt(curvature) * U / lengths
        return self._system.solve(np.repeat(curvature, self.d, axis=1), v, R, RTOL)

    def polished(self, y: FloatArray, deadline: float = float("inf")) -> FloatArray:
        """Return centroids with a smaller gradient, if Newton's method finds such.

        Parameters
        ----------
        y : ndarray, shape (K, d)
        deadline : float, default inf
            Value of `time.perf_counter()` after which no step is begun.
        """
        before = self.gradient_norm(y)
        for _ in range(STEPS if np.isfinite(before) and before else 0):
            if time.perf_counter() >= deadline:
                return y
            step = -self.solve_hessian(y, self.gradient(y))
            for _ in range(HALVINGS):
                after = self.gradient_norm(y + step)
                if after < before:
                    break
                step = 0.5 * step
            else:
                return y
            y, improved, before = y + step, after < SLOW * before, after
            if not improved:
                return y
        return y

    def scaled_gradient_norm(self, y: FloatArray) -> float:
        """Return ||M^-1/2 gradient||_F, M = diag(masses), at distinct centroids."""
        return float(np.linalg.norm(self.gradient(y) / np.sqrt(self.masses)))

    def gradient_norm(self, y: FloatArray) -> float:
        """Return the norm of the gradient; inf where the centroids of a joined pair agree."""
        distinct = (y[self.tails] != y[self.heads]).any(axis=1).all()
        return float(np.linalg.norm(self.gradient(y))) if distinct else np.inf
