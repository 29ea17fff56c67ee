"""The norms of the fusion terms: conjugate exponents, row norms and projections onto dual balls.

Each row of an (m, d) array belongs to an edge. The fusion term of an edge is ||u||_p, and its dual
variable is constrained to a ball of the conjugate norm q, with 1/p + 1/q = 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bilad.models.validation import ArgumentError, FloatArray, one_of

NORMS = (1, 2, float("inf"))


def check_norm(value: Any, argument: str) -> float:
    """Return the exponent of a norm, which must be 1, 2 or inf."""
    return float(one_of(value, argument, NORMS))


def norm_name(p: float) -> int | str:
    """Return an exponent of `NORMS` as JSON can hold it: 1, 2 or "inf"."""
    return "inf" if math.isinf(p) else int(p)


def in_unit_range(points: FloatArray, argument: str) -> tuple[FloatArray, int]:
    """Return the scaled points 2^-e points, whose squared distances are safe from overflow, and e.

    The exponent e is such that the largest range of a column becomes about 2^500. The squares of
    differences that are up to 2^1010 times smaller then do not underflow. Scaling by a power of two
    does not round. A constant column becomes zero, because its offset might overflow.

    Raises
    ------
    ArgumentError
        If the range is infinite, or a difference is smaller than that.
    """
    ordered = np.sort(points, axis=0)
    with np.errstate(over="ignore"):
        ranges = ordered[-1] - ordered[0]
    if not ranges.any():
        return np.zeros_like(points), 0
    largest = float(ranges.max())
    steps = np.diff(ordered, axis=0)
    least = float(steps.min(where=steps > 0, initial=largest))
    exponent = math.frexp(largest)[1] - 500
    if math.isinf(largest) or math.ldexp(least, -exponent) < 2.0**-511:
        given = f"differences from {least:.1e} to {largest:.1e}"
        expected = "a finite range, at most 2^1010 times the smallest difference"
        raise ArgumentError(argument, given, expected)
    return np.ldexp(np.where(ranges > 0, points, 0.0), -exponent), exponent


def conjugate(p: float) -> float:
    """Return the q with 1/p + 1/q = 1, for p in {1, 2, inf}."""
    return {1.0: float("inf"), 2.0: 2.0}.get(p, 1.0)


def row_norms(U: FloatArray, p: float) -> FloatArray:
    """Return the p-norm of each row of U: shape (m,)."""
    magnitude = np.abs(U)
    if U.shape[1] == 1:
        return magnitude[:, 0]
    if p == 1:
        return magnitude.sum(axis=1)
    if p == 2:
        return np.sqrt((U * U) @ np.ones(U.shape[1]))
    return magnitude.max(axis=1)


def subgradient_rows(U: FloatArray, p: float) -> FloatArray:
    """Return, for each row u of U, a z with ||z||_q <= 1 and <z, u> = ||u||_p: shape (m, d)."""
    if p == 1:
        return np.sign(U)
    if p == 2:
        lengths = row_norms(U, 2)
        return U / np.where(lengths > 0, lengths, 1.0)[:, None]
    Z = np.zeros_like(U)
    rows, largest = np.arange(len(U)), np.abs(U).argmax(axis=1)
    Z[rows, largest] = np.sign(U[rows, largest])
    return Z


def project_rows(Z: FloatArray, radii: FloatArray, q: float) -> FloatArray:
    """Return the Euclidean projection of each row of Z onto the q-ball with the given radius."""
    if Z.shape[1] == 1 or q == float("inf"):
        return np.clip(Z, -radii[:, None], radii[:, None])
    if q == 2:
        length = row_norms(Z, 2)
        outside = length > radii
        scale = np.ones_like(length)
        scale[outside] = radii[outside] / length[outside]
        return Z * scale[:, None]
    return _project_rows_on_l1_balls(Z, radii)


def _project_rows_on_l1_balls(Z: FloatArray, radii: FloatArray) -> FloatArray:
    """Project by soft-thresholding at the level that solves the KKT conditions (Held et al., 1974).

    Magnitudes are measured relative to the largest of the row, which preserves the accuracy for
    rows far outside their ball.
    """
    magnitude = np.abs(Z)
    below = magnitude - magnitude.max(axis=1, keepdims=True, initial=0.0)
    descending = -np.sort(-below, axis=1)
    levels = (np.cumsum(descending, axis=1) - radii[:, None]) / np.arange(1, Z.shape[1] + 1)
    active = np.count_nonzero(descending > levels, axis=1)
    level = levels[np.arange(len(Z)), np.maximum(active, 1) - 1]
    outside = magnitude.sum(axis=1) > radii
    shrunk = np.sign(Z) * np.maximum(below - level[:, None], 0.0)
    return np.where(outside[:, None], shrunk, Z)
