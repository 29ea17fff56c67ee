"""Reassignment of points from the first cluster to the others: the case study in closed form.

Paper, section 5, Theorems 3 to 5. Let n_1, .., n_K be the sizes of the clusters. If s_k points move
from cluster 1 to cluster k, for k = 2, .., K, and S = sum_k s_k, then

    delta = 2 [ S (n_1 - S) + sum_{k<l} s_k s_l + sum_k n_k s_k ].

If one more point moves to cluster k, delta changes by 2 (n_1 + n_k - S - s_k - 1). This is not
negative as long as s_k <= n_k. So delta does not decrease, in whatever order points move, until
some cluster has doubled its size.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.validation import ArgumentError, IntArray, integer_array


def reassignment(sizes: ArrayLike, moved: ArrayLike) -> tuple[IntArray, IntArray]:
    """Return a partition, and the partition after points have moved from its first cluster.

    Parameters
    ----------
    sizes : array_like of int, shape (K,)
        n_1, .., n_K, each at least 1, K >= 2.
    moved : array_like of int, shape (K - 1,)
        s_2, .., s_K, nonnegative, with sum at most n_1.

    Returns
    -------
    labels, perturbed_labels : ndarray of int, shape (n,)
        The points of cluster k are consecutive and have the label k - 1. The last S points of
        cluster 1 move, the first of them to cluster 2. If all of them move, no label is 0.

    Raises
    ------
    ArgumentError
        If an argument has another shape or is out of range.
    """
    n, s = _sizes_and_moved(sizes, moved)
    labels = np.repeat(np.arange(len(n)), n)
    perturbed = np.repeat(np.arange(len(n)), [n[0] - sum(s), *s])
    return labels, np.concatenate([perturbed, labels[n[0] :]])


def reassignment_deviation(sizes: ArrayLike, moved: ArrayLike) -> int:
    """Return delta of the two partitions of `reassignment` by the closed form of Theorem 5.

    For K = 2 it is 2 s (n - s) (Theorem 3), for K = 3 it is
    2 [S (n_1 - S) + s_2 s_3 + n_2 s_2 + n_3 s_3] (Theorem 4).

    Parameters
    ----------
    sizes, moved
        As in `reassignment`.
    """
    n, s = _sizes_and_moved(sizes, moved)
    total = sum(s)
    return 2 * (total * (n[0] - total) + _crossing(s) + _joining(n, s))


def monotone_range(sizes: ArrayLike, direction: ArrayLike) -> int:
    """Return the range in which delta is nondecreasing if points move in fixed proportions.

    At t = 0, 1, 2, .., t d_k points have moved to cluster k. With sigma = sum_k d_k,
    delta / 2 = a t - b t^2, where a = sigma n_1 + sum_k n_k d_k and
    b = sigma^2 - sum_{k<l} d_k d_l > 0. From t to t + 1, delta / 2 changes by a - (2 t + 1) b.

    Parameters
    ----------
    sizes : array_like of int, shape (K,)
        As in `reassignment`.
    direction : array_like of int, shape (K - 1,)
        d_2, .., d_K, nonnegative and not all zero.

    Returns
    -------
    int
        The largest T with T sigma <= n_1 such that delta does not decrease from any t < T to
        t + 1: the smaller of floor(n_1 / sigma) and floor((a + b) / (2 b)).

    Raises
    ------
    ArgumentError
        If an argument has another shape or is out of range.

    Notes
    -----
    The paper's conditions are partly lost with its formulas; this is our reading of them.

    K = 2 (Theorem 3): the range is min(n_1, ceil(n / 2)), the bound of the paper.

    K = 3 (Theorem 4):

    - (i) Points move to cluster 2 only. As for K = 2 with these two clusters, the range is
      min(n_1, ceil((n_1 + n_2) / 2)). It does not include all of cluster 1 if n_1 > n_2 + 1.
    - (ii) n_1 = n_2 = n_3 and s_2 = s_3 = s. The range is floor(n_1 / 2), which is no restriction.
      If the sizes are equal, points may even move in any order.
    - (iii) s_2 = s_3 = s with any sizes. The range is (2 n_1 + n_2 + n_3) / 6, rounded to the
      nearest integer (halves up). Rounding up, as in Theorem 3, would not be correct: for the sizes
      9, 1, 1 the bound is 20 / 6, and delta decreases from s = 3 to 4. There is no restriction if
      n_1 <= n_2 + n_3 + 3, or if n_1 is odd and n_1 <= n_2 + n_3 + 6. So n_2 = n_3 is not
      sufficient without a condition on n_1.

    These statements are about more points that move in the same proportions. Fewer points that move
    to other clusters may give a larger delta. In a learning model, the number of points that move
    need not grow with ||eps||; see `bilad.solvers.find_violation`.
    """
    n = _counts(sizes, "sizes", least=1)
    d = _counts(direction, "direction", least=0, length=len(n) - 1)
    sigma = sum(d)
    if sigma == 0:
        raise ArgumentError("direction", "zeros only", "at least one count that is not zero")
    a = sigma * n[0] + _joining(n, d)
    b = sigma**2 - _crossing(d)
    return min(n[0] // sigma, (a + b) // (2 * b))


def _crossing(s: list[int]) -> int:
    """Return sum_{k<l} s_k s_l, the number of pairs that move to different clusters."""
    return sum(one * other for one, other in combinations(s, 2))


def _joining(n: list[int], s: list[int]) -> int:
    """Return sum_k n_k s_k, the number of pairs of a moved point and a point it joins."""
    return sum(size * count for size, count in zip(n[1:], s, strict=True))


def _sizes_and_moved(sizes: ArrayLike, moved: ArrayLike) -> tuple[list[int], list[int]]:
    n = _counts(sizes, "sizes", least=1)
    s = _counts(moved, "moved", least=0, length=len(n) - 1)
    if sum(s) > n[0]:
        raise ArgumentError("moved", f"{sum(s)} points", f"at most the first cluster's {n[0]}")
    return n, s


def _counts(value: ArrayLike, argument: str, least: int, length: int | None = None) -> list[int]:
    """Return counts as Python integers, which cannot overflow."""
    wanted = "at least 2" if length is None else str(length)
    expected = f"integers >= {least}, {wanted} of them"
    array = integer_array(value, argument, expected)
    if array.ndim != 1:
        raise ArgumentError(argument, f"{array.dtype} array of shape {array.shape}", expected)
    if len(array) < 2 if length is None else len(array) != length:
        raise ArgumentError(argument, len(array), expected)
    if (array < least).any():
        raise ArgumentError(argument, int(array.min()), expected)
    counts: list[int] = array.tolist()
    return counts
