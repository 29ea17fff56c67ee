"""Compiled loops over the joined pairs of blocks of a contracted problem, p = 2.

`features` is the tuple (0, .., d-1), whose length the compiler knows. The centroids are
Y[0] + Y[1], shape (2, K, d), so that differences of close centroids keep their digits.
"""

from __future__ import annotations

import numpy as np

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.elimination.loops import sort_stably
from bilad.solvers.clustering.kernel import Indices, kernel


@kernel
def aggregate(
    tails: IntArray, heads: IntArray, weights: FloatArray, blocks: IntArray, K: int
) -> tuple[IntArray, IntArray, FloatArray, IntArray, IntArray, FloatArray]:
    """Return the attributes of `BlockPairs`; the pairs are sorted."""
    between = np.empty(len(tails), np.int64)
    count = 0
    for e in range(len(tails)):
        if blocks[tails[e]] != blocks[heads[e]] and weights[e] > 0.0:
            between[count] = e
            count += 1
    between = between[:count].copy()
    lows, highs = np.empty(count, np.int64), np.empty(count, np.int64)
    pair, signs = np.empty(count, np.int64), np.empty((count, 1))
    for place in range(count):
        a, b = blocks[tails[between[place]]], blocks[heads[between[place]]]
        lows[place], highs[place] = min(a, b), max(a, b)
        signs[place, 0] = 1.0 if a < b else -1.0
    order = sort_stably(lows, sort_stably(highs, np.arange(count), K), K)
    ends, sums = np.empty((2, count), np.int64), np.zeros(count)
    last = -1
    for place in order:
        new = last < 0 or ends[0, last] != lows[place] or ends[1, last] != highs[place]
        if new:
            last += 1
            ends[0, last], ends[1, last] = lows[place], highs[place]
        pair[place] = last
        sums[last] += weights[between[place]]
    P = last + 1
    return between, pair, signs, ends[0, :P].copy(), ends[1, :P].copy(), sums[:P].copy()


@kernel
def gradient(
    features: tuple[int, ...],
    lows: Indices,
    highs: Indices,
    radii: FloatArray,
    masses: FloatArray,
    means: FloatArray,
    Y: FloatArray,
    G: FloatArray,
) -> float:
    """Write the gradient at Y to G and return its norm, inf if a joined pair coincides."""
    d = len(features)
    for i in range(len(G)):
        for k in range(d):
            G[i, k] = masses[i] * (Y[0, i, k] - means[i, k] + Y[1, i, k])
    for e in range(len(lows)):
        i, j = lows[e], highs[e]
        square = 0.0
        for k in range(d):
            square += (Y[0, i, k] - Y[0, j, k] + (Y[1, i, k] - Y[1, j, k])) ** 2
        if not square > 0.0:
            return np.inf
        share = radii[e] / np.sqrt(square)
        for k in range(d):
            force = share * (Y[0, i, k] - Y[0, j, k] + (Y[1, i, k] - Y[1, j, k]))
            G[i, k] += force
            G[j, k] -= force
    total = 0.0
    for i in range(len(G)):
        for k in range(d):
            total += G[i, k] ** 2
    return np.sqrt(total)


@kernel
def hessian(
    features: tuple[int, ...],
    lows: Indices,
    highs: Indices,
    radii: FloatArray,
    masses: FloatArray,
    Y: FloatArray,
    H: FloatArray,
    diagonal: FloatArray,
) -> None:
    """Write the Hessian M + B'HB, H_e = r / ||u|| (I - u u' / ||u||^2), as blocks."""
    d = len(features)
    u = np.empty(d)
    for i in range(len(masses)):
        for k in range(d):
            for h in range(d):
                diagonal[i, k, h] = 0.0
            diagonal[i, k, k] = masses[i]
    for e in range(len(lows)):
        i, j = lows[e], highs[e]
        square = 0.0
        for k in range(d):
            u[k] = Y[0, i, k] - Y[0, j, k] + (Y[1, i, k] - Y[1, j, k])
            square += u[k] * u[k]
        curvature = radii[e] / np.sqrt(square)
        for k in range(d):
            for h in range(d):
                value = -curvature * u[k] * u[h] / square
                if h == k:
                    value += curvature
                H[e, k, h] = value
                diagonal[i, k, h] += value
                diagonal[j, k, h] += value
