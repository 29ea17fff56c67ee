"""Points that leave the first cluster for the others: the case study in closed form.

Paper, section 5, Theorems 3 to 5. Of n_1 points, s_k leave for cluster k = 2..K, S = sum_k s_k:

    delta = 2 [ S (n_1 - S) + sum_{k<l} s_k s_l + sum_k n_k s_k ]

One point more for cluster k adds 2 (n_1 + n_k - S - s_k - 1). That is never negative as long as
s_k <= n_k: until a cluster has doubled, it may take points in any order, and delta does not fall.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.validation import ArgumentError, IntArray, integer_array


def reassignment(sizes: ArrayLike, moved: ArrayLike) -> tuple[IntArray, IntArray]:
    """Return a partition, and the one after points left its first cluster.

    Parameters
    ----------
    sizes : array_like of int, shape (K,)
        n_1, .., n_K, each at least 1, K >= 2.
    moved : array_like of int, shape (K - 1,)
        s_2, .., s_K, not negative, in sum at most n_1.

    Returns
    -------
    labels, perturbed_labels : ndarray of int, shape (n,)
        Cluster k is numbered k - 1, its points stand together. The last points of cluster 1 leave,
        the first of them for cluster 2. If all leave, no point is labelled 0.

    Raises
    ------
    ArgumentError
        If an argument is of another kind.
    """
    n, s = _sizes_and_moved(sizes, moved)
    labels = np.repeat(np.arange(len(n)), n)
    perturbed = np.repeat(np.arange(len(n)), [n[0] - sum(s), *s])
    return labels, np.concatenate([perturbed, labels[n[0] :]])


def reassignment_deviation(sizes: ArrayLike, moved: ArrayLike) -> int:
    """Return delta of the two partitions that `spill` returns, by the closed form (Theorem 5).

    With K = 2, it is 2 s (n - s) (Theorem 3); with K = 3,
    2 [S (n_1 - S) + s_2 s_3 + n_2 s_2 + n_3 s_3] (Theorem 4).

    Parameters
    ----------
    sizes, moved
        As in `spill`.
    """
    n, s = _sizes_and_moved(sizes, moved)
    total = sum(s)
    return 2 * (total * (n[0] - total) + _crossing(s) + _joining(n, s))


def monotone_range(sizes: ArrayLike, direction: ArrayLike) -> int:
    """Return how far delta is nondecreasing if points leave in fixed proportions.

    At t = 0, 1, 2, .. the first cluster has lost t times `direction`. With sigma = sum_k d_k,
    delta / 2 is a t - b t^2, with a = sigma n_1 + sum_k n_k d_k and
    b = sigma^2 - sum_{k<l} d_k d_l > 0, so one step more adds a - (2 t + 1) b.

    Parameters
    ----------
    sizes : array_like of int, shape (K,)
        As in `spill`.
    direction : array_like of int, shape (K - 1,)
        d_2, .., d_K, not negative, not all zero: how many leave for each cluster, at each t.

    Returns
    -------
    int
        The largest T with T sigma <= n_1 such that delta does not fall from any t to t + 1 <= T:
        the smaller of floor(n_1 / sigma) and floor((a + b) / (2 b)).

    Raises
    ------
    ArgumentError
        If an argument is of another kind.

    Notes
    -----
    The paper's conditions are partly lost with its formulas; this is our reading of them.

    K = 2 (Theorem 3): min(n_1, ceil(n / 2)), the paper's bound.

    K = 3, Theorem 4:

    - (i) Points leave for cluster 2 only. As K = 2 on these two clusters:
      min(n_1, ceil((n_1 + n_2) / 2)). Not all of cluster 1 may leave if n_1 > n_2 + 1.
    - (ii) Equal clusters, n_1 = n_2 = n_3, and as many for either, s_2 = s_3 = s: always, that is
      up to floor(n_1 / 2), where no two are left to leave. Equal sizes alone suffice: points may
      leave in any order.
    - (iii) s_2 = s_3 = s, any sizes: as long as s <= (2 n_1 + n_2 + n_3) / 6, rounded to the
      nearest integer (halves up). Rounding up, as Theorem 3 does, would be too much: sizes 9, 1, 1
      give 20 / 6, and delta falls from s = 3 to 4. It is no restriction if n_1 <= n_2 + n_3 + 3,
      or n_1 <= n_2 + n_3 + 6 and odd. So n_2 = n_3 without n_1 does not suffice.

    What holds is that delta does not fall as more points leave in these proportions. If one moves
    fewer points but to other clusters, delta may be larger. And in a learning model, how many
    points leave need not grow with ||eps||: see `bilad.solvers.find_violation`.
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
    """Return sum_{k<l} s_k s_l: pairs that leave together for different clusters."""
    return sum(one * other for one, other in combinations(s, 2))


def _joining(n: list[int], s: list[int]) -> int:
    """Return sum_k n_k s_k: pairs of a point that leaves and one of the cluster it joins."""
    return sum(size * count for size, count in zip(n[1:], s, strict=True))


def _sizes_and_moved(sizes: ArrayLike, moved: ArrayLike) -> tuple[list[int], list[int]]:
    n = _counts(sizes, "sizes", least=1)
    s = _counts(moved, "moved", least=0, length=len(n) - 1)
    if sum(s) > n[0]:
        raise ArgumentError("moved", f"{sum(s)} points", f"at most the first cluster's {n[0]}")
    return n, s


def _counts(value: ArrayLike, argument: str, least: int, length: int | None = None) -> list[int]:
    """Return counts as integers of Python, which do not overflow."""
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
