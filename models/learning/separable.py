"""Convex clustering models that separate into one-dimensional models, called lines.

For p = 1 each feature is a line. For d = 2 and p = inf, the identities

    max(|u_1|, |u_2|) = (|u_1 + u_2| + |u_1 - u_2|) / 2,
    u_1^2 + u_2^2 = ((u_1 + u_2)^2 + (u_1 - u_2)^2) / 2

show that the objective is half the sum of the objectives of two lines with the same gamma, whose
data are v = (a_1 + a_2, a_1 - a_2). Two points share a cluster if and only if they do so on every
line.
"""

from __future__ import annotations

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.rounding import sum_errors
from bilad.models.validation import FloatArray, IntArray

SUM_AND_DIFFERENCE = ((1, 1), (1, -1))


def has_turned_lines(model: ConvexClustering) -> bool:
    """Return whether the lines are the sum and the difference of the features."""
    return bool(model.p == np.inf and model.d == 2)


def sums_and_differences(rows: FloatArray) -> FloatArray:
    """Return (x_1 + x_2, x_1 - x_2) for each row x; half of it is the inverse. Shape (m, 2)."""
    first, second = rows.T
    return np.column_stack([first + second, first - second])


def errors_of_sums(rows: FloatArray) -> FloatArray:
    """Return the absolute rounding errors of `sums_and_differences`: shape (m, 2).

    They are exact unless an intermediate sum overflows, where they are bounds.
    """
    return sum_errors(rows[:, :1], rows[:, 1:] * [1.0, -1.0])


def line_signs(model: ConvexClustering) -> IntArray | None:
    """Return the signs by which the lines are formed as sums of features.

    Parameters
    ----------
    model : ConvexClustering

    Returns
    -------
    ndarray of int, shape (lines, d), or None
        Entries are -1, 0 and 1; line r has the data `signs[r] @ a_i`. None if no separation into
        lines is known: p = 2 with d > 1, or p = inf with d > 2.
    """
    if model.p == 1 or model.d == 1:
        return np.eye(model.d, dtype=np.int64)
    if has_turned_lines(model):
        return np.array(SUM_AND_DIFFERENCE, dtype=np.int64)
    return None


def line_data(model: ConvexClustering) -> tuple[FloatArray, FloatArray]:
    """Return the data of the lines, or of the features if there are no lines, and their errors.

    Both have the shape (n, lines). The errors bound the differences from the exact data of the
    lines, including the model's own `rounding`.
    """
    rounding = np.zeros(model.data.shape) if model.rounding is None else model.rounding
    if not has_turned_lines(model):
        return model.data, rounding
    errors = errors_of_sums(model.data) + rounding.sum(axis=1, keepdims=True)
    return sums_and_differences(model.data), errors
