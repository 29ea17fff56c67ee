"""The norms of the fusion terms: conjugate exponent, row norms, projection on the dual ball.

Rows of an (m, d) array are edges. The fusion term of an edge is `||u||_p`, its dual variable lives
in a ball of the conjugate norm `q`, 1/p + 1/q = 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bilad.models.validation import ArgumentError, FloatArray, one_of

NORMS = (1, 2, float("inf"))


def check_norm(value: Any, argument: str) -> float:
    """Return the exponent of a norm, one of 1, 2 and inf."""
    return float(one_of(value, argument, NORMS))


def in_unit_range(points: FloatArray, argument: str) -> tuple[FloatArray, int]:
    """Return points in a unit 2^e in which distances neither overflow nor underflow, and e.

    The largest range of a column becomes about 2^500, so that the squares of differences up to
    2^1011 times smaller keep their digits. Scaling by a power of two is exact, and a column that is
    constant, whose offset might overflow, becomes zero: no difference is rounded.

    Raises
    ------
    ArgumentError
        If the range is infinite, or some difference is smaller than that.
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
        raise ArgumentError(argument, given, "a finite range, at most 2^1010 times the least one")
    return np.ldexp(np.where(ranges > 0, points, 0.0), -exponent), exponent


def conjugate(p: float) -> float:
    """Return q with 1/p + 1/q = 1, for p in {1, 2, inf}."""
    return {1.0: float("inf"), 2.0: 2.0}.get(p, 1.0)


def row_norms(U: FloatArray, p: float) -> FloatArray:
    """Return the p-norm of each row of `U`: shape (m,)."""
    magnitude = np.abs(U)
    if U.shape[1] == 1:
        return magnitude[:, 0]
    if p == 1:
        return magnitude.sum(axis=1)
    if p == 2:
        return np.sqrt((U * U) @ np.ones(U.shape[1]))
    return magnitude.max(axis=1)


def subgradient_rows(U: FloatArray, p: float) -> FloatArray:
    """Return for each row u of `U` a z with ||z||_q <= 1 and <z, u> = ||u||_p: shape (m, d)."""
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
    """Return each row of `Z` projected on the q-ball of the radius given for it."""
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
    """Soft-threshold each row at the level that puts it on its ball (Held, Wolfe, Crowder).

    Magnitudes are counted from the largest of the row, so that rows far outside keep their digits.
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
