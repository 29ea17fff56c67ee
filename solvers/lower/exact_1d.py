"""Exact convex clustering in one dimension, every pair joined with equal weight w.

With the data sorted, sum_{i<j} |x_i - x_j| = sum_k (2k - n - 1) x_(k), so X* is the isotonic
regression of a_(k) - gamma w (2k - n - 1): pool adjacent violators, O(n log n). A block of the
regression is one cluster iff its prefix sums are positive; a prefix sum that is zero up to
rounding leaves the pair at that cut undecided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from bilad.models.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.certificates.partition import Partition, make_partition

ROUNDOFF = float(np.finfo(np.float64).eps)
LONG_ROUNDOFF = float(np.finfo(np.longdouble).eps)


@dataclass(frozen=True)
class ExactSolution:
    """The regression's blocks, in the order of the sorted data."""

    order: IntArray  # points by increasing datum
    bounds: IntArray  # (K + 1,) first position of each block, then n
    levels: FloatArray  # (K,) value of each block
    partition: Partition
    absolute_gap: float
    kkt_residual: float

    @property
    def X(self) -> FloatArray:
        """The solution at each point: shape (n, 1)."""
        X = np.empty((len(self.order), 1))
        X[self.order, 0] = np.repeat(self.levels, np.diff(self.bounds))
        return X


def refusal(model: ConvexClustering) -> str | None:
    """Say why this method cannot take the model, or None."""
    if model.d != 1:
        return f"it is for d = 1, the data have d = {model.d}"
    if model.graph.uniform_weight is None:
        return "it is for a complete graph with equal weights"
    return None


def solve_exact_1d(model: ConvexClustering) -> ExactSolution:
    """Solve a model that `refusal` accepts."""
    n, step = model.n, model.gamma * float(model.graph.uniform_weight or 0.0)
    order = np.argsort(model.data[:, 0], kind="stable")
    a = model.data[order, 0]
    ranks = 2.0 * np.arange(n) + 1 - n
    bounds = isotonic_regression(a - step * ranks).blocks
    starts, sizes = bounds[:-1], np.diff(bounds)

    # Sums in extended precision: the proof below is as sharp as they are.
    target = a.astype(np.longdouble) - np.longdouble(step) * ranks
    levels = np.add.reduceat(target, starts) / sizes
    residual = target - np.repeat(levels, sizes)
    prefix = np.cumsum(residual)
    scale = float(np.abs(a).max() + step * n)
    tolerance = n * (ROUNDOFF * step * n + LONG_ROUNDOFF * float(np.abs(residual).sum() + scale))
    marginal = np.flatnonzero(prefix[:-1] <= tolerance)
    marginal = np.setdiff1d(marginal, bounds[1:-1] - 1) if step else marginal[:0]
    cuts = np.sort(np.column_stack([order[marginal], order[marginal + 1]]), axis=1)

    blocks = np.empty(n, dtype=np.int64)
    blocks[order] = np.repeat(np.arange(len(starts)), sizes)
    resolution = (4 * ROUNDOFF + 2 * n * LONG_ROUNDOFF) * scale if step else 0.0
    centroids = levels.astype(float)
    partition = make_partition(blocks, centroids[:, None], resolution, cuts)
    violation = float(max(0.0, -prefix.min()))
    gap = abs(float(np.repeat(levels, sizes) @ residual)) + 0.5 * n * violation**2
    # Levels are rounded to double precision; a violated prefix sum is flow that Z cannot carry.
    residual_norm = ROUNDOFF * float(np.linalg.norm(a)) + 2.0 * np.sqrt(n) * violation
    kkt_residual = float(residual_norm / (1.0 + np.linalg.norm(a)))
    return ExactSolution(order, bounds, centroids, partition, gap, kkt_residual)


def dual_solution(model: ConvexClustering, solution: ExactSolution) -> FloatArray:
    """Return an optimal flow Z: shape (m, 1).

    Between blocks every edge is full. Inside a block the net flows are majorised by those of the
    full edges, (1 - n_b, 3 - n_b, .., n_b - 1) gamma w, and a chain of T-transforms (Hardy,
    Littlewood and Polya) leads from the one to the other through feasible flows.
    """
    step = model.gamma * float(model.graph.uniform_weight or 0.0)
    n, order = model.n, solution.order
    position = np.empty(n, dtype=np.int64)
    position[order] = np.arange(n)
    flow = step * np.sign(np.arange(n)[:, None] - np.arange(n)[None, :])
    for start, stop, level in zip(
        solution.bounds[:-1], solution.bounds[1:], solution.levels, strict=True
    ):
        others = step * (start - (n - stop))
        net = model.data[order[start:stop], 0] - level - others
        _transform(flow[start:stop, start:stop], net)
    i, j = model.graph.edges.T
    return flow[position[i], position[j]][:, None]


def _transform(flow: FloatArray, net: FloatArray) -> None:
    """Turn, in place, the full flow of a block into one with the given increasing net flows."""
    current = flow.sum(axis=1)
    negligible = 1e-14 * max(float(np.abs(current).max()), 1e-300)
    for _ in range(len(net)):
        high = np.flatnonzero(current - net > negligible)
        low = np.flatnonzero(net - current > negligible)
        low = low[low < high[-1]] if len(high) else low[:0]
        if len(low) == 0:
            return
        i = low[-1]
        j = high[high > i][0]
        amount = min(net[i] - current[i], current[j] - net[j])
        share = amount / (current[j] - current[i])
        _blend_with_swap(flow, i, j, share)
        current[i] += amount
        current[j] -= amount


def _blend_with_swap(flow: FloatArray, i: int, j: int, share: float) -> None:
    """Mix, in place, the antisymmetric flow with itself after i and j change places."""
    between = (1 - 2 * share) * flow[i, j]
    row_i = (1 - share) * flow[i] + share * flow[j]
    row_j = (1 - share) * flow[j] + share * flow[i]
    flow[i], flow[j] = row_i, row_j
    flow[:, i], flow[:, j] = -row_i, -row_j
    flow[i, i] = flow[j, j] = 0.0
    flow[i, j], flow[j, i] = between, -between
