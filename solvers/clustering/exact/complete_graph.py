"""Exact convex clustering for d = 1 on the complete graph with equal capacities r = gamma w.

For sorted data sum_{i<j} |x_i - x_j| = sum_k (2k - n - 1) x_(k), so x* is the isotonic regression
of a_(k) - r (2k - n - 1), computed by pooling adjacent violators in O(n log n). A block of the
regression is a single cluster if and only if its proper prefix sums of residuals are positive. A
prefix sum that is zero up to rounding leaves the block undecided there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import isotonic_regression

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.exact.line_solution import LONG_ROUNDOFF, ROUNDOFF, LineSolution
from bilad.solvers.clustering.labels.proof import UNDERFLOW


@dataclass(frozen=True)
class _Blocks:
    """The blocks of the regression, in the order of the sorted data."""

    order: IntArray  # points sorted by their data
    bounds: IntArray  # (K + 1,) first position of each block, and n
    levels: np.ndarray  # (K,) x* on each block, in extended precision


def solve_complete(
    step: float, edges: Callable[[], IntArray], a: FloatArray, errors: FloatArray
) -> LineSolution:
    """Solve for one line.

    Parameters
    ----------
    step : float
        Capacity of every edge, positive.
    edges : callable
        Returns the pairs i < j, shape (n (n - 1) / 2, 2); called only if the dual is wanted.
    a : ndarray, shape (n,)
        The data.
    errors : ndarray, shape (n,)
        Bounds on their errors: the proof holds for all data as near as that.
    """
    error_sum = float(errors.sum())
    n = len(a)
    order = np.argsort(a, kind="stable")
    ranks = 2.0 * np.arange(n) + 1 - n
    # Sums are in extended precision, since their rounding errors limit the proof below.
    target = a[order].astype(np.longdouble) - np.longdouble(step) * ranks
    scale = float(np.abs(a).max() + step * n)
    rounding = (4 * ROUNDOFF + 2 * n * LONG_ROUNDOFF) * scale + n * UNDERFLOW
    rounding += error_sum
    bounds = isotonic_regression(a[order] - step * ranks).blocks
    bounds, levels = _increasing(target, bounds, 2 * rounding)
    sizes = np.diff(bounds)
    residual = target - np.repeat(levels, sizes)
    prefix = np.cumsum(residual)
    sums = float(np.abs(residual).sum() + scale)
    tolerance = n * (ROUNDOFF * step * n + LONG_ROUNDOFF * sums + UNDERFLOW)
    tolerance += 2 * error_sum  # of a prefix sum of the data, and of the mean

    inside = np.ones(n - 1, dtype=bool)
    inside[bounds[1:-1] - 1] = False
    marginal = inside & (prefix[:-1] <= tolerance)
    fused = np.empty(n, dtype=np.int64)
    differ = (np.diff(a[order]) > 0) | (error_sum > 0)  # equal data have equal x in any case
    fused[order] = np.concatenate([[0], np.cumsum((marginal & differ) | ~inside)])
    x = np.empty(n)
    x[order] = np.repeat(levels.astype(float), sizes)
    # A change of the data by v raises a prefix sum by v, and changes x* by at most v.
    moved = float((tolerance - prefix[:-1])[marginal].sum())
    error = np.full(n, rounding + np.sqrt(2) * moved)
    violation = float(max(0.0, -prefix.min()))
    gap = abs(float(np.repeat(levels, sizes) @ residual)) + 0.5 * n * violation**2
    # Levels are rounded to double precision; a negative prefix sum is a violation of the flow.
    norm = ROUNDOFF * float(np.linalg.norm(a)) + 2.0 * np.sqrt(n) * violation
    blocks = _Blocks(order, bounds, levels)
    return LineSolution(x, fused, error, gap, norm, partial(_dual, a, step, blocks, edges))


def _increasing(
    target: np.ndarray, bounds: IntArray, resolution: float
) -> tuple[IntArray, np.ndarray]:
    """Join blocks whose values differ by no more than rounding; return bounds and levels."""
    while True:
        levels = np.add.reduceat(target, bounds[:-1]) / np.diff(bounds)
        kept = np.diff(levels) > resolution
        if kept.all():
            return bounds, levels
        bounds = bounds[np.concatenate([[True], kept, [True]])]


def _dual(a: FloatArray, step: float, blocks: _Blocks, edges: Callable[[], IntArray]) -> FloatArray:
    """Return an optimal flow along each edge: shape (m,).

    Between blocks every edge is at its capacity. Inside a block of n_b points the net flows are
    majorised by (1 - n_b, 3 - n_b, .., n_b - 1) r, the net flows for all edges at their capacity. A
    sequence of T-transforms (Hardy, Littlewood and Polya) turns these into the net flows, and keeps
    the flow feasible.
    """
    n, order = len(a), blocks.order
    position = np.empty(n, dtype=np.int64)
    position[order] = np.arange(n)
    flow = step * np.sign(np.arange(n)[:, None] - np.arange(n)[None, :])
    levels = blocks.levels.astype(float)
    for start, stop, level in zip(blocks.bounds[:-1], blocks.bounds[1:], levels, strict=True):
        others = step * (start - (n - stop))
        net = a[order[start:stop]] - level - others
        _transform(flow[start:stop, start:stop], net)
    i, j = edges().T
    return flow[position[i], position[j]]


def _transform(flow: FloatArray, net: FloatArray) -> None:
    """Change, in place, the flow at capacity into one with the given increasing net flows."""
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
    """Replace, in place, the flow by a convex combination with itself after exchanging i and j."""
    between = (1 - 2 * share) * flow[i, j]
    row_i = (1 - share) * flow[i] + share * flow[j]
    row_j = (1 - share) * flow[j] + share * flow[i]
    flow[i], flow[j] = row_i, row_j
    flow[:, i], flow[:, j] = -row_i, -row_j
    flow[i, i] = flow[j, j] = 0.0
    flow[i, j], flow[j, i] = between, -between
