"""Convex clustering in which the points of a block share one row of X.

With blocks B_1, ..., B_K of masses m_k = |B_k| and centroids a_k(eps) of their data, X restricted
to rows that are equal within a block leaves, up to a term that does not depend on X,

    min_x  1/2 sum_k m_k ||x_k - a_k(eps)||^2  +  sum_{k < l} r_kl(eps) ||x_k - x_l||_p,

where r_kl is the sum of gamma w_e over the edges that join the two blocks; edges inside a block
vanish. The optimal value is at least that of convex clustering, and the solution is the same for
every eps at which X*(eps) is constant on each block. Nothing proves for which eps this is so:
a model on blocks yields candidates, and never a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from bilad.formulations.reformulations import contract
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.norms import subgradient_rows
from bilad.models.problem import BilevelProblem
from bilad.models.smooth_deviation import SmoothPairs
from bilad.models.validation import FloatArray, IntArray


@dataclass(frozen=True)
class BlockModel:
    """The lower level on blocks, affine in eps (k,).

    Attributes
    ----------
    p : float
        Of the fusion norm.
    block_of : ndarray of int, shape (n,)
        The block, 0 .. K - 1, of each point.
    data : ndarray, shape (K, d)
        Centroids a(0).
    data_rates : sparse array, shape (K d, k)
        a(eps) = a(0) + data_rates eps.
    edges : ndarray of int, shape (E, 2)
        Blocks k < l of each edge.
    names : ndarray of int, shape (E,)
        The first edge of the graph that each edge stands for.
    radii : ndarray, shape (E,)
        r(0).
    radii_rates : sparse array, shape (E, k)
        r(eps) = r(0) + radii_rates eps.
    merge : sparse array, shape (E, m)
        Adds the edges of the graph up, each with the sign of its orientation.
    """

    p: float
    block_of: IntArray
    data: FloatArray
    data_rates: Any
    edges: IntArray
    names: IntArray
    radii: FloatArray
    radii_rates: Any
    merge: Any

    @classmethod
    def of(cls, problem: BilevelProblem, block_of: IntArray | None = None) -> BlockModel:
        """Aggregate a problem; every point is a block of its own if there are no blocks."""
        lower = clustering_of(problem)
        block_of = np.arange(lower.n) if block_of is None else block_of
        mean = _means(block_of)
        kept = np.flatnonzero(lower.radii > 0)
        ends = block_of[lower.graph.edges[kept]]
        kept, ends = kept[ends[:, 0] != ends[:, 1]], ends[ends[:, 0] != ends[:, 1]]
        keys = np.sort(ends, axis=1) @ np.array([mean.shape[0], 1])
        _, first, group = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(first)  # in the order of the graph
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        row, shape = rank[group], (len(order), lower.graph.m)
        sign = np.where(ends[:, 0] < ends[:, 1], 1.0, -1.0)
        total = sp.csr_array((np.ones(len(kept)), (row, kept)), shape=shape)
        radii_rates = sp.diags_array(lower.gamma * problem.model.scale("weights")) @ (
            problem.operator("weights")
        )
        return cls(
            lower.p,
            block_of,
            mean @ lower.data,
            (sp.kron(mean, sp.eye_array(lower.d)) @ problem.operator("data")).tocsr(),
            np.sort(ends, axis=1)[first[order]],
            kept[first[order]],
            total @ lower.radii,
            (total @ radii_rates).tocsr(),
            sp.csr_array((sign, (row, kept)), shape=shape),
        )

    @cached_property
    def masses(self) -> FloatArray:
        """The number of points of each block: shape (K,)."""
        return np.bincount(self.block_of).astype(float)

    @property
    def d(self) -> int:
        """The number of features."""
        return int(self.data.shape[1])

    def rows(self, X: FloatArray) -> FloatArray:
        """Return the mean over each block: shape (K, d), from X of shape (n, d)."""
        mean: FloatArray = _means(self.block_of) @ X
        return mean

    def differences(self, x: FloatArray) -> FloatArray:
        """Return u = x_k - x_l of every edge: shape (E, d)."""
        return x[self.edges[:, 0]] - x[self.edges[:, 1]]

    def adjoint(self, flow: FloatArray) -> FloatArray:
        """Return B' of a flow (E, d): shape (K, d)."""
        out = np.zeros_like(self.data)
        np.add.at(out, self.edges[:, 0], flow)
        np.subtract.at(out, self.edges[:, 1], flow)
        return out

    def scaled_dual(self, eps: FloatArray, x: FloatArray, Z: FloatArray) -> FloatArray:
        """Return z with ||z||_q <= 1 and r z the flow of Z, (m, d), between blocks: shape (E, d).

        Where r = 0, z is a subgradient of the norm at u, which leaves no gap.
        """
        z = subgradient_rows(self.differences(x), self.p)
        radii = self.radii + self.radii_rates @ eps
        positive = radii > 0
        z[positive] = (self.merge @ Z)[positive] / radii[positive, None]
        return z

    def aggregate(self, deviation: SmoothPairs) -> SmoothPairs:
        """Return a deviation over pairs of blocks: coefficients add up, pairs inside a block go.

        Points of one block have one label at eps = 0.
        """
        count = len(self.masses)
        ends = np.sort(self.block_of[deviation.pairs], axis=1)
        sums = np.bincount(
            ends @ np.array([count, 1]), deviation.coefficients, minlength=count**2
        ).reshape(count, count)
        pairs = np.argwhere(np.triu(sums, 1) > 0)
        labels = np.empty(count, dtype=np.int64)
        labels[self.block_of] = deviation.labels
        return SmoothPairs(
            labels, pairs, sums[pairs[:, 0], pairs[:, 1]].astype(float), deviation.kernel
        )


def _means(block_of: IntArray) -> Any:
    """Return the sparse (K, n) array that takes the mean over each block."""
    counts = np.bincount(block_of)
    points = np.arange(len(block_of))
    return sp.csr_array(
        (1.0 / counts[block_of], (block_of, points)), shape=(len(counts), len(block_of))
    )


@contract.register(ConvexClustering)
def _observed(
    lower: ConvexClustering, problem: BilevelProblem, outcomes: Sequence[IntArray], rule: str
) -> IntArray:
    """Return the common refinement of partitions, with the free points, or more, as single points.

    Parameters
    ----------
    outcomes : sequence of ndarray of int, shape (n,)
        Labels at some eps, those at eps = 0 among them.
    rule : {"observed", "neighbours"}
        The second also makes the neighbours of the free points single.
    """
    free = np.zeros(lower.n, dtype=bool)
    free[np.unique(problem.operator("data").tocoo().row // lower.d)] = True
    if rule == "neighbours":
        edges = lower.graph.edges[lower.radii > 0]
        touched = edges[free[edges].any(axis=1)]
        free[touched.ravel()] = True
    single = np.where(free, np.arange(1, lower.n + 1), 0)
    return np.unique(np.column_stack([single, *outcomes]), axis=0, return_inverse=True)[1].ravel()
