"""Bounds on the number of pairs of points whose relation changes at the same eps.

A pair *flips* if its points share a cluster at eps = 0 and not at eps, or conversely. A pair is
*fixed* if it is proved not to flip; otherwise it is *open*. Not all open pairs can flip at the same
eps. Each function bounds the number U of pairs that flip, by one of three arguments: the clusters
at eps form a partition; clusters that merge have to move, and the sum of all motions is bounded;
the points that leave their clusters share one budget. Each pair i < j is counted once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from bilad.models.validation import BoolArray, FloatArray, IntArray

ROUNDED = 1 + 1e-9  # covers rounding errors in bounds that are rounded down to a whole number
TINY = 1e-150  # a smaller cost is regarded as zero
STEPS = 40  # evaluations in the search for a Lagrange multiplier


def flips_of_partitions(clusters: IntArray, together: BoolArray, apart: BoolArray) -> int:
    """Bound the pairs that flip between the clusters and any partition with the fixed pairs.

    The bound is computed separately for each set of clusters I_1 .. I_K, of sizes n_k, that are
    connected by open pairs. Let J_1, J_2, .. of sizes m_l be the new clusters, let c_kl be the size
    of the intersection of I_k and J_l, and let n = sum n_k. Then

        2 U = sum n_k^2 + sum_l (m_l^2 - 2 sum_k c_kl^2) <= sum n_k^2 + (1 - 2 / K) n^2,

    because K sum_k c_kl^2 >= m_l^2. For K = 2 the sum over l is -sum_l (c_1l - c_2l)^2, which is at
    most -|n_1 - n_2|. Also, U is at most the number of open pairs.

    `clusters` has shape (n,); the fixed pairs `together` and `apart` have shape (n, n).
    """
    same = clusters[:, None] == clusters
    open_pairs = ~np.where(same, together, apart)
    _, part = connected_components(sp.coo_array(same | ~apart), directed=False)
    total = 0
    for number in range(int(part.max()) + 1):
        members = np.flatnonzero(part == number)
        sizes = np.unique(clusters[members], return_counts=True)[1]
        count = int(np.count_nonzero(open_pairs[np.ix_(members, members)])) // 2
        total += min(count, _flips_of_any(sizes))
    return total


def _flips_of_any(sizes: IntArray) -> int:
    """Bound the pairs that flip between clusters of these sizes and any partition."""
    n, squares = int(sizes.sum()), int(sizes @ sizes)
    if len(sizes) == 1:
        return n * (n - 1) // 2
    if len(sizes) == 2:
        return (squares - abs(int(sizes[0] - sizes[1]))) // 2
    return (squares + n * n * (len(sizes) - 2) // len(sizes)) // 2


def flips_within_motion(
    clusters: IntArray, together: BoolArray, apart: BoolArray, positions: FloatArray, motion: float
) -> float:
    """Bound the pairs that flip if the root of the sum of all squared motions is bounded.

    A new cluster G, whose points were at x_i, moves by at least its scatter

        sum_G ||x_i - mean_G||^2 = sum_{i in G} sum_{j in G} ||x_i - x_j||^2 / (2 |G|),

    and all clusters together by at most motion^2. Each point is assigned its own terms: if G has
    h points of its cluster, of size n_k, and o other points, n_k - h + o of its pairs flip. Let
    s_i(o) be the sum of the o least ||x_i - x_j||^2. For every Lagrange multiplier t >= 0

        2 U <= t motion^2 + sum_i max_{h, o} [n_k - h + o - t s_i(o) / (2 (h + o))].

    `positions` (n, d) are those at eps = 0, equal within a cluster; `motion` bounds the root of the
    sum of all squared motions; the other arguments are as in `flips_of_partitions`.
    """
    blocks, first, sizes = np.unique(together.argmax(axis=1), return_index=True, return_counts=True)
    n = len(clusters)
    x = positions[first]
    squares = ((x[:, None, :] - positions[None, :, :]) ** 2).sum(axis=2) / ROUNDED
    closed = apart[first] | (clusters[first][:, None] == clusters)
    squares = np.sort(np.where(closed, np.inf, squares), axis=1)
    others = np.arange(n)
    sums = np.column_stack([np.zeros(len(blocks)), np.cumsum(squares, axis=1)[:, : n - 1]])
    known = np.isfinite(sums)
    sums = np.where(known, sums, 0.0)
    whole = np.bincount(clusters)[clusters[first]].astype(float)[:, None]

    def bound(t: float) -> float:
        held = np.clip(np.sqrt(0.5 * t * sums) - others, sizes[:, None], whole)
        gains = whole - held + others - t * sums / (2 * (held + others))
        gains = np.where(known, gains, -np.inf).max(axis=1)
        return (t * (motion * ROUNDED) ** 2 + float(sizes @ gains)) / 2

    return min(bound(0.0), _least(bound)) * ROUNDED


def _least(bound: Callable[[float], float]) -> float:
    """Return approximately the least value of a convex function of t > 0, itself a bound."""
    exponents = np.linspace(-8.0, 8.0, STEPS // 2)
    values = [bound(float(10**e)) for e in exponents]
    best = int(np.argmin(values))
    around = np.linspace(exponents[max(best - 1, 0)], exponents[min(best + 1, len(values) - 1)], 9)
    return min(min(values), *(bound(float(10**e)) for e in around))


def worth_within_budget(
    worth: FloatArray, always: float, costs: FloatArray, norm: float, budget: float
) -> float:
    """Bound the total worth of the pairs that flip if the points that leave share a budget.

    The worth of a pair is its contribution to the deviation. The exact bound is the value of a
    knapsack problem. The result is the smaller value of two relaxations. The first takes the points
    with the largest ratio of worth to cost, the last of them fractionally. The second takes the
    points of largest worth, in the largest number for which the cheapest points fit the budget.

    Parameters
    ----------
    worth : ndarray, shape (n,)
        Worth of the pairs of a point that flip only if one of their two points leaves.
    always : float
        Worth of the pairs that may flip in any case.
    costs : ndarray, shape (n,)
        Cost of leaving; infinite if a point does not leave.
    norm : {1, 2, inf}
        Norm of eps; an entry of eps is at least the cost of each point that it makes leave.
    budget : float
    """
    can = costs <= budget
    worth, costs = worth[can], costs[can]
    if norm == np.inf:
        return always + float(worth.sum())
    costs, budget = costs**norm / ROUNDED, budget**norm * ROUNDED
    best_first = np.divide(worth, costs, out=np.full(len(worth), np.inf), where=costs > TINY)
    order = np.argsort(-best_first)
    before = np.concatenate([[0.0], np.cumsum(costs[order])[:-1]]) / ROUNDED
    shares = np.ones(len(order))
    np.divide(budget - before, costs[order], out=shares, where=costs[order] > TINY)
    many = int(np.count_nonzero(np.cumsum(np.sort(costs)) <= budget))
    best = np.sort(worth)[len(worth) - many :]
    return always + min(float(worth[order] @ np.clip(shares, 0.0, 1.0)), float(best.sum()))
