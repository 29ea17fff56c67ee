"""Compiled loops for a flow inside blocks, and for the proof that it certifies them, p = 2.

All arrays are in elimination order: edge e joins lows[e] and highs[e], and carries the flow Z[e].
The centroids are centroids[0] + centroids[1], shape (2, K, d), so that differences of close ones
keep their digits.
"""

from __future__ import annotations

import numpy as np

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.kernel import Indices, kernel
from bilad.solvers.clustering.labels.components import join

ROUNDOFF = float(np.finfo(float).eps)
UNDERFLOW = 1e-130  # as in module `proof`
CONDUCTANCE = 1e10  # of the edge with the most unused capacity; that of a point to the ground is 1
LEAST_CONDUCTANCE = 1e-9  # share of its capacity that an edge is taken to have unused at least


@kernel
def difference(centroids: FloatArray, a: int, b: int, k: int) -> float:
    """Return the difference of the centroids a and b in feature k."""
    return centroids[0, a, k] - centroids[0, b, k] + (centroids[1, a, k] - centroids[1, b, k])


@kernel
def misfit(centroids: FloatArray, data: FloatArray, b: int, i: int, k: int) -> float:
    """Return the difference of centroid b and point i in feature k."""
    return centroids[0, b, k] - data[i, k] + centroids[1, b, k]


@kernel
def align(
    lows: Indices,
    highs: Indices,
    radii: FloatArray,
    blocks: IntArray,
    centroids: FloatArray,
    Z: FloatArray,
) -> None:
    """Write the subgradient r u / ||u|| on the edges between blocks, and make Z feasible inside."""
    d = centroids.shape[2]
    for e in range(len(lows)):
        a, b = blocks[lows[e]], blocks[highs[e]]
        square = 0.0
        if a == b:
            for k in range(d):
                square += Z[e, k] ** 2
            if square > radii[e] ** 2:
                share = radii[e] / np.sqrt(square) * (1.0 - 4.0 * ROUNDOFF)
                for k in range(d):
                    Z[e, k] *= share
            continue
        for k in range(d):
            square += difference(centroids, a, b, k) ** 2
        share = radii[e] / np.sqrt(square) if square > 0.0 else 0.0
        for k in range(d):
            Z[e, k] = share * difference(centroids, a, b, k)


@kernel
def imbalance(
    lows: Indices,
    highs: Indices,
    data: FloatArray,
    blocks: IntArray,
    centroids: FloatArray,
    Z: FloatArray,
    G: FloatArray,
    means: FloatArray,
    sizes: FloatArray,
    worst: FloatArray,
) -> None:
    """Write G = X - A + B'Z less its mean on each block.

    Writes also the means (K, d), the sizes (K,) of the blocks and the largest absolute entry of
    each block (K,).
    """
    n, d = G.shape
    means[:] = 0.0
    sizes[:] = 0.0
    worst[:] = 0.0
    for i in range(n):
        for k in range(d):
            G[i, k] = misfit(centroids, data, blocks[i], i, k)
    for e in range(len(lows)):
        for k in range(d):
            G[lows[e], k] += Z[e, k]
            G[highs[e], k] -= Z[e, k]
    for i in range(n):
        sizes[blocks[i]] += 1.0
        for k in range(d):
            means[blocks[i], k] += G[i, k]
    for b in range(len(sizes)):
        for k in range(d):
            means[b, k] /= sizes[b]
    for i in range(n):
        b = blocks[i]
        for k in range(d):
            G[i, k] -= means[b, k]
            worst[b] = max(worst[b], abs(G[i, k]))


@kernel
def conductances(
    lows: Indices,
    highs: Indices,
    radii: FloatArray,
    blocks: IntArray,
    Z: FloatArray,
    H: FloatArray,
    diagonal: FloatArray,
) -> None:
    """Write conductances proportional to the unused capacities inside blocks, and I + B'HB."""
    most = 0.0
    diagonal[:] = 1.0
    for e in range(len(lows)):
        H[e, 0, 0] = 0.0
        if blocks[lows[e]] == blocks[highs[e]]:
            square = 0.0
            for k in range(Z.shape[1]):
                square += Z[e, k] ** 2
            H[e, 0, 0] = max(radii[e] - np.sqrt(square), LEAST_CONDUCTANCE * radii[e])
            most = max(most, H[e, 0, 0])
    for e in range(len(lows)):
        H[e, 0, 0] *= CONDUCTANCE / most if most > 0.0 else 0.0
        diagonal[lows[e], 0, 0] += H[e, 0, 0]
        diagonal[highs[e], 0, 0] += H[e, 0, 0]


@kernel
def send(
    lows: Indices,
    highs: Indices,
    radii: FloatArray,
    H: FloatArray,
    potentials: FloatArray,
    Z: FloatArray,
) -> None:
    """Subtract the flow of the potentials, and cut what exceeds the capacities."""
    d = Z.shape[1]
    for e in range(len(lows)):
        if H[e, 0, 0] == 0.0:
            continue
        square = 0.0
        for k in range(d):
            Z[e, k] -= H[e, 0, 0] * (potentials[lows[e], k] - potentials[highs[e], k])
            square += Z[e, k] ** 2
        if square > radii[e] ** 2:
            share = radii[e] / np.sqrt(square) * (1.0 - 4.0 * ROUNDOFF)
            for k in range(d):
                Z[e, k] *= share


@kernel
def turned_forces(
    lows: Indices | IntArray,
    highs: Indices | IntArray,
    radii: FloatArray,
    blocks: IntArray,
    centroids: FloatArray,
    subgradient: float,
    error: float,
) -> FloatArray:
    """Bound the change of the forces between blocks, summed over the edges of each: shape (K,).

    Module `proof_l2` has the argument.

    Parameters
    ----------
    subgradient : float
        Bound on the norm of the subgradient at X, projected on the manifold of the minimiser.
    error : float
        Bound on the change of every u_e.
    """
    d = centroids.shape[2]
    direct, curved = np.zeros(centroids.shape[1]), np.zeros(centroids.shape[1])
    for e in range(len(lows)):
        a, b = blocks[lows[e]], blocks[highs[e]]
        if a == b:
            continue
        square = 0.0
        for k in range(d):
            square += difference(centroids, a, b, k) ** 2
        length = np.sqrt(square)
        change = 2.0 * radii[e] * min(1.0, error / length) if length > 0.0 else 2.0 * radii[e]
        if d == 1 and length > error:
            change = 0.0
        for block in (a, b):
            direct[block] += change
            curved[block] += radii[e] / length if length > 0.0 else np.inf
    margin = 1.0 + 4.0 * (len(lows) + 4) * ROUNDOFF
    for b in range(len(direct)):
        if curved[b] < np.inf:
            direct[b] = min(direct[b], subgradient * np.sqrt(0.5 * curved[b]))
        direct[b] *= margin
    return direct


@kernel
def certify(
    lows: Indices,
    highs: Indices,
    radii: FloatArray,
    data: FloatArray,
    errors: FloatArray,
    blocks: IntArray,
    centroids: FloatArray,
    Z: FloatArray,
    G: FloatArray,
    means: FloatArray,
    sizes: FloatArray,
) -> tuple[bool, float]:
    """Prove that the points of every block are equal in X*, by the argument of module `proof`.

    Takes G, the means and the sizes from `imbalance`; `errors`, shape (n,), bounds the error of
    each row of the data. With C the largest entry of centroids[1] and
    eps = 2^-52, an entry of a difference has a rounding error of at most eps (its size + 2 C).
    Joined blocks that are so close that the second term counts are not accepted.

    Returns
    -------
    proved : bool
    resolution : float
        If it is proved, blocks whose centroids are farther apart are apart in X*.
    """
    n, d = G.shape
    K = len(sizes)
    degrees, forces = np.zeros(n), np.zeros(n)
    for e in range(len(lows)):
        for i in (lows[e], highs[e]):
            degrees[i] += 1.0
            forces[i] += radii[e]
    largest = 0.0
    for b in range(K):
        largest = max(largest, sizes[b])
    shift = np.sqrt(1.0 * d) * np.abs(centroids[1]).max()
    for e in range(len(lows)):
        a, b = blocks[lows[e]], blocks[highs[e]]
        square = 0.0
        for k in range(d):
            square += difference(centroids, a, b, k) ** 2
        if a != b and not np.sqrt(square) > 4.0 * shift:
            return False, np.inf
    missing, unseen = np.zeros(K), 0.0
    for i in range(n):
        b = blocks[i]
        moved = whole = away = 0.0
        for k in range(d):
            moved += misfit(centroids, data, b, i, k) ** 2
            whole += (G[i, k] + means[b, k]) ** 2
            away += G[i, k] ** 2
        rounding = ROUNDOFF * (np.sqrt(moved) + (degrees[i] + 8.0 + 2.0 * d) * forces[i])
        rounding += 4.0 * ROUNDOFF * shift + errors[i]
        rounding += UNDERFLOW * degrees[i] + 2.0 * ROUNDOFF * largest * np.sqrt(whole)
        unseen += rounding * rounding
        missing[b] += np.sqrt(away) + 2.0 * np.sqrt(d) * rounding
    tangent = 0.0
    for b in range(K):
        for k in range(d):
            tangent += sizes[b] * means[b, k] ** 2
    central = (1.0 + 4.0 * n * d * ROUNDOFF) * (np.sqrt(tangent) + np.sqrt(unseen))
    if not central < np.inf:
        return False, np.inf
    error = np.sqrt(2.0) * central * (1.0 + 4.0 * ROUNDOFF)
    turned = turned_forces(lows, highs, radii, blocks, centroids, central, error)
    parent = np.arange(n)
    parts = n
    for e in range(len(lows)):
        i, j = lows[e], highs[e]
        b = blocks[i]
        if blocks[j] != b:
            continue
        square = 0.0
        for k in range(d):
            square += Z[e, k] ** 2
        slack = (1.0 - (d + 4.0) * ROUNDOFF) * radii[e] - np.sqrt(square)
        if not slack >= -2.0 * (d + 4.0) * ROUNDOFF * radii[e]:  # not feasible, or not finite
            return False, np.inf
        demand = (0.5 + n * ROUNDOFF) * (missing[b] + 2.0 * turned[b])
        if slack > 0.0 and slack >= demand and join(parent, i, j):
            parts -= 1
    return parts == K, error + 8.0 * ROUNDOFF * shift


@kernel
def are_apart(centroids: FloatArray, resolution: float) -> bool:
    """Return whether all centroids are farther apart than the resolution, comparing all pairs."""
    d = centroids.shape[2]
    for a in range(centroids.shape[1]):
        for b in range(a):
            square = 0.0
            for k in range(d):
                square += difference(centroids, a, b, k) ** 2
            if not np.sqrt(square) > resolution * (1.0 + (d + 4.0) * ROUNDOFF):
                return False
    return True
