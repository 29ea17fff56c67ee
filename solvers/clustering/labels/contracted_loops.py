"""Compiled loops over the joined pairs of blocks of a contracted problem, p = 2.

`features` is the tuple (0, .., d-1), whose length the compiler knows. The centroids are
Y[0] + Y[1], shape (2, K, d), so that differences of close centroids keep their digits.
"""

from __future__ import annotations

import numpy as np

from bilad.models.validation import FloatArray
from bilad.solvers.clustering.kernel import Indices, kernel


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
