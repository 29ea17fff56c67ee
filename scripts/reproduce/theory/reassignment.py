"""Reassignment of points from the first cluster to the others: the case study in closed form.

Paper, section 5, Theorems 3 to 5. Let n_1, .., n_K be the sizes of the clusters. If s_k points move
from cluster 1 to cluster k, for k = 2, .., K, and S = sum_k s_k, then

    delta = 2 [ S (n_1 - S) + sum_{k<l} s_k s_l + sum_k n_k s_k ].

If one more point moves to cluster k, delta changes by 2 (n_1 + n_k - S - s_k - 1). This is not
negative as long as s_k <= n_k. So delta does not decrease, in whatever order points move, until
some cluster has doubled its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from bilad.models.validation import IntArray

Counts = tuple[int, ...]


def partition(sizes: Sequence[int]) -> IntArray:
    """Return the labels of clusters of the given sizes, whose points are consecutive."""
    return np.repeat(np.arange(len(sizes)), sizes)


def reassigned(sizes: Sequence[int], moved: Sequence[int]) -> IntArray:
    """Return the labels after s_2, .., s_K points have moved from cluster 1.

    The last S points of cluster 1 move, the first of them to cluster 2.
    """
    left = sizes[0] - sum(moved)
    return np.concatenate([partition([left, *moved]), partition(sizes)[sizes[0] :]])


def closed_form(sizes: Sequence[int], moved: Sequence[int]) -> int:
    """Return delta of `partition` and `reassigned` by the formula of Theorem 5."""
    total = sum(moved)
    crossing = sum(one * other for one, other in combinations(moved, 2))
    joining = sum(size * count for size, count in zip(sizes[1:], moved, strict=True))
    return 2 * (total * (sizes[0] - total) + crossing + joining)


def all_sizes(n: int, clusters: int) -> Iterator[Counts]:
    """Yield every (n_1, .., n_K) of positive integers with sum n."""
    for cuts in combinations(range(1, n), clusters - 1):
        yield tuple(np.diff([0, *cuts, n]).tolist())
