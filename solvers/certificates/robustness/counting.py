"""How many pairs can flip at once: what is together after must be a partition, and one eps pays.

Deviations here count pairs i < j, each once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from bilad.models.validation import BoolArray, FloatArray, IntArray

LESS = 1 + 1e-9  # for the roundings of a bound that is rounded down to a whole number
TINY = 1e-150  # a cost so small is none
STEPS = 40  # of the search for a multiplier


def most_of_partitions(clusters: IntArray, together: BoolArray, apart: BoolArray) -> int:
    """Bound the pairs that flip between the clusters and any partition that the settled ones allow.

    Clusters that no chain of open pairs links are looked at by themselves: of K linked ones, with
    sizes n_k, of sum n, at most as many pairs flip as are open, and with c_kl = |I_k and J_l|,

        2 U = sum n_k^2 + sum_l (m_l^2 - 2 sum_k c_kl^2) <= sum n_k^2 + (1 - 2 / K) n^2,

    since K sum_k c_kl^2 >= m_l^2. For K = 2 the sum over l is -sum_l (c_1l - c_2l)^2, and so at
    most -|n_1 - n_2|.

    Parameters
    ----------
    clusters : ndarray of int, shape (n,)
    together, apart : ndarray of bool, shape (n, n)
        Settled pairs.
    """
    same = clusters[:, None] == clusters
    open_pairs = ~np.where(same, together, apart)
    links = sp.coo_array(same | ~apart)
    _, part = connected_components(links, directed=False)
    total = 0
    for number in range(int(part.max()) + 1):
        members = np.flatnonzero(part == number)
        sizes = np.unique(clusters[members], return_counts=True)[1]
        count = int(np.count_nonzero(open_pairs[np.ix_(members, members)])) // 2
        total += min(count, _most_of_all(sizes))
    return total


def _most_of_all(sizes: IntArray) -> int:
    """Bound the pairs that flip between clusters of these sizes and any partition."""
    n, squares = int(sizes.sum()), int(sizes @ sizes)
    if len(sizes) == 1:
        return n * (n - 1) // 2
    if len(sizes) == 2:
        return (squares - abs(int(sizes[0] - sizes[1]))) // 2
    return min(n * (n - 1), squares + n * n * (len(sizes) - 2) // len(sizes)) // 2


def most_within_reach(
    clusters: IntArray, together: BoolArray, apart: BoolArray, positions: FloatArray, reach: float
) -> float:
    """Bound the pairs that flip if what meets has to move, and all motion together is bounded.

    A new class G, whose points x_i were at other places, moves by at least its scatter

        sum_G ||x_i - mean_G||^2 = sum_{i in G} sum_{j in G} ||x_i - x_j||^2 / (2 |G|),

    and all classes together by at most reach^2. Give each point its terms: with h points of its
    own cluster n_k and o others in G, the nearest, it flips n_k - h + o pairs. So, with s_i(o)
    the sum of the o least ||x_i - x_j||^2, and any multiplier t >= 0,

        2 U <= t reach^2 + sum_i max_{h, o} [n_k - h + o - t s_i(o) / (2 (h + o))].

    Parameters
    ----------
    clusters, together, apart
        As in `most_of_partitions`.
    positions : ndarray, shape (n, d)
        At eps = 0; of one cluster all the same.
    reach : float
        The root of what all points together move at most, squared.
    """
    blocks, first, sizes = np.unique(together.argmax(axis=1), return_index=True, return_counts=True)
    n = len(clusters)
    x = positions[first]
    squares = ((x[:, None, :] - positions[None, :, :]) ** 2).sum(axis=2) / LESS
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
        return (t * (reach * LESS) ** 2 + float(sizes @ gains)) / 2

    return min(bound(0.0), _least(bound)) * LESS


def _least(bound: Callable[[float], float]) -> float:
    """Return the least of a convex function of t > 0, about: all its values are bounds."""
    exponents = np.linspace(-8.0, 8.0, STEPS // 2)
    values = [bound(float(10**e)) for e in exponents]
    best = int(np.argmin(values))
    around = np.linspace(exponents[max(best - 1, 0)], exponents[min(best + 1, len(values) - 1)], 9)
    return min(min(values), *(bound(float(10**e)) for e in around))


def most_of_leavers(
    worth: FloatArray, always: float, costs: FloatArray, norm: float, budget: float
) -> float:
    """Bound the worth of what flips if points that leave their clusters share a budget.

    Parameters
    ----------
    worth : ndarray, shape (n,)
        Of the pairs of a point that flip only if one of the two leaves.
    always : float
        Worth of the pairs that may flip in any case.
    costs : ndarray, shape (n,)
        Of leaving; infinite if a point does not.
    norm : {1, 2, inf}
        Of eps, whose entries are at least the costs of those that leave.
    budget : float

    Returns
    -------
    float
        The best whole points for their costs, and a part of the next; or, where that is less, the
        best as many as the cheapest that can leave.
    """
    can = costs <= budget
    worth, costs = worth[can], costs[can]
    if norm == np.inf:
        return always + float(worth.sum())
    costs, budget = costs**norm / LESS, budget**norm * LESS
    best_first = np.divide(worth, costs, out=np.full(len(worth), np.inf), where=costs > TINY)
    order = np.argsort(-best_first)
    before = np.concatenate([[0.0], np.cumsum(costs[order])[:-1]]) / LESS
    shares = np.ones(len(order))
    np.divide(budget - before, costs[order], out=shares, where=costs[order] > TINY)
    many = int(np.count_nonzero(np.cumsum(np.sort(costs)) <= budget))
    best = np.sort(worth)[len(worth) - many :]
    return always + min(float(worth[order] @ np.clip(shares, 0.0, 1.0)), float(best.sum()))
