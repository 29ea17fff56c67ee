"""Compiled loops that prove the partition of a model that separates into lines.

The graph is complete, and every edge has the capacity r. With its data v sorted, a line is the
isotonic regression of the targets t_k = v_(k) - r (2k + 1 - n), k = 0, .., n-1. Consecutive blocks
with the means m_b are its solution if and only if m_b increases with b and the prefix sums of
t - m_b in each block are nonnegative; points share a cluster if and only if they share a block on
every line.

Rounding errors, with u = 2^-53 and S = max |v| + n r + 4 M, where M bounds the data that eps moves
and the steps by which it moves them. Steps, moved data, the sum of two data, which is v, and the
capacity are rounded, so that v has an error of at most u S, a target 4 u S, a mean (n + 4) u S, a
residual (n + 10) u S, and a prefix sum 3 n (n + 1) u S, up to terms in u^2. All are less than the
error e = 8 n u S of a mean and n e of a prefix sum that the proof assumes.

No accepted block ends between two v that are equal after rounding, so that their exact order does
not matter: the last target of a block is at most its mean, and the first target of the next block
at least its own, which is larger by more than 2 e - 2 (n + 4) u S, but the targets differ by at
most 2 u S.
"""

from __future__ import annotations

import numpy as np

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.kernel import kernel

U = 2.0**-53
LARGEST, LEAST = 1e290, 1e-290  # of S, between which sums do not overflow or underflow


@kernel
def sort(v: FloatArray, order: IntArray) -> None:
    """Sort the order, in place, by v: Shell's method, linear if the order hardly changes."""
    n, gap = len(v), 1
    while 3 * gap + 1 < n // 8:
        gap = 3 * gap + 1
    while gap > 0:
        for k in range(gap, n):
            point, place = order[k], k
            value = v[point]
            while place >= gap and v[order[place - gap]] > value:
                order[place] = order[place - gap]
                place -= gap
            order[place] = point
        gap //= 3


@kernel
def line_blocks(v: FloatArray, step: float, moved: float, order: IntArray, owner: IntArray) -> bool:
    """Write the block of each point to `owner`; return whether all blocks are proved.

    `order` is sorted by v, in place, best from the order of similar data. `moved` is M.
    """
    n = len(v)
    sort(v, order)
    scale = max(abs(v[order[0]]), abs(v[order[n - 1]])) + step * n + 4.0 * moved
    if not LEAST < scale < LARGEST:
        return False
    target, sums, sizes = np.empty(n), np.empty(n), np.empty(n, np.int64)
    blocks = 0
    for k in range(n):
        target[k] = v[order[k]] - step * (2.0 * k + 1.0 - n)
        total, size = target[k], 1
        while blocks > 0 and sums[blocks - 1] * size >= total * sizes[blocks - 1]:
            blocks -= 1
            total += sums[blocks]
            size += sizes[blocks]
        sums[blocks], sizes[blocks] = total, size
        blocks += 1
    error = 8 * n * U * scale
    k, below = 0, -np.inf
    for block in range(blocks):
        mean, prefix = sums[block] / sizes[block], 0.0
        if not mean - below > 2 * error:
            return False
        below, last = mean, k + sizes[block] - 1
        while k <= last:
            owner[order[k]] = block
            prefix += target[k] - mean
            if k < last and not prefix > n * error:
                return False
            k += 1
    return True


@kernel
def refine(labels: IntArray, owner: IntArray, order: IntArray) -> int:
    """Replace the labels by those of the common refinement with another partition.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Less than n; changed in place to 0, 1, .., in the order in which they appear.
    owner, order : ndarray of int, shape (n,)
        The other partition, and an order in which points of the same owner are consecutive.

    Returns
    -------
    int
        The number of labels.
    """
    n, count = len(labels), 0
    seen, number = np.full(n, -1), np.empty(n, np.int64)
    for place in range(n):
        point = order[place]
        old = labels[point]
        if seen[old] != owner[point]:
            seen[old] = owner[point]
            number[old] = count
            count += 1
        labels[point] = number[old]
    return count


@kernel
def squares(labels: IntArray, count: int) -> int:
    """Return the sum of the squared sizes of the clusters."""
    sizes, total = np.zeros(count, np.int64), 0
    for label in labels:
        total += 2 * sizes[label] + 1
        sizes[label] += 1
    return total


@kernel
def line_deviation(
    data: FloatArray,
    moves: tuple[IntArray, IntArray, FloatArray],
    eps: FloatArray,
    signs: FloatArray,
    step: float,
    orders: IntArray,
    before: IntArray,
    grouped: IntArray,
    labels: IntArray,
) -> int:
    """Return delta between the partition at eps and another one, or -1 if it is not proved.

    Parameters
    ----------
    data : ndarray, shape (n d,)
        The data at eps = 0, flat.
    moves : (places, columns, factors)
        As in `MovedEntries`.
    eps : ndarray, shape (k,)
    signs : ndarray, shape (lines, d)
        The result of `line_signs`.
    step : float
        The capacity r.
    orders : ndarray of int, shape (lines, n)
        An order of the points on each line, best from similar data; changed in place.
    before, grouped : ndarray of int, shape (n,)
        The other partition, with labels from 0, and an order in which its clusters are consecutive.
    labels : ndarray of int, shape (n,)
        The labels at eps are written here, numbered by first appearance.
    """
    (lines, d), n = signs.shape, len(labels)
    moved, largest = data.copy(), 0.0
    for place, column, factor in zip(*moves):  # noqa: B905 (Numba knows no `strict`)
        change = factor * eps[column]
        moved[place] += change
        largest = max(largest, abs(change), abs(moved[place]))
    v, owner = np.empty(n), np.zeros(n, np.int64)
    labels[:] = 0
    for line in range(lines):
        for i in range(n):
            v[i] = 0.0
            for j in range(d):
                v[i] += signs[line, j] * moved[i * d + j]
        if not line_blocks(v, step, largest, orders[line], owner):
            return -1
        refine(labels, owner, orders[line])
    count = refine(labels, owner, np.arange(n))
    both = labels.copy()
    shared = refine(both, before, grouped)
    return squares(labels, count) + squares(before, before.max() + 1) - 2 * squares(both, shared)
