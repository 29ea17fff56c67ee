"""Connected components of the edges that are taken as fused, by union and find."""

from __future__ import annotations

import numpy as np

from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.clustering.kernel import kernel


@kernel
def root(parent: IntArray, i: int) -> int:
    """Return the root of i, and halve the path to it."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def number_roots(parent: IntArray) -> int:
    """Replace the parents by the numbers 0, 1, .. of the components; return how many there are.

    The parent of a point must not have a larger number than the point.
    """
    count = 0
    for i in range(len(parent)):
        if parent[i] == i:
            parent[i] = count
            count += 1
        else:
            parent[i] = parent[parent[i]]
    return count


@kernel
def join(parent: IntArray, i: int, j: int) -> bool:
    """Join the components of i and j; return whether they were different."""
    a, b = root(parent, i), root(parent, j)
    if a == b:
        return False
    parent[max(a, b)] = min(a, b)
    return True


@kernel
def fused_components(
    tails: IntArray,
    heads: IntArray,
    radii: FloatArray,
    X: FloatArray,
    Z: FloatArray,
    resolution: float,
    short: float,
) -> IntArray:
    """Return the components of the edges that are taken as fused: shape (n,), numbered from 0.

    An edge is taken as fused if its length is a smaller share of the resolution than the unused
    part is of its capacity, or if its length is at most `short` times the resolution (module
    `active_set`).
    """
    parent = np.arange(len(X))
    for e in range(len(tails)):
        i, j = tails[e], heads[e]
        square = flow = 0.0
        for k in range(X.shape[1]):
            square += (X[i, k] - X[j, k]) ** 2
            flow += Z[e, k] ** 2
        length = np.sqrt(square)
        if length > resolution:
            continue
        complementary = length * radii[e] < resolution * (radii[e] - np.sqrt(flow))
        if complementary or length <= short * resolution:
            join(parent, i, j)
    number_roots(parent)
    return parent


@kernel
def components(tails: IntArray, heads: IntArray, chosen: BoolArray, n: int) -> IntArray:
    """Return the components of the chosen edges: shape (n,), numbered from 0.

    Parameters
    ----------
    tails, heads : ndarray of int, shape (m,)
    chosen : ndarray of bool, shape (m,)
    n : int
        The number of points.
    """
    parent = np.arange(n)
    for e in range(len(tails)):
        if chosen[e]:
            join(parent, tails[e], heads[e])
    number_roots(parent)
    return parent
